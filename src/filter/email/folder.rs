//! Folder rules: what lies in a folder is tracked, perhaps to a record. A renamed folder needs its rule renamed.

use crate::filter::folder::Folder;
use crate::model::record::PartyRef;

/// A folder whose messages are tracked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderRule {
    pub folder: Folder,
    /// The record that its messages are about.
    pub regarding: Option<PartyRef>,
}

/// The rule about a folder: of several the one that names the deepest folder.
pub fn rule_for<'a>(rules: &'a [FolderRule], folder: &str) -> Option<&'a FolderRule> {
    rules.iter().filter(|rule| rule.folder.holds(folder)).max_by_key(|rule| rule.folder.depth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_folder_has_the_word() {
        let rules = [("A", true), ("A/B", true), ("C", false)].map(|(name, subfolders)| {
            FolderRule { folder: Folder { name: name.to_owned(), subfolders }, regarding: None }
        });
        let named = |folder| rule_for(&rules, folder).map(|rule| rule.folder.name.as_str());
        assert_eq!(named("A/B/D"), Some("A/B"));
        assert_eq!(named("A/X"), Some("A"));
        assert_eq!(named("X"), None);
    }
}
