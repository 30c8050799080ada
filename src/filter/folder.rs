//! Folders as people name them in rules.

/// A folder of the mailbox. It is known by its name, since that is what a person sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// As the mail program shows it, parts divided by `/`, `.` or `\`.
    pub name: String,
    /// Whether folders below it are meant too. The inbox has none: where a server puts all others below it, nobody can tell.
    pub subfolders: bool,
}

impl Folder {
    /// Whether this folder of the mailbox is meant, however a server spells its path.
    pub fn holds(&self, folder: &str) -> bool {
        let (this, folder) = (path(&self.name), path(folder));
        folder == this || (self.subfolders && !this.is_empty() && folder.starts_with(&this))
    }

    /// How many parts its path has.
    pub fn depth(&self) -> usize {
        path(&self.name).len()
    }
}

/// The parts of a folder's name; none for the inbox. Some servers put all others below it; case means nothing.
fn path(folder: &str) -> Vec<String> {
    let mut parts: Vec<String> = folder
        .split(['/', '.', '\\'])
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

    #[test]
    fn a_folder_is_found_however_a_server_spells_its_path() {
        let table = [
            ("Customers/Contoso", false, "customers/contoso", true),
            ("Customers/Contoso", false, "INBOX.Customers.Contoso", true),
            ("Customers/Contoso", false, ".Customers.Contoso", true),
            ("Customers/Contoso", false, "Customers\\Contoso", true),
            ("Customers", false, "Customers/Contoso", false),
            ("Customers", true, "Customers/Contoso", true),
            ("Customers", true, "Customers2/Contoso", false),
            ("Private", true, "INBOX.private", true),
            ("Private", true, "Privateer", false),
            ("Work/Private", true, "INBOX.Work.Private.a", true),
            ("INBOX", false, "INBOX", true),
            ("INBOX", false, "", true),
            ("INBOX", false, "Archive", false),
            ("INBOX", true, "Private", false),
        ];
        for (name, subfolders, folder, holds) in table {
            let named = Folder { name: name.to_owned(), subfolders };
            assert_eq!(named.holds(folder), holds, "{name} {folder}");
        }
    }
}
