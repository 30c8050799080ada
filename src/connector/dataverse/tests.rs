use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use super::scripted::{answer, client, replies, serve};
use super::*;
use crate::model::{Body as ItemBody, Completeness, FileRules, RecordId, Version};

fn metadata() -> Metadata {
    let table = |table: Table| {
        let metadata = json!({
            "entity_set": format!("{}s", table.logical_name()), "versioned": true, "columns": {}, "default_status": {}, "state_of": {},
        });
        (table.logical_name().to_owned(), metadata)
    };
    let tables: Map<String, Json> = Table::ALL.into_iter().map(table).collect();
    Metadata::kept(&json!({"organisation": Uuid::nil().to_string(), "tables": tables}), Uuid::nil())
        .unwrap()
}

/// An organisation that gives these answers.
async fn organisation(script: Vec<Response<Body>>, limits: Limits) -> Dataverse {
    let (url, _) = serve(script).await;
    let filter = |table: Table| {
        (table, vec![format!("<fetch><entity name='{}'/></fetch>", table.logical_name())])
    };
    Dataverse {
        name: "scripted".to_owned(),
        client: client(&url, "echo token", limits),
        metadata: metadata(),
        told: Told::default(),
        selection: nameless([Table::Contact, Table::Appointment].into_iter().map(filter).collect()),
        found: Mutex::default(),
        organisation: Uuid::nil(),
        business_unit: Uuid::nil(),
        user: Uuid::nil(),
        me: BTreeSet::new(),
        zone: None,
        files: FileRules::default(),
        lease: lease::Known { looked: crate::connector::lease::Looked::Untold, versioned: true },
        access: Access::Full,
    }
}

fn guid(number: u128) -> String {
    Uuid::from_u128(number).to_string()
}

fn id(number: u128) -> ItemId {
    RecordId::new(Table::Contact, Uuid::from_u128(number)).item_id()
}

fn row(number: u128) -> Json {
    json!({"contactid": guid(number), "@odata.etag": format!("W/\"{number}\"")})
}

fn page(numbers: &[u128], more: Option<&str>) -> (u16, Json) {
    let rows: Vec<Json> = numbers.iter().map(|number| row(*number)).collect();
    let cookie = more.map(|cookie| format!("<cookie pagenumber=\"2\" pagingcookie=\"{cookie}\"/>"));
    (
        200,
        json!({
            "value": rows,
            "@Microsoft.Dynamics.CRM.morerecords": more.is_some(),
            "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie": cookie,
        }),
    )
}

async fn listing(script: Vec<Response<Body>>) -> Result<Listing> {
    organisation(script, Limits::default()).await.list(Class::Contact).await
}

#[tokio::test]
async fn a_listing_is_complete_only_with_its_last_page() {
    let complete =
        listing(vec![replies(&[page(&[1, 2], Some("a"))]), replies(&[page(&[3], None)])])
            .await
            .unwrap();
    assert!(complete.is_complete());
    assert_eq!(complete.entries.keys().cloned().collect::<Vec<_>>(), [id(1), id(2), id(3)]);
    assert_eq!(complete.entries[&id(3)], Version::new("3"));

    let first = || replies(&[page(&[1, 2], Some("a"))]);
    let endings = [
        vec![answer(502, &[], "<html>")],
        vec![answer(429, &[("retry-after", "5")], "")],
        vec![replies(&[(429, json!({}))])],
        vec![replies(&[(403, json!({"error": {"code": "0x80040220"}}))])],
        vec![replies(&[(500, json!({"error": {"code": "0x80040216"}}))])],
        vec![replies(&[(200, json!({"error": 1}))])],
        vec![replies(&[(200, json!({"value": [{"lastname": "no id"}]}))])],
        // The same page again, with the same cookie and with ever new ones.
        vec![replies(&[page(&[1, 2], Some("a"))])],
        vec![replies(&[page(&[1, 2], Some("b"))])],
        vec![replies(&[page(&[3], Some("b"))]), replies(&[page(&[2], Some("c"))])],
        vec![replies(&[page(&[], Some("b"))])],
    ];
    for (number, ending) in endings.into_iter().enumerate() {
        let mut script = vec![first()];
        script.extend(ending);
        let listing = listing(script).await.unwrap();
        assert!(matches!(listing.completeness, Completeness::Partial(_)), "ending {number}");
        assert!(listing.entries.contains_key(&id(1)));
    }
}

#[tokio::test]
async fn a_listing_that_gave_nothing_is_an_error() {
    let nothing = |script| async { listing(script).await.unwrap_err().kind };
    assert_eq!(nothing(vec![answer(502, &[], "<html>")]).await, ErrorKind::Unreachable);
    assert_eq!(
        nothing(vec![replies(&[(400, json!({"error": {"code": "0x80041103"}}))])]).await,
        ErrorKind::Rejected
    );
    assert_eq!(nothing(vec![replies(&[(403, json!({}))])]).await, ErrorKind::Forbidden);
    assert_eq!(nothing(vec![replies(&[(404, json!({}))])]).await, ErrorKind::Malformed);
}

#[tokio::test]
async fn a_row_without_a_version_leaves_the_listing_partial() {
    let rows = json!({"value": [row(1), {"contactid": guid(2)}], "@Microsoft.Dynamics.CRM.morerecords": false});
    let listing = listing(vec![replies(&[(200, rows)])]).await.unwrap();
    assert!(!listing.is_complete());
    assert_eq!(listing.entries.len(), 1);
}

#[tokio::test]
async fn parties_that_cannot_be_listed_leave_the_listing_partial() {
    let appointment = json!({"value": [{"activityid": guid(1), "versionnumber": 5}], "@Microsoft.Dynamics.CRM.morerecords": false});
    let script = |parties| vec![replies(&[(200, appointment.clone())]), replies(&[parties])];
    let party = json!({"value": [{"activitypartyid": guid(9), "versionnumber": 6, "_activityid_value": guid(1)}]});
    let whole = organisation(script((200, party)), Limits::default())
        .await
        .list(Class::Appointment)
        .await
        .unwrap();
    assert!(whole.is_complete());
    let refused = organisation(script((403, json!({}))), Limits::default())
        .await
        .list(Class::Appointment)
        .await
        .unwrap();
    assert!(!refused.is_complete());
    assert_ne!(whole.entries.values().next(), refused.entries.values().next());
}

#[tokio::test]
async fn a_read_takes_only_the_row_that_was_asked_for() {
    let script = vec![replies(&[
        (200, row(1)),
        (200, row(1)),
        (
            404,
            json!({"error": {"code": "0x80040217", "message": format!("contact With Id = {} Does Not Exist", guid(3))}}),
        ),
        (
            404,
            json!({"error": {"code": "0x80060888", "message": "Resource not found for the segment 'contacts'."}}),
        ),
        (403, json!({"error": {"code": "0x80040220"}})),
        (412, json!({})),
    ])];
    let organisation = organisation(script, Limits::default()).await;
    let ids: Vec<ItemId> = (1..=6).map(id).collect();
    let read = organisation.read(Class::Contact, &ids).await.unwrap();
    let kinds: Vec<Option<ErrorKind>> =
        ids.iter().map(|id| read[id].as_ref().err().map(|error| error.kind)).collect();
    assert_eq!(
        kinds,
        [
            None,
            Some(ErrorKind::Malformed),
            Some(ErrorKind::Missing),
            Some(ErrorKind::Rejected),
            Some(ErrorKind::Forbidden),
            Some(ErrorKind::Malformed),
        ]
    );
}

#[tokio::test]
async fn a_read_gives_an_entry_for_every_id_and_stops_when_the_service_has_no_time() {
    let empty = organisation(vec![], Limits::default()).await;
    let foreign =
        [ItemId::new("task/x"), ItemId::new(""), RecordId::new(Table::Task, Uuid::nil()).item_id()];
    let read = empty.read(Class::Contact, &foreign).await.unwrap();
    assert_eq!(read.len(), 3);
    assert!(read.values().all(|read| read.as_ref().unwrap_err().kind == ErrorKind::Malformed));
    let throttled =
        organisation(vec![replies(&[(200, row(1)), (429, json!({}))])], Limits::default()).await;
    let error = throttled.read(Class::Contact, &[id(1), id(2)]).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Throttled(_)));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_halves() {
    let large = |number| {
        let mut row = row(number);
        row["description"] = json!("x".repeat(400));
        (200, row)
    };
    let script = vec![
        replies(&[large(1), large(2)]),
        replies(&[large(1)]),
        replies(&[(
            200,
            json!({"contactid": guid(2), "@odata.etag": "W/\"2\"", "description": "x".repeat(2000)}),
        )]),
    ];
    let organisation = organisation(script, Limits { answer: 1000, ..Limits::default() }).await;
    let read = organisation.read(Class::Contact, &[id(1), id(2)]).await.unwrap();
    assert!(read[&id(1)].is_ok());
    assert_eq!(read[&id(2)].as_ref().unwrap_err().kind, ErrorKind::Rejected);
}

#[tokio::test]
async fn what_was_answered_stays_known_when_a_later_request_fails() {
    let writes = |count: u128| -> Vec<Write> {
        let patch = || ItemBody::Patch(Box::default());
        (1..=count).map(|number| Write::Create { id: id(number), body: patch() }).collect()
    };
    let done: Vec<(u16, Json)> = (1..=1000).map(|number| (201, row(number))).collect();
    let script = vec![replies(&done), answer(500, &[], "")];
    let later = organisation(script, Limits::default())
        .await
        .write(Class::Contact, writes(2500))
        .await
        .unwrap();
    assert_eq!(later.len(), 2500);
    assert!(later[..1000].iter().all(Result::is_ok));
    assert!(
        later[1000..]
            .iter()
            .all(|written| written.as_ref().unwrap_err().kind == ErrorKind::Unreachable)
    );

    // A service that asks for a pause in the middle gets one.
    let mut throttled = done.clone();
    throttled[999] = (429, json!({}));
    let paused = organisation(vec![replies(&throttled), replies(&done)], Limits::default()).await;
    let written = paused.write(Class::Contact, writes(2000)).await.unwrap();
    assert!(written[..999].iter().all(Result::is_ok));
    assert!(
        written[999..]
            .iter()
            .all(|written| matches!(written.as_ref().unwrap_err().kind, ErrorKind::Throttled(_)))
    );
    assert_eq!(paused.requested().requests, 1);

    let first = organisation(vec![answer(500, &[], "")], Limits::default()).await;
    assert_eq!(
        first.write(Class::Contact, writes(3)).await.unwrap_err().kind,
        ErrorKind::Unreachable
    );
    // A reply that is cut says nothing about any of its parts.
    let cut = organisation(vec![replies(&[(201, row(1))])], Limits::default()).await;
    assert_eq!(
        cut.write(Class::Contact, writes(2)).await.unwrap_err().kind,
        ErrorKind::Unreachable
    );
}

#[tokio::test]
async fn writes_that_make_no_sense_here_are_refused_one_by_one() {
    let organisation = organisation(vec![replies(&[(204, json!(null))])], Limits::default()).await;
    let version = Version::new("1");
    let writes = vec![
        Write::Mark { id: id(1), mark: "x".into(), set: true },
        Write::Create { id: ItemId::new("nonsense"), body: ItemBody::Bytes(vec![]) },
        Write::Update { id: id(1), version: version.clone(), body: ItemBody::Bytes(vec![]) },
        Write::Delete {
            id: RecordId::new(Table::Task, Uuid::nil()).item_id(),
            version: version.clone(),
        },
        Write::Delete { id: id(1), version },
    ];
    let written = organisation.write(Class::Contact, writes).await.unwrap();
    assert!(
        written[..4]
            .iter()
            .all(|written| written.as_ref().unwrap_err().kind == ErrorKind::Unsupported)
    );
    assert_eq!(written[4].as_ref().unwrap().document, None);
    assert_eq!(organisation.wait(Class::Contact).await.unwrap_err().kind, ErrorKind::Unsupported);
}

#[tokio::test]
async fn an_examination_goes_on_where_an_answer_is_refused() {
    use crate::connector::finding::{Grade, Topic};
    use crate::model::fields::Direction;
    let directions = [Class::Contact, Class::Appointment].map(|class| (class, Direction::TwoWay));
    let purpose = Purpose { directions: directions.into(), me: BTreeSet::new() };
    let denied = || (403, json!({"error": {"code": "0x80040220"}}));
    let answers = [
        (404, json!({"error": {"code": "0x80060888", "message": "Resource not found"}})),
        denied(),
        denied(),
        denied(),
        denied(),
        page(&[], None),
        (400, json!({"error": {"code": "0x80041103", "message": "no such column"}})),
    ];
    let dataverse = organisation(vec![replies(&answers)], Limits::default()).await;
    let found = examine::ask(&dataverse, &purpose).await.unwrap();
    let grades: Vec<_> = found.iter().map(|finding| (finding.topic, finding.grade)).collect();
    let expected = [
        (Topic::Capabilities, Grade::Good),
        (Topic::Capabilities, Grade::Good),
        (Topic::Capabilities, Grade::Bad),
        (Topic::Rights, Grade::Limited),
        (Topic::Rights, Grade::Limited),
        (Topic::Feature, Grade::Limited),
    ];
    assert_eq!(grades, expected, "{found:#?}");
    // What the service as a whole refuses is no finding about a right.
    let dataverse = organisation(vec![answer(503, &[], "")], Limits::default()).await;
    assert!(examine::ask(&dataverse, &purpose).await.is_err());
}

#[tokio::test]
async fn a_lease_without_versions_is_compared_just_before_it_is_changed() {
    use crate::connector::lease::{Entry, Lease, Tenure};
    let row = |epoch: u64| {
        let said = json!({
            "instance": null, "host": "", "place": "", "epoch": epoch, "since": "2026-03-01T12:00:00Z",
            "last_round": null,
        });
        (200, json!({ "@odata.etag": "W/\"5\"", "description": said.to_string() }))
    };
    let tenure = |epoch| Tenure {
        holder: None,
        epoch,
        since: "2026-03-01T12:00:00Z".parse().unwrap(),
        last_round: None,
    };
    let entry = |epoch| Entry { tenure: tenure(epoch), version: Version::new("5") };
    let of = async |script: Vec<Response<Body>>| {
        let mut dataverse = organisation(script, Limits::default()).await;
        dataverse.lease.versioned = false;
        dataverse.put(&tenure(3), Some(&entry(2))).await
    };
    let done = of(vec![replies(&[row(2)]), replies(&[row(3)])]).await;
    assert_eq!(done.unwrap().tenure, tenure(3));
    // Somebody was there in between: nothing is written, and looked at once more.
    let raced = of(vec![replies(&[row(9)]), replies(&[row(9)])]).await;
    assert_eq!(raced.unwrap_err().kind, ErrorKind::Stale);
}
