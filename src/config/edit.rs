//! Changes to the user's file that keep everything else in it: comments, order, blanks. On texts; what comes out is checked by
//! `load` before anybody keeps it.

use std::path::Path;

use toml_edit::{DocumentMut, InlineTable, Item, Table, value};

use super::error::{Error, Result};

/// What is added for an organisation.
#[derive(Debug, Clone)]
pub struct NewOrganisation<'a> {
    pub name: &'a str,
    pub url: &'a str,
    /// A command that prints a bearer token.
    pub command: &'a str,
}

/// Adds an organisation. The first one is the one that is synced.
///
/// # Errors
/// When there is one of that name, or the text cannot be read.
pub fn add(text: &str, file: &Path, new: &NewOrganisation<'_>) -> Result<String> {
    let mut document = parse(text, file)?;
    let organisations = organisations(&mut document, file)?;
    if organisations.contains_key(new.name) {
        let error = Error::new(file, format!("there is an organisation `{}` already", new.name));
        return Err(error.hint("choose another name, or remove that one first"));
    }
    let is_first = organisations.is_empty();
    let mut auth = InlineTable::new();
    auth.insert("kind", "token".into());
    auth.insert("command", new.command.into());
    let mut table = Table::new();
    table.insert("url", value(new.url));
    if is_first {
        table.insert("sync", value(true));
    }
    table.insert("auth", value(auth));
    table.decor_mut().set_prefix("\n");
    organisations.insert(new.name, Item::Table(table));
    Ok(document.to_string())
}

/// Removes an organisation.
///
/// # Errors
/// When there is none of that name, or the text cannot be read.
pub fn remove(text: &str, file: &Path, name: &str) -> Result<String> {
    let mut document = parse(text, file)?;
    match organisations(&mut document, file)?.remove(name) {
        Some(_) => Ok(document.to_string()),
        None => Err(unknown(file, name)),
    }
}

/// Makes an organisation the one that is synced.
///
/// # Errors
/// As for [`remove`].
pub fn choose(text: &str, file: &Path, name: &str) -> Result<String> {
    let mut document = parse(text, file)?;
    let organisations = organisations(&mut document, file)?;
    if !organisations.contains_key(name) {
        return Err(unknown(file, name));
    }
    for (key, item) in organisations.iter_mut() {
        let Some(table) = item.as_table_like_mut() else { continue };
        let chosen = key.get() == name;
        match table.get_mut("sync").and_then(Item::as_value_mut) {
            Some(old) => {
                // What stands around the value stays: a comment behind it, say.
                let decor = old.decor().clone();
                *old = chosen.into();
                *old.decor_mut() = decor;
            }
            None if chosen => drop(table.insert("sync", value(true))),
            None => {}
        }
    }
    Ok(document.to_string())
}

fn parse(text: &str, file: &Path) -> Result<DocumentMut> {
    text.parse().map_err(|error: toml_edit::TomlError| Error::new(file, error.message().to_owned()))
}

fn organisations<'d>(document: &'d mut DocumentMut, file: &Path) -> Result<&'d mut Table> {
    let mut implicit = Table::new();
    implicit.set_implicit(true);
    let item = document.entry("organisation").or_insert(Item::Table(implicit));
    item.as_table_mut()
        .ok_or_else(|| Error::new(file, "`organisation` is not written as [organisation.NAME]"))
}

fn unknown(file: &Path, name: &str) -> Error {
    Error::new(file, format!("there is no organisation `{name}`")).hint("see `liaison org list`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Mine.\n\n[organisation.one]   # the old one\nurl = \"https://one.example\"\nsync = true # really\n\n[mailbox]\naddress = \"a@example.org\"\n";

    fn file() -> &'static Path {
        Path::new("config.toml")
    }

    #[test]
    fn an_organisation_comes_is_chosen_and_goes_and_all_else_stays() {
        let new =
            NewOrganisation { name: "two", url: "https://two.example", command: "print \"it\"" };
        let added = add(TEXT, file(), &new).unwrap();
        assert!(added.contains("# Mine.") && added.contains("[organisation.one]   # the old one"));
        assert!(added.contains("[organisation.two]\nurl = \"https://two.example\""), "{added}");
        assert!(!added.contains("sync = true\nauth"), "{added}");
        assert!(add(&added, file(), &new).unwrap_err().message.contains("already"));
        let chosen = choose(&added, file(), "two").unwrap();
        assert!(chosen.contains("sync = false # really"), "{chosen}");
        assert_eq!(chosen.matches("sync = true").count(), 1);
        assert_eq!(
            choose(&chosen, file(), "one").unwrap().matches("sync = true # really").count(),
            1
        );
        let removed = remove(&added, file(), "two").unwrap();
        assert_eq!(removed.trim_end(), TEXT.trim_end());
        assert!(remove(TEXT, file(), "two").unwrap_err().message.contains("no organisation `two`"));
        assert!(choose(TEXT, file(), "two").is_err());
        assert!(add("not toml", file(), &new).is_err());
        assert!(add("organisation = 3", file(), &new).is_err());
        assert!(add("", file(), &new).unwrap().contains("sync = true"));
    }
}
