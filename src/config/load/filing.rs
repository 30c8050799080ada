//! How messages are filed: `content`, `content_rules` and `create_people` in `[sync.email]`.

use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::settings::Filing;
use crate::config::tree::Node;
use crate::filter::content::{Keep, Policy, Rule};
use crate::filter::folder::Folder;
use crate::filter::pattern::Pattern;
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
        Some((text, place)) => Some(Pattern::parse(text).ok_or_else(|| {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load::parse;

    fn filing(lines: &str) -> std::result::Result<Filing, String> {
        let text = format!(
            "[organisation.a]\nurl = \"http://127.0.0.1:1\"\nsync = true\nauth = {{ kind = \"token\", command = \"x\" }}\n\
             [mailbox]\naddress = \"anna@example.org\"\n[mailbox.email]\nkind = \"maildir\"\npath = \"/m\"\n[sync.email]\n{lines}"
        );
        let loaded = parse(&text, Path::new("c.toml"), None).map_err(|error| error.to_string())?;
        Ok(loaded.settings.sync.email.filing)
    }

    #[test]
    fn rules_are_read_in_their_order() {
        assert_eq!(filing("").unwrap(), Filing::default());
        let read = filing(
            "content = \"text\"\ncreate_people = \"lead\"\n\
             content_rules = [{ folder = \"Private\", keep = \"headers\" }, \
             { folder = \"A\", subfolders = false, from = \"@Bank.example\", keep = \"all\" }, \
             { from = \"ann@x.org\", sensitivity = \"private\", keep = \"headers\" }]",
        )
        .unwrap();
        let folder = |name: &str, subfolders| Some(Folder { name: name.to_owned(), subfolders });
        let ann = Pattern::parse("ann@x.org").unwrap();
        let bank = Pattern::parse("@bank.example").unwrap();
        let rules = [
            Rule {
                folder: folder("Private", true),
                from: None,
                private: false,
                keep: Keep::Headers,
            },
            Rule { folder: folder("A", false), from: Some(bank), private: false, keep: Keep::All },
            Rule { folder: None, from: Some(ann), private: true, keep: Keep::Headers },
        ];
        let content = Policy { rules: rules.to_vec(), otherwise: Keep::Text };
        assert_eq!(read, Filing { content, create_people: Create::Lead });
    }

    #[test]
    fn a_rule_that_would_let_out_more_than_it_says_is_refused() {
        for (lines, reason) in [
            ("content = \"header\"", "`content` cannot be `header`"),
            ("content_rules = [{ keep = \"headers\" }]", "without a condition"),
            ("content_rules = [{ folder = \" \", keep = \"text\" }]", "`folder` is empty"),
            ("content_rules = [{ from = \"bank\", keep = \"text\" }]", "`bank` is no sender"),
            ("content_rules = [{ folder = \"a\" }]", "`keep` is missing"),
            (
                "content_rules = [{ sensitivity = \"secret\", keep = \"text\" }]",
                "cannot be `secret`",
            ),
            (
                "content_rules = [{ from = \"a@b\", subfolders = true, keep = \"text\" }]",
                "goes with",
            ),
            ("content_rules = [{ sender = \"a@b\", keep = \"text\" }]", "unknown key `sender`"),
            ("create_people = \"account\"", "cannot be `account`"),
        ] {
            let refused = filing(lines).unwrap_err();
            assert!(refused.contains(reason), "{lines}: {refused}");
        }
    }
}
