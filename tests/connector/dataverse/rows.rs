//! Contacts and tasks: what is one row.

use super::*;

#[tokio::test]
async fn contacts_live_and_die_with_their_versions() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    assert!(crm.list(Class::Contact).await.unwrap().is_complete());
    let (one, two) = (id(Table::Contact, 1), id(Table::Contact, 2));
    let written = crm
        .write(
            Class::Contact,
            vec![
                create(&one, patch(json!({"firstname": "Åsa", "lastname": "Öhrn", "emailaddress1": "asa@example.org"}))),
                create(&two, patch(json!({"lastname": "x".repeat(51)}))),
                create(&two, patch(json!({"lastname": "Two", "nickname": null}))),
                create(&two, patch(json!({"lastname": "Again"}))),
            ],
        )
        .await
        .unwrap();
    let kinds: Vec<Option<ErrorKind>> =
        written.iter().map(|written| written.as_ref().err().map(|error| error.kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Rejected), None, Some(ErrorKind::Exists)]);
    assert!(written[1].as_ref().unwrap_err().message.contains("lastname"));

    // What the write showed, what a read shows and what the listing shows are one.
    let shown = written[0].as_ref().unwrap().document.clone().unwrap();
    assert_eq!(shown, document(&crm, Class::Contact, &one).await);
    assert_eq!(column(&shown, "firstname"), "Åsa");
    let listing = crm.list(Class::Contact).await.unwrap();
    assert_eq!(listing.entries.len(), 2);
    assert_eq!(listing.entries[&one], shown.version);

    // An update is seen; the old version is stale by then, for updates and deletes.
    let changed = write(
        &crm,
        Class::Contact,
        update(&one, &shown.version, patch(json!({"jobtitle": "Chef", "emailaddress1": null}))),
    )
    .await
    .unwrap();
    let changed = changed.document.unwrap();
    assert_eq!(column(&changed, "jobtitle"), "Chef");
    assert_eq!(column(&changed, "emailaddress1"), &Json::Null);
    assert_eq!(crm.list(Class::Contact).await.unwrap().entries[&one], changed.version);
    for stale in [
        update(&one, &shown.version, patch(json!({"jobtitle": "Cook"}))),
        delete(&one, &shown.version),
    ] {
        assert_eq!(write(&crm, Class::Contact, stale).await.unwrap_err().kind, ErrorKind::Stale);
    }

    // What is deleted stays deleted.
    assert_eq!(
        write(&crm, Class::Contact, delete(&one, &changed.version)).await.unwrap().document,
        None
    );
    for gone in [
        update(&one, &changed.version, patch(json!({"jobtitle": "Cook"}))),
        delete(&one, &changed.version),
    ] {
        assert_eq!(write(&crm, Class::Contact, gone).await.unwrap_err().kind, ErrorKind::Missing);
    }
    assert_eq!(kind_of_read(&crm, Class::Contact, &one).await, ErrorKind::Missing);
    let listing = crm.list(Class::Contact).await.unwrap();
    assert_eq!(listing.entries.keys().collect::<Vec<_>>(), [&two]);
}

#[tokio::test]
async fn a_task_is_closed_and_changed_while_it_is_closed() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let task = id(Table::Task, 1);
    let completed = State { statecode: 1, statuscode: 5 };
    let body = RecordPatch {
        state: Some(completed),
        ..patch(json!({"subject": "Call", "percentcomplete": 100}))
    };
    let done = write(&crm, Class::Task, create(&task, body)).await.unwrap().document.unwrap();
    assert_eq!((column(&done, "statecode"), column(&done, "statuscode")), (&json!(1), &json!(5)));
    assert_eq!(crm.list(Class::Task).await.unwrap().entries[&task], done.version);

    let changed = write(
        &crm,
        Class::Task,
        update(&task, &done.version, patch(json!({"subject": "Call back"}))),
    )
    .await
    .unwrap()
    .document
    .unwrap();
    assert_eq!(column(&changed, "subject"), "Call back");
    assert_eq!(
        (column(&changed, "statecode"), column(&changed, "statuscode")),
        (&json!(1), &json!(5))
    );
    assert_eq!(changed, document(&crm, Class::Task, &task).await);

    let reopened = RecordPatch {
        state: Some(State { statecode: 0, statuscode: 3 }),
        ..patch(json!({"percentcomplete": 50}))
    };
    let open = write(&crm, Class::Task, update(&task, &changed.version, reopened))
        .await
        .unwrap()
        .document
        .unwrap();
    assert_eq!((column(&open, "statecode"), column(&open, "statuscode")), (&json!(0), &json!(3)));
    assert_eq!(column(&open, "percentcomplete"), 50);

    // A pair that does not belong together changes nothing at all.
    let wrong = RecordPatch {
        state: Some(State { statecode: 1, statuscode: 3 }),
        ..patch(json!({"subject": "Never"}))
    };
    assert_eq!(
        write(&crm, Class::Task, update(&task, &open.version, wrong)).await.unwrap_err().kind,
        ErrorKind::Rejected
    );
    assert_eq!(open, document(&crm, Class::Task, &task).await);
    assert_eq!(
        write(&crm, Class::Task, update(&task, &done.version, patch(json!({"subject": "Old"}))))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Stale
    );
}

#[tokio::test]
async fn what_one_may_not_see_is_not_gone() {
    let organisation = Organisation::start().await;
    let (anna, erik) = (organisation.connect("anna").await, organisation.connect("erik").await);
    let contact = id(Table::Contact, 1);
    let made = write(&anna, Class::Contact, create(&contact, patch(json!({"lastname": "Hers"}))))
        .await
        .unwrap()
        .document
        .unwrap();
    assert_eq!(kind_of_read(&erik, Class::Contact, &contact).await, ErrorKind::Forbidden);
    assert_eq!(
        kind_of_read(&erik, Class::Contact, &id(Table::Contact, 2)).await,
        ErrorKind::Missing
    );
    assert_eq!(
        write(&erik, Class::Contact, create(&contact, patch(json!({"lastname": "His"}))))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Exists
    );
    for write_ in [
        update(&contact, &made.version, patch(json!({"lastname": "His"}))),
        delete(&contact, &made.version),
    ] {
        assert_eq!(
            write(&erik, Class::Contact, write_).await.unwrap_err().kind,
            ErrorKind::Forbidden
        );
    }
    assert_eq!(document(&anna, Class::Contact, &contact).await, made);
    // dora may read only.
    let dora = organisation.connect("dora").await;
    let refused = write(
        &dora,
        Class::Contact,
        create(&id(Table::Contact, 3), patch(json!({"lastname": "No"}))),
    )
    .await
    .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Forbidden);
}
