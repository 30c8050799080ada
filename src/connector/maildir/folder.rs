//! Which directories below the root are folders, and which of those are none of our business.

use std::fs;
use std::path::{Path, PathBuf};

use super::Options;
use crate::connector::error::{Error, ErrorKind, Result};
use crate::connector::{file, folders};
use crate::model::ItemId;

/// How deep folders may be nested.
const DEPTH: usize = 16;

pub(super) const INBOX: &str = "INBOX";

/// A folder below the root that is called like the root.
pub(super) const INBOX_BELOW: &str = "./INBOX";

/// The folders of a tree.
#[derive(Debug)]
pub(super) struct Folders {
    pub(super) folders: Vec<Folder>,
    /// Why folders may be missing.
    pub(super) doubt: Option<String>,
}

/// A directory with `cur`, `new` and `tmp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    /// The path below the root with `/`; `INBOX` for the root, `./INBOX` for a folder of that name.
    pub(super) id: String,
    pub(super) path: PathBuf,
}

/// Finds all folders, those first that come first by name.
///
/// # Errors
/// When the root is not there, or holds no folder at all: an empty tree must not look like deleted mail.
pub(super) fn tree(options: &Options) -> Result<Folders> {
    let mut tree = Folders { folders: Vec::new(), doubt: None };
    let mut directories = vec![(options.path.clone(), String::new(), 0)];
    while let Some((path, id, depth)) = directories.pop() {
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => {
                let message = format!("cannot read the folder {}", path.display());
                return Err(Error::new(ErrorKind::Local, message)
                    .caused_by(error)
                    .hint("check the path in the configuration, and that the drive is there"));
            }
            Err(_) => {
                tree.doubt = Some(format!("cannot read the folder {id}"));
                continue;
            }
        };
        if path.join("cur").is_dir() {
            tree.folders.push(Folder { id: name_id(&id), path: path.clone() });
        }
        for entry in entries {
            let Ok((entry, kind)) =
                entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))
            else {
                tree.doubt = Some(format!("cannot read the whole folder {id}"));
                continue;
            };
            let Ok(name) = entry.file_name().into_string() else {
                if kind.is_dir() {
                    tree.doubt = Some("the name of a folder is not UTF-8".to_owned());
                }
                continue;
            };
            if ["cur", "new", "tmp"].contains(&name.as_str()) {
                continue;
            }
            let below = if id.is_empty() { name } else { format!("{id}/{name}") };
            if kind.is_symlink() && entry.path().join("cur").is_dir() {
                tree.doubt = Some(format!("the folder {below} is a symbolic link"));
            } else if kind.is_dir() && depth < DEPTH {
                directories.push((entry.path(), below, depth + 1));
            }
        }
    }
    if tree.folders.is_empty() {
        let message = format!("{} holds no mail folder", options.path.display());
        return Err(Error::new(ErrorKind::Local, message).hint(
            "the path must be that of a directory with cur, new and tmp, or one above such",
        ));
    }
    tree.folders.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(tree)
}

fn name_id(relative: &str) -> String {
    match relative {
        "" => INBOX.to_owned(),
        INBOX => INBOX_BELOW.to_owned(),
        other => other.to_owned(),
    }
}

impl Folders {
    /// The folder of sent messages; the name for one, in the style of the others, where there is none.
    pub(super) fn for_sent(&self, options: &Options) -> String {
        let fits = |folder: &&Folder| {
            let last = folder.id.rsplit(['/', '.']).next().unwrap_or_default();
            folders::is_for_sent(last).filter(|_| folder.is_listed(options))
        };
        let best = self.folders.iter().filter(|folder| fits(folder).is_some()).min_by_key(fits);
        best.map_or_else(
            || {
                // The inbox at the root stands for Maildir++, where all other folders begin with a full stop.
                let plain =
                    self.folders.iter().any(|one| one.id != INBOX && !one.id.starts_with('.'));
                if plain { "Sent".to_owned() } else { ".Sent".to_owned() }
            },
            |folder| folder.id.clone(),
        )
    }
}

impl Folder {
    /// The folder and unique name that an id means.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] for an id that leads elsewhere.
    pub(super) fn of(options: &Options, id: &ItemId) -> Result<(Self, String)> {
        let refused = || Error::new(ErrorKind::Rejected, "not the id of a message of this mailbox");
        let (folder, unique) = id.as_str().rsplit_once('/').ok_or_else(refused)?;
        if unique.starts_with('.') || unique.contains([':', ';']) {
            return Err(refused());
        }
        file::below(&options.path, unique)?;
        let path = match folder {
            INBOX => options.path.clone(),
            INBOX_BELOW => options.path.join(INBOX),
            relative => file::below(&options.path, relative)?,
        };
        if path.ancestors().take_while(|part| *part != options.path).any(Path::is_symlink) {
            return Err(Error::new(ErrorKind::Rejected, "the folder is a symbolic link"));
        }
        Ok((Self { id: folder.to_owned(), path }, unique.to_owned()))
    }

    /// Whether its messages take part.
    pub(super) fn is_listed(&self, options: &Options) -> bool {
        !self.holds_drafts()
            && !self.names().any(|name| {
                folders::is_thrown_away(&name)
                    || options.leave_out.iter().any(|left_out| left_out.to_lowercase() == name)
            })
    }

    pub(super) fn holds_drafts(&self) -> bool {
        self.names().any(|name| folders::is_for_drafts(&name))
    }

    /// The folder's name and those of the folders it lies in, in lower case.
    fn names(&self) -> impl Iterator<Item = String> {
        self.id.split(['/', '.']).map(str::to_lowercase)
    }

    /// Makes the folder if it is not there; the marker file tells Maildir++ programs that it is one.
    pub(super) fn make(&self) -> Result<()> {
        let failed = |error| {
            Error::new(ErrorKind::Local, format!("cannot make the folder {}", self.id))
                .caused_by(error)
                .hint("check permissions and free space")
        };
        if self.path.join("cur").is_dir() && self.path.join("tmp").is_dir() {
            return Ok(());
        }
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(self.path.join(part)).map_err(failed)?;
        }
        if self.id != INBOX {
            fs::write(self.path.join("maildirfolder"), "").map_err(failed)?;
        }
        Ok(())
    }
}
