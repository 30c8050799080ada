//! Messages and their files.

use super::*;

fn mail(crm: &Dataverse, files: Vec<RecordAttachment>) -> RecordPatch {
    RecordPatch {
        state: Some(State { statecode: 1, statuscode: 4 }),
        parties: Some(vec![
            party(Role::Sender, "guest@example.com", None),
            party(Role::To, "anna@example.org", Some(("systemuser", crm.user()))),
        ]),
        attachments: files,
        ..patch(
            json!({"subject": "Hello", "description": "<p>Hello</p>", "messageid": "<Abc.1@example.com>", "directioncode": false}),
        )
    }
}

fn file(name: &str, size: usize) -> RecordAttachment {
    RecordAttachment {
        filename: name.to_owned(),
        mimetype: "text/plain".to_owned(),
        bytes: vec![b'x'; size],
    }
}

#[tokio::test]
async fn a_message_is_filed_once_and_found_by_its_name() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let message = id(Table::Email, 1);
    let filed = write(
        &crm,
        Class::Email,
        create(&message, mail(&crm, vec![file("a.txt", 10), file("b.txt", 20)])),
    )
    .await
    .unwrap()
    .document
    .unwrap();
    assert_eq!((column(&filed, "statecode"), column(&filed, "statuscode")), (&json!(1), &json!(4)));
    assert_eq!(record(&filed).parties.len(), 2);
    let mut names: Vec<&str> =
        record(&filed).attachments.iter().map(|file| file.filename.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a.txt", "b.txt"]);
    assert_eq!(
        write(&crm, Class::Email, create(&message, mail(&crm, vec![]))).await.unwrap_err().kind,
        ErrorKind::Exists
    );
    for uid in ["abc.1@example.com", "<Abc.1@example.com>"] {
        let uid = Uid::new(uid);
        let found =
            crm.find(Class::Email, &[uid.clone(), Uid::new("other@example.com")]).await.unwrap();
        assert_eq!(found, BTreeMap::from([(uid, message.clone())]));
    }
    assert_eq!(crm.list(Class::Email).await.unwrap_err().kind, ErrorKind::Unsupported);
    // A colleague files the same message: it is there, whether or not she may read it.
    let colleague = organisation.connect("erik").await;
    assert_eq!(
        write(&colleague, Class::Email, create(&message, mail(&colleague, vec![])))
            .await
            .unwrap_err()
            .kind,
        ErrorKind::Exists
    );
    assert_eq!(kind_of_read(&colleague, Class::Email, &message).await, ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_large_file_goes_in_blocks_and_a_broken_upload_is_taken_up_again() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    let message = id(Table::Email, 2);
    // What an upload leaves behind that was killed in the middle: the message, open, with its small file.
    let begun = RecordPatch { state: None, ..mail(&crm, vec![file("small.txt", 10)]) };
    write(&crm, Class::Email, create(&message, begun)).await.unwrap();
    let whole = || mail(&crm, vec![file("small.txt", 10), file("large.txt", 5_000_000)]);
    let filed =
        write(&crm, Class::Email, create(&message, whole())).await.unwrap().document.unwrap();
    assert_eq!(column(&filed, "statuscode"), 4);
    let mut names: Vec<&str> =
        record(&filed).attachments.iter().map(|file| file.filename.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["large.txt", "small.txt"]);
    assert_eq!(
        write(&crm, Class::Email, create(&message, whole())).await.unwrap_err().kind,
        ErrorKind::Exists
    );
}
