//! What is known of a sign-in without asking anybody: a small file beside the store, without secrets. It answers `auth status`,
//! and keeps a sign-in that was refused from being tried again by every process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Wanted;

/// How long before its end a sign-in is said to end.
const WARNING: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A refresh token of Microsoft's is good for 90 days after its last use, unless an administrator decided otherwise; answers do not
/// say. <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>
pub(super) const ENTRA_LIFETIME: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How a sign-in stands, as of the last time that it was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nobody signed in yet.
    SignedOut,
    /// Good, until then where that is known.
    Good { until: Option<Timestamp> },
    /// Ends in a few days, unless it is used or renewed before.
    Expiring { until: Timestamp },
    /// The provider wants a person to do something before it gives some of the tokens.
    Asks { why: String },
    /// The provider took it back, or it is over.
    Revoked { why: String },
    /// The provider could not be reached since then; the sign-in itself may be fine.
    Network { since: Timestamp, why: String },
}

impl Standing {
    /// For programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::Good { .. } => "ok",
            Self::Expiring { .. } => "expiring",
            Self::Asks { .. } => "needs-user",
            Self::Revoked { .. } => "revoked",
            Self::Network { .. } => "network",
        }
    }

    /// Whether nothing goes on before a person signed in.
    pub fn needs_person(&self) -> bool {
        matches!(self, Self::SignedOut | Self::Asks { .. } | Self::Revoked { .. })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) signed_in: Option<Moment>,
    /// When a token was last had.
    pub(super) used: Option<Moment>,
    /// When the refresh token ends, as far as that is known.
    pub(super) until: Option<Moment>,
    /// Why the refresh token is dead.
    pub(super) revoked: Option<String>,
    /// By what was wanted: why the provider asks for a person.
    #[serde(default)]
    pub(super) asks: BTreeMap<String, String>,
    pub(super) network: Option<(Moment, String)>,
}

/// A moment, as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Moment(pub(super) Timestamp);

impl TryFrom<String> for Moment {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.0.to_string()
    }
}

impl Record {
    pub(super) fn standing(&self, now: Timestamp) -> Standing {
        if self.signed_in.is_none() {
            return Standing::SignedOut;
        }
        if let Some(why) = &self.revoked {
            return Standing::Revoked { why: why.clone() };
        }
        if let Some(why) = self.asks.values().next() {
            return Standing::Asks { why: why.clone() };
        }
        let until = self.until.map(|until| until.0);
        if let Some(until) = until.filter(|until| *until <= now) {
            let day = until.strftime("%Y-%m-%d");
            return Standing::Revoked { why: format!("it ended on {day}") };
        }
        if let Some((since, why)) = &self.network {
            return Standing::Network { since: since.0, why: why.clone() };
        }
        match until {
            Some(until) if until.duration_since(now) < WARNING => Standing::Expiring { until },
            until => Standing::Good { until },
        }
    }

    /// Why this cannot be had without a person, if so.
    pub(super) fn refuses(&self, wanted: &Wanted) -> Option<&str> {
        self.revoked.as_deref().or_else(|| self.asks.get(&wanted.key()).map(String::as_str))
    }
}

impl Wanted {
    pub(super) fn key(&self) -> String {
        let scopes = self.scopes.iter().chain(&self.resource);
        scopes.map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// More than we write.
const SIZE_LIMIT: u64 = 256 << 10;

/// The file of one sign-in.
#[derive(Debug)]
pub(super) struct RecordFile {
    pub(super) folder: PathBuf,
    pub(super) key: String,
}

impl RecordFile {
    /// What stands there; of a file that cannot be read, nothing.
    pub(super) fn read(&self) -> Record {
        let mut text = String::new();
        let read = File::open(self.path())
            .and_then(|file| file.take(SIZE_LIMIT).read_to_string(&mut text));
        match read {
            Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
            Err(_) => Record::default(),
        }
    }

    /// Puts a new one in its place, whole or not at all.
    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        let fresh = self.folder.join(format!("{}.new", self.key));
        let mut file = private(&fresh, true)?;
        serde_json::to_writer_pretty(&mut file, record)?;
        file.write_all(b"\n")?;
        drop(file);
        std::fs::rename(fresh, self.path())
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The file whose lock says who may use the refresh token.
    pub(super) fn lock_file(&self) -> io::Result<File> {
        private(&self.folder.join(format!("{}.lock", self.key)), false)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.key))
    }
}

/// A file that only its owner can read, in a folder that only its owner can enter.
fn private(path: &Path, empty: bool) -> io::Result<File> {
    let mut folder = std::fs::DirBuilder::new();
    let mut options = OpenOptions::new();
    folder.recursive(true);
    options.write(true).create(true).truncate(empty);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        options.mode(0o600);
    }
    if let Some(parent) = path.parent() {
        folder.create(parent)?;
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_needs_a_person_goes_before_what_passes() {
        let now = at("2026-03-01T12:00:00Z");
        let good = Record { signed_in: Some(Moment(now)), ..Record::default() };
        let until = |text| Record { until: Some(Moment(at(text))), ..good.clone() };
        let network = Some((Moment(now), "no route".to_owned()));
        let asks = BTreeMap::from([("imap".to_owned(), "consent_required".to_owned())]);
        for (record, word, person) in [
            (Record::default(), "signed-out", true),
            (good.clone(), "ok", false),
            (until("2026-05-01T00:00:00Z"), "ok", false),
            (until("2026-03-08T11:59:59Z"), "expiring", false),
            (until("2026-03-01T12:00:00Z"), "revoked", true),
            (Record { network: network.clone(), ..good.clone() }, "network", false),
            (Record { asks, network: network.clone(), ..good.clone() }, "needs-user", true),
            (Record { revoked: Some("x".into()), network, ..good.clone() }, "revoked", true),
        ] {
            let standing = record.standing(now);
            assert_eq!((standing.word(), standing.needs_person()), (word, person), "{record:?}");
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_nonsense_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = RecordFile { folder: dir.path().join("auth"), key: "a".to_owned() };
        assert_eq!(file.read(), Record::default());
        let record = Record {
            signed_in: Some(Moment(at("2026-03-01T12:00:00Z"))),
            asks: BTreeMap::from([("imap".to_owned(), "x".to_owned())]),
            network: Some((Moment(at("2026-03-02T12:00:00Z")), "away".to_owned())),
            ..Record::default()
        };
        file.write(&record).unwrap();
        assert_eq!(file.read(), record);
        std::fs::write(file.path(), b"{\"signed_in\": 7").unwrap();
        assert_eq!(file.read(), Record::default());
        file.remove().unwrap();
        file.remove().unwrap();
    }
}
