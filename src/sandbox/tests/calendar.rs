//! Appointments and series.

use super::{World, appointment};
use serde_json::{Value, json};

fn weekly() -> Value {
    json!({
        "subject": "Weekly", "recurrencepatterntype": 1, "interval": 1, "daysofweekmask": 2, "firstdayofweek": 1,
        "patternstartdate": "2026-03-02T00:00:00Z", "patternendtype": 2, "occurrences": 4,
        "starttime": "2026-03-02T09:00:00Z", "endtime": "2026-03-02T09:30:00Z", "globalobjectid": "uid-1",
        "recurringappointmentmaster_activity_parties": [{"addressused": "x@example.net", "participationtypemask": 5}],
    })
}

async fn instances(world: &World, series: &str) -> Vec<(String, i64, String)> {
    let path = format!(
        "appointments?$select=originalstartdate,instancetypecode&$filter=seriesid eq {series}&$orderby=originalstartdate"
    );
    let list = world.row("anna", &path).await;
    let row = |row: &Value| {
        let start = row["originalstartdate"].as_str().unwrap().to_owned();
        (
            start,
            row["instancetypecode"].as_i64().unwrap(),
            row["activityid"].as_str().unwrap().to_owned(),
        )
    };
    list["value"].as_array().unwrap().iter().map(row).collect()
}

fn starts(instances: &[(String, i64, String)]) -> Vec<(&str, i64)> {
    instances.iter().map(|(start, kind, _)| (start.get(5..10).unwrap(), *kind)).collect()
}

#[tokio::test]
async fn a_series_is_expanded_and_remembers_its_exceptions() {
    let world = World::new().await;
    let id = world.make("anna", "recurringappointmentmasters", weekly()).await;
    let path = format!("recurringappointmentmasters({id})");
    let rows = instances(&world, &id).await;
    assert_eq!(starts(&rows), [("03-02", 2), ("03-09", 2), ("03-16", 2), ("03-23", 2)]);
    let first = &rows[0].2;
    let row = world
        .row("anna", &format!("appointments({first})?$expand=appointment_activity_parties"))
        .await;
    assert_eq!(
        (&row["scheduledend"], &row["subject"]),
        (&json!("2026-03-02T09:30:00Z"), &json!("Weekly"))
    );
    assert!(
        row["appointment_activity_parties"]
            .as_array()
            .unwrap()
            .iter()
            .any(|party| party["addressused"] == "x@example.net")
    );
    let master = world.row("anna", &path).await;
    assert_eq!(
        (&master["expansionstatecode"], &master["instancetypecode"], &master["duration"]),
        (&json!(2), &json!(1), &json!(30))
    );
    world.delete("anna", &format!("appointments({})", rows[1].2)).await.expect(204);
    let exception = json!({"Target": {"@odata.type": "Microsoft.Dynamics.CRM.appointment", "seriesid": id, "subject": "Moved", "scheduledstart": "2026-03-17T09:00:00Z", "scheduledend": "2026-03-17T09:30:00Z"},
        "OriginalStartDate": "2026-03-16T09:00:00Z", "IsDeleted": false});
    world
        .post("anna", "appointments/Microsoft.Dynamics.CRM.CreateException", exception.clone())
        .await
        .expect(200);
    assert_eq!(starts(&instances(&world, &id).await), [("03-02", 2), ("03-16", 3), ("03-23", 2)]);
    assert_eq!(world.row("anna", &path).await["deletedexceptionslist"], "2026-03-09T09:00:00Z");
    world.patch("anna", &path, json!({"subject": "Renamed", "occurrences": 5})).await.expect(204);
    let rows = instances(&world, &id).await;
    assert_eq!(starts(&rows), [("03-02", 2), ("03-16", 3), ("03-23", 2), ("03-30", 2)]);
    assert_eq!(&rows[0].2, first);
    assert_eq!(world.row("anna", &format!("appointments({first})")).await["subject"], "Renamed");
    assert_eq!(
        world.row("anna", &format!("appointments({})", rows[1].2)).await["subject"],
        "Moved"
    );
    let mut none = exception;
    none["OriginalStartDate"] = json!("2026-03-18T09:00:00Z");
    world
        .post("anna", "appointments/Microsoft.Dynamics.CRM.CreateException", none)
        .await
        .refused(400, "0x8004E107");
    world.delete("anna", &path).await.expect(204);
    assert!(instances(&world, &id).await.is_empty());
}

#[tokio::test]
async fn a_bad_pattern_and_a_bad_time_are_refused() {
    let world = World::new().await;
    let mut bad = weekly();
    bad["daysofweekmask"] = json!(0);
    let refused = world.post("anna", "recurringappointmentmasters", bad).await;
    refused.refused(400, "0x8004E103");
    assert!(refused.text.contains("daysofweekmask"));
    let mut bad = appointment("a");
    bad["scheduledend"] = json!("2026-03-03T08:00:00Z");
    world.post("anna", "appointments", bad).await.refused(400, "0x80043E11");
}

#[tokio::test]
async fn booking_schedules_and_an_appointment_becomes_a_series() {
    let world = World::new().await;
    let mut target = appointment("a");
    target["@odata.type"] = json!("Microsoft.Dynamics.CRM.appointment");
    let booked = world.post("anna", "Book", json!({"Target": target})).await.expect(200).json();
    let id = booked["ValidationResult"]["ActivityId"].as_str().unwrap().to_owned();
    let row = world.row("anna", &format!("appointments({id})")).await;
    assert_eq!((&row["statecode"], &row["statuscode"]), (&json!(3), &json!(5)));
    let mut target = weekly();
    target["@odata.type"] = json!("Microsoft.Dynamics.CRM.recurringappointmentmaster");
    let series = world
        .post("anna", "AddRecurrence", json!({"AppointmentId": id, "Target": target}))
        .await
        .expect(200)
        .json();
    world.get("anna", &format!("appointments({id})")).await.refused(404, "0x80040217");
    let series = series["id"].as_str().unwrap();
    assert_eq!(instances(&world, series).await.len(), 4);
    let end = json!({"Target": {"@odata.type": "Microsoft.Dynamics.CRM.recurringappointmentmaster", "activityid": series}, "SeriesEndDate": "2026-03-15T00:00:00Z", "StateOfPastInstances": 1});
    world.post("anna", "DeleteOpenInstances", end).await.expect(204);
    assert_eq!(instances(&world, series).await.len(), 2);
}

#[tokio::test]
async fn a_far_exception_survives_and_old_instances_stay() {
    let world = World::new().await;
    let mut endless = weekly();
    endless["patternendtype"] = json!(1);
    let id = world.make("anna", "recurringappointmentmasters", endless).await;
    let path = format!("recurringappointmentmasters({id})");
    assert_eq!(world.row("anna", &path).await["expansionstatecode"], 1);
    assert_eq!(instances(&world, &id).await.len(), 15);
    let far = json!({"Target": {"@odata.type": "Microsoft.Dynamics.CRM.appointment", "seriesid": id, "subject": "Far"},
        "OriginalStartDate": "2028-03-06T09:00:00Z", "IsDeleted": false});
    world
        .post("anna", "appointments/Microsoft.Dynamics.CRM.CreateException", far)
        .await
        .expect(200);
    world.clock.advance(150 * 86_400);
    let parties =
        json!({"value": [{"addressused": "new@example.net", "participationtypemask": 5}]});
    let put = format!("{path}/recurringappointmentmaster_activity_parties");
    world.send("anna", reqwest::Method::PUT, &put, &[], Some(parties)).await.expect(204);
    let rows = instances(&world, &id).await;
    assert_eq!(rows[0].0, "2026-03-02T09:00:00Z");
    assert_eq!(
        (rows.last().unwrap().0.as_str(), rows.last().unwrap().1),
        ("2028-03-06T09:00:00Z", 3)
    );
    let first = world
        .row(
            "anna",
            &format!(
                "appointments({})/appointment_activity_parties?$filter=participationtypemask eq 5",
                rows[0].2
            ),
        )
        .await;
    assert_eq!(first["value"][0]["addressused"], "new@example.net");
}

#[tokio::test]
async fn a_series_repeats_by_the_clock_that_the_user_chose_and_nobody_makes_clocks() {
    let world = World::new().await;
    let me = world.me("anna").await;
    let settings = format!("usersettingscollection({me})");
    assert_eq!(world.row("anna", &settings).await["timezonecode"], 92);
    let zones = "timezonedefinitions?$select=standardname,userinterfacename,bias&$filter=timezonecode eq 255";
    let sydney = world.row("erik", zones).await["value"][0].clone();
    assert_eq!(
        (&sydney["standardname"], &sydney["bias"]),
        (&json!("AUS Eastern Standard Time"), &json!(-600))
    );
    let path = format!("timezonedefinitions({})", sydney["timezonedefinitionid"].as_str().unwrap());
    for user in ["anna", "admin"] {
        world.patch(user, &path, json!({"bias": 0})).await.refused(403, "0x80040220");
        world.delete(user, &path).await.refused(403, "0x80040220");
        let new = json!({"standardname": "Mars Standard Time", "timezonecode": 999});
        world.post(user, "timezonedefinitions", new).await.refused(403, "0x80040220");
    }
    world.patch("anna", &settings, json!({"timezonecode": 255})).await.expect(204);
    let mut weekly = weekly();
    // Summer time ends in Sydney on the 5th of April.
    weekly["patternstartdate"] = json!("2026-03-30T00:00:00Z");
    weekly["starttime"] = json!("2026-03-30T00:00:00Z");
    weekly["endtime"] = json!("2026-03-30T00:30:00Z");
    weekly["occurrences"] = json!(2);
    let id = world.make("anna", "recurringappointmentmasters", weekly).await;
    let rows = instances(&world, &id).await;
    let starts: Vec<&str> = rows.iter().map(|(start, ..)| start.as_str()).collect();
    assert_eq!(starts, ["2026-03-30T00:00:00Z", "2026-04-06T01:00:00Z"]);
}
