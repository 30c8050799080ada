//! Stories as small tables, and what must come of them whatever happens on the way. One file a class.
//!
//! ```text
//! a change on each side goes to the other                       the rule, as a sentence
//!   with conflict=ask                                           settings that are not the usual ones
//!   berg | Berg tel=1 | tel=2 | job=CTO -> tel=2 job=CTO | = | linked
//!   then choose mailbox                                         more happens, and another look
//!   berg | tel=3 | * -> tel=3 job=CTO | = | linked
//! ```
//!
//! The first rows are `name | base | mailbox | crm -> mailbox | crm | link`: what both sides agreed on, what happened to
//! it on either side, what is there at the end. After `then` there is no base: it goes on from where it was. All cells
//! after the base say what is different from the base (after `then`: from the last end); `*` is the same, `-` is not
//! there, `=` in the crm is what the mailbox says. A link is `linked`, `kept` (one half is gone, the link is remembered)
//! or `alone`. `name*7` is seven rows with `#` counting. Words in brackets are in `World::happen`; `(crm)` in a base says
//! where the thing was made.
//! `with twice` also tells what comes of a second end of the program, while it recovers from the first.
//! `waits held=1` after the rows says what is not in step at the end: operations held, conflicts, items in quarantine.
//!
//! What a fault on the way does to a story is in `crash`.

pub mod run;
pub mod tell;

use std::sync::Mutex;

use crate::crash::harness;
use crate::support::came_to;

const STORIES: &[(&str, &str)] = &[
    ("contact", include_str!("contact.txt")),
    ("task", include_str!("task.txt")),
    ("appointment", include_str!("appointment.txt")),
    ("email", include_str!("email.txt")),
];

/// Every story, every fault at every point, in as many threads as there are cores. `LIAISON_STORY` chooses by a part of
/// the name.
#[test]
fn every_story_ends_as_told_whatever_happens_on_the_way() {
    let wanted = std::env::var("LIAISON_STORY").unwrap_or_default();
    let stories: Vec<tell::Story> = STORIES
        .iter()
        .flat_map(|(class, text)| tell::read(class, text))
        .filter(|story| story.name.contains(&wanted))
        .collect();
    let count = stories.len();
    let queue = Mutex::new(stories.into_iter());
    let tally = Mutex::new(harness::Tally::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(story) = queue.lock().unwrap().next() else { break };
                    let told = run::tell(&story);
                    tally.lock().unwrap().add(&story.name, told);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{count} stories: {tally}");
    came_to("stories", "scenario", u64::try_from(count).unwrap());
    for (what, number) in tally.sums() {
        came_to(what, "scenario", u64::try_from(number).unwrap());
    }
    assert!(tally.failures.is_empty(), "\n{}", tally.failures.join("\n\n"));
    if wanted.is_empty() {
        assert!(count >= 99, "only {count} stories");
        tally.assert_every_point_was_hit();
        tally.ended.assert_all("scenario");
    }
}
