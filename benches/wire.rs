//! What the wire costs: 10,000 new contacts and a quiet round through the sandbox, beside the same operations in bare
//! `$batch` requests. The sandbox runs in this process, so that both share the same two ends.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "a bench stops at the first surprise, and prints its figures"
)]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use liaison::clock::Clock;
use liaison::connector::auth::{Credential, Kind};
use liaison::connector::dataverse::batch::{Method, Operation, Part};
use liaison::connector::dataverse::client::{Client, chunks};
use liaison::connector::http::{Http, Limits};
use liaison::connector::tls;
use liaison::mapping::{self, Change, Context, Lengths};
use liaison::model::{Body, Class, Document, Patch, Side, Table, Version, name};
use serde_json::Value as Json;

#[path = "../tests/sync/world.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "made for tests, which use more of it"
)]
mod world;

use world::World;

const COUNT: usize = 10_000;
const MOST_REQUESTS: u64 = 30;
const MOST_QUIET_REQUESTS: u64 = 4;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if runtime.block_on(compare()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn compare() -> bool {
    let clock = Clock::system();
    let (requests, seconds, quiet_requests, quiet_seconds) = through_the_engine().await;
    let (bare_requests, bare_seconds) = bare(&clock).await;
    let each = |seconds: f64| f64::from(u32::try_from(COUNT).unwrap_or(u32::MAX)) / seconds;
    println!(
        "{COUNT} new contacts, through the engine: {requests} requests, {seconds:.2} s, {:.0} operations/s",
        each(seconds)
    );
    println!(
        "{COUNT} new contacts, bare $batch: {bare_requests} requests, {bare_seconds:.2} s, {:.0} operations/s",
        each(bare_seconds)
    );
    println!("the engine takes {:.2} times as long as bare requests", seconds / bare_seconds);
    println!(
        "a quiet round over {COUNT} contacts: {quiet_requests} requests, {quiet_seconds:.2} s"
    );
    requests <= MOST_REQUESTS && quiet_requests <= MOST_QUIET_REQUESTS
}

/// Looks at the folder, reads it, plans, writes, reads back and stores.
async fn through_the_engine() -> (u64, f64, u64, f64) {
    let world = World::new().await;
    for number in 0..COUNT {
        world.put(&format!("contacts/c{number}.vcf"), &card(number));
    }
    world.sync(&[Class::Contact]).await;
    world.approve_all();
    let before = world.engine.crm.requests();
    let report = world.sync(&[Class::Contact]).await;
    assert_eq!(report.classes[&Class::Contact].created[&Side::Crm], COUNT, "{report:?}");
    let between = world.engine.crm.requests();
    let quiet = world.sync(&[Class::Contact]).await;
    assert_eq!(quiet.operations(), 0, "{quiet:?}");
    let after = world.engine.crm.requests();
    (between - before, report.seconds, after - between, quiet.seconds)
}

/// The same rows, made with the same operations, and nothing else.
async fn bare(clock: &Clock) -> (u64, f64) {
    let world = World::new().await;
    let http =
        Http::new(&tls::client_config(&tls::Trust::Platform).expect("TLS"), Limits::default())
            .expect("HTTP");
    let token = world.dir.path().join("organisation/tokens/anna");
    let bearer = Arc::new(Credential::command(Kind::Token, format!("cat '{}'", token.display())));
    let client = Client::new(http, &world.url, bearer, clock.clone()).expect("a client");
    let settings = &world.engine.settings;
    let context = Context {
        organisation: settings.organisation,
        zone: settings.zone.clone(),
        me: settings.me.clone(),
        lengths: Lengths(settings.lengths.0.clone()),
        people: std::collections::BTreeMap::new(),
        filing: std::collections::BTreeMap::new(),
    };
    let operations: Vec<Operation> = (0..COUNT)
        .map(|number| {
            let body = Body::Bytes(card(number).into_bytes());
            let (id, version) = (liaison::model::ItemId::new(""), Version::new(""));
            let document = Document { id, version, body, marks: std::collections::BTreeSet::new() };
            let content = mapping::read_item(Class::Contact, &document, &context).expect("a card");
            let patch: Patch = content
                .fields
                .iter()
                .map(|(field, value)| (field.clone(), Some(value.clone())))
                .collect();
            let change = Change { uid: &content.uid, patch: &patch, whole: &content.fields };
            let row = mapping::write_record(Table::Contact, change, None, &context).expect("a row");
            let guid = name::record_guid(
                context.organisation,
                Table::Contact,
                &settings.mailbox,
                &content.uid,
            );
            Operation::new(Method::Patch, format!("contacts({guid})"))
                .header("If-None-Match", "*")
                .header("Prefer", "return=representation")
                .body(&Json::Object(row.columns))
        })
        .collect();
    let started = clock.monotonic();
    for chunk in chunks(operations, |operation| (1, operation.size())) {
        let parts: Vec<Part> = chunk.into_iter().map(Part::One).collect();
        client.send(&parts).await.expect("an answer");
    }
    let seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
    let made = world.rows("contacts?$select=lastname&$filter=lastname ne null&$count=true").await;
    assert!(!made.is_empty());
    (client.requests().requests, seconds)
}

fn card(number: usize) -> String {
    let mut card = format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c{number}\r\nFN:Name{number}\r\nN:Name{number};Anna;;;\r\n"
    );
    let lines = write!(
        card,
        "EMAIL:c{number}@example.com\r\nTEL;TYPE=WORK:+49 30 {number}\r\nTITLE:Engineer\r\nEND:VCARD\r\n"
    );
    lines.expect("room for a line");
    card
}
