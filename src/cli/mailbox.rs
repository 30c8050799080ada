//! From the settings of a mailbox to what talks to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Installation;
use crate::config::Settings;
use crate::config::settings::{Collection, Folder, MailServer, Tracking};
use crate::connector::dataverse::Dataverse;
use crate::connector::dav::{self, Dav};
use crate::connector::imap::{self, Imap};
use crate::connector::maildir::{self, Maildir};
use crate::connector::oauth::Purpose;
use crate::connector::outgoing::Postbox;
use crate::connector::pop3::{self, Pop3};
use crate::connector::smtp::Smtp;
use crate::connector::vdir::{self, Vdir};
use crate::connector::{self, Connector, smtp};
use crate::filter::email::token;
use crate::model::Class;
use crate::sync::send::Sending;

/// How long a server may take to file what it was handed, where its answer was lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// What talks to each part of a mailbox.
#[derive(Debug)]
pub struct Mailbox<'a> {
    pub settings: &'a Settings,
    pub here: &'a Installation,
}

/// A part of a mailbox, with what is needed to reach it.
#[derive(Debug)]
pub enum Part {
    Maildir(maildir::Options),
    Vdir(vdir::Options),
    Imap(imap::Options),
    Pop3(pop3::Options),
    Dav(Box<dav::Options>),
}

impl Mailbox<'_> {
    /// One connector for each part. One folder, or one calendar on a server, may hold appointments and tasks.
    ///
    /// # Errors
    /// When a part cannot be used as it is configured.
    pub fn connectors(&self) -> connector::Result<BTreeMap<Class, Arc<dyn Connector>>> {
        let mut found = BTreeMap::new();
        for (classes, part) in self.parts(self.settings.classes()) {
            let clock = self.here.clock.clone();
            let connector: Arc<dyn Connector> = match part {
                Part::Maildir(options) => Arc::new(Maildir::new(options, clock)),
                Part::Vdir(options) => Arc::new(Vdir::new(options, clock)?),
                Part::Imap(options) => Arc::new(Imap::new(options, clock)),
                Part::Pop3(options) => Arc::new(Pop3::new(options)),
                Part::Dav(options) => Arc::new(Dav::new(*options, clock)?),
            };
            found.extend(classes.into_iter().map(|class| (class, Arc::clone(&connector))));
        }
        Ok(found)
    }

    /// The parts that hold these classes.
    pub fn parts(&self, classes: impl IntoIterator<Item = Class>) -> Vec<(BTreeSet<Class>, Part)> {
        let mut folders: Vec<(&Folder, BTreeSet<Class>)> = Vec::new();
        for class in classes {
            let Some(folder) = self.settings.mailbox.folder(class) else { continue };
            match folders.iter_mut().find(|(other, _)| other.is_where(folder)) {
                Some((_, classes)) => drop(classes.insert(class)),
                None => folders.push((folder, BTreeSet::from([class]))),
            }
        }
        folders
            .into_iter()
            .map(|(folder, classes)| (classes.clone(), self.part(folder, classes)))
            .collect()
    }

    fn part(&self, folder: &Folder, classes: BTreeSet<Class>) -> Part {
        match folder {
            Folder::Maildir(path) => {
                Part::Maildir(maildir::Options { path: path.clone(), leave_out: BTreeSet::new() })
            }
            Folder::Vdir(path) => Part::Vdir(vdir::Options { path: path.clone(), classes }),
            Folder::Imap(server) => Part::Imap(self.imap(server)),
            Folder::Pop3(MailServer { server, login, .. }) => {
                let account = self.here.account(login, Purpose::Pop3);
                Part::Pop3(pop3::Options { server: server.clone(), account })
            }
            Folder::Dav(Collection { url, trust, login }) => Part::Dav(Box::new(dav::Options {
                trust: trust.clone(),
                account: Some(self.here.account(login, Purpose::Dav)),
                ..dav::Options::new(url.as_str(), classes)
            })),
        }
    }

    fn imap(&self, server: &MailServer) -> imap::Options {
        imap::Options {
            server: server.server.clone(),
            account: self.here.account(&server.login, Purpose::Imap),
            leave_out: server.leave_out.clone(),
            only: BTreeSet::new(),
            hide: BTreeSet::new(),
            compress: false,
        }
    }

    /// Where messages are handed in, if that is configured.
    pub fn submission(&self) -> Option<smtp::Options> {
        let submission = self.settings.mailbox.submission.as_ref()?;
        let account = Some(self.here.account(&submission.login, Purpose::Submission));
        Some(smtp::Options { server: submission.server.clone(), account })
    }

    /// What sends the mails that the CRM wants sent, if that is wanted.
    pub fn sending(&self, dataverse: &Arc<Dataverse>) -> Option<Sending> {
        let options = self.submission().filter(|_| self.settings.sync.email.send)?;
        Some(Sending {
            postbox: Arc::clone(dataverse) as Arc<dyn Postbox>,
            courier: Arc::new(Smtp::new(options)),
            patience: PATIENCE,
            token: self.token().filter(|token| token.write),
        })
    }

    fn token(&self) -> Option<token::Form> {
        match &self.settings.sync.email.track {
            Tracking::Email(policy) => Some(policy.token.clone()),
            Tracking::Items(_) => None,
        }
    }
}

/// The folder of a configuration file.
pub fn home(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new(".")).to_owned()
}

/// The command line, run in a folder. Named in this form where its secret is refused: it can be pasted.
#[cfg(not(windows))]
pub fn in_folder(folder: &Path, command: &str) -> String {
    format!("cd '{}' && {command}", folder.display().to_string().replace('\'', r"'\''"))
}

#[cfg(windows)]
pub fn in_folder(folder: &Path, command: &str) -> String {
    format!("cd /d \"{}\" && {command}", folder.display())
}
