//! Many messages at a time: those of somebody, of a folder, or on the blocklist. What was seen last is looked through.

use crate::config::Settings;
use crate::config::settings::Tracking;
use crate::filter::email;
use crate::filter::folder::Folder;
use crate::filter::pattern::Pattern;
use crate::model::{Class, Content, ItemId, Side, Uid};
use crate::store::{self, Connection, observation};
use crate::sync::describe;

use super::exit::{Exit, Stop};

/// How many messages are in memory at a time.
const PORTION: u32 = 1000;

/// Which messages are meant; several conditions must all hold.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selection {
    /// All messages from or to an address, or everybody at a domain (`@example.org`)
    #[arg(long, value_name = "ADDRESS")]
    with: Option<String>,
    /// All messages of a folder
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
    /// Also those of the folders below it
    #[arg(long, requires = "folder")]
    subfolders: bool,
    /// All messages that the blocklist of the configuration keeps out
    #[arg(long)]
    blocked: bool,
    /// Do it; without, what would be done is only shown
    #[arg(long)]
    yes: bool,
}

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub id: ItemId,
    pub uid: Uid,
    pub title: String,
}

impl Selection {
    pub fn is_empty(&self) -> bool {
        self.with.is_none() && self.folder.is_none() && !self.blocked
    }

    /// Whether the user has seen what is chosen.
    pub fn is_confirmed(&self) -> bool {
        self.yes
    }

    /// All messages that are meant.
    ///
    /// # Errors
    /// When the address is none, or the store is lost.
    pub fn find(&self, db: &Connection, settings: &Settings) -> anyhow::Result<Vec<Chosen>> {
        let with = match &self.with {
            None => None,
            Some(text) => Some(Pattern::parse(text).ok_or_else(|| {
                Stop::new(
                    Exit::Usage,
                    format!("`{text}` is no address"),
                    "anna@example.org, or @example.org for everybody there",
                )
            })?),
        };
        let subfolders = self.subfolders;
        let folder = self.folder.clone().map(|name| Folder { name, subfolders });
        let block = match &settings.sync.of(Class::Email).track {
            Tracking::Email(policy) => policy.block.clone(),
            Tracking::Items(_) => Vec::new(),
        };
        let me = settings.mailbox.me();
        let is_meant = |id: &ItemId, content: &Content| {
            let people = || email::thread::people(content);
            with.as_ref().is_none_or(|with| people().iter().any(|one| with.matches(one)))
                && folder.as_ref().is_none_or(|folder| folder.holds(id.collection()))
                && (!self.blocked || email::is_blocked(content, &me, &block))
        };
        Ok(all(db, is_meant)?)
    }
}

fn all(
    db: &Connection,
    is_meant: impl Fn(&ItemId, &Content) -> bool,
) -> store::Result<Vec<Chosen>> {
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let portion =
            observation::contents_after(db, Side::Mailbox, Class::Email, &after, PORTION)?;
        let Some((last, _)) = portion.last() else { return Ok(found) };
        last.as_str().clone_into(&mut after);
        for (id, content) in portion {
            if is_meant(&id, &content) {
                let title = describe::title(Class::Email, &content.fields);
                found.push(Chosen { id, uid: content.uid, title });
            }
        }
    }
}
