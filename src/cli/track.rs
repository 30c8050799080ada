//! `liaison track`, `liaison untrack`: the user's own word on what takes part. It beats every rule, and is kept under the item's
//! global name, so that it outlives a renamed file.

use serde_json::{Value as Json, json};

use super::find::{self, Thing};
use super::output::{Answer, Page};
use super::{Exit, Installation, Stop};
use crate::model::{LinkState, Uid};
use crate::store::{Store, mark};

/// Keep items in step with the CRM, whatever the rules say
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison track ann-smith.vcf '<20260102.17@example.org>'")]
pub struct Track {
    /// File names, UIDs, Message-IDs or parts of titles
    #[arg(required = true, value_name = "ITEM")]
    items: Vec<String>,
}

/// Leave items out, whatever the rules say
///
/// Nothing is deleted: what is linked stays where it is on both sides, and rests.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison untrack 'Birthday party'")]
pub struct Untrack {
    /// File names, UIDs, Message-IDs or parts of titles
    #[arg(required = true, value_name = "ITEM")]
    items: Vec<String>,
}

impl Track {
    /// # Errors
    /// When an item is not known, or the store is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        set(here, &self.items, true).await
    }
}

impl Untrack {
    /// # Errors
    /// When an item is not known, or the store is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        set(here, &self.items, false).await
    }
}

/// All of them or none: a name that is not known stops before anything is noted.
async fn set(here: &Installation, names: &[String], tracked: bool) -> anyhow::Result<Answer> {
    here.load()?;
    let store = here.store().await?;
    let mut things = Vec::new();
    for name in names {
        things.push(known(&store, name).await?);
    }
    let marks: Vec<_> = things.iter().map(|(thing, uid)| (thing.class, uid.clone())).collect();
    let now = here.clock.now();
    // On the disk before it is acknowledged.
    store
        .promise(move |tx| {
            marks.iter().try_for_each(|(class, uid)| mark::set(tx, *class, uid, tracked, now))
        })
        .await?;
    let mut page = Page::default();
    for (thing, _) in &things {
        page.line(format!("{} “{}”: {}", thing.class, thing.title, sentence(thing, tracked)));
    }
    let json: Vec<Json> = things
        .iter()
        .map(|(thing, uid)| {
            json!({
                "class": thing.class.as_str(),
                "uid": uid.as_str(),
                "title": thing.title,
                "tracked": tracked,
                "linked": thing.link.is_some(),
            })
        })
        .collect();
    Ok(Answer::new(page, json!({ "items": json }))
        .note("→ in force from the next sync: `liaison sync`"))
}

async fn known(store: &Store, name: &str) -> anyhow::Result<(Thing, Uid)> {
    let thing = find::one(store, name).await?;
    match (&thing.item, &thing.uid) {
        (Some(_), Some(uid)) => {
            let uid = uid.clone();
            Ok((thing, uid))
        }
        _ => Err(Stop::new(
            Exit::Failed,
            format!("{} “{}” is not in the mailbox", thing.class, thing.title),
            "what comes from the CRM takes part by the sync filters: `liaison config show`",
        )
        .into()),
    }
}

fn sentence(thing: &Thing, tracked: bool) -> &'static str {
    let active = thing.link.as_ref().is_some_and(|link| link.state == LinkState::Active);
    match (tracked, &thing.link) {
        (true, Some(_)) if active => "tracked, and kept in step again",
        (true, Some(_)) => "tracked; one half is gone, see `liaison explain`",
        (true, None) => "tracked",
        (false, Some(_)) => "left out: the link rests, both sides keep what they have",
        (false, None) => "left out",
    }
}
