//! A computer that stops being the one that syncs sends no mail more, and what it has sent is told and filed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use liaison::connector::Result;
use liaison::connector::lease::{Entry, Instance, Lease, Looked, Tenure};
use liaison::connector::outgoing::Courier;
use liaison::model::Version;
use liaison::sync::fence::Fence;
use liaison::sync::report::Obstacle;
use uuid::Uuid;

use super::stage::{Bag, Stage, sync};

const MAILS: usize = 5;

/// Names this computer so many times, and then another one.
struct Lost {
    left: AtomicUsize,
}

fn computer(number: u128) -> Instance {
    let host = format!("computer {number}");
    Instance { id: Uuid::from_u128(number), host, place: String::new() }
}

fn entry(number: u128) -> Entry {
    let since = "2027-06-01T12:00:00Z".parse().unwrap();
    let tenure = Tenure { holder: Some(computer(number)), epoch: 1, since, last_round: None };
    Entry { tenure, version: Version::new("1") }
}

#[async_trait]
impl Lease for Lost {
    async fn look(&self) -> Result<Option<Entry>> {
        let left =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        Ok(Some(entry(if left.is_ok() { 1 } else { 2 })))
    }

    async fn put(&self, _tenure: &Tenure, _instead_of: Option<&Entry>) -> Result<Entry> {
        Ok(entry(1))
    }
}

#[tokio::test]
async fn a_role_that_is_lost_between_two_mails_sends_the_first_and_not_the_second() {
    for looks in 0..=MAILS {
        let mut stage = Stage::start().await;
        let desk = stage.desk();
        stage.mails(MAILS).await;
        let bag = Arc::new(Bag::default());
        let mut engine = stage.engine(&desk, Arc::clone(&bag) as Arc<dyn Courier>);
        let lease = Arc::new(Lost { left: AtomicUsize::new(looks) });
        let parts = (desk.store.clone(), stage.clock.clone());
        let fence = Fence::new(lease, computer(1), None, Looked::There(entry(1)), parts);
        engine.fence = Some(Arc::new(fence));
        let report = sync(&engine).await;
        // One look goes before the portion as a whole.
        assert_eq!(report.outgoing.sent, looks.saturating_sub(1), "{looks}: {report:?}");
        assert_eq!(
            report.error.as_ref().map(|error| error.kind),
            Some(Obstacle::Standby),
            "{report:?}"
        );
        assert_eq!((report.outgoing.unknown, report.outgoing.failed), (0, 0));
    }
}
