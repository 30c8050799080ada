use proptest::prelude::*;

use super::super::{Annotations, Scope, sql, value::Value};
use super::*;

/// The statement of a fetch and its parameters, quotes left out.
fn built(text: &str) -> Result<String, QueryError> {
    let query = parse(text)?;
    let annotations = Annotations::default();
    let readable = |_: &Table, alias: &str| format!("ok({alias})");
    let scope = Scope {
        user: "u",
        business_unit: "b",
        base: "http://localhost",
        annotations: &annotations,
        page_size: None,
        now: "2026-03-04T10:20:30Z".parse().unwrap(),
        readable: &readable,
    };
    let built = sql::total(&query, &scope)?;
    let params: Vec<String> = built.params[2..]
        .iter()
        .map(|value| match value {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
        })
        .collect();
    let sql = built.sql.replace('"', "");
    let sql = sql.trim_start_matches("SELECT count(*) FROM (").trim_end_matches(" LIMIT 5000)");
    Ok(format!("{sql} <- {}", params.join(" ")).trim_end().to_owned())
}

fn condition(attributes: &str) -> Result<String, QueryError> {
    let text = format!(
        "<fetch><entity name='task'><filter><condition {attributes}/></filter></entity></fetch>"
    );
    let start = "SELECT 1 FROM task t0 WHERE (ok(t0)) AND ((";
    Ok(built(&text)?.replace(start, "").replacen(")) <-", " <-", 1))
}

#[test]
fn operators_become_sql_with_parameters() {
    let cases = [
        ("attribute='subject' operator='eq' value='a'", "t0.subject = ?3 COLLATE NOCASE <- a"),
        (
            "attribute='subject' operator='not-like' value='%a[%]'",
            "(t0.subject NOT LIKE ?3 ESCAPE '\\' OR t0.subject IS NULL) <- %a\\%",
        ),
        (
            "attribute='subject' operator='begins-with' value='a'",
            "t0.subject LIKE ?3 ESCAPE '\\' <- a%",
        ),
        (
            "attribute='subject' operator='ends-with' value='a'",
            "t0.subject LIKE ?3 ESCAPE '\\' <- %a",
        ),
        ("attribute='subject' operator='not-null'", "t0.subject IS NOT NULL <-"),
        ("attribute='ownerid' operator='eq-userid'", "t0.ownerid = ?1 <-"),
        ("attribute='ownerid' operator='ne-userid'", "(t0.ownerid <> ?1 OR t0.ownerid IS NULL) <-"),
        ("attribute='ownerid' operator='eq-userteams'", "0 <-"),
        (
            "attribute='owningbusinessunit' operator='eq-businessid'",
            "t0.owningbusinessunit = ?2 <-",
        ),
        (
            "attribute='ownerid' operator='eq' value='{AAAAAAAA-0000-4000-8000-000000000001}'",
            "t0.ownerid = ?3 <- aaaaaaaa-0000-4000-8000-000000000001",
        ),
        (
            "attribute='scheduledend' operator='on' value='2026-02-28'",
            "(t0.scheduledend >= ?3 AND t0.scheduledend < ?4) <- 2026-02-28T00:00:00Z 2026-03-01T00:00:00Z",
        ),
        (
            "attribute='scheduledend' operator='on-or-before' value='2026-02-28'",
            "(t0.scheduledend < ?3) <- 2026-03-01T00:00:00Z",
        ),
        (
            "attribute='scheduledend' operator='today'",
            "(t0.scheduledend >= ?3 AND t0.scheduledend < ?4) <- 2026-03-04T00:00:00Z 2026-03-05T00:00:00Z",
        ),
        (
            "attribute='scheduledend' operator='yesterday'",
            "(t0.scheduledend >= ?3 AND t0.scheduledend < ?4) <- 2026-03-03T00:00:00Z 2026-03-04T00:00:00Z",
        ),
        (
            "attribute='scheduledend' operator='this-month'",
            "(t0.scheduledend >= ?3 AND t0.scheduledend < ?4) <- 2026-03-01T00:00:00Z 2026-04-01T00:00:00Z",
        ),
        (
            "attribute='scheduledend' operator='this-week'",
            "(t0.scheduledend >= ?3 AND t0.scheduledend < ?4) <- 2026-03-01T00:00:00Z 2026-03-08T00:00:00Z",
        ),
        (
            "attribute='scheduledend' operator='last-x-hours' value='11'",
            "(t0.scheduledend >= ?3 AND t0.scheduledend < ?4) <- 2026-03-03T23:20:30Z 2026-03-04T10:20:31Z",
        ),
        (
            "attribute='scheduledend' operator='next-seven-days'",
            "(t0.scheduledend >= ?3 AND t0.scheduledend < ?4) <- 2026-03-04T10:20:30Z 2026-03-12T00:00:00Z",
        ),
        (
            "attribute='scheduledend' operator='older-than-x-months' value='2'",
            "(t0.scheduledend < ?3) <- 2026-01-04T00:00:00Z",
        ),
    ];
    for (attributes, expected) in cases {
        assert_eq!(condition(attributes).unwrap(), expected, "{attributes}");
    }
}

#[test]
fn a_table_is_named_by_its_name_or_its_code() {
    for name in ["task", "4212"] {
        let attributes = format!("attribute='activitytypecode' operator='eq' value='{name}'");
        assert_eq!(condition(&attributes).unwrap(), "t0.activitytypecode = ?3 <- task");
    }
}

#[test]
fn values_and_nested_filters() {
    let text = "<fetch><entity name='task'><filter type='or' hint='union'>\
        <condition attribute='statecode' operator='in'><value>0</value><value>1</value></condition>\
        <filter><condition attribute='subject' operator='eq'><value>a &amp; &lt;b&#62;</value></condition>\
        <condition attribute='percentcomplete' operator='between'><value>1</value><value>2</value></condition></filter>\
        </filter></entity></fetch>";
    assert_eq!(
        built(text).unwrap(),
        "SELECT 1 FROM task t0 WHERE (ok(t0)) AND ((t0.statecode IN (?3, ?4) OR \
         (t0.subject = ?5 COLLATE NOCASE AND t0.percentcomplete BETWEEN ?6 AND ?7))) <- 0 1 a & <b> 1 2"
    );
}

#[test]
fn links_are_joins_with_their_own_conditions() {
    let text = "<fetch distinct='true'><entity name='appointment'><attribute name='activityid'/>\
        <filter><condition entityname='ap' attribute='partyid' operator='eq-userid'/></filter>\
        <link-entity name='activityparty' from='activityid' to='activityid' alias='ap'>\
        <filter><condition attribute='participationtypemask' operator='in'><value>5</value></condition></filter>\
        <link-entity name='contact' from='contactid' to='partyid' link-type='outer'/></link-entity>\
        <link-entity name='annotation' from='objectid' to='activityid' link-type='exists'/>\
        </entity></fetch>";
    assert_eq!(
        built(text).unwrap(),
        "SELECT DISTINCT t0.activityid FROM appointment t0 \
         JOIN activityparty j0 ON j0.activityid = t0.activityid AND (ok(j0)) AND ((j0.participationtypemask IN (?3))) \
         LEFT JOIN contact j1 ON j1.contactid = j0.partyid AND (ok(j1)) \
         WHERE (ok(t0)) AND ((j0.partyid = ?1) AND EXISTS (SELECT 1 FROM annotation e0 WHERE e0.objectid = t0.activityid AND (ok(e0)))) <- 5"
    );
}

#[test]
fn properties_are_named_as_in_web_api_answers() {
    let query = parse(
        "<fetch><entity name='contact'><attribute name='ownerid'/><attribute name='fullname' alias='who'/>\
         <link-entity name='account' from='accountid' to='parentcustomerid'><attribute name='name'/></link-entity>\
         </entity></fetch>",
    )
    .unwrap();
    let names: Vec<&str> = query.outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["_ownerid_value", "who", "account1.name", "contactid"]);
}

#[test]
fn refusals_name_the_item() {
    let inside = |inside: &str| format!("<fetch><entity name='contact'>{inside}</entity></fetch>");
    let cases = [
        (String::from("<fetch/>"), "0x80040203"),
        (String::from("<fetch><entity name='nope'/></fetch>"), "0x80041102"),
        (inside("<attribute name='nope'/>"), "0x80041103"),
        (inside("<condition/>"), "0x80040203"),
        (
            inside("<filter><condition attribute='statecode' operator='eq' value='x'/></filter>"),
            "0x80041108",
        ),
        (
            inside(
                "<filter><condition attribute='statecode' operator='almost' value='x'/></filter>",
            ),
            "0x80041106",
        ),
        (
            inside("<filter><condition attribute='fullname' operator='today'/></filter>"),
            "0x80041106",
        ),
        (
            inside(
                "<filter><condition attribute='createdon' operator='last-x-days' value='0'/></filter>",
            ),
            "0x80040203",
        ),
        (
            inside("<filter><condition entityname='x' attribute='name' operator='null'/></filter>"),
            "0x8004110A",
        ),
        (inside("<attribute name='fullname' alias='a b'/>"), "0x80041109"),
        (
            inside("<attribute name='fullname' alias='a'/><attribute name='jobtitle' alias='a'/>"),
            "0x80041109",
        ),
        (inside("<filter>").replace("</entity>", ""), "0x80040203"),
        (format!("<!DOCTYPE a [<!ENTITY b 'c'>]>{}", inside("")), "0x80040203"),
        (
            inside(
                "<filter><condition attribute='fullname' operator='eq'><value>&b;</value></condition></filter>",
            ),
            "0x80040203",
        ),
        (
            inside("<filter><condition attribute='fullname' operator='eq' value='&b;'/></filter>"),
            "0x80040203",
        ),
        (format!("{}{}", "<fetch>".repeat(100), "</fetch>".repeat(100)), "0x80040203"),
        (format!("<fetch page='0'>{}", inside("").replace("<fetch>", "")), "0x8004110C"),
        (format!("<fetch top='5001'>{}", inside("").replace("<fetch>", "")), "0x80040203"),
        (
            format!("<fetch paging-cookie='&lt;x'>{}", inside("").replace("<fetch>", "")),
            "0x80040203",
        ),
        (" ".repeat(70_000), "0x80040203"),
    ];
    for (text, code) in cases {
        let error = parse(&text).unwrap_err();
        assert_eq!(
            (error.status, error.code),
            (400, code),
            "{}: {}",
            text.chars().take(300).collect::<String>(),
            error.message
        );
    }
}

#[test]
fn links_and_conditions_are_bounded() {
    let inside = |inside: &str| format!("<fetch><entity name='contact'>{inside}</entity></fetch>");
    let link = "<link-entity name='account' from='accountid' to='parentcustomerid'/>";
    assert_eq!(parse(&inside(&link.repeat(16))).unwrap_err().code, "0x8004430D");
    assert!(parse(&inside(&link.repeat(15))).is_ok());
    let many = "<condition attribute='statecode' operator='eq' value='0'/>".repeat(501);
    assert_eq!(built(&inside(&format!("<filter>{many}</filter>"))).unwrap_err().code, "0x8004430C");
}

fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<fetch>",
        "<fetch page='2' count='3'>",
        "</fetch>",
        "<entity name='contact'>",
        "</entity>",
        "<filter type='or'>",
        "</filter>",
        "<condition attribute='fullname' operator='eq' value='&amp;'/>",
        "<attribute name='ownerid'/>",
        "<link-entity name='account' from='accountid' to='parentcustomerid' alias='a'>",
        "</link-entity>",
        "<order attribute='fullname'/>",
        "<value>",
        "</value>",
        "&lt;",
        "&x;",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?x",
        "?>",
        "text",
        "<",
        ">",
        "'",
        "\u{0}",
        "ü",
    ]);
    prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        let _unused = built(&text).is_ok();
    }

    #[test]
    fn no_almost_fetch_panics(text in soup()) {
        let _unused = built(&format!("<fetch><entity name='contact'>{text}</entity></fetch>")).is_ok() || built(&text).is_ok();
    }

    #[test]
    fn no_value_panics(operator in "[a-z-]{2,20}|last-x-years|next-x-years|on|in|between|like", value in ".*|[0-9]{1,10}") {
        let value = quick_xml::escape::escape(&value);
        let _unused = condition(&format!("attribute='scheduledend' operator='{operator}' value='{value}'")).is_ok();
    }
}
