use uuid::Uuid;

use super::*;
use crate::filter::fetch::Filter;
use crate::model::Origin;

fn source(name: &str, state: State) -> Source {
    let id = Some(Uuid::from_u128(name.len() as u128));
    Source { origin: Origin::Own, name: name.to_owned(), table: "contact".to_owned(), id, state }
}

fn on(condition: &str) -> State {
    State::On(Filter::conditions("x", Table::Contact, &[condition]).unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn union(sources: Vec<Source>) -> Union {
    Union { sources, doubts: Vec::new() }
}

fn what(kept: &Json) -> Vec<&str> {
    kept["changed"]["what"]
        .as_array()
        .map(|what| what.iter().filter_map(Json::as_str).collect())
        .unwrap_or_default()
}

#[test]
fn what_somebody_did_to_the_filters_is_told_with_its_time() {
    let first = union(vec![
        source("a", on("statecode eq 0")),
        source("bb", State::Off),
        source("ccc", State::Off),
    ]);
    let kept = to_keep(&Json::Null, &first, true, at(1));
    assert!(what(&kept).is_empty(), "nothing is known of before");
    let same = to_keep(&kept, &first, true, at(2));
    assert_eq!(same, kept);
    let edited = union(vec![
        source("a", on("statecode eq 1")),
        source("bb", on("statecode eq 0")),
        source("dddd", State::Unusable("no".to_owned())),
    ]);
    let kept = to_keep(&kept, &edited, true, at(3));
    assert_eq!(
        what(&kept),
        ["“a” was edited", "“bb” was turned on", "“dddd” is new", "“ccc” is gone"]
    );
    assert_eq!(kept["changed"]["at"], "1970-01-01T00:00:03Z");
    let later = to_keep(&kept, &edited, true, at(4));
    assert_eq!(later["changed"], kept["changed"]);
}

#[test]
fn what_could_not_be_read_did_not_change() {
    let first = union(vec![source("a", on("statecode eq 0"))]);
    let kept = to_keep(&Json::Null, &first, true, at(1));
    let unread = Union { sources: Vec::new(), doubts: vec!["no answer".to_owned()] };
    let then = to_keep(&kept, &unread, false, at(2));
    assert_eq!((&then["sources"], &then["doubts"]), (&kept["sources"], &json!(["no answer"])));
    let again = to_keep(&then, &first, true, at(3));
    assert_eq!(again, kept);
}
