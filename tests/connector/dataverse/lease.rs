//! The row that says which computer syncs: claimed once, changed only by who has seen what it says, whatever becomes of replies.

use liaison::connector::lease::{Instance, Lease, Looked, Tenure};

use super::*;

fn tenure(of: u128, epoch: u64) -> Tenure {
    let id = Uuid::from_u128(of);
    let holder = Instance { id, host: format!("computer {of}"), place: String::new() };
    let since = "2026-03-01T12:00:00.25Z".parse().unwrap();
    Tenure { holder: Some(holder), epoch, since, last_round: None }
}

#[tokio::test]
async fn one_claims_and_the_others_see_it() {
    let organisation = Organisation::start().await;
    let (one, two) = (organisation.connect("anna").await, organisation.connect("anna").await);
    assert_eq!(one.lease(), &Looked::Absent);
    assert_eq!(one.look().await.unwrap(), None);
    let claimed = one.put(&tenure(1, 1), None).await.unwrap();
    assert_eq!(two.look().await.unwrap(), Some(claimed.clone()));
    assert_eq!(two.put(&tenure(2, 1), None).await.unwrap_err().kind, ErrorKind::Exists);
    // Told with the first request, too.
    let later = organisation.connect("anna").await;
    assert_eq!(later.lease(), &Looked::There(claimed.clone()));
    let taken = two.put(&tenure(2, 2), Some(&claimed)).await.unwrap();
    assert_eq!(taken.tenure, tenure(2, 2));
    assert_eq!(one.put(&tenure(1, 3), Some(&claimed)).await.unwrap_err().kind, ErrorKind::Stale);
    assert_eq!(one.look().await.unwrap(), Some(taken));
    // A colleague has a row of the own.
    assert_eq!(organisation.connect("bo").await.lease(), &Looked::Absent);
}

#[tokio::test]
async fn a_reply_that_is_lost_does_not_lose_the_role() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("anna").await;
    organisation.fault(&json!({"fault": "drop-reply", "path": "$batch"})).await;
    let claimed = crm.put(&tenure(1, 1), None).await.unwrap();
    organisation.fault(&json!({"fault": "cut-reply", "path": "$batch"})).await;
    let renewed = crm.put(&tenure(1, 2), Some(&claimed)).await.unwrap();
    assert_eq!(renewed.tenure.epoch, 2);
    organisation.fault(&json!({"fault": "drop-request", "path": "$batch"})).await;
    let lost = crm.put(&tenure(1, 3), Some(&renewed)).await.unwrap_err();
    assert_eq!(lost.kind, ErrorKind::Unreachable);
    assert_eq!(crm.look().await.unwrap(), Some(renewed));
}

#[tokio::test]
async fn who_may_have_no_views_is_told_so() {
    let organisation = Organisation::start().await;
    let crm = organisation.connect("dora").await;
    assert_eq!(crm.lease(), &Looked::Absent);
    assert_eq!(crm.put(&tenure(1, 1), None).await.unwrap_err().kind, ErrorKind::Forbidden);
}
