use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value as Json, json};

use super::*;
use crate::sandbox::schema::{self, Kind};

/// Pages, cookies, next links and their limits.
mod pages;

const ME: &str = "00000000-0000-4000-8000-00000000000a";
const UNIT: &str = "00000000-0000-4000-8000-00000000000b";
const BASE: &str = "http://localhost/api/data/v9.2";

/// The primary keys of the tests, readable: `id("c", 1)`.
fn id(letter: char, number: u32) -> String {
    format!("{letter}0000000-0000-4000-8000-{number:012}")
}

/// An empty organisation, by the storage convention.
fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for table in schema::tables() {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| match column.kind {
                Kind::Lookup { .. } => format!("\"{0}\" TEXT, \"{0}_type\" TEXT", column.name),
                Kind::Integer { .. }
                | Kind::BigInt
                | Kind::Boolean
                | Kind::Picklist { .. }
                | Kind::State { .. }
                | Kind::Status { .. } => format!("\"{}\" INTEGER", column.name),
                _ => format!("\"{}\" TEXT", column.name),
            })
            .collect();
        connection
            .execute_batch(&format!(
                "CREATE TABLE \"{}\" ({}) STRICT",
                table.logical,
                columns.join(", ")
            ))
            .unwrap();
    }
    connection
}

fn insert(connection: &Connection, table: &str, row: &Json) {
    let row = row.as_object().unwrap();
    let names: Vec<String> = row.keys().map(|name| format!("\"{name}\"")).collect();
    let values: Vec<rusqlite::types::Value> = row
        .values()
        .map(|value| match value {
            Json::Null => rusqlite::types::Value::Null,
            Json::Bool(flag) => i64::from(*flag).into(),
            Json::Number(number) => number.as_i64().unwrap().into(),
            Json::String(text) => text.clone().into(),
            other => panic!("{other} is no column"),
        })
        .collect();
    let marks = vec!["?"; names.len()].join(", ");
    let sql = format!("INSERT INTO \"{table}\" ({}) VALUES ({marks})", names.join(", "));
    connection.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
}

/// Anna, her account and two contacts, one of which belongs to Bert; a meeting with Anna and the first contact.
fn organisation() -> Connection {
    let connection = database();
    let other = id('b', 1);
    insert(
        &connection,
        "systemuser",
        &json!({"systemuserid": ME, "fullname": "Anna", "versionnumber": 1}),
    );
    insert(
        &connection,
        "systemuser",
        &json!({"systemuserid": other, "fullname": "Bert", "versionnumber": 2}),
    );
    insert(
        &connection,
        "account",
        &json!({"accountid": id('a', 1), "name": "Contoso", "ownerid": ME, "ownerid_type": "systemuser", "versionnumber": 3}),
    );
    for (number, name, owner) in [(1, "Ada", ME), (2, "Bob", other.as_str())] {
        insert(
            &connection,
            "contact",
            &json!({
                "contactid": id('c', number), "fullname": name, "donotemail": number == 1, "gendercode": 2,
                "birthdate": "1980-02-03", "createdon": "2026-03-04T09:05:00Z", "versionnumber": 10 + number,
                "ownerid": owner, "ownerid_type": "systemuser", "statecode": 0, "statuscode": 1,
                "parentcustomerid": if number == 1 { json!(id('a', 1)) } else { Json::Null },
                "parentcustomerid_type": if number == 1 { json!("account") } else { Json::Null },
            }),
        );
    }
    insert(
        &connection,
        "appointment",
        &json!({"activityid": id('d', 1), "subject": "Lunch", "versionnumber": 20, "statecode": 3, "statuscode": 5,
                "ownerid": ME, "ownerid_type": "systemuser"}),
    );
    for (number, mask, party, kind) in
        [(1, 7, ME.to_owned(), "systemuser"), (2, 5, id('c', 1), "contact")]
    {
        insert(
            &connection,
            "activityparty",
            &json!({"activitypartyid": id('e', number), "activityid": id('d', 1), "activityid_type": "appointment",
                    "partyid": party, "partyid_type": kind, "participationtypemask": mask, "versionnumber": 30 + number}),
        );
    }
    connection
}

/// Runs `test` in the scope of Anna.
fn scoped<T>(
    annotations: &str,
    page_size: Option<u32>,
    readable: &dyn Fn(&Table, &str) -> String,
    test: impl FnOnce(&Scope<'_>) -> T,
) -> T {
    let annotations = Annotations::new(annotations);
    test(&Scope {
        user: ME,
        business_unit: UNIT,
        base: BASE,
        annotations: &annotations,
        page_size,
        now: "2026-03-04T10:20:30Z".parse().unwrap(),
        readable,
    })
}

fn everything(_: &Table, _: &str) -> String {
    String::from("1")
}

fn ask(
    connection: &Connection,
    set: &str,
    raw: &str,
    annotations: &str,
    page_size: Option<u32>,
) -> Page {
    let query = odata::parse(schema::by_set(set).unwrap(), &odata::options(raw)).unwrap();
    scoped(annotations, page_size, &everything, |scope| run(connection, &query, scope).unwrap())
}

fn fetch(connection: &Connection, text: &str) -> Page {
    let query = fetchxml::parse(text).unwrap();
    scoped("", None, &everything, |scope| run(connection, &query, scope).unwrap())
}

#[test]
fn a_row_has_what_was_selected_and_its_key_and_etag() {
    let page = ask(
        &organisation(),
        "contacts",
        "%24select=fullname,_parentcustomerid_value,donotemail,birthdate,jobtitle&%24filter=fullname+eq+%27ada%27",
        "",
        None,
    );
    assert_eq!(
        Json::from_iter(page.rows),
        json!([{
            "@odata.etag": "W/\"11\"", "fullname": "Ada", "_parentcustomerid_value": id('a', 1), "donotemail": true,
            "birthdate": "1980-02-03", "jobtitle": null, "contactid": id('c', 1),
        }])
    );
}

#[test]
fn annotations_come_only_when_asked_for() {
    let select = "$select=_parentcustomerid_value,_ownerid_value,gendercode,statuscode,donotemail,createdon,birthdate&$filter=statecode eq 0 and fullname eq 'Ada'";
    let row = ask(&organisation(), "contacts", select, "*", None).rows.remove(0);
    let annotated: BTreeMap<&str, &str> = row
        .iter()
        .filter(|(name, _)| name.contains('@') && !name.starts_with('@'))
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let expected = BTreeMap::from([
        ("_ownerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty", "ownerid"),
        ("_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname", "systemuser"),
        ("_ownerid_value@OData.Community.Display.V1.FormattedValue", "Anna"),
        (
            "_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty",
            "parentcustomerid_account",
        ),
        ("_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname", "account"),
        ("_parentcustomerid_value@OData.Community.Display.V1.FormattedValue", "Contoso"),
        ("birthdate@OData.Community.Display.V1.FormattedValue", "2/3/1980"),
        ("createdon@OData.Community.Display.V1.FormattedValue", "3/4/2026 9:05 AM"),
        ("donotemail@OData.Community.Display.V1.FormattedValue", "Yes"),
        ("gendercode@OData.Community.Display.V1.FormattedValue", "Female"),
        ("statuscode@OData.Community.Display.V1.FormattedValue", "Active"),
    ]);
    assert_eq!(annotated, expected);
    let plain = ask(&organisation(), "contacts", select, "", None).rows.remove(0);
    assert_eq!(plain.keys().filter(|name| name.contains('@')).collect::<Vec<_>>(), ["@odata.etag"]);
    let some =
        ask(&organisation(), "contacts", select, "Microsoft.Dynamics.CRM.*", None).rows.remove(0);
    assert_eq!(some.keys().filter(|name| name.contains('@')).count(), 5);
}

#[test]
fn navigation_properties_expand() {
    let connection = organisation();
    let row = ask(
        &connection,
        "contacts",
        "$select=fullname&$filter=fullname eq 'Ada'&$expand=parentcustomerid_account($select=name;$expand=ownerid($select=fullname)),parentcustomerid_contact,ownerid/$ref",
        "",
        None,
    )
    .rows
    .remove(0);
    assert_eq!(
        Json::Object(row),
        json!({
            "@odata.etag": "W/\"11\"", "fullname": "Ada", "contactid": id('c', 1),
            "parentcustomerid_account": {
                "name": "Contoso", "accountid": id('a', 1), "ownerid": {"fullname": "Anna", "systemuserid": ME},
            },
            "parentcustomerid_contact": null,
            "ownerid": {"@odata.id": format!("{BASE}/systemusers({ME})")},
        })
    );
    let page = ask(
        &connection,
        "appointments",
        "$select=subject&$expand=appointment_activity_parties($select=_partyid_value;$filter=participationtypemask eq 5)",
        "",
        None,
    );
    assert_eq!(
        page.rows[0]["appointment_activity_parties"],
        json!([{"@odata.etag": "W/\"32\"", "_partyid_value": id('c', 1), "activitypartyid": id('e', 2)}])
    );
}

#[test]
fn a_long_collection_links_to_its_rest() {
    let page = ask(
        &organisation(),
        "appointments",
        "$select=subject&$expand=appointment_activity_parties($select=participationtypemask)",
        "",
        Some(1),
    );
    let link = page.rows[0]["appointment_activity_parties@odata.nextLink"].as_str().unwrap();
    let path = format!("{BASE}/appointments({})/appointment_activity_parties?", id('d', 1));
    let raw = link.strip_prefix(path.as_str()).unwrap();
    let table = schema::table("appointment").unwrap();
    let rest = odata::parse_collection(
        table,
        &id('d', 1),
        "appointment_activity_parties",
        &odata::options(raw),
    )
    .unwrap();
    let rest =
        scoped("", Some(1), &everything, |scope| run(&organisation(), &rest, scope).unwrap());
    assert_eq!(rest.rows.len(), 1);
    assert_eq!(rest.rows[0]["participationtypemask"], 5);
    assert!(!rest.more && rest.next_link.is_none());
}

#[test]
fn what_may_not_be_read_is_nowhere_to_be_seen() {
    let connection = organisation();
    let own = |table: &Table, alias: &str| match table.logical {
        "contact" => format!("\"{alias}\".ownerid = ?1"),
        "account" => String::from("0"),
        _ => String::from("1"),
    };
    scoped("", None, &own, |scope| {
        let all = |raw: &str| {
            let options = odata::options(raw);
            run(
                &connection,
                &odata::parse(schema::table("contact").unwrap(), &options).unwrap(),
                scope,
            )
            .unwrap()
        };
        let page = all("$select=fullname&$count=true&$expand=parentcustomerid_account");
        assert_eq!((page.rows.len(), page.count), (1, Some(1)));
        assert_eq!(page.rows[0]["parentcustomerid_account"], Json::Null);
        assert!(all("$filter=parentcustomerid_account/name eq 'Contoso'").rows.is_empty());
        let table = schema::table("contact").unwrap();
        let select = [(String::from("$select"), String::from("fullname"))];
        let get = |number| one(&connection, table, &id('c', number), &select, scope).unwrap();
        assert_eq!(get(1).unwrap()["fullname"], "Ada");
        assert!(get(2).is_none() && get(3).is_none());
        let joined = fetchxml::parse(
            "<fetch><entity name='contact'><attribute name='fullname'/><link-entity name='account' from='accountid' \
             to='parentcustomerid' link-type='outer' alias='a'><attribute name='name'/></link-entity></entity></fetch>",
        )
        .unwrap();
        let rows = run(&connection, &joined, scope).unwrap().rows;
        assert_eq!(rows.len(), 1);
        assert!(!rows[0].contains_key("a.name"));
    });
}

#[test]
fn a_sync_filter_finds_my_meetings_once() {
    let text = "<fetch distinct='true'><entity name='appointment'><attribute name='activityid'/><attribute name='versionnumber'/>\
        <filter><condition attribute='statecode' operator='in'><value>0</value><value>3</value></condition></filter>\
        <link-entity name='activityparty' from='activityid' to='activityid' alias='ap'><filter>\
        <condition attribute='participationtypemask' operator='in'><value>5</value><value>7</value></condition></filter>\
        </link-entity></entity></fetch>";
    let page = fetch(&organisation(), text);
    assert_eq!(
        Json::from_iter(page.rows),
        json!([{"activityid": id('d', 1), "versionnumber": 20}])
    );
    let each = fetch(&organisation(), &text.replace(" distinct='true'", ""));
    assert_eq!(each.rows.len(), 2, "one row a party");
}

#[test]
fn fetches_name_linked_columns_by_alias_and_leave_empty_ones_out() {
    let page = fetch(
        &organisation(),
        "<fetch returntotalrecordcount='true'><entity name='contact'><attribute name='fullname'/><attribute name='jobtitle'/>\
         <order attribute='fullname' descending='true'/>\
         <link-entity name='account' from='accountid' to='parentcustomerid' link-type='outer' alias='company'>\
         <attribute name='name'/><attribute name='ownerid'/></link-entity></entity></fetch>",
    );
    assert_eq!(page.count, Some(2));
    assert_eq!(
        Json::from_iter(page.rows),
        json!([
            {"@odata.etag": "W/\"12\"", "fullname": "Bob", "contactid": id('c', 2)},
            {"@odata.etag": "W/\"11\"", "fullname": "Ada", "contactid": id('c', 1), "company.name": "Contoso", "company.ownerid": ME},
        ])
    );
}

#[test]
fn aggregates_count() {
    let page = fetch(
        &organisation(),
        "<fetch aggregate='true'><entity name='contact'><attribute name='contactid' aggregate='count' alias='all'/>\
         <attribute name='parentcustomerid' aggregate='countcolumn' alias='employed'/></entity></fetch>",
    );
    assert_eq!(Json::from_iter(page.rows), json!([{"all": 2, "employed": 1}]));
}

/// Conditions on contacts that mostly parse.
fn conditions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "lastname eq 'a'",
        "null ne lastname",
        "statecode in (0,1)",
        "not contains(description,'[%]_\\')",
        "donotemail eq true",
        "_ownerid_value ne 00000000-0000-4000-8000-00000000000a",
        "Microsoft.Dynamics.CRM.NotIn(PropertyName='fullname',PropertyValues=['a','b'])",
        "Microsoft.Dynamics.CRM.NextXYears(PropertyName='birthdate',PropertyValue=2)",
        "Microsoft.Dynamics.CRM.NotBetween(PropertyName='gendercode',PropertyValues=['1','2'])",
        "Microsoft.Dynamics.CRM.NotEqualBusinessId(PropertyName='owningbusinessunit')",
        "parentcustomerid_account/ownerid/fullname eq 'Anna'",
        "Contact_Tasks/any()",
        "Contact_Tasks/all(t:t/statecode ge 1 or t/regardingobjectid_account_task/name lt 'x')",
        "firstname gt lastname",
        "createdon le 2026-01-02T10:00:00.5Z",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not {part}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A condition and its negation share out the rows, and SQLite takes whatever parses.
    #[test]
    fn a_condition_or_its_negation_holds(condition in conditions()) {
        let connection = organisation();
        let found = |filter: &str| {
            let options = [(String::from("$filter"), filter.to_owned()), (String::from("$select"), String::from("fullname"))];
            let query = odata::parse(schema::table("contact").unwrap(), &options).unwrap();
            scoped("*", None, &everything, |scope| run(&connection, &query, scope)).unwrap().rows.len()
        };
        prop_assert_eq!(found(&condition) + found(&format!("not ({condition})")), 2);
    }
}

#[test]
fn every_table_can_be_read_whole() {
    let connection = organisation();
    for table in schema::tables() {
        let page = ask(&connection, table.set, "", "*", None);
        assert!(page.rows.iter().all(|row| row.contains_key(table.id)), "{}", table.logical);
        let text = format!(
            "<fetch><entity name='{}'><all-attributes/><order attribute='{}'/></entity></fetch>",
            table.logical, table.id
        );
        assert_eq!(fetch(&connection, &text).rows.len(), page.rows.len(), "{}", table.logical);
    }
}

#[test]
fn what_the_database_could_not_take_is_refused_before() {
    let connection = database();
    let link = "<link-entity name='contact' from='contactid' to='contactid'><all-attributes/></link-entity>";
    let orders = "<order attribute='fullname'/>".repeat(2001);
    let bodies = "<filter><condition attribute='description' operator='not-null'/></filter>";
    for (table, inside) in
        [("contact", link.repeat(15)), ("contact", orders), ("email", bodies.to_owned())]
    {
        let query =
            fetchxml::parse(&format!("<fetch><entity name='{table}'>{inside}</entity></fetch>"))
                .unwrap();
        let refused =
            scoped("", None, &everything, |scope| run(&connection, &query, scope)).unwrap_err();
        assert_eq!((refused.status, refused.code), (400, "0x80040203"), "{}", refused.message);
    }
}

#[test]
fn debug_output_holds_no_content() {
    let secret = "Geheim";
    let options =
        odata::options(&format!("$filter=contains(fullname,'{secret}') or fullname eq '{secret}'"));
    let query = odata::parse(schema::table("contact").unwrap(), &options).unwrap();
    let cookie = "&lt;cookie page=\"1\"&gt;&lt;contactid last=\"Geheim\"/&gt;&lt;/cookie&gt;";
    let fetched = fetchxml::parse(&format!(
        "<fetch paging-cookie='{cookie}'><entity name='contact'/></fetch>"
    ))
    .unwrap();
    let connection = organisation();
    let page = ask(&connection, "contacts", "$select=fullname", "", None);
    for text in [format!("{query:?}"), format!("{fetched:?}"), format!("{page:?}")] {
        assert!(!text.contains(secret) && !text.contains("Ada"), "{text}");
    }
}
