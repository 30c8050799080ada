use proptest::prelude::*;

use super::*;

fn conditions(table: Table, conditions: &[&str]) -> Result<String, Invalid> {
    Filter::conditions("test", table, conditions).map(|filter| filter.as_fetchxml().to_owned())
}

#[test]
fn the_defaults_are_in_the_canonical_form_and_about_their_class() {
    let mut tables = Vec::new();
    for class in Class::ALL {
        for filter in defaults(class) {
            let read = Filter::fetchxml(filter.name(), class, filter.as_fetchxml());
            assert_eq!(read.as_ref(), Ok(&filter));
            tables.push(filter.table());
        }
    }
    let expected =
        [Table::Contact, Table::Task, Table::Appointment, Table::RecurringAppointmentMaster];
    assert_eq!(tables, expected);
}

#[test]
fn the_default_contact_filter_is_the_readable_one() {
    let written = conditions(Table::Contact, &["ownerid eq-userid", "statecode eq 0"]);
    assert_eq!(written, Ok(defaults(Class::Contact)[0].as_fetchxml().to_owned()));
}

#[test]
fn conditions_become_fetchxml_with_escapes() {
    for (condition, expected) in [
        ("statecode eq 0", r#"<condition attribute="statecode" operator="eq" value="0"/>"#),
        (
            " fullname   like  '<A&B>%, \"x\"' ",
            r#"<condition attribute="fullname" operator="like" value="&lt;A&amp;B&gt;%, &quot;x&quot;"/>"#,
        ),
        (
            "fullname eq O'Neil",
            r#"<condition attribute="fullname" operator="eq" value="O&apos;Neil"/>"#,
        ),
        ("emailaddress1 not-null", r#"<condition attribute="emailaddress1" operator="not-null"/>"#),
        (
            "statuscode in 1, 2,'a, b'",
            r#"<condition attribute="statuscode" operator="in"><value>1</value><value>2</value><value>a, b</value></condition>"#,
        ),
        (
            "createdon last-x-days 30",
            r#"<condition attribute="createdon" operator="last-x-days" value="30"/>"#,
        ),
        (
            "new_rank between 1,5",
            r#"<condition attribute="new_rank" operator="between"><value>1</value><value>5</value></condition>"#,
        ),
    ] {
        let expected = format!(
            r#"<fetch><entity name="contact"><attribute name="contactid"/><attribute name="versionnumber"/><filter type="and">{expected}</filter></entity></fetch>"#
        );
        assert_eq!(conditions(Table::Contact, &[condition]), Ok(expected), "{condition}");
    }
}

#[test]
fn conditions_that_cannot_be_read_are_refused_with_the_reason() {
    for (condition, reason) in [
        ("", "does not start with a column"),
        ("StateCode eq 0", "does not start with a column"),
        ("statecode", "unknown operator ``"),
        ("statecode equals 0", "unknown operator `equals`"),
        ("statecode eq", "`eq` takes one value"),
        ("fullname eq Doe, Jane", "`eq` takes one value"),
        ("statecode null 0", "`null` takes no value"),
        ("createdon last-x-days soon", "`last-x-days` takes one whole number above 0"),
        ("new_rank between 1", "`between` takes two values"),
        ("statuscode in", "`in` takes one or more values"),
        ("fullname eq 'Jane", "a quote is not closed"),
        ("fullname eq 'a\u{1}'", "control character"),
    ] {
        let error = conditions(Table::Contact, &[condition]).unwrap_err();
        assert!(error.0.contains(reason), "{condition}: {error}");
    }
    assert!(conditions(Table::Contact, &[]).is_err());
}

#[test]
fn columns_orders_and_paging_are_taken_out() {
    let view = r#"<?xml version="1.0"?><fetch version="1.0" output-format="xml-platform" mapping="logical" count="50" page="2">
        <!-- a view --><entity name="task"><all-attributes/><attribute name="subject"/><order attribute="subject"/>
        <filter><condition operator="eq" attribute="ownerid" uiname="Anna" uitype="systemuser" value="{00000000-0000-4000-8000-000000000001}"/></filter>
        </entity></fetch>"#;
    let filter = Filter::fetchxml("view", Class::Task, view).unwrap();
    let expected = r#"<fetch><entity name="task"><attribute name="activityid"/><attribute name="versionnumber"/><filter><condition attribute="ownerid" operator="eq" value="{00000000-0000-4000-8000-000000000001}"/></filter></entity></fetch>"#;
    assert_eq!(filter.as_fetchxml(), expected);
    assert_eq!(filter.table(), Table::Task);
}

#[test]
fn queries_that_are_no_filter_are_refused_with_the_reason() {
    let deep = format!("<fetch><entity name=\"task\">{}", "<filter>".repeat(100_000));
    let deep_enough = format!("<fetch><entity name=\"task\">{}", "<filter>".repeat(100));
    let joins = "<link-entity name=\"account\"/>".repeat(16);
    let joined = format!("<fetch><entity name=\"task\">{joins}</entity></fetch>");
    for (text, reason) in [
        ("", "no element"),
        ("<fetch>", "`fetch` is not closed"),
        ("<fetch></entity>", "not well-formed"),
        ("<fetch/><fetch/>", "more than one element"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><fetch/>", "no DTD"),
        ("<fetch>&a;</fetch>", "entity"),
        ("<entity/>", "starts with `fetch`"),
        ("<fetch/>", "exactly one `entity`"),
        ("<fetch top='5'><entity name='task'/></fetch>", "take out `top`"),
        ("<fetch aggregate='true'><entity name='task'/></fetch>", "take out `aggregate`"),
        ("<fetch datasource='retained'><entity name='task'/></fetch>", "take out `datasource`"),
        (
            "<fetch><entity name='contact'/></fetch>",
            "is about `contact`; a filter of class task is about `task`",
        ),
        ("<fetch><entity name='task'><script/></entity></fetch>", "`entity` cannot hold `script`"),
        (
            "<fetch><entity name='task'><filter><condition/></filter></entity></fetch>",
            "needs an `attribute`",
        ),
        (
            "<fetch><entity name='task'><filter><condition attribute='a'/></filter></entity></fetch>",
            "needs an `operator`",
        ),
        ("<fetch><entity name='task'><filter type='xor'/></entity></fetch>", "`and` or `or`"),
        ("<fetch><entity name='task' name='task'/></fetch>", "not well-formed"),
        (&deep, "at most 64 KiB"),
        (&deep_enough, "16 levels deep"),
        (&joined, "at most 15 `link-entity`"),
    ] {
        let error = Filter::fetchxml("test", Class::Task, text).unwrap_err();
        let start: String = text.chars().take(80).collect();
        assert!(error.0.contains(reason), "{start}: {error}");
    }
}

#[test]
fn a_fingerprint_is_of_the_set_and_nothing_else() {
    let a = Filter::conditions("a", Table::Contact, &["statecode eq 0"]).unwrap();
    let renamed = Filter::conditions("b", Table::Contact, &["statecode  eq '0'"]).unwrap();
    let c = Filter::conditions("c", Table::Contact, &["statecode eq 1"]).unwrap();
    let same = fingerprint(&[a.clone(), c.clone()]);
    assert_eq!(fingerprint(&[c.clone(), renamed.clone(), a.clone()]), same);
    assert_ne!(fingerprint(std::slice::from_ref(&a)), same);
    assert_ne!(fingerprint(&[]), fingerprint(std::slice::from_ref(&c)));
    // Kept in the store: it must be the same in every version of the program.
    assert_eq!(
        fingerprint(&defaults(Class::Contact)),
        "0ca34a6158010d714b2133038ea0bef5015043c741c6974a289fe02138db209d"
    );
}

proptest! {
    #[test]
    fn hostile_text_is_refused_or_brought_to_a_form_that_stays(text in hostile()) {
        for class in Class::ALL {
            if let Ok(filter) = Filter::fetchxml("x", class, &text) {
                let again = Filter::fetchxml("x", class, filter.as_fetchxml());
                prop_assert_eq!(again, Ok(filter));
            }
        }
    }

    #[test]
    fn any_value_survives_as_data(value in "[^'\\p{C}\u{fffe}\u{ffff}]{1,40}") {
        let condition = format!("fullname eq '{value}'");
        let filter = Filter::conditions("x", Table::Contact, &[&condition]).unwrap();
        let fetch = xml::parse(filter.as_fetchxml()).unwrap();
        let condition = &fetch.children[0].children[2].children[0];
        prop_assert_eq!(&condition.attributes["value"], &value);
        prop_assert_eq!(fetch.children[0].children.len(), 3);
    }
}

/// Pieces of queries in any order, and noise.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "<fetch>",
        "</fetch>",
        "<entity name='task'>",
        "</entity>",
        "<filter>",
        "</filter>",
        "<filter type='or'/>",
        "<condition attribute='a' operator='eq' value='&#9;&lt;&#x41;'/>",
        "<value> a&amp;<![CDATA[<b>]]> </value>",
        "<condition attribute='a' operator='in'>",
        "</condition>",
        "<link-entity name='b'>",
        "</link-entity>",
        "&",
        "<!-- -->",
        "<?pi?>",
        "]]>",
        "\u{0}",
        "'",
        "\"",
        "<",
        ">",
        "ä",
    ];
    let any = prop_oneof![4 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{0,3}"];
    let body = proptest::collection::vec(any, 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![
        1 => body.clone(),
        3 => body.prop_map(|body| format!("<fetch><entity name='task'>{body}</entity></fetch>")),
    ]
}
