//! What every connector of a mailbox must do, whatever is at the other end: one list of rules, run whole for each end. Who
//! changes things behind a connector's back is no code of ours.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

mod bad;
mod dav;
mod folder;
mod imap;
mod mark;
mod new;
mod subject;
mod whole;
mod wire;
mod write;

use subject::Subject;

/// A rule, and what shows that it holds. It begins with nothing on the other end.
type Rule = (&'static str, for<'a> fn(&'a Subject) -> BoxFuture<'a, ()>);

const RULES: &[Rule] = &[
    ("nothing is a complete listing", |s| whole::nothing(s).boxed()),
    ("what was created is listed, read and found", |s| whole::created(s).boxed()),
    ("what others wrote is listed, read and found", |s| whole::written_elsewhere(s).boxed()),
    ("what we do not know survives", |s| whole::unknown_properties(s).boxed()),
    ("all characters, long lines and large items survive", |s| whole::difficult(s).boxed()),
    ("ids are stable", |s| whole::stable_ids(s).boxed()),
    ("the head of a message is enough of it", |s| whole::heads(s).boxed()),
    ("a find finds nothing but that", |s| whole::exact_find(s).boxed()),
    ("a create never replaces", |s| write::create_twice(s).boxed()),
    ("of two creates in one batch one is", |s| write::create_twice_at_once(s).boxed()),
    ("of two creates by two one is", |s| write::create_by_two(s).boxed()),
    ("an update is what is read", |s| write::update(s).boxed()),
    ("a stale update changes nothing", |s| write::stale_update(s).boxed()),
    ("a stale delete deletes nothing", |s| write::stale_delete(s).boxed()),
    ("a delete deletes that and nothing else", |s| write::delete(s).boxed()),
    ("what is gone is missing", |s| write::gone(s).boxed()),
    ("one bad write does not stop the others", |s| write::one_bad(s).boxed()),
    ("news are what happened and nothing else", |s| new::exact(s).boxed()),
    ("news of much that happened are whole", |s| new::much(s).boxed()),
    ("news tell that the last item is gone", |s| new::last(s).boxed()),
    ("a cursor that is none gives everything", |s| new::dead_cursor(s).boxed()),
    ("a watch ends when something happened", |s| new::wait(s).boxed()),
    ("marks are set, cleared and seen", |s| mark::set_and_cleared(s).boxed()),
    ("marks of others are news", |s| mark::elsewhere(s).boxed()),
    ("ids that are none are answered and harm nothing", |s| bad::ids(s).boxed()),
    ("names that others chose are no obstacle", |s| bad::names(s).boxed()),
    ("uids that others chose are no obstacle", |s| bad::uids(s).boxed()),
    ("what is no item does not hide the others", |s| bad::items(s).boxed()),
    ("requests are counted", |s| wire::requests(s).boxed()),
    ("a wrong password is said to be one", |s| wire::wrong_password(s).boxed()),
    ("an end that is down is no empty one", |s| wire::down(s).boxed()),
    ("many items come whole and in few requests", |s| whole::many(s).boxed()),
];

/// No rule takes longer, also when other tests run.
const LIMIT: Duration = Duration::from_mins(2);

/// A part of the names of the only rules to check, from the environment.
const ONLY: &str = "LIAISON_RULE";

/// Checks all rules, and says all that do not hold.
async fn conform(subject: &Subject) {
    let only = std::env::var(ONLY).unwrap_or_default();
    let mut broken = Vec::new();
    for (rule, check) in RULES {
        if !rule.contains(&only) {
            continue;
        }
        let begun = Instant::now();
        subject.elsewhere.clear();
        let checked = tokio::time::timeout(LIMIT, check(subject));
        match AssertUnwindSafe(checked).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => broken.push(format!("{rule}: not within {LIMIT:?}")),
            Err(_) => broken.push((*rule).to_owned()),
        }
        println!("{:6} ms: {rule}", begun.elapsed().as_millis());
    }
    assert!(broken.is_empty(), "{} {} breaks:\n{}", subject.name, subject.class, broken.join("\n"));
}
