//! How messages are filed: `content`, `content_rules` and `create_people` in `[sync.email]`.

use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::settings::Filing;
use crate::config::tree::Node;
use crate::filter::content::{Folder, Keep, Policy, Rule, Sender};
use crate::filter::people::Create;

const KEEP: &[(&str, Keep)] =
    &[("all", Keep::All), ("text", Keep::Text), ("headers", Keep::Headers)];

pub(super) fn read(section: &mut Section<'_>) -> Result<Filing> {
    let otherwise = section.word("content", KEEP)?;
    let mut rules = Vec::new();
    for node in section.list("content_rules")? {
        rules.push(rule(section, node)?);
    }
    let create_people = section.word(
        "create_people",
        &[("none", Create::Nothing), ("contact", Create::Contact), ("lead", Create::Lead)],
    )?;
    Ok(Filing { content: Policy { rules, otherwise }, create_people })
}

fn rule<'a>(section: &Section<'a>, node: &'a Node) -> Result<Rule> {
    let refuse = |message: &str| section.reading.error(node.place, message);
    let mut own = section.element("content_rules", node)?;
    let keep = own.word("keep", KEEP)?;
    let name = own.text("folder")?;
    let subfolders = own.flag("subfolders")?;
    let from = own.text("from")?;
    let sensitivity = own.text("sensitivity")?;
    if let Some((_, place)) = subfolders.filter(|_| name.is_none()) {
        return Err(section.reading.error(place, "`subfolders` goes with `folder`"));
    }
    let folder = match name {
        Some((name, place)) if name.trim().is_empty() => {
            return Err(section.reading.error(place, "`folder` is empty"));
        }
        Some((name, _)) => {
            let subfolders = subfolders.is_none_or(|(flag, _)| flag);
            Some(Folder { name: name.to_owned(), subfolders })
        }
        None => None,
    };
    let from = match from {
        Some((text, place)) => Some(Sender::parse(text).ok_or_else(|| {
            let error = section.reading.error(place, format!("`{text}` is no sender"));
            error.hint("an address like \"ann@bank.example\", or a domain like \"@bank.example\"")
        })?),
        None => None,
    };
    let private = match sensitivity {
        Some((word, place)) => {
            own.one_of("sensitivity", word, place, &[("private", true)])?;
            true
        }
        None => false,
    };
    own.finish()?;
    if folder.is_none() && from.is_none() && !private {
        let error = refuse("a rule without a condition would match every message");
        return Err(error.hint(
            "say which: `folder`, `from` or `sensitivity`; for all messages there is `content`",
        ));
    }
    Ok(Rule { folder, from, private, keep })
}
