//! What `liaison doctor` wants to know about a collection: asked in few requests, told in plain words.

use reqwest::Url;

use super::discover::Collection;
use super::rights::Manner;
use super::{Dav, Invitations, Options};
use crate::clock::Clock;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::connector::tls::Trust;
use crate::connector::{Error, ErrorKind};
use crate::model::Class;

/// Looks at the server and the collection. Nothing is written there.
pub async fn examine(options: Options, clock: Clock) -> Vec<Finding> {
    let dav = match Dav::new(options, clock) {
        Ok(dav) => dav,
        Err(error) => return vec![Finding::failed(Topic::Reachable, &error)],
    };
    let collection = match dav.located().await {
        Ok(collection) => collection,
        Err(error) => return failed(&error),
    };
    let mut findings = vec![
        Finding::new(Topic::Reachable, Grade::Good, format!("{} answers", collection.url)),
        certificate(&collection.url, &dav.options().trust),
        signed_in(dav.options()),
        holds(&collection),
        rights(&collection),
        strategy(&collection, dav.options()),
    ];
    match dav.manner(&collection).await {
        Ok(manner) => {
            findings
                .extend(manner.date.map(|date| Finding::clock(date, dav.client().clock().now())));
            findings.extend(scheduling(&manner, dav.options()));
        }
        Err(error) => findings.push(Finding::failed(Topic::Capabilities, &error)),
    }
    findings
}

fn failed(error: &Error) -> Vec<Finding> {
    let answers = || Finding::new(Topic::Reachable, Grade::Good, "the server answers");
    match error.kind {
        ErrorKind::Unreachable => vec![Finding::unreached(error)],
        ErrorKind::Unauthorised => vec![answers(), Finding::failed(Topic::SignIn, error)],
        ErrorKind::Forbidden => vec![answers(), Finding::failed(Topic::Rights, error)],
        _ => vec![answers(), Finding::failed(Topic::Capabilities, error)],
    }
}

fn certificate(url: &Url, trust: &Trust) -> Finding {
    if url.scheme() == "https" { Finding::protected("TLS", trust) } else { Finding::unprotected() }
}

fn signed_in(options: &Options) -> Finding {
    let says = match &options.account {
        Some(account) => format!("signed in as {}", account.user),
        None => "nobody signs in".to_owned(),
    };
    Finding::new(Topic::SignIn, Grade::Good, says)
}

fn holds(collection: &Collection) -> Finding {
    let classes: Vec<String> = collection.classes.iter().map(|class| format!("{class}s")).collect();
    let name = collection.name.as_deref().unwrap_or("without a name");
    let says = format!("the collection is {name:?} and holds {}", classes.join(" and "));
    Finding::new(Topic::Capabilities, Grade::Good, says)
}

fn rights(collection: &Collection) -> Finding {
    if collection.writable {
        return Finding::new(Topic::Rights, Grade::Good, "may be read and written");
    }
    let mut finding = Finding::new(
        Topic::Rights,
        Grade::Limited,
        "may only be read: nothing of the CRM can come here",
    );
    finding.hint =
        Some("ask its owner for the right to write, or set direction = \"to-crm\"".to_owned());
    finding
}

fn strategy(collection: &Collection, options: &Options) -> Finding {
    let (grade, says) =
        match (collection.sync && !options.hide.sync, collection.ctag && !options.hide.ctag) {
            (true, _) => (Grade::Good, "asks what changed since the last time (sync-collection)"),
            (false, true) => {
                (Grade::Limited, "asks whether anything changed, and lists everything if so (ctag)")
            }
            (false, false) => {
                (Grade::Limited, "lists everything each time: the server cannot tell what changed")
            }
        };
    let minutes = options.pause.as_secs().div_ceil(60);
    Finding::new(Topic::Strategy, grade, format!("{says}; looks every {minutes} min"))
}

fn scheduling(manner: &Manner, options: &Options) -> Option<Finding> {
    if options.classes.contains(&Class::Contact) || !manner.schedules {
        return None;
    }
    let finding = |grade, says: &str| Some(Finding::new(Topic::Feature, grade, says));
    match (options.invitations, manner.obeys) {
        (Invitations::Allowed, _) => finding(
            Grade::Limited,
            "the server sends invitations and cancellations for what is synced",
        ),
        (Invitations::Never, true) => {
            finding(Grade::Good, "the server could send invitations, and is told not to")
        }
        (Invitations::Never, false) => finding(
            Grade::Limited,
            "the server could send invitations: meetings that another program invited to are not changed or removed here",
        ),
    }
}
