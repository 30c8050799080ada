//! When a class needs no second look: the last one left nothing to do, under the same settings, and nothing happened since.
//!
//! Only messages are passed over like this. They never change, and the CRM does not list them; of the other classes, both
//! sides are asked each time.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::observe::UNREAD;
use super::{ClassReport, Engine};
use crate::model::{Class, Side};
use crate::store::quarantine::{self, Quarantined};
use crate::store::settled::{self, Settled};
use crate::store::{self, journal, link};

impl Engine {
    /// How the class was left, if nothing has to be looked at again for another reason than news: nor what became of writes.
    pub(super) async fn settled(&self, class: Class) -> store::Result<Option<Settled>> {
        let settings = self.digest(class);
        let settled = self.store.read(move |db| {
            if journal::is_open(db, class)? { Ok(None) } else { settled::get(db, class) }
        });
        Ok(settled.await?.filter(|settled| settled.settings == settings))
    }

    /// Remembers that a look led to nothing, if that is so.
    pub(super) async fn settle(&self, class: Class, report: &ClassReport) -> store::Result<()> {
        let idle = report.operations == 0 && report.error.is_none() && report.partial.is_empty();
        if class != Class::Email || !idle {
            return Ok(());
        }
        let listed = report.listed.get(&Side::Mailbox).copied().unwrap_or_default();
        let listed = u32::try_from(listed).unwrap_or(u32::MAX);
        let settings = self.digest(class);
        self.store
            .write(move |tx| {
                let aside = quarantine::all(tx, Side::Mailbox, class)?;
                // What could not be read is tried again, and what is due by itself.
                let waits =
                    |entry: &Quarantined| entry.version.as_str() == UNREAD || entry.due.is_some();
                if aside.iter().any(waits) {
                    return Ok(());
                }
                let (linked, released) = link::count(tx, class)?;
                settled::set(tx, class, &Settled { settings, listed, linked, released })
            })
            .await
    }

    /// What is to be said of a class that was left as it is.
    pub(super) async fn quiet(&self, class: Class) -> store::Result<ClassReport> {
        let settled = self.store.read(move |db| settled::get(db, class)).await?;
        let listed = settled.as_ref().map_or(0, |settled| settled.listed as usize);
        let mut report = ClassReport {
            listed: BTreeMap::from([(Side::Mailbox, listed), (Side::Crm, 0)]),
            ..ClassReport::default()
        };
        match settled {
            // Since then no link has changed.
            Some(Settled { linked, released, .. }) => {
                (report.linked, report.released) = (linked as usize, released as usize);
            }
            None => report.count_links(self, class).await?,
        }
        report.count_waiting(self, class).await?;
        Ok(report)
    }

    /// Differs when anything differs that decisions follow from.
    fn digest(&self, class: Class) -> String {
        let settings = &self.settings;
        let all = (settings.organisation, &settings.mailbox, &settings.me, self.class(class));
        format!("{:x}", Sha256::digest(format!("{all:?}")))
    }
}
