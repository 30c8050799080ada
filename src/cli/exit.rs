//! How a process ends: the numbers that scripts and service managers go by, and the sentence that a person does.

use std::fmt;

use crate::sync::report::{Failure, Obstacle};
use crate::sync::{ClassReport, Report};
use crate::{config, connector, store};

/// The exit code of a process. The last two are those of `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    /// Something was done, and something was not.
    Partly = 3,
    /// Something waits for `liaison approve`, or a mail for `liaison outgoing`.
    Held = 4,
    /// Conflicts wait for a choice.
    Conflicts = 5,
    SignIn = 6,
    AlreadyRunning = 7,
    /// Another installation is the one that syncs: this one only looked.
    Standby = 8,
    /// A comparison found something that is not as it should be.
    Differs = 9,
    TryLater = 75,
    Configuration = 78,
}

impl Exit {
    pub fn code(self) -> u8 {
        self as u8
    }

    /// By its number; what nobody knows is a failure.
    pub fn from_code(code: u8) -> Self {
        let all = [
            Self::Done,
            Self::Usage,
            Self::Partly,
            Self::Held,
            Self::Conflicts,
            Self::SignIn,
            Self::AlreadyRunning,
            Self::Standby,
            Self::Differs,
            Self::TryLater,
            Self::Configuration,
        ];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Failed)
    }

    /// Of a sync. What stops everything comes before what a person can answer, and that before what was set aside.
    pub fn of(report: &Report) -> Self {
        let classes: Vec<&ClassReport> = report.classes.values().collect();
        let failures = classes.iter().map(|class| class.error.as_ref());
        if let Some(exit) = Self::of_failures(failures) {
            exit
        } else if classes.iter().any(|class| class.held + class.outgoing.unknown > 0) {
            Self::Held
        } else if classes.iter().any(|class| class.conflicts > 0) {
            Self::Conflicts
        } else if classes.iter().any(|class| !class.in_step()) {
            Self::Partly
        } else {
            Self::Done
        }
    }

    /// Of classes that may have failed; nothing where none did. What ends all alike comes before what only one is in the way of.
    pub fn of_failures<'a>(classes: impl Iterator<Item = Option<&'a Failure>>) -> Option<Self> {
        let classes: Vec<Option<Obstacle>> =
            classes.map(|failure| failure.map(|failure| failure.kind)).collect();
        let meets = |obstacle| classes.contains(&Some(obstacle));
        if meets(Obstacle::SignIn) || meets(Obstacle::Locked) {
            Some(Self::SignIn)
        } else if meets(Obstacle::Later) {
            Some(Self::TryLater)
        } else if meets(Obstacle::Standby) {
            Some(Self::Standby)
        } else if meets(Obstacle::Failed) {
            let all = classes.iter().all(Option::is_some);
            Some(if all { Self::Failed } else { Self::Partly })
        } else {
            None
        }
    }

    /// Of an error that ended a command.
    pub fn of_error(error: &anyhow::Error) -> Self {
        if let Some(stop) = error.downcast_ref::<Stop>() {
            return stop.exit;
        }
        if error.downcast_ref::<config::Error>().is_some() {
            return Self::Configuration;
        }
        if let Some(error) = error.downcast_ref::<store::Error>() {
            return match error.kind {
                store::ErrorKind::Busy | store::ErrorKind::Full => Self::TryLater,
                _ => Self::Failed,
            };
        }
        match error.downcast_ref::<connector::Error>().map(|error| error.kind) {
            Some(connector::ErrorKind::Unauthorised | connector::ErrorKind::Locked) => Self::SignIn,
            Some(connector::ErrorKind::Unreachable | connector::ErrorKind::Throttled(_)) => {
                Self::TryLater
            }
            _ => Self::Failed,
        }
    }
}

/// What the person can do about an error, where somebody knows.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Some(stop.hint.clone());
    }
    if let Some(error) = error.downcast_ref::<config::Error>() {
        return error.hint.clone();
    }
    if let Some(error) = error.downcast_ref::<store::Error>() {
        return error.hint().map(str::to_owned);
    }
    let error = error.downcast_ref::<connector::Error>()?;
    error.hint.clone().or_else(|| match error.kind {
        connector::ErrorKind::Unreachable => Some(
            "nothing was touched; check the network and the `url` of the organisation, then try again"
                .to_owned(),
        ),
        connector::ErrorKind::Throttled(pause) => {
            Some(format!("nothing was touched; try again in {} s", pause.as_secs().max(1)))
        }
        _ => None,
    })
}

/// Why a command cannot go on, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub exit: Exit,
    pub message: String,
    pub hint: String,
}

impl Stop {
    pub fn new(exit: Exit, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Stop {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Class;

    fn failed(kind: Obstacle) -> ClassReport {
        let error = Some(Failure { message: String::new(), hint: None, kind, pause: None });
        ClassReport { error, ..ClassReport::default() }
    }

    #[test]
    fn a_sync_ends_with_what_matters_most() {
        let fine = ClassReport::default;
        let held = || ClassReport { held: 1, ..fine() };
        let contested = || ClassReport { conflicts: 1, ..fine() };
        let aside = || ClassReport { quarantined: 1, ..fine() };
        for (one, other, expected) in [
            (fine(), fine(), Exit::Done),
            (aside(), fine(), Exit::Partly),
            (aside(), contested(), Exit::Conflicts),
            (contested(), held(), Exit::Held),
            (held(), failed(Obstacle::Failed), Exit::Partly),
            (failed(Obstacle::Failed), failed(Obstacle::Failed), Exit::Failed),
            (failed(Obstacle::Failed), failed(Obstacle::Later), Exit::TryLater),
            (failed(Obstacle::SignIn), failed(Obstacle::Later), Exit::SignIn),
            (failed(Obstacle::Locked), failed(Obstacle::Later), Exit::SignIn),
            (held(), failed(Obstacle::Standby), Exit::Standby),
            (failed(Obstacle::Later), failed(Obstacle::Standby), Exit::TryLater),
        ] {
            let classes = BTreeMap::from([(Class::Contact, one), (Class::Task, other)]);
            let report = Report { classes, ..Report::default() };
            assert_eq!(Exit::of(&report), expected, "{report:?}");
        }
    }

    #[test]
    fn an_error_ends_with_its_kind_however_deep_it_lies() {
        use anyhow::Context;
        let deep = |error: anyhow::Error| Err::<(), _>(error).context("while testing").unwrap_err();
        let refused = connector::Error::new(connector::ErrorKind::Unauthorised, "no").hint("do");
        let refused = deep(refused.into());
        assert_eq!((Exit::of_error(&refused), hint(&refused)), (Exit::SignIn, Some("do".into())));
        let config = deep(config::Error::new("x.toml", "no").into());
        assert_eq!(Exit::of_error(&config), Exit::Configuration);
        let busy = deep(store::Error::new(store::ErrorKind::Busy, "no").into());
        assert_eq!(Exit::of_error(&busy), Exit::TryLater);
        assert_eq!(Exit::of_error(&anyhow::anyhow!("no")), Exit::Failed);
    }
}
