use bytes::Bytes;
use serde_json::json;

use super::*;

fn answer(body: &Json) -> Answer {
    Answer { status: 200, headers: vec![], body: Bytes::from(body.to_string()) }
}

fn id(table: Table) -> RecordId {
    RecordId::new(table, Uuid::from_u128(7))
}

fn series() -> Json {
    json!({
        "@odata.context": "…", "@odata.etag": "W/\"100\"", "activityid": Uuid::from_u128(7).to_string(), "subject": "Weekly",
        "recurringappointmentmaster_activity_parties": [
            {"@odata.etag": "W/\"5\"", "activitypartyid": Uuid::from_u128(1).to_string(), "participationtypemask": 5, "addressused": "bo@example.org",
             "_partyid_value": Uuid::from_u128(9).to_string(), "_partyid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "contact",
             "_partyid_value@OData.Community.Display.V1.FormattedValue": "Bo"},
            {"@odata.etag": "W/\"6\"", "activitypartyid": Uuid::from_u128(2).to_string(), "participationtypemask": 9},
            {"activitypartyid": Uuid::from_u128(3).to_string(), "versionnumber": 8, "participationtypemask": 6, "addressused": "unknown@example.org",
             "_partyid_value": Uuid::from_u128(4).to_string(), "_partyid_value@Microsoft.Dynamics.CRM.lookuplogicalname": "unresolvedaddress"}
        ]
    })
}

fn exceptions(version: &str) -> Json {
    json!({"value": [{"@odata.etag": format!("W/\"{version}\""), "activityid": Uuid::from_u128(20).to_string()}]})
}

#[test]
fn a_series_is_read_with_parties_and_exceptions() {
    let read = assemble(
        id(Table::RecurringAppointmentMaster),
        &[&answer(&series()), &answer(&exceptions("11"))],
    )
    .unwrap();
    assert_eq!(read.etag, "100");
    assert_eq!(read.record.parties.len(), 2);
    assert_eq!(
        read.record.parties[0].target,
        Some(PartyRef { table: "contact".into(), guid: Uuid::from_u128(9) })
    );
    assert_eq!(read.record.parties[0].name, "Bo");
    assert_eq!(read.record.parties[1].target, None);
    assert_eq!(read.record.exceptions.len(), 1);
    assert!(!read.record.columns.contains_key("recurringappointmentmaster_activity_parties"));
    assert!(!read.record.columns.contains_key("@odata.context"));
}

#[test]
fn a_change_of_a_party_or_an_exception_is_a_new_version_with_the_old_tag() {
    let of = |series: &Json, exception: &str| {
        assemble(
            id(Table::RecurringAppointmentMaster),
            &[&answer(series), &answer(&exceptions(exception))],
        )
        .unwrap()
        .version()
    };
    let version = of(&series(), "11");
    assert_eq!(version, of(&series(), "11"));
    assert_ne!(version, of(&series(), "12"));
    let mut fewer = series();
    fewer["recurringappointmentmaster_activity_parties"].as_array_mut().unwrap().pop();
    assert_ne!(version, of(&fewer, "11"));
    for version in [of(&series(), "11"), of(&fewer, "12")] {
        assert_eq!(etag_of(Table::RecurringAppointmentMaster, &version), "100");
    }
    // A table without parts has the tag itself, whatever is in it.
    assert_eq!(etag_of(Table::Contact, &Version::new("1+2")), "1+2");
    assert_eq!(record_version_of_a_contact(), Version::new("100"));
}

fn record_version_of_a_contact() -> Version {
    let row = json!({"@odata.etag": "W/\"100\"", "contactid": Uuid::from_u128(7).to_string()});
    assemble(id(Table::Contact), &[&answer(&row)]).unwrap().version()
}

#[test]
fn what_is_not_the_row_or_not_whole_is_not_taken() {
    let row = |change: &dyn Fn(&mut Json)| {
        let mut series = series();
        change(&mut series);
        assemble(
            id(Table::RecurringAppointmentMaster),
            &[&answer(&series), &answer(&exceptions("1"))],
        )
    };
    assert!(row(&|_| ()).is_ok());
    assert!(row(&|row| row["activityid"] = json!(Uuid::from_u128(8).to_string())).is_err());
    assert!(row(&|row| row["activityid"] = json!(null)).is_err());
    assert!(
        row(&|row| {
            row.as_object_mut().unwrap().remove("@odata.etag");
        })
        .is_err()
    );
    assert!(
        row(&|row| row["recurringappointmentmaster_activity_parties@odata.nextLink"] = json!("…"))
            .is_err()
    );
    assert!(
        row(&|row| row["recurringappointmentmaster_activity_parties"] = json!("none")).is_err()
    );
    let master = id(Table::RecurringAppointmentMaster);
    assert!(assemble(master, &[&answer(&series())]).is_err());
    let mut more = exceptions("1");
    more["@odata.nextLink"] = json!("…");
    assert!(assemble(master, &[&answer(&series()), &answer(&more)]).is_err());
    assert!(assemble(master, &[]).is_err());
}

proptest::proptest! {
    #[test]
    fn hostile_rows_never_panic(text in ".{0,100}", key in "[a-z_@.]{0,20}") {
        let row = json!({"@odata.etag": text.clone(), "activityid": Uuid::from_u128(7).to_string(), key: text.clone(),
            "appointment_activity_parties": [{"participationtypemask": 5, "addressused": text.clone(), "activitypartyid": text.clone()}, {}]});
        let read = assemble(id(Table::Appointment), &[&answer(&row)]);
        proptest::prop_assert!(read.is_err() || read.is_ok_and(|read| read.record.parties.len() == 1));
        let hostile = Answer { status: 200, headers: vec![], body: Bytes::from(text) };
        proptest::prop_assert!(assemble(id(Table::Email), &[&hostile]).is_err());
    }
}
