//! What it costs to plan: 100,000 linked contacts, of which one in a hundred changed. Time of the plan alone, and time and
//! peak memory of the plan and of a whole look (listings, store, plan), each in a process of its own.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::similar_names,
    clippy::too_many_lines,
    reason = "a bench stops at the first surprise, and prints its figures"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use liaison::clock::Clock;
use liaison::connector::{Connector, Error, ErrorKind, Result, Write, Written};
use liaison::mapping::Lengths;
use liaison::model::{
    Address, Bases, Body, Class, Completeness, Content, Document, Field, Fields, ItemId, Link,
    LinkId, LinkState, Listing, RecordId, Side, Table, Traits, Uid, Value, Version, name,
};
use liaison::plan::guard::{Guarded, Limits, Situation, guard};
use liaison::plan::{Rules, Seen, World, plan};
use liaison::store::observation::{self, Observation};
use liaison::store::{Store, link, round};
use liaison::sync::{Engine, Settings};
use uuid::Uuid;

const LINKED: usize = 100_000;
const CHANGED: usize = LINKED / 100;
const ORGANISATION: Uuid = Uuid::from_u128(7);

const MOST_SECONDS: f64 = 0.5;
const MOST_MEBIBYTES: u64 = 200;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["alone", "plan"] => alone_plan(),
        ["alone", "look", store] => alone_look(Path::new(store)),
        _ => {
            divan::main();
            return alone();
        }
    }
    ExitCode::SUCCESS
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn plan_and_guard(bencher: divan::Bencher<'_, '_>) {
    bencher.with_inputs(world).bench_refs(|world| planned(world));
}

fn planned(world: &World) -> Guarded {
    let situation = Situation { linked: LINKED, ..Situation::default() };
    let guarded = guard(plan(world, &Rules::default()), &Limits::default(), &situation);
    assert_eq!((guarded.go.len(), guarded.held.len()), (CHANGED, 0));
    guarded
}

/// Runs both in processes of their own, and fails when a limit is passed.
fn alone() -> ExitCode {
    let dir = tempfile::tempdir().expect("a folder for the store");
    let store = dir.path().join("store.db");
    fill(&store);
    let own = std::env::current_exe().expect("the path of this program");
    let mut good = true;
    for arguments in [vec!["plan".into()], vec!["look".into(), store.into_os_string()]] {
        let output = Command::new(&own).arg("alone").args(&arguments).output().expect("a run");
        let said = String::from_utf8_lossy(&output.stdout);
        print!("{said}");
        good &= output.status.success() && said.lines().all(|line| !line.contains("OVER"));
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn alone_plan() {
    let world = world();
    let clock = Clock::system();
    let started = clock.monotonic();
    let guarded = planned(&world);
    let seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
    let over =
        if seconds > MOST_SECONDS || peak() > MOST_MEBIBYTES { " OVER THE LIMIT" } else { "" };
    println!(
        "plan and guard, {LINKED} linked, {} steps: {seconds:.3} s, peak memory of the process {} MiB{over}",
        guarded.go.len(),
        peak()
    );
}

fn alone_look(store: &Path) {
    let clock = Clock::system();
    let engine = engine(Store::open(store).expect("the store"), clock.clone());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let started = clock.monotonic();
    let preview = runtime.block_on(engine.preview(Class::Contact)).expect("a look");
    let seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
    assert_eq!((preview.go.len(), preview.held.len()), (CHANGED, 0), "{:?}", preview.report);
    println!(
        "a whole look as the engine does it (listings, {CHANGED} items read, store, plan): {seconds:.3} s, peak memory of the process {} MiB",
        peak()
    );
}

/// The most memory this process ever held, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.unwrap_or_default() / 1024
}

fn uid(number: usize) -> Uid {
    Uid::new(format!("contact-{number:06}@example.org"))
}

fn mailbox() -> Address {
    Address::parse("anna@example.org").expect("an address")
}

fn item_id(number: usize) -> ItemId {
    ItemId::new(format!("contact-{number:06}@example.org.vcf"))
}

fn record_id(number: usize) -> ItemId {
    let guid = name::record_guid(ORGANISATION, Table::Contact, &mailbox(), &uid(number));
    RecordId::new(Table::Contact, guid).item_id()
}

/// The version of a half: one in a hundred was changed, on either side in turn.
fn version(number: usize, side: Side) -> Version {
    let turn = if number.is_multiple_of(200) { Side::Mailbox } else { Side::Crm };
    let changed = number.is_multiple_of(100) && side == turn;
    Version::new(if changed { "the version after that" } else { "the version both settled at" })
}

fn fields(number: usize, phone: &str) -> Fields {
    [
        ("firstname", format!("First{number}")),
        ("lastname", format!("Last{number}")),
        ("emailaddress1", format!("contact{number}@example.org")),
        ("telephone1", phone.to_owned()),
        ("jobtitle", "Engineer".to_owned()),
        ("address1_line1", format!("Street {number}")),
        ("address1_city", "Berlin".to_owned()),
        ("description", "Met at the fair, wants to be called back in spring.".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (Field::of(name), Value::Text(value)))
    .collect()
}

fn content(number: usize, phone: &str) -> Content {
    Content { uid: uid(number), fields: fields(number, phone), traits: Traits::default() }
}

fn link(number: usize, with_bases: bool) -> Link {
    let bases = Bases { item: fields(number, "+49 30 1"), record: fields(number, "+49 30 1") };
    let settled = Some(Version::new("the version both settled at"));
    Link {
        id: LinkId(i64::try_from(number).unwrap_or(i64::MAX) + 1),
        class: Class::Contact,
        item: item_id(number),
        record: record_id(number),
        uid: uid(number),
        origin: Side::Mailbox,
        state: LinkState::Active,
        item_version: settled.clone(),
        record_version: settled,
        bases: with_bases.then(|| Box::new(bases)),
    }
}

/// As the engine puts it together: content only where the versions do not tell that nothing changed.
fn world() -> World {
    let seen = |number: usize, side| {
        let version = version(number, side);
        let changed = version.as_str() == "the version after that";
        Seen::Here { version, content: changed.then(|| Box::new(content(number, "+49 30 2"))) }
    };
    World {
        class: Class::Contact,
        organisation: ORGANISATION,
        mailbox: mailbox(),
        me: BTreeSet::from([mailbox()]),
        now: Timestamp::UNIX_EPOCH,
        items: (0..LINKED).map(|number| (item_id(number), seen(number, Side::Mailbox))).collect(),
        records: (0..LINKED).map(|number| (record_id(number), seen(number, Side::Crm))).collect(),
        partial: BTreeSet::new(),
        tracked: BTreeMap::new(),
        links: (0..LINKED).map(|number| link(number, number.is_multiple_of(100))).collect(),
        farewells: BTreeMap::new(),
        choices: BTreeMap::new(),
        verdicts: BTreeMap::new(),
    }
}

/// A store in which everything is linked and was seen as it was settled.
fn fill(path: &Path) {
    let store = Store::open(path).expect("a new store");
    let observed = |number: usize, side: Side| Observation {
        side,
        class: Class::Contact,
        id: if side == Side::Mailbox { item_id(number) } else { record_id(number) },
        version: Version::new("the version both settled at"),
        content: Some(content(number, "+49 30 1")),
        problem: None,
    };
    let filled = store.write_blocking(|tx| {
        let round = round::start(tx, "bench", Timestamp::UNIX_EPOCH)?;
        for side in [Side::Mailbox, Side::Crm] {
            let all: Vec<Observation> = (0..LINKED).map(|number| observed(number, side)).collect();
            observation::upsert(tx, round, &all)?;
        }
        for number in 0..LINKED {
            link::insert(tx, &link(number, true))?;
        }
        liaison::store::meta::set(
            tx,
            &liaison::sync::world::started_key(Class::Contact),
            "approved",
        )
    });
    filled.expect("room for the store");
}

/// A side that answers at once, so that only our own work counts.
struct Memory(Side);

#[async_trait]
impl Connector for Memory {
    async fn list(&self, _class: Class) -> Result<Listing> {
        let id = if self.0 == Side::Mailbox { item_id } else { record_id };
        // Only the mailbox has changes here: reading them is what a folder would have us do.
        let version = |number: usize| match self.0 {
            Side::Mailbox if number.is_multiple_of(100) => Version::new("the version after that"),
            Side::Mailbox | Side::Crm => Version::new("the version both settled at"),
        };
        let entries = (0..LINKED).map(|number| (id(number), version(number))).collect();
        Ok(Listing { entries, completeness: Completeness::Complete })
    }

    async fn read(
        &self,
        _class: Class,
        ids: &[ItemId],
    ) -> Result<BTreeMap<ItemId, Result<Document>>> {
        let document = |id: &ItemId| {
            let uid = id.as_str().trim_end_matches(".vcf");
            let number = uid.trim_start_matches("contact-").trim_end_matches("@example.org");
            let number = number.trim_start_matches('0');
            let number = if number.is_empty() { "0" } else { number };
            let text = format!(
                "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:First{number} Last{number}\r\nN:Last{number};First{number};;;\r\n\
                 EMAIL:contact{number}@example.org\r\nTEL;TYPE=WORK:+49 30 2\r\nTITLE:Engineer\r\n\
                 ADR;TYPE=WORK:;;Street {number};Berlin;;;\r\nNOTE:Met at the fair\\, wants to be called back in spring.\r\nEND:VCARD\r\n"
            );
            let version = Version::new("the version after that");
            Ok(Document {
                id: id.clone(),
                version,
                body: Body::Bytes(text.into_bytes()),
                marks: BTreeSet::new(),
            })
        };
        Ok(ids.iter().map(|id| (id.clone(), document(id))).collect())
    }

    async fn write(&self, _class: Class, _writes: Vec<Write>) -> Result<Vec<Result<Written>>> {
        Err(Error::new(ErrorKind::Unsupported, "a look writes nothing"))
    }

    async fn find(&self, _class: Class, _uids: &[Uid]) -> Result<BTreeMap<Uid, ItemId>> {
        Ok(BTreeMap::new())
    }

    async fn wait(&self, _class: Class) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "nothing changes here"))
    }
}

fn engine(store: Store, clock: Clock) -> Engine {
    let items: Arc<dyn Connector> = Arc::new(Memory(Side::Mailbox));
    Engine {
        mailbox: BTreeMap::from([(Class::Contact, items)]),
        crm: Arc::new(Memory(Side::Crm)),
        store,
        clock,
        settings: Settings {
            organisation: ORGANISATION,
            mailbox: mailbox(),
            me: BTreeSet::from([mailbox()]),
            zone: TimeZone::UTC,
            lengths: Lengths::default(),
            limits: Limits::default(),
            filing: liaison::sync::Filing::default(),
            classes: BTreeMap::default(),
        },
        fence: None,
        stop: liaison::sync::stop::Stop::default(),
        sending: None,
        progress: Arc::new(|_| {}),
    }
}
