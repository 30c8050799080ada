//! What a person wants to know of an organisation before relying on it: whether it answers, lets this user in, takes the
//! filters, what the user may do there, whether somebody else keeps the mailbox in step already, and how far its clock is from
//! ours. Only asks; writes nothing. A question that the organisation does not answer is a finding, never a failure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::batch::{MAX_OPERATIONS, Part, Reply};
use super::error::refused;
use super::fetch::Fetch;
use super::{Dataverse, Options, list, odata};
use crate::clock::Clock;
use crate::connector::finding::{Finding, Grade, Topic};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::fields::Direction;
use crate::model::{Address, Class, Table};

pub(super) mod delivery;
mod rights;
pub mod standing;

pub use rights::Access;
use standing::Standing;

/// What is to be done with an organisation.
#[derive(Debug, Clone, Default)]
pub struct Purpose {
    /// The classes that take part, and which way their changes travel.
    pub directions: BTreeMap<Class, Direction>,
    /// The mailbox's own addresses.
    pub me: BTreeSet<Address>,
}

/// Examines an organisation.
pub async fn examine(options: Options, purpose: &Purpose, clock: Clock) -> Vec<Finding> {
    let protected = if options.url.starts_with("https:") {
        Finding::protected("TLS", &options.trust)
    } else {
        Finding::unprotected()
    };
    let dataverse = match Dataverse::connect(options, clock, None).await {
        Ok(dataverse) => dataverse,
        Err(error) => return closed(protected, &error),
    };
    let says = format!("answers as organisation {}", dataverse.organisation());
    let mut findings =
        vec![Finding::new(Topic::Reachable, Grade::Good, says), protected, signed_in(&dataverse)];
    findings.extend(somebody_else(&dataverse, &purpose.me));
    match ask(&dataverse, purpose).await {
        Ok(mut answers) => findings.append(&mut answers),
        Err(error) => findings.push(Finding::failed(Topic::Capabilities, &error)),
    }
    findings.extend(dataverse.client.clocks().map(|told| Finding::clock(told.theirs, told.ours)));
    let strategy = "the ids of what the filters choose are listed each time, and what changed is \
                    read: an organisation does not tell ordinary users what changed";
    findings.push(Finding::new(Topic::Strategy, Grade::Good, strategy));
    findings
}

fn closed(protected: Finding, error: &Error) -> Vec<Finding> {
    let answers = Finding::new(Topic::Reachable, Grade::Good, "the organisation answers");
    match error.kind {
        ErrorKind::Unauthorised => {
            vec![answers, protected, Finding::failed(Topic::SignIn, error)]
        }
        ErrorKind::Forbidden => vec![answers, protected, Finding::failed(Topic::Rights, error)],
        _ => vec![Finding::unreached(error)],
    }
}

fn signed_in(dataverse: &Dataverse) -> Finding {
    let known: Vec<&str> = dataverse.me().iter().map(Address::as_str).collect();
    let says = if known.is_empty() {
        format!("signed in as user {}, whose address is not told", dataverse.user())
    } else {
        format!("signed in as {}", known.join(", "))
    };
    Finding::new(Topic::SignIn, Grade::Good, says)
}

/// A sync is refused where the CRM's user is not the owner of the mailbox.
fn somebody_else(dataverse: &Dataverse, mailbox: &BTreeSet<Address>) -> Option<Finding> {
    if dataverse.me().is_empty() || !dataverse.me().is_disjoint(mailbox) {
        return None;
    }
    let says = "this is no address of the mailbox: nothing is synced";
    let finding = Finding::new(Topic::Rights, Grade::Bad, says);
    Some(finding.hint(
        "if both are you, add the CRM's address to `aliases` in `[mailbox]`; else sign in as the \
         owner of the mailbox",
    ))
}

/// Asks all that is left to ask, in one request.
pub(super) async fn ask(dataverse: &Dataverse, purpose: &Purpose) -> Result<Vec<Finding>> {
    let (filters, mut findings) = filters(dataverse, purpose);
    let mut questions = standing::questions(dataverse).to_vec();
    questions.extend(filters.iter().map(|(_, path)| odata::get_page(path.clone())));
    let replies = dataverse.client.read(questions.into_iter().map(Part::One).collect()).await?;
    let Some((told, rest)) = replies.split_first_chunk::<{ standing::QUESTIONS }>() else {
        return Err(Error::new(ErrorKind::Malformed, "the answer has too few parts"));
    };
    let says = format!("takes up to {MAX_OPERATIONS} operations in one request");
    findings.insert(0, Finding::new(Topic::Capabilities, Grade::Good, says));
    findings.append(&mut accepted(dataverse, &filters, rest));
    findings.append(&mut versions(dataverse, purpose));
    findings.append(&mut Standing::read(dataverse, told, &purpose.directions).1);
    Ok(findings)
}

/// The classes' filters with the path that tries each, and what is wrong with those that cannot be asked.
fn filters(dataverse: &Dataverse, purpose: &Purpose) -> (Vec<(Class, String)>, Vec<Finding>) {
    let (mut paths, mut findings) = (Vec::new(), Vec::new());
    for class in purpose.directions.keys().filter(|class| **class != Class::Email) {
        match list::filters(dataverse, *class, &dataverse.selection) {
            Ok(asked) => paths.extend(asked.iter().map(|list::ByFilter { query, .. }| {
                (*class, query.fetch.path_of_one(&query.entity_set))
            })),
            Err(error) => findings.push(Finding::failed(Topic::Capabilities, &error)),
        }
    }
    let told = dataverse.told();
    for error in [&told.own, &told.system].into_iter().filter_map(|read| read.as_ref().err()) {
        let says = format!("the organisation's sync filters cannot be read: {error}");
        findings.push(Finding::new(Topic::Capabilities, Grade::Limited, says));
    }
    for filter in told.own.iter().chain(&told.system).flatten().filter(|filter| filter.active) {
        let Some(table) = Table::named(&filter.table) else { continue };
        if !purpose.directions.contains_key(&table.class()) || table.class() == Class::Email {
            continue;
        }
        let id = table.id_column();
        match Fetch::reduced(&filter.fetchxml, table.logical_name(), id, &[id]) {
            Ok(fetch) => {
                let path = fetch.path_of_one(&dataverse.metadata.of(table).entity_set);
                paths.push((table.class(), path));
            }
            Err(error) => {
                let says = format!("the sync filter “{}”: {}", filter.name, error.message);
                let finding = Finding::new(Topic::Capabilities, Grade::Bad, says);
                findings.push(finding.hint("correct it in the CRM, or turn it off there"));
            }
        }
    }
    (paths, findings)
}

fn accepted(dataverse: &Dataverse, asked: &[(Class, String)], replies: &[Reply]) -> Vec<Finding> {
    let mut good: BTreeSet<Class> = asked.iter().map(|(class, _)| *class).collect();
    let mut findings = Vec::new();
    for ((class, _), reply) in asked.iter().zip(replies) {
        if let Err(error) = rows(dataverse, reply) {
            good.remove(class);
            let says = format!("a filter of the {class}s is not accepted: {}", error.message);
            // Several may be refused for one reason.
            if findings.iter().any(|finding: &Finding| finding.says == says) {
                continue;
            }
            findings.push(
                Finding::new(Topic::Capabilities, Grade::Bad, says)
                    .hint(format!("correct `filters` in [sync.{class}], or in the CRM")),
            );
        }
    }
    if !good.is_empty() {
        let good: Vec<String> = good.iter().map(|class| format!("{class}s")).collect();
        let says = format!("the filters of {} are accepted", good.join(", "));
        findings.insert(0, Finding::new(Topic::Capabilities, Grade::Good, says));
    }
    findings
}

/// Where the service does not check which version a change was made on.
fn versions(dataverse: &Dataverse, purpose: &Purpose) -> Vec<Finding> {
    Table::ALL
        .into_iter()
        .filter(|table| purpose.directions.contains_key(&table.class()))
        .filter(|table| !dataverse.metadata.of(*table).versioned)
        .map(|table| {
            let says = format!(
                "the service checks no versions of {}: who changes one at the same moment may be overwritten",
                table.logical_name()
            );
            Finding::new(Topic::Feature, Grade::Limited, says)
        })
        .collect()
}

fn answer(dataverse: &Dataverse, reply: &Reply) -> Result<Json> {
    let nonsense = || Error::new(ErrorKind::Malformed, "the answer makes no sense");
    let Reply::One(answer) = reply else { return Err(nonsense()) };
    if !answer.is_success() {
        return Err(refused(answer, "ask", None, dataverse.client.clock().now()));
    }
    answer.json().ok_or_else(nonsense)
}

fn rows(dataverse: &Dataverse, reply: &Reply) -> Result<Vec<Map<String, Json>>> {
    let nonsense = || Error::new(ErrorKind::Malformed, "the answer makes no sense");
    odata::rows(answer(dataverse, reply)?).ok_or_else(nonsense)
}
