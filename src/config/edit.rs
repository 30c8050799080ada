//! Changes to the user's file that keep everything else in it: comments, order, blanks. On texts; what comes out is checked by
//! `load` before anybody keeps it.

use std::path::Path;

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, value};

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

/// One setting that is to be another.
#[derive(Debug, Clone)]
pub struct Change {
    /// The names of the sections, then that of the setting.
    pub path: Vec<String>,
    /// `None`: it is taken out, or the section is with all that is in it.
    pub to: Option<toml_edit::Value>,
}

/// Changes settings, each in its place; what is new goes behind what is there.
///
/// # Errors
/// When the text cannot be read, or something stands where a section should be.
pub fn set(text: &str, file: &Path, changes: &[Change]) -> Result<String> {
    let mut document = parse(text, file)?;
    for change in changes {
        let Some((key, sections)) = change.path.split_last() else { continue };
        let table = within(document.as_item_mut(), sections, 0, change.to.is_some())
            .map_err(|NoSection| no_section(file, &change.path))?;
        let Some(table) = table else { continue };
        match (&change.to, table.get_mut(key).and_then(Item::as_value_mut)) {
            (None, _) => drop(table.remove(key)),
            (Some(new), Some(old)) => {
                let decor = old.decor().clone();
                *old = new.clone();
                *old.decor_mut() = decor;
            }
            (Some(new), None) => drop(table.insert(key, Item::Value(new.clone()))),
        }
    }
    Ok(document.to_string())
}

/// Something stands where a section should be.
struct NoSection;

/// The section below all these; `None` where one is missing and none is to be made.
fn within<'d>(
    item: &'d mut Item,
    sections: &[String],
    depth: usize,
    make: bool,
) -> Result<Option<&'d mut dyn TableLike>, NoSection> {
    let table = item.as_table_like_mut().ok_or(NoSection)?;
    let Some((section, deeper)) = sections.split_first() else { return Ok(Some(table)) };
    if !table.contains_key(section) {
        if !make {
            return Ok(None);
        }
        table.insert(section, new_section(depth));
    }
    within(table.get_mut(section).ok_or(NoSection)?, deeper, depth + 1, make)
}

/// Sections have headings down to `[mailbox.email]`; what is deeper is written in one line.
fn new_section(depth: usize) -> Item {
    if depth > 1 {
        return value(InlineTable::new());
    }
    let mut table = Table::new();
    table.set_implicit(true);
    table.decor_mut().set_prefix("\n");
    Item::Table(table)
}

fn no_section(file: &Path, path: &[String]) -> Error {
    Error::new(file, format!("`{}` stands below something that is no section", path.join(".")))
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

    fn change(path: &str, to: Option<toml_edit::Value>) -> Change {
        Change { path: path.split('.').map(str::to_owned).collect(), to }
    }

    #[test]
    fn settings_change_in_their_places() {
        let changes = [
            change("mailbox.address", Some("b@example.org".into())),
            change("mailbox.email.host", Some("imap.example.org".into())),
            change("mailbox.email.password.command", Some("pass mail".into())),
            change("organisation.one.sync", None),
            change("mailbox.tasks", None),
        ];
        let set = set(TEXT, file(), &changes).unwrap();
        let expected = TEXT
            .replace("a@example.org", "b@example.org")
            .replace("sync = true # really\n", "")
            + "\n[mailbox.email]\nhost = \"imap.example.org\"\npassword = { command = \"pass mail\" }\n";
        assert_eq!(set, expected);
        let again = super::set(&set, file(), &[change("mailbox.email", None)]).unwrap();
        assert!(!again.contains("email]"), "{again}");
        let error = super::set("mailbox = 3", file(), &changes).unwrap_err();
        assert!(error.message.contains("no section"), "{error}");
    }
}
