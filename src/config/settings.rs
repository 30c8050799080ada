//! The settings as the rest of the program uses them. They are whole and consistent: `load` makes no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

use crate::connector::auth;
use crate::connector::net::Server;
use crate::connector::oauth::{Identity, Purpose, Wanted};
use crate::connector::tls::Trust;
use crate::filter::fetch::Filter;
use crate::filter::people::Create;
use crate::filter::{content, email, track};
use crate::model::fields::Direction;
use crate::model::{Address, Class};

/// Everything the user can set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// By the names that the user gave them; exactly one has `sync`.
    pub organisations: BTreeMap<String, Organisation>,
    pub mailbox: Mailbox,
    pub sync: Classes<Sync>,
    pub guard: Guard,
    pub offline: Offline,
    pub service: Service,
}

/// How `liaison run` works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// How often the CRM is asked for news. The mailbox tells by itself, where it can.
    pub interval: Duration,
}

/// What is taken along when the user goes offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offline {
    /// Logical names.
    pub tables: Vec<String>,
    /// The user's own filters, in `FetchXML`, by table.
    pub filters: BTreeMap<String, Vec<String>>,
}

impl Settings {
    /// The organisation that the mailbox is kept in step with, and its name.
    pub fn sync_organisation(&self) -> Option<(&str, &Organisation)> {
        let mut all = self.organisations.iter();
        all.find(|(_, organisation)| organisation.sync).map(|(name, found)| (name.as_str(), found))
    }

    /// The classes that take part: they have a folder and are not off. In the order of [`Class::ALL`].
    pub fn classes(&self) -> impl Iterator<Item = Class> {
        let takes_part = |class: &Class| {
            self.mailbox.folder(*class).is_some()
                && self.sync.of(*class).direction != Direction::None
        };
        Class::ALL.into_iter().filter(takes_part)
    }
}

/// One value for each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes<T> {
    pub contact: T,
    pub task: T,
    pub appointment: T,
    pub email: T,
}

impl<T> Classes<T> {
    pub fn of(&self, class: Class) -> &T {
        match class {
            Class::Contact => &self.contact,
            Class::Task => &self.task,
            Class::Appointment => &self.appointment,
            Class::Email => &self.email,
        }
    }
}

/// One CRM tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// `https`, or `http` on loopback; no path, no query.
    pub url: Url,
    pub sync: bool,
    pub auth: Auth,
    /// What makes its certificate good.
    pub trust: Trust,
    /// How many requests a day are allowed; `None`: what the user's licence says.
    pub requests_per_day: Option<u64>,
}

/// How to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// A shell command that prints a bearer token; run in the folder of the configuration file.
    Token {
        command: String,
    },
    OAuth(OAuth),
}

/// A sign-in at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth {
    pub identity: Identity,
    /// Where none are said: those that the purpose takes ([`Provider::scopes`](crate::connector::oauth::Provider::scopes)).
    pub scopes: Vec<String>,
    pub resource: Option<String>,
}

impl OAuth {
    /// What a token for this purpose must have.
    pub fn wanted(&self, purpose: Purpose<'_>) -> Wanted {
        let scopes = match self.scopes.as_slice() {
            [] => self.identity.provider.scopes(purpose).unwrap_or_default(),
            said => said.to_owned(),
        };
        Wanted { scopes, resource: self.resource.clone() }
    }
}

/// The user's mailbox.
#[derive(Debug, Clone)]
pub struct Mailbox {
    pub address: Address,
    pub aliases: BTreeSet<Address>,
    pub zone: Zone,
    pub folders: Classes<Option<Folder>>,
    /// Where messages are handed in to be sent.
    pub submission: Option<MailServer>,
}

/// What `zone` in `[mailbox]` says.
#[derive(Debug, Clone)]
pub enum Zone {
    /// `"system"`: the zone of the CRM user's own settings or, as long as that is not known, this one of the machine.
    System(TimeZone),
    /// A name: this zone, whatever the CRM says.
    Named(TimeZone),
}

impl Mailbox {
    /// All of the user's own addresses.
    pub fn me(&self) -> BTreeSet<Address> {
        self.aliases.iter().chain([&self.address]).cloned().collect()
    }

    /// Where the items of a class lie, if it takes part.
    pub fn folder(&self, class: Class) -> Option<&Folder> {
        self.folders.of(class).as_ref()
    }
}

/// Where items lie. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Folder {
    Maildir(PathBuf),
    Vdir(PathBuf),
    Imap(MailServer),
    Pop3(MailServer),
    /// A calendar or an address book.
    Dav(Collection),
}

impl Folder {
    /// Who signs in there.
    pub fn login(&self) -> Option<&Login> {
        match self {
            Self::Maildir(_) | Self::Vdir(_) => None,
            Self::Imap(server) | Self::Pop3(server) => Some(&server.login),
            Self::Dav(collection) => Some(&collection.login),
        }
    }

    /// Whether this is the same place as another.
    pub fn is_where(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Maildir(one) | Self::Vdir(one), Self::Maildir(two) | Self::Vdir(two)) => {
                one == two
            }
            (Self::Dav(one), Self::Dav(two)) => one.url == two.url,
            _ => false,
        }
    }
}

/// A server that speaks IMAP, POP3 or SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    pub server: Server,
    pub login: Login,
    /// Names of folders to leave out, beside drafts, junk and deleted messages.
    pub leave_out: BTreeSet<String>,
}

/// A collection on a server that speaks `CalDAV` or `CardDAV`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// `https`, or `http` on loopback.
    pub url: Url,
    pub trust: Trust,
    pub login: Login,
}

/// Who signs in at a server, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub with: With,
}

/// Where a password or token comes from. Sections that take it over from another one share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum With {
    /// A shell command that prints it; run in the folder of the configuration file.
    Command(auth::Kind, String),
    /// The keyring, where it is kept for this user at this server.
    Keyring {
        user: String,
        host: String,
    },
    /// What systemd hands to the service, under this name.
    Systemd(auth::Kind, String),
    OAuth(OAuth),
}

/// How one class is kept in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// [`Direction::None`] is off.
    pub direction: Direction,
    pub track: Tracking,
    pub conflict: Conflict,
    pub on_leave: OnLeave,
    pub deletes: Deletes,
    /// The fields whose direction differs from [`crate::model::fields::field_rules`].
    pub fields: BTreeMap<String, Direction>,
    /// Which records take part; none means that the class brings nothing into the mailbox.
    pub filters: Vec<Filter>,
    /// Whether the sync filters that the organisation keeps take part too.
    pub organisation_filters: bool,
    /// The names of those that do not.
    pub filters_off: Vec<String>,
    /// How messages are filed; the default for other classes.
    pub filing: Filing,
    /// Of e-mail: whether what the CRM wants sent is sent from here.
    pub send: bool,
}

/// How messages are filed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filing {
    /// How much of them.
    pub content: content::Policy,
    /// What is made for people whom the CRM does not know.
    pub create_people: Create,
}

/// What tracks the items of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracking {
    /// Contacts, tasks, appointments.
    Items(track::Policy),
    Email(Box<email::Policy>),
}

/// Who wins when both sides changed one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conflict {
    Crm,
    Mailbox,
    Ask,
}

/// What happens in the mailbox when a record leaves the filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnLeave {
    Keep,
    Remove,
}

/// What a deletion does to the other side, by the side where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deletes {
    pub mailbox: Deletion,
    pub crm: Deletion,
}

/// What a deletion does to the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deletion {
    Propagate,
    Keep,
    /// As Dynamics has it for the class.
    Rule,
}

/// What no round does without a person's word: more than the number, if that is also more than the share of the class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    pub deletes: Limit,
    pub updates: Limit,
    pub creates: Limit,
}

/// A number of operations of one kind on one side of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub max: u64,
    /// 0 to 100.
    pub percent: u64,
}
