//! `liaison track`, `liaison untrack`, `liaison regarding`: the user's own word on what takes part, and what messages are about.
//! It beats every rule, and is kept under the item's global name, so that it outlives a renamed file or a moved message.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::find::{self, Thing};
use super::output::{Answer, Page, count, short};
use super::select::{Chosen, Selection};
use super::{Exit, Installation, Stop};
use crate::config::Settings;
use crate::model::record::PartyRef;
use crate::model::{Class, LinkState, Uid};
use crate::store::{Store, link, mark, regarding};

/// How many messages of a selection are shown.
const SHOWN: usize = 20;

/// Keep items in step with the CRM, whatever the rules say
///
/// Many messages at a time: --with, --folder; what is meant is shown first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison track ann-smith.vcf '<20260102.17@example.org>'\n  liaison track INBOX/17 --regarding account/6f0c3c1e-86a5-….\n  liaison track --with @contoso.example --yes"
)]
pub struct Track {
    /// File names, UIDs, Message-IDs or parts of titles
    #[arg(value_name = "ITEM", required_unless_present_any = ["with", "folder", "blocked"])]
    items: Vec<String>,
    #[command(flatten)]
    selection: Selection,
    /// Messages only: the record that they are about, as table/id or its address in the browser
    #[arg(long, value_name = "RECORD")]
    regarding: Option<String>,
}

/// Leave items out, whatever the rules say
///
/// Nothing is deleted: what is linked stays where it is on both sides, and rests. Many messages at a time: --with, --folder,
/// --blocked; what is meant is shown first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison untrack 'Birthday party'\n  liaison untrack --blocked        what the blocklist would have kept out\n  liaison untrack --blocked --yes"
)]
pub struct Untrack {
    /// File names, UIDs, Message-IDs or parts of titles
    #[arg(value_name = "ITEM", required_unless_present_any = ["with", "folder", "blocked"])]
    items: Vec<String>,
    #[command(flatten)]
    selection: Selection,
}

/// Say what messages are about
///
/// It beats the rules of folders and what a message answers. Those that are not in the CRM are filed with it once they are
/// tracked.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison regarding account/6f0c3c1e-86a5-…. '<20260102.17@example.org>'\n  liaison regarding nothing INBOX/17"
)]
pub struct Regarding {
    /// The record, as table/id or its address in the browser; or `nothing`
    #[arg(value_name = "RECORD")]
    record: String,
    /// Message-IDs, FOLDER/UID or parts of subjects
    #[arg(value_name = "MESSAGE", required_unless_present_any = ["with", "folder", "blocked"])]
    messages: Vec<String>,
    #[command(flatten)]
    selection: Selection,
}

impl Track {
    /// # Errors
    /// When an item is not known, or the store is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let about = self.regarding.as_deref().map_or(Ok(About::Unsaid), record)?;
        let word = Word { tracked: Some(true), about };
        say(here, &self.items, &self.selection, word).await
    }
}

impl Untrack {
    /// # Errors
    /// When an item is not known, or the store is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let word = Word { tracked: Some(false), about: About::Unsaid };
        say(here, &self.items, &self.selection, word).await
    }
}

impl Regarding {
    /// # Errors
    /// When a message or the record is not known, or the store is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let word = Word { tracked: None, about: record(&self.record)? };
        say(here, &self.messages, &self.selection, word).await
    }
}

/// What the user says about some items.
#[derive(Debug, Clone)]
struct Word {
    tracked: Option<bool>,
    about: About,
}

/// What the user says about what messages are about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    /// No word.
    Unsaid,
    Nothing,
    Record(PartyRef),
}

fn record(text: &str) -> anyhow::Result<About> {
    if text == "nothing" {
        return Ok(About::Nothing);
    }
    let found = PartyRef::parse(text).ok_or_else(|| {
        Stop::new(
            Exit::Usage,
            format!("“{}” names no record", short(text, 60)),
            "table and id as in account/6f0c3c1e-86a5-…, its address in the browser, or `nothing`",
        )
    })?;
    Ok(About::Record(found))
}

/// All of them or none: a name that is not known stops before anything is noted.
async fn say(
    here: &Installation,
    names: &[String],
    selection: &Selection,
    word: Word,
) -> anyhow::Result<Answer> {
    let loaded = here.load()?;
    let store = here.store().await?;
    if !selection.is_empty() {
        return many(here, &store, &loaded.settings, selection, word).await;
    }
    let mut things = Vec::new();
    for name in names {
        let (thing, uid) = known(&store, name).await?;
        if word.about != About::Unsaid && thing.class != Class::Email {
            let message = format!("{} “{}” is no message", thing.class, thing.title);
            return Err(Stop::new(Exit::Usage, message, "only messages are about a record").into());
        }
        things.push((thing, uid));
    }
    let said = things.iter().map(|(thing, uid)| (thing.class, uid.clone())).collect();
    note(here, &store, said, &word).await?;
    let mut page = Page::default();
    for (thing, _) in &things {
        page.line(format!("{} “{}”: {}", thing.class, thing.title, sentence(thing, &word)));
    }
    let json: Vec<Json> = things
        .iter()
        .map(|(thing, uid)| {
            json!({
                "class": thing.class.as_str(),
                "uid": uid.as_str(),
                "title": thing.title,
                "tracked": word.tracked,
                "regarding": regarding_json(&word),
                "linked": thing.link.is_some(),
            })
        })
        .collect();
    Ok(Answer::new(page, json!({ "items": json }))
        .note("→ in force from the next sync: `liaison sync`"))
}

/// Messages by selection: shown first, done when confirmed.
async fn many(
    here: &Installation,
    store: &Store,
    settings: &Settings,
    selection: &Selection,
    word: Word,
) -> anyhow::Result<Answer> {
    let (chosen, settings, wanted) = (selection.clone(), settings.clone(), word.tracked);
    let found = store
        .read(move |db| {
            let marks = mark::all(db, Class::Email)?;
            let linked: BTreeMap<Uid, LinkState> = link::all(db, Class::Email)?
                .into_iter()
                .map(|link| (link.uid, link.state))
                .collect();
            Ok(chosen.find(db, &settings).map(|mut found| {
                // What was said already, and what is not in the CRM anyway, needs no word.
                found.retain(|one| {
                    let said = marks.get(&one.uid).copied();
                    match wanted {
                        Some(true) => said != Some(true),
                        Some(false) => said != Some(false) && linked.contains_key(&one.uid),
                        None => linked.contains_key(&one.uid),
                    }
                });
                found
            }))
        })
        .await??;
    let done = selection.is_confirmed();
    if done {
        let said = found.iter().map(|one| (Class::Email, one.uid.clone())).collect();
        note(here, store, said, &word).await?;
    }
    Ok(told(&found, &word, done))
}

fn told(found: &[Chosen], word: &Word, done: bool) -> Answer {
    let mut page = Page::default();
    let verb = match (word.tracked, done) {
        (Some(true), true) => "tracked",
        (Some(true), false) => "would be tracked",
        (Some(false), true) => "left out: their records stay",
        (Some(false), false) => "would be left out: their records stay",
        (None, true) => "noted",
        (None, false) => "would be noted",
    };
    page.line(format!("{}: {verb}", count(found.len(), "message")));
    for one in found.iter().take(SHOWN) {
        page.line(format!("  {}  “{}”", one.id, short(&one.title, 50)));
    }
    if found.len() > SHOWN {
        page.line(format!("  … and {} more", found.len() - SHOWN));
    }
    let items: Vec<Json> = found
        .iter()
        .map(|one| json!({ "item": one.id.as_str(), "uid": one.uid.as_str(), "title": one.title }))
        .collect();
    let json = json!({
        "done": done,
        "tracked": word.tracked,
        "regarding": regarding_json(word),
        "items": items,
    });
    let answer = Answer::new(page, json);
    if found.is_empty() {
        answer
    } else if done {
        answer.note("→ in force from the next sync: `liaison sync`")
    } else {
        answer.note("→ nothing was done; with `--yes` it is")
    }
}

fn regarding_json(word: &Word) -> Option<String> {
    match &word.about {
        About::Unsaid => None,
        About::Nothing => Some("nothing".to_owned()),
        About::Record(record) => Some(record.to_string()),
    }
}

/// On the disk before it is acknowledged.
async fn note(
    here: &Installation,
    store: &Store,
    said: Vec<(Class, Uid)>,
    word: &Word,
) -> anyhow::Result<()> {
    let (word, now) = (word.clone(), here.clock.now());
    store
        .promise(move |tx| {
            for (class, uid) in &said {
                if let Some(tracked) = word.tracked {
                    mark::set(tx, *class, uid, tracked, now)?;
                }
                match &word.about {
                    About::Unsaid => {}
                    About::Nothing => regarding::set(tx, uid, None, now)?,
                    About::Record(record) => regarding::set(tx, uid, Some(record), now)?,
                }
            }
            Ok(())
        })
        .await?;
    Ok(())
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

fn sentence(thing: &Thing, word: &Word) -> String {
    let active = thing.link.as_ref().is_some_and(|link| link.state == LinkState::Active);
    let said = match (word.tracked, &thing.link) {
        (Some(true), Some(_)) if active => "tracked, and kept in step again",
        (Some(true), Some(_)) => "tracked; one half is gone, see `liaison explain`",
        (Some(true), None) => "tracked",
        (Some(false), Some(_)) => "left out: the link rests, both sides keep what they have",
        (Some(false), None) => "left out",
        (None, Some(_)) => "noted",
        (None, None) => "noted; it is not in the CRM",
    };
    match regarding_json(word) {
        Some(about) => format!("{said}, about {about}"),
        None => said.to_owned(),
    }
}
