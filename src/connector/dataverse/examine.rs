//! What a person wants to know of an organisation before relying on it: whether it answers, lets this user in, what the user
//! may do there, and how far its clock is from ours. Only asks; writes nothing.

use super::{Dataverse, Options};
use crate::clock::Clock;
use crate::connector::ErrorKind;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::model::Table;

/// Examines an organisation.
pub async fn examine(options: Options, clock: Clock) -> Vec<Finding> {
    let (filters, url) = (options.filters.clone(), options.url.clone());
    let dataverse = match Dataverse::connect(options, clock, None).await {
        Ok(dataverse) => dataverse,
        Err(error) => {
            let topic = match error.kind {
                ErrorKind::Unauthorised => Topic::SignIn,
                ErrorKind::Forbidden => Topic::Rights,
                _ => Topic::Reachable,
            };
            return vec![Finding::failed(topic, &error)];
        }
    };
    let good = |topic, says: String| Finding::new(topic, Grade::Good, says);
    let protected = if url.starts_with("https:") {
        good(
            Topic::Certificate,
            "the connection is protected, and its certificate trusted".to_owned(),
        )
    } else {
        Finding::new(Topic::Certificate, Grade::Limited, "not protected: a service on this machine")
    };
    let who = match dataverse.me.iter().next() {
        Some(address) => format!("signed in as {address} ({})", dataverse.user()),
        None => format!("signed in as {}", dataverse.user()),
    };
    let mut findings = vec![
        good(Topic::Reachable, format!("answers as organisation {}", dataverse.organisation())),
        protected,
        good(Topic::SignIn, who),
    ];
    let tables: Vec<&str> = Table::ALL
        .into_iter()
        .filter(|table| filters.contains_key(table))
        .map(Table::logical_name)
        .collect();
    let strategy = format!(
        "lists the ids of what the filters choose, reads what changed, writes in batches ({})",
        tables.join(", ")
    );
    findings.push(good(Topic::Strategy, strategy));
    findings
}
