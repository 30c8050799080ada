//! What the service knows at this moment, and what that means for a person. "In step" is only said when nothing waits anywhere.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::house::{Kind, Survey, Trouble};
use crate::ipc::wire::{self, ClassStatus, Need, NeedKind, State, Status};
use crate::model::Class;

/// What is known.
#[derive(Debug, Clone)]
pub struct Facts {
    pub since: Timestamp,
    /// Why nothing can be opened.
    pub trouble: Option<Trouble>,
    /// Why the configuration file, as it is now, is not the one in force.
    pub file: Option<Trouble>,
    pub paused: Option<Pause>,
    pub classes: BTreeMap<Class, Beat>,
    pub survey: Survey,
}

/// No rounds begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    UntilResume,
    Until(Timestamp),
}

/// What one class is at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    pub syncing: bool,
    /// Whether a round looked at both sides since everything was opened: what was so before may not be so any more.
    pub looked: bool,
    /// What went wrong in the last round.
    pub trouble: Option<Trouble>,
    pub next: Option<Timestamp>,
}

impl Facts {
    pub fn new(since: Timestamp) -> Self {
        Self {
            since,
            trouble: None,
            file: None,
            paused: None,
            classes: BTreeMap::new(),
            survey: Survey::default(),
        }
    }

    pub fn is_paused(&self, now: Timestamp) -> bool {
        match self.paused {
            None => false,
            Some(Pause::UntilResume) => true,
            Some(Pause::Until(end)) => now < end,
        }
    }

    /// How things stand.
    pub fn status(&self, now: Timestamp) -> Status {
        let paused = self.is_paused(now).then_some(self.paused).flatten();
        let classes: Vec<ClassStatus> =
            self.survey.classes.iter().map(|class| self.class(class, paused)).collect();
        let needs = self.needs();
        let state = self.state(&classes, &needs, paused.is_some());
        Status {
            version: wire::STATUS_VERSION,
            state,
            sentence: self.sentence(state, &classes, &needs),
            organisation: self.survey.organisation.clone(),
            mailbox: self.survey.mailbox.clone(),
            classes,
            needs,
            paused: paused.map(|pause| match pause {
                Pause::UntilResume => "until resume".to_owned(),
                Pause::Until(end) => end.to_string(),
            }),
            offline: self.survey.offline,
            running_since: self.since.to_string(),
        }
    }

    fn class(&self, stored: &ClassStatus, paused: Option<Pause>) -> ClassStatus {
        let beat = self.classes.get(&model(stored.class)).cloned().unwrap_or_default();
        let mut status = stored.clone();
        status.next_round = beat.next.map(|at| at.to_string());
        let trouble = self.trouble.as_ref().or(beat.trouble.as_ref());
        if let Some(trouble) = trouble {
            status.state = status.state.max(state_of(trouble.kind));
            status.sentence.clone_from(&trouble.message);
        } else if beat.syncing {
            status.state = status.state.max(State::Syncing);
            status.sentence = format!("syncing; before: {}", stored.sentence);
        } else if paused.is_some() {
            status.state = status.state.max(State::Paused);
        } else if !beat.looked {
            status.state = status.state.max(State::Waiting);
            status.sentence = format!("not looked at yet; before: {}", stored.sentence);
        }
        status
    }

    fn state(&self, classes: &[ClassStatus], needs: &[Need], paused: bool) -> State {
        let mut state = classes.iter().map(|class| class.state).max().unwrap_or(State::InStep);
        if let Some(trouble) = &self.trouble {
            state = state.max(state_of(trouble.kind));
        }
        for (holds, at_least) in [
            (paused, State::Paused),
            (self.survey.offline, State::Offline),
            (self.survey.outbox || self.is_starting(), State::Waiting),
            (self.file.is_some() || !needs.is_empty(), State::Held),
        ] {
            if holds {
                state = state.max(at_least);
            }
        }
        state
    }

    /// Nothing was opened, or what is stored was not looked at yet.
    fn is_starting(&self) -> bool {
        self.classes.is_empty() || self.survey.classes.is_empty()
    }

    /// Sign-in first, since nothing goes on without it.
    fn needs(&self) -> Vec<Need> {
        let mut needs: Vec<Need> = Vec::new();
        let of_classes = self.classes.values().filter_map(|beat| beat.trouble.as_ref());
        for trouble in self.trouble.iter().chain(of_classes).chain(&self.file) {
            let kind = match trouble.kind {
                Kind::SignIn | Kind::Locked => NeedKind::SignIn,
                Kind::Configuration => NeedKind::Configuration,
                Kind::Standby => NeedKind::Standby,
                Kind::Later(_) | Kind::Away | Kind::Failed => continue,
            };
            let known = self.survey.needs.iter().chain(&needs);
            if known.clone().any(|need| need.kind == kind && need.text == trouble.message)
                || (kind == NeedKind::Standby && known.clone().any(|need| need.kind == kind))
            {
                continue;
            }
            let (text, command) = (trouble.message.clone(), trouble.hint.clone());
            needs.push(Need { kind, count: 1, text, command });
        }
        needs.extend(self.survey.needs.iter().cloned());
        needs.sort_by_key(|need| need.kind);
        needs
    }

    fn sentence(&self, state: State, classes: &[ClassStatus], needs: &[Need]) -> String {
        let of = |state: State| {
            let names: Vec<&str> = classes
                .iter()
                .filter(|class| class.state == state)
                .map(|class| plural(class.class))
                .collect();
            names.join(", ")
        };
        let trouble = self
            .trouble
            .iter()
            .chain(self.classes.values().filter_map(|beat| beat.trouble.as_ref()))
            .find(|trouble| state_of(trouble.kind) == state);
        match (state, trouble, needs.first()) {
            (State::InStep, ..) => "everything is in step".to_owned(),
            (State::Syncing, ..) => format!("syncing: {}", of(State::Syncing)),
            (State::Paused, ..) => "paused".to_owned(),
            (State::Waiting, ..) if self.is_starting() => "starting".to_owned(),
            (State::Waiting, ..) if self.survey.outbox => "edits wait to be sent".to_owned(),
            (State::Waiting, ..) => format!("not in step yet: {}", of(State::Waiting)),
            (State::Offline, ..) if self.survey.offline => "offline, by your choice".to_owned(),
            (_, Some(trouble), _) => trouble.message.clone(),
            (_, None, Some(need)) => need.text.clone(),
            (_, None, None) => format!("not in step: {}", of(state)),
        }
    }
}

/// What a person sees of trouble.
fn state_of(kind: Kind) -> State {
    match kind {
        Kind::Later(_) | Kind::Away => State::Offline,
        Kind::SignIn | Kind::Locked => State::SignIn,
        Kind::Standby => State::Standby,
        Kind::Configuration | Kind::Failed => State::Error,
    }
}

fn plural(class: wire::Class) -> &'static str {
    match class {
        wire::Class::Contact => "contacts",
        wire::Class::Task => "tasks",
        wire::Class::Appointment => "appointments",
        wire::Class::Email => "e-mails",
    }
}

/// A class of the wire, inside.
pub fn model(class: wire::Class) -> Class {
    match class {
        wire::Class::Contact => Class::Contact,
        wire::Class::Task => Class::Task,
        wire::Class::Appointment => Class::Appointment,
        wire::Class::Email => Class::Email,
    }
}

/// A class, on the wire.
pub fn wired(class: Class) -> wire::Class {
    match class {
        Class::Contact => wire::Class::Contact,
        Class::Task => wire::Class::Task,
        Class::Appointment => wire::Class::Appointment,
        Class::Email => wire::Class::Email,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let mut facts = Facts::new(Timestamp::UNIX_EPOCH);
        for class in [Class::Contact, Class::Task] {
            facts.classes.insert(class, Beat { looked: true, ..Beat::default() });
            facts.survey.classes.push(ClassStatus {
                class: wired(class),
                state: State::InStep,
                sentence: "in step".to_owned(),
                linked: 1,
                last_round: None,
                next_round: None,
            });
        }
        facts
    }

    fn trouble(kind: Kind) -> Trouble {
        Trouble { kind, message: "no".to_owned(), hint: Some("do".to_owned()) }
    }

    fn state(change: impl FnOnce(&mut Facts)) -> (State, String) {
        let mut facts = facts();
        change(&mut facts);
        let status = facts.status(Timestamp::UNIX_EPOCH);
        (status.state, status.sentence)
    }

    fn task(it: &mut Facts, beat: Beat) {
        it.classes.insert(Class::Task, beat);
    }

    type Change = Box<dyn FnOnce(&mut Facts)>;

    #[test]
    fn in_step_is_only_said_when_nothing_waits_anywhere() {
        assert_eq!(state(|_| {}), (State::InStep, "everything is in step".to_owned()));
        let syncing = Beat { syncing: true, ..Beat::default() };
        let refused = Beat { trouble: Some(trouble(Kind::SignIn)), ..Beat::default() };
        let waits: [(Change, State); 11] = [
            (Box::new(|it| it.survey.classes[1].state = State::Waiting), State::Waiting),
            (Box::new(|it| it.survey.outbox = true), State::Waiting),
            (Box::new(|it| it.survey.offline = true), State::Offline),
            (Box::new(|it| it.paused = Some(Pause::UntilResume)), State::Paused),
            (Box::new(|it| task(it, Beat::default())), State::Waiting),
            (Box::new(|it| task(it, syncing)), State::Syncing),
            (Box::new(|it| it.trouble = Some(trouble(Kind::Later(None)))), State::Offline),
            (Box::new(|it| it.file = Some(trouble(Kind::Configuration))), State::Held),
            (Box::new(|it| it.classes.clear()), State::Waiting),
            (Box::new(|it| it.survey.classes.clear()), State::Waiting),
            (Box::new(|it| task(it, refused)), State::SignIn),
        ];
        for (number, (change, expected)) in waits.into_iter().enumerate() {
            let (state, sentence) = state(change);
            assert_eq!(state, expected, "{number}: {sentence}");
        }
    }

    #[test]
    fn a_sign_in_that_several_classes_need_is_asked_for_once() {
        let mut facts = facts();
        for beat in facts.classes.values_mut() {
            beat.trouble = Some(trouble(Kind::SignIn));
        }
        let needs = facts.status(Timestamp::UNIX_EPOCH).needs;
        assert_eq!(needs.len(), 1, "{needs:?}");
        assert_eq!(needs[0].command.as_deref(), Some("do"));
    }

    #[test]
    fn a_pause_ends_by_itself() {
        let end = Timestamp::from_second(60).unwrap();
        let mut facts = facts();
        facts.paused = Some(Pause::Until(end));
        assert!(facts.is_paused(Timestamp::UNIX_EPOCH));
        assert!(!facts.is_paused(end));
        assert_eq!(facts.status(end).state, State::InStep);
    }
}
