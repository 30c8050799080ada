use super::*;

fn stored(origin: Origin, name: &str, table: &str, column: &str) -> StoredFilter {
    StoredFilter {
        id: Uuid::from_u128(name.len() as u128),
        origin,
        name: name.to_owned(),
        table: table.to_owned(),
        fetchxml: format!(
            "<fetch><entity name='{table}'><attribute name='fullname'/><order attribute='x'/><filter><condition \
             attribute='{column}' operator='not-null'/></filter></entity></fetch>"
        ),
        active: true,
        version: None,
    }
}

fn names(union: &Union) -> Vec<&str> {
    union.filters().map(|(source, _)| source.name.as_str()).collect()
}

fn contacts(filters: &[Filter], told: &Told) -> Union {
    unite(Wish { class: Class::Contact, filters, organisation: true, off: &[] }, told, true)
}

#[test]
fn filters_add_up_and_the_default_steps_back_for_a_choice() {
    let default = fetch::defaults(Class::Contact);
    let own = stored(Origin::Own, "mine", "contact", "a");
    let system = stored(Origin::System, "everybody", "contact", "b");
    let mut told = Told { system: Ok(vec![system]), ..Told::default() };
    assert_eq!(names(&contacts(&default, &told)), ["my active contacts", "everybody"]);
    told.own = Ok(vec![own.clone()]);
    assert_eq!(names(&contacts(&default, &told)), ["mine", "everybody"]);
    // Turned off is a choice too.
    told.own = Ok(vec![StoredFilter { active: false, ..own.clone() }]);
    assert_eq!(names(&contacts(&default, &told)), ["everybody"]);
    // Of another class: no choice about this one.
    told.own = Ok(vec![stored(Origin::Own, "tasks", "task", "a")]);
    assert_eq!(names(&contacts(&default, &told)), ["my active contacts", "everybody"]);
    let named = Filter::conditions("named", Table::Contact, &["statecode eq 0"]).unwrap();
    told.own = Ok(vec![own]);
    assert_eq!(names(&contacts(&[named], &told)), ["named", "mine", "everybody"]);
    let wish = Wish { class: Class::Contact, filters: &default, organisation: false, off: &[] };
    let without = unite(wish, &told, true);
    assert_eq!(names(&without), ["my active contacts"]);
    assert!(without.doubts.is_empty());
    // Turned off here only. That the person has one of the own there is a choice all the same.
    let off = ["Mine".to_owned()];
    let wish = Wish { class: Class::Contact, filters: &default, organisation: true, off: &off };
    let some = unite(wish, &told, true);
    assert_eq!(names(&some), ["everybody"]);
    assert_eq!(some.sources.iter().filter(|it| it.state == State::Unwanted).count(), 1);
}

#[test]
fn a_template_is_in_force_only_for_who_never_had_a_filter() {
    let template = stored(Origin::Template, "template", "contact", "a");
    let told = Told { templates: vec![template], ..Told::default() };
    let default = fetch::defaults(Class::Contact);
    assert_eq!(names(&contacts(&default, &told)), ["template"]);
    let wish = Wish { class: Class::Contact, filters: &default, organisation: true, off: &[] };
    assert_eq!(names(&unite(wish, &told, false)), ["my active contacts"]);
    let some = Told { own: Ok(vec![stored(Origin::Own, "tasks", "task", "a")]), ..told };
    assert_eq!(names(&contacts(&[], &some)), [""; 0]);
}

#[test]
fn what_was_not_read_is_not_the_same_as_none() {
    let default = fetch::defaults(Class::Contact);
    let told = Told { own: Err("no answer".to_owned()), ..Told::default() };
    let union = contacts(&default, &told);
    assert_eq!(names(&union), [""; 0], "the default could bring in what the user had shut out");
    assert_eq!(union.doubts, ["your sync filters could not be read: no answer"]);
    let told = Told { system: Err("no answer".to_owned()), ..Told::default() };
    let union = contacts(&default, &told);
    assert_eq!((names(&union).len(), union.doubts.len()), (1, 1));
}

#[test]
fn what_cannot_be_used_is_named_and_leaves_a_doubt() {
    let broken = |fetchxml: &str| StoredFilter {
        fetchxml: fetchxml.to_owned(),
        ..stored(Origin::System, "broken", "contact", "a")
    };
    let huge =
        format!("<fetch><entity name='contact'><!--{}--></entity></fetch>", "x".repeat(1 << 20));
    for (fetchxml, reason) in [
        ("<fetch top='5'><entity name='contact'/></fetch>", "take out `top`"),
        ("<fetch aggregate='true'><entity name='contact'/></fetch>", "take out `aggregate`"),
        ("<fetch><entity name='account'/></fetch>", "is about `account`"),
        ("<fetch><entity name='contact'", ""),
        ("", ""),
        (&huge, ""),
        (
            "<fetch><entity name='contact'><filter isquickfindfields='1'><condition attribute='fullname' operator='like' \
             value='{0}%'/></filter></entity></fetch>",
            "search term",
        ),
    ] {
        let told = Told { system: Ok(vec![broken(fetchxml)]), ..Told::default() };
        let union = contacts(&[], &told);
        assert!(union.selectors().is_empty());
        let [doubt] = union.doubts.as_slice() else { panic!("{:?}", union.doubts) };
        assert!(doubt.starts_with("the system filter “broken” cannot be used: "), "{doubt}");
        assert!(doubt.contains(reason), "{doubt}");
    }
    // Two tables of one class, and not the one it says.
    let mixed = StoredFilter {
        fetchxml: "<fetch><entity name='appointment'/></fetch>".to_owned(),
        ..stored(Origin::Own, "series", "recurringappointmentmaster", "a")
    };
    let wish = Wish { class: Class::Appointment, filters: &[], organisation: true, off: &[] };
    let union = unite(wish, &Told { own: Ok(vec![mixed]), ..Told::default() }, true);
    assert!(union.doubts[0].contains("asks for `appointment`"), "{:?}", union.doubts);
}

#[test]
fn one_query_is_asked_once_and_the_fingerprint_follows_the_queries_alone() {
    let own = |name: &str| stored(Origin::Own, name, "contact", "a");
    let one = contacts(&[], &Told { own: Ok(vec![own("x")]), ..Told::default() });
    let two = contacts(&[], &Told { own: Ok(vec![own("y"), own("z")]), ..Told::default() });
    assert_eq!(two.selectors().len(), 1);
    assert_eq!(one.fingerprint(), two.fingerprint());
    let other = stored(Origin::Own, "x", "contact", "b");
    let other = contacts(&[], &Told { own: Ok(vec![other]), ..Told::default() });
    assert_ne!(one.fingerprint(), other.fingerprint());
    let guid = "<fetch><entity name='contact'><filter><condition attribute='ownerid' operator='eq' \
                value='{6F0C3C1E-86A5-5B53-9A3C-2D1F5E0B7A41}'/></filter></entity></fetch>";
    assert!(Filter::fetchxml("guid", Class::Contact, guid).is_ok());
}
