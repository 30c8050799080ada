//! Appointments and series, with what hangs on them.

use super::*;

fn meeting(parties: Vec<Party>) -> RecordPatch {
    RecordPatch {
        state: Some(State { statecode: 3, statuscode: 5 }),
        parties: Some(parties),
        ..patch(json!({
            "subject": "Meeting", "location": "Room 1", "globalobjectid": "Meeting-1@Example.org",
            "scheduledstart": "2026-12-01T10:00:00Z", "scheduledend": "2026-12-01T11:00:00Z",
        }))
    }
}

#[tokio::test]
async fn a_change_of_attendees_is_seen_though_the_row_does_not_move() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let appointment = id(Table::Appointment, 1);
    let organizer = || party(Role::Organizer, "anna@example.org", Some(("systemuser", crm.user())));
    let guest = |address: &str| party(Role::Required, address, None);
    let parties = vec![organizer(), guest("guest@example.com")];
    let made = write(&crm, Class::Appointment, create(&appointment, meeting(parties.clone())))
        .await
        .unwrap()
        .document
        .unwrap();
    assert_eq!((column(&made, "statecode"), column(&made, "statuscode")), (&json!(3), &json!(5)));
    let mut roles: Vec<(Role, String)> =
        record(&made).parties.iter().map(|party| (party.role, party.address.clone())).collect();
    roles.sort();
    assert_eq!(
        roles,
        [
            (Role::Required, "guest@example.com".to_owned()),
            (Role::Organizer, "anna@example.org".to_owned())
        ]
    );
    assert_eq!(
        record(&made).parties.iter().find_map(|party| party.target.clone()).unwrap().guid,
        crm.user()
    );
    let listing = crm.list(Class::Appointment).await.unwrap();
    assert_eq!(listing.entries[&appointment], made.version);
    assert_eq!(
        write(&crm, Class::Appointment, create(&appointment, meeting(parties)))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Exists
    );

    // Only the attendees change.
    let only_parties = RecordPatch {
        parties: Some(vec![organizer(), guest("other@example.com")]),
        ..RecordPatch::default()
    };
    let changed =
        write(&crm, Class::Appointment, update(&appointment, &made.version, only_parties.clone()))
            .await
            .unwrap()
            .document
            .unwrap();
    assert!(record(&changed).parties.iter().any(|party| party.address == "other@example.com"));
    assert!(record(&changed).parties.iter().all(|party| party.address != "guest@example.com"));
    assert_ne!(changed.version, made.version);
    assert_eq!(
        crm.list(Class::Appointment).await.unwrap().entries[&appointment],
        document(&crm, Class::Appointment, &appointment).await.version
    );
    assert_eq!(
        write(&crm, Class::Appointment, update(&appointment, &made.version, only_parties))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Stale
    );
}

#[tokio::test]
async fn a_cancelled_meeting_is_changed_and_stays_cancelled() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let appointment = id(Table::Appointment, 1);
    let organizer = || party(Role::Organizer, "anna@example.org", Some(("systemuser", crm.user())));
    let parties = vec![organizer(), party(Role::Required, "guest@example.com", None)];
    write(&crm, Class::Appointment, create(&appointment, meeting(parties))).await.unwrap();
    // Cancelled, then changed while cancelled, together with its attendees.
    let now = document(&crm, Class::Appointment, &appointment).await;
    let cancelled = RecordPatch {
        state: Some(State { statecode: 2, statuscode: 4 }),
        ..RecordPatch::default()
    };
    let now = write(&crm, Class::Appointment, update(&appointment, &now.version, cancelled))
        .await
        .unwrap()
        .document
        .unwrap();
    let both = RecordPatch { parties: Some(vec![organizer()]), ..patch(json!({"subject": "Off"})) };
    let now = write(&crm, Class::Appointment, update(&appointment, &now.version, both))
        .await
        .unwrap()
        .document
        .unwrap();
    assert_eq!((column(&now, "statecode"), column(&now, "subject")), (&json!(2), &json!("Off")));
    assert_eq!(record(&now).parties.len(), 1);
    assert_eq!(now, document(&crm, Class::Appointment, &appointment).await);

    let found = crm
        .find(Class::Appointment, &[Uid::new("meeting-1@example.ORG"), Uid::new("none")])
        .await
        .unwrap();
    assert_eq!(found, BTreeMap::from([(Uid::new("meeting-1@example.ORG"), appointment.clone())]));
    write(&crm, Class::Appointment, delete(&appointment, &now.version)).await.unwrap();
    assert!(crm.list(Class::Appointment).await.unwrap().entries.is_empty());
}

fn operation(method: Method, path: String, body: &Json) -> Operation {
    Operation::new(method, path).header("If-Match", "*").body(body)
}

fn guid(id: &ItemId) -> Uuid {
    RecordId::parse(id).unwrap().guid
}

#[tokio::test]
async fn what_a_colleague_does_to_the_attendees_is_neither_missed_nor_overwritten() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let appointment = id(Table::Appointment, 1);
    let parties = vec![party(Role::Required, "guest@example.com", None)];
    let made = write(&crm, Class::Appointment, create(&appointment, meeting(parties.clone())))
        .await
        .unwrap()
        .document
        .unwrap();
    let theirs =
        json!({"value": [{"participationtypemask": 5, "addressused": "colleague@example.com"}]});
    let path = format!("appointments({})/appointment_activity_parties", guid(&appointment));
    organisation.elsewhere("bo", Operation::new(Method::Put, path).body(&theirs)).await;

    let now = document(&crm, Class::Appointment, &appointment).await;
    assert_eq!(column(&now, "@odata.etag"), column(&made, "@odata.etag"));
    assert_eq!(record(&now).parties[0].address, "colleague@example.com");
    assert_ne!(now.version, made.version);
    assert_eq!(crm.list(Class::Appointment).await.unwrap().entries[&appointment], now.version);
    let ours = RecordPatch { parties: Some(parties), ..RecordPatch::default() };
    for stale in
        [update(&appointment, &made.version, ours.clone()), delete(&appointment, &made.version)]
    {
        assert_eq!(
            write(&crm, Class::Appointment, stale).await.unwrap_err().kind,
            ErrorKind::Stale
        );
    }
    assert_eq!(document(&crm, Class::Appointment, &appointment).await, now);
    write(&crm, Class::Appointment, update(&appointment, &now.version, ours)).await.unwrap();
}

#[tokio::test]
async fn what_a_colleague_does_to_an_occurrence_is_a_new_version_of_the_series() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let series = id(Table::RecurringAppointmentMaster, 1);
    let moved = ExceptionPatch {
        original_start: moment("2026-12-02T09:00:00Z"),
        columns: Some(columns(json!({"subject": "Ours"}))),
    };
    let made = write(&crm, Class::Appointment, create(&series, daily(vec![moved.clone()])))
        .await
        .unwrap()
        .document
        .unwrap();
    let exception = record(&made).exceptions[0]["activityid"].as_str().unwrap().to_owned();
    organisation
        .elsewhere(
            "bo",
            operation(
                Method::Patch,
                format!("appointments({exception})"),
                &json!({"subject": "Theirs"}),
            ),
        )
        .await;
    let now = document(&crm, Class::Appointment, &series).await;
    assert_ne!(now.version, made.version);
    assert_eq!(record(&now).exceptions[0]["subject"], "Theirs");
    assert_eq!(crm.list(Class::Appointment).await.unwrap().entries[&series], now.version);
    let ours = RecordPatch { exceptions: vec![moved], ..RecordPatch::default() };
    assert_eq!(
        write(&crm, Class::Appointment, update(&series, &made.version, ours))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Stale
    );
}

#[tokio::test]
async fn an_exception_moves_with_its_series() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let series = id(Table::RecurringAppointmentMaster, 1);
    let moved = ExceptionPatch {
        original_start: moment("2026-12-02T09:00:00Z"),
        columns: Some(columns(json!({"subject": "Moved"}))),
    };
    let made = write(&crm, Class::Appointment, create(&series, daily(vec![moved])));
    let now = made.await.unwrap().document.unwrap();
    // The whole series moves by an hour: its occurrences are made anew, and the exception is named by its new start.
    let later = moment("2026-12-02T10:00:00Z");
    let moved_series = RecordPatch {
        exceptions: vec![ExceptionPatch {
            original_start: later,
            columns: Some(columns(json!({"subject": "Moved with the series"}))),
        }],
        ..patch(json!({"starttime": "2026-12-01T10:00:00Z", "endtime": "2026-12-01T11:00:00Z"}))
    };
    let now = write(&crm, Class::Appointment, update(&series, &now.version, moved_series))
        .await
        .unwrap()
        .document
        .unwrap();
    assert_eq!(record(&now).exceptions.len(), 1);
    assert_eq!(record(&now).exceptions[0]["subject"], "Moved with the series");
    assert_eq!(record(&now).exceptions[0]["originalstartdate"], "2026-12-02T10:00:00Z");
    let listed = crm.list(Class::Appointment).await.unwrap();
    assert_eq!(listed.entries[&series], document(&crm, Class::Appointment, &series).await.version);
}

#[tokio::test]
async fn a_series_is_one_thing_with_its_exceptions() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let series = id(Table::RecurringAppointmentMaster, 1);
    let moved = moment("2026-12-02T09:00:00Z");
    let dropped = moment("2026-12-03T09:00:00Z");
    let exceptions = vec![
        ExceptionPatch {
            original_start: moved,
            columns: Some(columns(
                json!({"subject": "Moved", "scheduledstart": "2026-12-02T14:00:00Z", "scheduledend": "2026-12-02T15:00:00Z"}),
            )),
        },
        ExceptionPatch { original_start: dropped, columns: None },
    ];
    let made = write(&crm, Class::Appointment, create(&series, daily(exceptions)))
        .await
        .unwrap()
        .document
        .unwrap();
    assert_eq!(record(&made).exceptions.len(), 1);
    assert_eq!(record(&made).exceptions[0]["subject"], "Moved");
    assert_eq!(record(&made).exceptions[0]["originalstartdate"], "2026-12-02T09:00:00Z");
    assert!(column(&made, "deletedexceptionslist").as_str().unwrap().contains("2026-12-03"));
    // Neither occurrences nor exceptions take part on their own.
    let listing = crm.list(Class::Appointment).await.unwrap();
    assert_eq!(listing.entries, BTreeMap::from([(series.clone(), made.version.clone())]));

    // The exception changes again, another occurrence is dropped, and both are seen by the version.
    let change = RecordPatch {
        exceptions: vec![
            ExceptionPatch {
                original_start: moved,
                columns: Some(columns(json!({"subject": "Moved again"}))),
            },
            ExceptionPatch { original_start: moment("2026-12-04T09:00:00Z"), columns: None },
        ],
        ..RecordPatch::default()
    };
    let changed = write(&crm, Class::Appointment, update(&series, &made.version, change.clone()))
        .await
        .unwrap()
        .document
        .unwrap();
    assert_eq!(record(&changed).exceptions.len(), 1);
    assert_eq!(record(&changed).exceptions[0]["subject"], "Moved again");
    assert!(column(&changed, "deletedexceptionslist").as_str().unwrap().contains("2026-12-04"));
    assert_ne!(changed.version, made.version);
    let now = document(&crm, Class::Appointment, &series).await;
    assert_eq!(crm.list(Class::Appointment).await.unwrap().entries[&series], now.version);
    assert_eq!(
        write(&crm, Class::Appointment, update(&series, &made.version, change))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Stale
    );

    // A changed occurrence does not take place after all.
    let drop = RecordPatch {
        exceptions: vec![ExceptionPatch { original_start: moved, columns: None }],
        ..RecordPatch::default()
    };
    let now = write(&crm, Class::Appointment, update(&series, &now.version, drop))
        .await
        .unwrap()
        .document
        .unwrap();
    assert!(record(&now).exceptions.is_empty());
    let now = document(&crm, Class::Appointment, &series).await;
    write(&crm, Class::Appointment, delete(&series, &now.version)).await.unwrap();
    assert!(crm.list(Class::Appointment).await.unwrap().entries.is_empty());
}

fn daily(exceptions: Vec<ExceptionPatch>) -> RecordPatch {
    RecordPatch {
        state: Some(State { statecode: 3, statuscode: 5 }),
        exceptions,
        ..patch(json!({
            "subject": "Daily", "recurrencepatterntype": 0, "interval": 1, "patternstartdate": "2026-12-01T00:00:00Z",
            "patternendtype": 2, "occurrences": 5, "starttime": "2026-12-01T09:00:00Z", "endtime": "2026-12-01T10:00:00Z", "duration": 60,
        }))
    }
}
