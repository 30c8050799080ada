//! The way to the other end.

use liaison::connector::{Connector, Cursor, ErrorKind};
use liaison::model::{ItemId, Uid};

use super::subject::Subject;

pub(super) async fn requests(s: &Subject) {
    let c = s.connector();
    assert_eq!(c.requests(), 0);
    s.list(&*c).await;
    let listed = c.requests();
    s.create(&*c, "one@example.test", "One").await;
    let written = c.requests();
    if s.wire {
        assert!(0 < listed && listed < written, "{listed} {written}");
        assert!(written <= 30, "{written} requests to list nothing and create one item");
    } else {
        assert_eq!(written, 0);
    }
}

/// What every call fails with.
async fn failures(s: &Subject, c: &dyn Connector, id: &ItemId) -> Vec<ErrorKind> {
    let (id, uid) = (id.clone(), Uid::new("x@example.test"));
    let write = c.write(s.class, vec![s.creation(c, "x@example.test", "x")]).await;
    // A batch that got nowhere, or each of its writes.
    let write = write.and_then(|mut written| written.remove(0)).map(drop);
    let answers = [
        c.list(s.class).await.map(drop),
        c.news(s.class, &Cursor::new()).await.map(drop),
        c.read(s.class, std::slice::from_ref(&id)).await.map(drop),
        c.heads(s.class, &[id]).await.map(drop),
        c.find(s.class, &[uid]).await.map(drop),
        write,
    ];
    let kinds = answers.into_iter().enumerate();
    kinds.map(|(call, answer)| answer.expect_err(&format!("call {call} must fail")).kind).collect()
}

pub(super) async fn wrong_password(s: &Subject) {
    let Some(stranger) = &s.stranger else { return };
    s.elsewhere.put(&[("here@example.test", s.item("here@example.test", "Here"))]);
    let entries = s.list(&*s.connector()).await;
    let id = entries.keys().next().unwrap();
    assert_eq!(failures(s, &*stranger(), id).await, [ErrorKind::Unauthorised; 6]);
    assert_eq!(s.list(&*s.connector()).await, entries);
    assert_eq!(s.elsewhere.bodies().len(), 1);
}

pub(super) async fn down(s: &Subject) {
    let (c, fresh) = (s.connector(), s.connector());
    let id = s.create(&*c, "here@example.test", "Here").await.id;
    let before = s.list(&*c).await;
    (s.serve)(false);
    for c in [&c, &fresh] {
        for kind in failures(s, &**c, &id).await {
            if s.wire {
                assert_eq!(kind, ErrorKind::Unreachable);
            } else {
                // A folder that is not there is not an empty one either.
                assert!(matches!(kind, ErrorKind::Local | ErrorKind::Unreachable), "{kind:?}");
            }
        }
    }
    (s.serve)(true);
    for c in [&c, &fresh] {
        assert_eq!(s.list(&**c).await, before);
    }
}
