//! The rules of `[sync.email]`: which messages are tracked.

use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::tree::{Node, Value};
use crate::filter::email::token::Form;
use crate::filter::email::{Automatic, FolderRule, Policy};
use crate::filter::folder::Folder;
use crate::filter::pattern::Pattern;
use crate::model::record::PartyRef;

/// The longest prefix of a tracking token, and the most digits after it.
const PREFIX: usize = 20;
const DIGITS: u64 = 19;

pub(super) fn read(section: &mut Section<'_>) -> Result<Policy> {
    let include_private = section.word("private", &[("skip", false), ("include", true)])?;
    let words = [
        ("none", Automatic::None),
        ("replies", Automatic::Replies),
        ("known-senders", Automatic::KnownSenders),
        ("email-enabled", Automatic::EmailEnabled),
        ("all", Automatic::All),
    ];
    let automatic = section.word("track", &words)?;
    let block = section.list("block")?;
    let block = block.iter().map(|node| pattern(section, "block", node)).collect::<Result<_>>()?;
    let folders = section.list("folders")?;
    let folders = folders.iter().map(|node| folder(section, node)).collect::<Result<_>>()?;
    let smart = section.flag("smart_matching")?.is_some_and(|(smart, _)| smart);
    let token = token(section)?;
    Ok(Policy { automatic, include_private, block, folders, token, smart })
}

/// An address, or a domain behind an `@`.
pub(super) fn pattern(section: &Section<'_>, key: &str, node: &Node) -> Result<Pattern> {
    let text = match &node.value {
        Value::Text(text) => text.as_str(),
        other => {
            let message = format!("`{key}` is a list of addresses, not of {}", other.kind());
            return Err(section.reading.error(node.place, message));
        }
    };
    Pattern::parse(text).ok_or_else(|| {
        let error = section.reading.error(node.place, format!("`{text}` is no address"));
        error.hint("\"anna@example.org\", or \"@example.org\" for everybody there")
    })
}

fn folder<'a>(section: &Section<'a>, node: &'a Node) -> Result<FolderRule> {
    if let Value::Text(folder) = &node.value {
        let folder = Folder { name: folder.clone(), subfolders: false };
        return Ok(FolderRule { folder, regarding: None });
    }
    let mut own = section.element("folders", node)?;
    let (name, _) = own.required("folder")?;
    let subfolders = own.flag("subfolders")?.is_some_and(|(subfolders, _)| subfolders);
    let regarding = match own.text("regarding")? {
        None => None,
        Some((text, place)) => Some(PartyRef::parse(text).ok_or_else(|| {
            let error = section.reading.error(place, format!("`{text}` names no record"));
            error.hint(
                "table and id as in \"account/6f0c3c1e-…\", or the record's address in the browser",
            )
        })?),
    };
    own.finish()?;
    Ok(FolderRule { folder: Folder { name: name.to_owned(), subfolders }, regarding })
}

fn token(section: &mut Section<'_>) -> Result<Form> {
    let inner = section.section("tracking_token")?;
    let mut inner = inner.ok_or_else(|| section.missing("tracking_token"))?;
    let (prefix, place) = inner.required("prefix")?;
    let length = prefix.chars().count();
    if !(1..=PREFIX).contains(&length) || prefix.chars().any(|c| !c.is_ascii_graphic()) {
        let message = format!("`prefix` is 1 to {PREFIX} visible ASCII characters");
        return Err(section.reading.error(place, message));
    }
    let digits = inner.number("digits", DIGITS)?;
    let write = inner.flag("write")?.is_some_and(|(write, _)| write);
    let error = inner.error("`digits` is a number from 4 to 19");
    inner.finish()?;
    let digits = u8::try_from(digits).ok().filter(|digits| *digits >= 4).ok_or(error)?;
    Ok(Form { prefix: prefix.to_owned(), digits, write })
}
