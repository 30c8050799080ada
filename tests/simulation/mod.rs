//! The whole program in a simulation: the engine, the store and the fence as they are, for all classes at once, in two
//! installations that share a mailbox and an organisation; on one thread, in a time that only moves when it is moved, beside
//! servers with habits. A seed makes a history of people's acts and of faults on the way (`history`), it takes place (`office`),
//! and when all is quiet everything must be as it should be (`oracle`).
//!
//! `LIAISON_HISTORIES` says how many; `LIAISON_SEED` with which seed they begin. A history that goes wrong is made smaller
//! (`shrink`) and shown with the command that lets it take place again.

mod away;
mod desk;
mod history;
mod ledger;
mod nature;
mod office;
mod oracle;
mod post;
mod regret;
mod rows;
mod servers;
mod shrink;
mod tally;

use std::fmt;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use history::{Act, Event, Happening, History, OLD, What, Who};
use liaison::model::{Class, Side};
use liaison::plan::{ConflictPolicy, DeleteRule};
use nature::Nature;
use office::Office;
use tally::Tally;

use crate::support::faults::{Fault, Point};
use crate::support::number;

/// How many, if nobody says so: a program that is not optimised takes a third of a second for each.
const HISTORIES: u64 = 60;

/// In so many histories, each fault is to happen at each point where it can at least [`HITS`] times.
const MANY: u64 = 3000;
const HITS: u64 = 50;

/// Seeds that found what others did not.
const FOUND: [u64; 18] = [
    3056, 3929, 4298, 4392, 6581, 7620, 7752, 8159, 10_492, 10_861, 13_537, 15_053, 16_302, 17_021,
    18_220, 22_634, 26_983, 34_668,
];

/// What came of a history.
struct Played {
    wrong: Vec<String>,
    trace: Vec<String>,
    tally: Tally,
}

/// A history that went wrong, as small as it could be made.
struct Failure {
    history: History,
    played: Played,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.history.seed;
        writeln!(f, "seed {seed}: {}", self.played.wrong.join("\n         "))?;
        writeln!(f, "{}", self.history)?;
        writeln!(f, "what took place:")?;
        for line in &self.played.trace {
            writeln!(f, "  {line}")?;
        }
        write!(
            f,
            "again: LIAISON_SEED={seed} cargo test --test it simulation::replay -- --nocapture"
        )
    }
}

#[test]
fn every_history_ends_well() {
    let (first, count) = (number("LIAISON_SEED", 1), number("LIAISON_HISTORIES", HISTORIES));
    let started = Instant::now();
    let next = AtomicU64::new(first);
    let (tally, failures) = (Mutex::new(Tally::default()), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count || failures.lock().unwrap().len() >= 3 {
                break;
            }
            let history = History::of(seed);
            let played = play(&history);
            tally.lock().unwrap().add(&played.tally);
            if !played.wrong.is_empty() {
                println!("seed {seed} went wrong: {}", played.wrong.join("; "));
                failures.lock().unwrap().push(smaller(&history, &played).to_string());
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let (tally, failures) = (tally.into_inner().unwrap(), failures.into_inner().unwrap());
    let each = started.elapsed() / u32::try_from(count).unwrap();
    println!(
        "{count} histories from seed {first}: {} faults, {each:.1?} each on {cores} cores",
        tally.sum()
    );
    print!("{tally}");
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
    let rare = if count < MANY { Vec::new() } else { tally.below(HITS) };
    assert!(rare.is_empty(), "too rare: {}", rare.join("; "));
}

/// Each of these showed something that is mended.
#[test]
fn what_was_found_once_is_gone() {
    for seed in FOUND {
        let wrong = play(&History::of(seed)).wrong;
        assert!(wrong.is_empty(), "seed {seed}: {}", wrong.join("; "));
    }
}

/// What is delivered twice meets itself, and its author goes on meanwhile: nobody contradicts anybody.
#[test]
fn what_meets_itself_contests_nothing() {
    let act = |what| Act { who: Who::Mail, class: Class::Contact, thing: OLD, what };
    let write = |token| act(What::Write { field: "telephone1", token, is_long: false });
    for kind in ["create", "update"] {
        let expect = |point, what| Event::Expect { site: 0, point, nth: 0, what };
        let events = vec![
            Event::Act(act(What::Make)),
            if kind == "update" { Event::Round(0) } else { Event::Pass(Duration::ZERO) },
            Event::Act(write(1)),
            expect(Point::Batch(Side::Crm), Happening::Fault(Fault::Twice)),
            expect(Point::AfterWrite(Side::Crm, kind), Happening::Act(write(2))),
            Event::Round(0),
        ];
        let (conflict, deletes) = (ConflictPolicy::Crm, DeleteRule::ByClass);
        let history = History { seed: 0, conflict, deletes, nature: Nature::default(), events };
        let (wrong, contested) = in_time(async {
            let office = Office::open(&history).await;
            let wrong = judged(&office, &history).await;
            assert!(office.was_hit(Point::Batch(Side::Crm), Fault::Twice), "{kind}");
            (wrong.unwrap(), office.contested(0))
        });
        assert_eq!((wrong.len(), contested), (0, Vec::new()), "{kind}: {wrong:?}");
    }
}

/// One seed, with all that happens; where that is wrong, the least that is wrong in the same way.
#[test]
fn replay() {
    let history = History::of(number("LIAISON_SEED", 1));
    let played = play(&history);
    print!("{history}");
    played.trace.iter().for_each(|line| println!("  {line}"));
    let failure = (!played.wrong.is_empty()).then(|| smaller(&history, &played).to_string());
    assert!(failure.is_none(), "\n{}", failure.unwrap_or_default());
}

/// Of every hundred histories one is told twice.
#[test]
fn a_seed_is_one_history() {
    let (first, count) = (number("LIAISON_SEED", 1), number("LIAISON_HISTORIES", HISTORIES));
    for seed in (first..first + count).step_by(100) {
        let history = History::of(seed);
        let (one, other) = (play(&history), play(&history));
        assert_eq!(one.trace, other.trace, "seed {seed} is two histories");
    }
}

fn smaller(history: &History, played: &Played) -> Failure {
    let rule = |wrong: &str| wrong.split(' ').next().unwrap_or_default().to_owned();
    let first = rule(&played.wrong[0]);
    let fails = |history: &History| play(history).wrong.iter().any(|wrong| rule(wrong) == first);
    let history = shrink::shrink(history, fails);
    let played = play(&history);
    Failure { history, played }
}

/// Lets a history take place. A panic is something that went wrong, too.
fn play(history: &History) -> Played {
    catch_unwind(|| take_place(history)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let wrong = format!("O0 a panic: {}", text.unwrap_or_default());
        Played { wrong: vec![wrong], trace: Vec::new(), tally: Tally::default() }
    })
}

/// On one thread, in a time that only moves when it is moved.
fn in_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work)
}

fn take_place(history: &History) -> Played {
    in_time(async {
        let office = Office::open(history).await;
        let wrong = match judged(&office, history).await {
            Ok(wrong) => wrong,
            Err(problem) => vec![problem],
        };
        let trace = office.trace.lock().unwrap().clone();
        let tally = office.tally.lock().unwrap().clone();
        Played { wrong, trace, tally }
    })
}

async fn judged(office: &Arc<Office>, history: &History) -> Result<Vec<String>, String> {
    office.run(history).await?;
    let mut wrong = oracle::judge(office, history);
    wrong.extend(oracle::second(office, history, &office.compare().await?));
    Ok(wrong)
}
