//! Folder rules: what lies in a folder is tracked, perhaps to a record. A folder is known by its name, since that is what a
//! person sees; a renamed folder needs its rule renamed.

use crate::model::record::PartyRef;

/// A folder whose messages are tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderRule {
    /// As the mail program shows it, parts divided by `/` or `.`.
    pub folder: String,
    /// Whether folders below it are meant too.
    pub subfolders: bool,
    /// The record that its messages are about.
    pub regarding: Option<PartyRef>,
}

impl FolderRule {
    /// Whether the rule is about this folder of the mailbox.
    pub fn is_about(&self, folder: &str) -> bool {
        let (rule, folder) = (path(&self.folder), path(folder));
        folder == rule || (self.subfolders && folder.starts_with(&rule))
    }
}

/// The rule about a folder: of several the one that names the deepest folder.
pub fn rule_for<'a>(rules: &'a [FolderRule], folder: &str) -> Option<&'a FolderRule> {
    rules.iter().filter(|rule| rule.is_about(folder)).max_by_key(|rule| path(&rule.folder).len())
}

/// The parts of a folder's name. Servers divide them by `/` or `.`, and some put all below the inbox; case means nothing.
pub fn path(folder: &str) -> Vec<String> {
    let mut parts: Vec<String> = folder
        .split(['/', '.'])
        .map(|part| part.trim().to_lowercase())
        .filter(|part| !part.is_empty())
        .collect();
    if parts.first().is_some_and(|first| first == "inbox") {
        parts.remove(0);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(folder: &str, subfolders: bool) -> FolderRule {
        FolderRule { folder: folder.to_owned(), subfolders, regarding: None }
    }

    #[test]
    fn a_folder_is_found_however_a_server_spells_its_path() {
        let table = [
            ("Customers/Contoso", false, "customers/contoso", true),
            ("Customers/Contoso", false, "INBOX.Customers.Contoso", true),
            ("Customers/Contoso", false, ".Customers.Contoso", true),
            ("Customers", false, "Customers/Contoso", false),
            ("Customers", true, "Customers/Contoso", true),
            ("Customers", true, "Customers2/Contoso", false),
            ("INBOX", false, "INBOX", true),
            ("INBOX", false, "", true),
            ("INBOX", false, "Archive", false),
        ];
        for (name, subfolders, folder, about) in table {
            assert_eq!(rule(name, subfolders).is_about(folder), about, "{name} {folder}");
        }
    }

    #[test]
    fn the_deepest_folder_has_the_word() {
        let rules = [rule("A", true), rule("A/B", true), rule("C", false)];
        assert_eq!(rule_for(&rules, "A/B/D").map(|rule| rule.folder.as_str()), Some("A/B"));
        assert_eq!(rule_for(&rules, "A/X").map(|rule| rule.folder.as_str()), Some("A"));
        assert_eq!(rule_for(&rules, "X"), None);
    }
}
