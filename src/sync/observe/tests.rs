use super::*;

const COMPLETE: Completeness = Completeness::Complete;

fn items(list: &[(&str, &str)]) -> BTreeMap<ItemId, Version> {
    list.iter().map(|(id, version)| (ItemId::new(*id), Version::new(*version))).collect()
}

fn since(list: &[&str]) -> Cursor {
    list.iter().map(|name| ((*name).to_owned(), "1".to_owned())).collect()
}

fn told(since: Cursor, parts: &[(&str, Part)], completeness: Completeness) -> Told {
    let known = items(&[("a/1", "x"), ("a/2", "x"), ("b/1", "x"), ("b/2", UNREAD)]);
    let parts = parts.iter().map(|(name, part)| ((*name).to_owned(), part.clone())).collect();
    let news = News { parts, cursor: Cursor::new(), completeness };
    Told::of(Asked { news, since }, known, true)
}

fn names(ids: &[ItemId]) -> Vec<&str> {
    ids.iter().map(ItemId::as_str).collect()
}

#[test]
fn what_nobody_spoke_of_is_as_it_was_and_what_was_not_read_is_read() {
    let told = told(since(&["a", "b"]), &[], COMPLETE);
    assert_eq!(told.listing.entries.len(), 4);
    assert_eq!(names(&told.fresh), ["b/2"]);
    assert_eq!(told.gone, []);
}

#[test]
fn changes_are_taken_in_and_the_rest_of_the_collection_stays() {
    let part = Part::Changes {
        changed: items(&[("a/1", "y"), ("a/3", "x"), ("a/2", "x")]),
        gone: BTreeSet::new(),
    };
    let told = told(since(&["a", "b"]), &[("a", part)], COMPLETE);
    assert_eq!(names(&told.fresh), ["a/1", "b/2", "a/3"]);
    assert_eq!(told.gone, []);
    assert_eq!(told.listing.entries.get(&ItemId::new("a/1")), Some(&Version::new("y")));
    assert_eq!(told.listing.entries.len(), 5);
}

#[test]
fn what_is_said_to_be_gone_and_what_a_whole_part_lacks_is_gone() {
    let gone = BTreeSet::from([ItemId::new("a/2")]);
    let parts = [
        ("a", Part::Changes { changed: items(&[]), gone }),
        ("b", Part::Whole(items(&[("b/1", "x")]))),
    ];
    let told = told(since(&["a", "b"]), &parts, COMPLETE);
    assert_eq!(names(&told.gone), ["a/2", "b/2"]);
    assert_eq!(told.listing.entries, items(&[("a/1", "x"), ("b/1", "x")]));
    assert_eq!(told.fresh, []);
}

#[test]
fn a_collection_nobody_speaks_of_is_gone_only_if_everything_was_seen() {
    let a = [("a", Part::Whole(items(&[("a/1", "x"), ("a/2", "x")])))];
    let whole = told(Cursor::new(), &a, COMPLETE);
    assert_eq!(names(&whole.gone), ["b/1", "b/2"]);
    let cut = told(Cursor::new(), &a, Completeness::Partial("b cannot be opened".to_owned()));
    assert_eq!(cut.gone, []);
    assert_eq!(cut.listing.entries, items(&[("a/1", "x"), ("a/2", "x")]));
}
