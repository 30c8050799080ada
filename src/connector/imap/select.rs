//! Opening a folder, and what a server says about it then (RFC 9051 §6.3.2). It must not know why it is opened.

use std::collections::BTreeSet;

use super::name;
use super::response::Response;
use super::session::{Session, Tag};
use super::token::Token;
use crate::connector::{Error, ErrorKind, Result};

/// An open folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selected {
    pub(super) name: String,
    pub(super) writable: bool,
    /// Never 0 once it is open: UIDs without it would mean nothing beyond this moment.
    pub(super) uid_validity: u32,
    pub(super) uid_next: Option<u32>,
    pub(super) exists: u32,
    /// `None` where the folder keeps no such numbers.
    pub(super) mod_seq: Option<u64>,
    /// Whether any message here may have a keyword.
    pub(super) has_keywords: bool,
    /// The flags that can be kept; `None` where the server does not say, which means all (RFC 9051 §7.1).
    pub(super) permanent: Option<BTreeSet<String>>,
}

impl Selected {
    pub(super) fn new(name: &str, writable: bool) -> Self {
        Self { name: name.to_owned(), writable, ..Self::default() }
    }

    /// Takes in what the server says while it opens the folder.
    pub(super) fn hear(&mut self, response: &Response) {
        match response {
            Response::Numbered { number, name, .. } if name == "EXISTS" => self.exists = *number,
            Response::Data { name, rest } if name == "FLAGS" => {
                let flags = rest.first().and_then(Token::list).unwrap_or_default();
                self.has_keywords = flags.iter().any(|flag| flag.text().is_some_and(is_keyword));
            }
            Response::Status(status) => {
                let Some(code) = &status.code else { return };
                match code.name.as_str() {
                    "UIDVALIDITY" => self.uid_validity = code.number().unwrap_or_default(),
                    "UIDNEXT" => self.uid_next = code.number(),
                    "HIGHESTMODSEQ" => self.mod_seq = code.number().filter(|number| *number > 0),
                    "NOMODSEQ" => self.mod_seq = None,
                    "PERMANENTFLAGS" => {
                        let flags = code.rest.first().and_then(Token::list).unwrap_or_default();
                        let flags = flags.iter().filter_map(Token::text);
                        self.permanent = Some(flags.map(str::to_owned).collect());
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Whether a flag or keyword can be set on messages here.
    pub(super) fn keeps(&self, mark: &str) -> bool {
        let Some(permanent) = &self.permanent else { return true };
        let new_keywords = is_keyword(mark) && permanent.contains("\\*");
        new_keywords || permanent.iter().any(|flag| flag.eq_ignore_ascii_case(mark))
    }
}

/// A flag without a backslash is a keyword (RFC 9051 §2.3.2).
pub(super) fn is_keyword(flag: &str) -> bool {
    !flag.starts_with('\\')
}

impl Session {
    /// Opens a folder for reading only, unless it is open.
    ///
    /// # Errors
    /// As [`Session::run`]; [`crate::connector::ErrorKind::Missing`] when there is no such folder.
    pub(super) async fn open(&mut self, folder: &str, writable: bool) -> Result<Selected> {
        if let Some(open) = &self.selected
            && open.name == folder
            && (open.writable || !writable)
        {
            return Ok(open.clone());
        }
        let tag = self.begin_open(folder, writable, "").await?;
        self.end_open(&tag, folder, writable, |_| {}).await
    }

    /// Sends the command that opens a folder; `how` is what else is asked, with a blank before it.
    pub(super) async fn begin_open(
        &mut self,
        folder: &str,
        writable: bool,
        how: &str,
    ) -> Result<Tag> {
        let command = if writable { "SELECT" } else { "EXAMINE" };
        self.selected = None;
        self.send(&format!("{command} {}{how}", name::folder(folder))).await
    }

    /// Waits until it is open; `each` gets whatever else is said meanwhile.
    pub(super) async fn end_open(
        &mut self,
        tag: &Tag,
        folder: &str,
        writable: bool,
        mut each: impl FnMut(Response) + Send,
    ) -> Result<Selected> {
        // A folder that is refused leaves none open (RFC 9051 §6.3.2), whichever was opened before it in the same go.
        self.selected = None;
        let mut opened = Selected::new(folder, writable);
        let done = self
            .finish(tag, &format!("open the folder {folder}"), |response| {
                if matches!(&response, Response::Status(status) if status.code("CLOSED").is_some())
                {
                    // What was said until now was about the folder before (RFC 7162 §3.2.11).
                    opened = Selected::new(folder, writable);
                }
                opened.hear(&response);
                each(response);
            })
            .await?;
        if let Some(why) = done.broken {
            return Err(self.malformed(why));
        }
        if opened.uid_validity == 0 {
            // All that was known here would seem to be gone.
            return Err(Error::new(
                ErrorKind::Malformed,
                format!(
                    "open the folder {folder}: the server does not say whether its messages kept their numbers (UIDVALIDITY)"
                ),
            ));
        }
        opened.writable = writable && done.status.code("READ-ONLY").is_none();
        self.selected = Some(opened.clone());
        Ok(opened)
    }

    /// Leaves the open folder, if any: what a server says about an open one may lag behind.
    pub(super) async fn begin_close(&mut self) -> Result<Option<Tag>> {
        if self.selected.take().is_none() || !self.capabilities.has("UNSELECT") {
            return Ok(None);
        }
        self.send("UNSELECT").await.map(Some)
    }
}
