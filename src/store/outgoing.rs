//! Mails on their way out. A row says what is certain: how far a mail came, and what is left to do after it. Which step follows
//! is decided elsewhere; here only those changes are possible that lose no certainty: what may have left is never *ready* again
//! but by a person's word.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Address, ItemId, Uid};

use super::encode::{read_moment, unreadable};
use super::error::{Error, ErrorKind, Result};
use super::transaction::Transaction;

/// The store's number of a mail; a person names it by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailId(pub i64);

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How far a mail came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Frozen. Not a byte of it left, or all that left was refused.
    Ready,
    /// It may be leaving. After a crash: nobody knows.
    Sending,
    /// Nobody knows whether it left; a person is asked.
    Unknown,
    /// A server took responsibility for it.
    Sent,
    /// Nobody got it, and it is not tried again.
    Refused,
}

impl State {
    const ALL: [Self; 5] = [Self::Ready, Self::Sending, Self::Unknown, Self::Sent, Self::Refused];

    /// The word used in the store and in `--json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Refused => "refused",
        }
    }
}

/// A mail as it was frozen.
#[derive(Clone, PartialEq, Eq)]
pub struct Frozen {
    pub record: ItemId,
    /// Its `Message-ID`.
    pub uid: Uid,
    /// What it is called in lists.
    pub title: String,
    pub sender: Address,
    /// Everybody who gets it.
    pub recipients: Vec<Address>,
    /// As it goes over the wire; empty where only its name is known.
    pub message: Arc<[u8]>,
}

impl fmt::Debug for Frozen {
    /// Keeps content and addresses out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frozen({}, {} bytes)", self.record, self.message.len())
    }
}

/// A mail, and how far it came.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    pub id: MailId,
    pub record: ItemId,
    pub uid: Uid,
    pub title: String,
    pub sender: Address,
    pub recipients: Vec<Address>,
    /// How many bytes it has; 0 where they are not kept (see [`message`]).
    pub size: u32,
    pub state: State,
    /// Why it is in this state, without content; empty where that needs no reason.
    pub reason: String,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it was given up.
    pub failures: u32,
    /// When it may be tried again.
    pub due: Timestamp,
    /// Whether nothing is left to do in the mailbox.
    pub copied: bool,
    /// Whether nothing is left to do in the CRM.
    pub told: bool,
    pub since: Timestamp,
    /// When it came into this state.
    pub changed: Timestamp,
}

impl fmt::Debug for Mail {
    /// Keeps content and addresses out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({}, {}, {:?})", self.id, self.record, self.state)
    }
}

impl Mail {
    /// Whether nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.copied && self.told
    }
}

/// Keeps a mail as it is to go out. One that is frozen already, and did not leave, is frozen anew.
///
/// # Errors
/// [`ErrorKind::Exists`] when the record's mail left, or may have left.
pub fn freeze(tx: &Transaction<'_>, frozen: &Frozen, at: Timestamp) -> Result<MailId> {
    let anew = "ON CONFLICT (record) DO UPDATE SET
         uid = excluded.uid, title = excluded.title, sender = excluded.sender, recipients = excluded.recipients,
         message = excluded.message, state = 'ready', reason = '', due = 0, copied = 0, told = 0, at = excluded.at,
         attempts = CASE state WHEN 'refused' THEN 0 ELSE attempts END
         WHERE state = 'ready' OR (state = 'refused' AND told = 1)";
    let id = insert(tx, frozen, (State::Ready, ""), anew, at)?;
    id.ok_or_else(|| {
        Error::new(ErrorKind::Exists, format!("the mail of {} left, or may have", frozen.record))
    })
}

/// Keeps that a mail is to be sent that cannot be: nobody got it.
///
/// # Errors
/// As for [`freeze`].
pub fn freeze_refused(
    tx: &Transaction<'_>,
    frozen: &Frozen,
    reason: &str,
    at: Timestamp,
) -> Result<MailId> {
    let id = freeze(tx, frozen, at)?;
    refused(tx, id, reason, at)?;
    Ok(id)
}

/// Keeps that a mail of this name may have been sent, of which nothing else is known: the store was lost meanwhile.
///
/// # Errors
/// [`ErrorKind::Exists`] when more is known of it.
pub fn adopt(
    tx: &Transaction<'_>,
    frozen: &Frozen,
    (state, reason): (State, &str),
    at: Timestamp,
) -> Result<MailId> {
    insert(tx, frozen, (state, reason), "", at)?.ok_or_else(|| unreadable("outgoing"))
}

/// `otherwise` says what is done with a row that is there; `None` when that leaves it as it is.
fn insert(
    tx: &Transaction<'_>,
    frozen: &Frozen,
    (state, reason): (State, &str),
    otherwise: &str,
    at: Timestamp,
) -> Result<Option<MailId>> {
    let mut statement = tx.prepare_cached(&format!(
        "INSERT INTO outgoing (record, uid, title, sender, recipients, message, state, reason, attempts, failures, due, copied, told, since, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, 0, 0, ?9, ?9) {otherwise} RETURNING id"
    ))?;
    let values = params![
        frozen.record.as_str(),
        frozen.uid.as_str(),
        frozen.title,
        frozen.sender.as_str(),
        lines(&frozen.recipients),
        &*frozen.message,
        state.as_str(),
        reason,
        at.as_microsecond(),
    ];
    Ok(statement.query_row(values, |row| row.get(0)).optional()?.map(MailId))
}

/// Notes that the mail is about to leave. Must be on the disk before its first byte leaves.
///
/// # Errors
/// [`ErrorKind::Missing`] when it is not ready.
pub fn begin(tx: &Transaction<'_>, id: MailId, at: Timestamp) -> Result<()> {
    change(tx, id, State::Sending, &[State::Ready], "", at)?;
    tx.prepare_cached("UPDATE outgoing SET attempts = attempts + 1 WHERE id = ?1")?
        .execute([id.0])?;
    Ok(())
}

/// Notes that nobody got it this time, and when to try again.
///
/// # Errors
/// [`ErrorKind::Missing`] when it was not leaving.
pub fn postpone(
    tx: &Transaction<'_>,
    id: MailId,
    (reason, due): (&str, Timestamp),
    counts: bool,
    at: Timestamp,
) -> Result<()> {
    change(tx, id, State::Ready, &[State::Sending], reason, at)?;
    tx.prepare_cached("UPDATE outgoing SET due = ?2, attempts = attempts - ?3 WHERE id = ?1")?
        .execute(params![id.0, due.as_microsecond(), u32::from(!counts)])?;
    Ok(())
}

/// Notes that a server took it.
///
/// # Errors
/// [`ErrorKind::Missing`] when nobody could know that.
pub fn sent(tx: &Transaction<'_>, id: MailId, reason: &str, at: Timestamp) -> Result<()> {
    change(tx, id, State::Sent, &[State::Ready, State::Sending, State::Unknown], reason, at)
}

/// Notes that nobody got it, for good.
///
/// # Errors
/// [`ErrorKind::Missing`] when it was not leaving.
pub fn refused(tx: &Transaction<'_>, id: MailId, reason: &str, at: Timestamp) -> Result<()> {
    change(tx, id, State::Refused, &[State::Ready, State::Sending], reason, at)?;
    tx.prepare_cached("UPDATE outgoing SET failures = failures + 1 WHERE id = ?1")?
        .execute([id.0])?;
    Ok(())
}

/// Notes that nobody knows whether it left, perhaps from another computer.
///
/// # Errors
/// [`ErrorKind::Missing`] when that is known.
pub fn unknown(tx: &Transaction<'_>, id: MailId, reason: &str, at: Timestamp) -> Result<()> {
    change(tx, id, State::Unknown, &[State::Ready, State::Sending, State::Unknown], reason, at)
}

/// A person's word on a mail of which nobody knew whether it left: it did, or it is to be sent again.
///
/// # Errors
/// [`ErrorKind::Missing`] when nobody is asked about it.
pub fn answer(tx: &Transaction<'_>, id: MailId, was_sent: bool, at: Timestamp) -> Result<()> {
    let (state, reason) = if was_sent {
        (State::Sent, "by your word")
    } else {
        (State::Ready, "to be sent again, by your word")
    };
    change(tx, id, state, &[State::Unknown], reason, at)?;
    tx.prepare_cached("UPDATE outgoing SET due = 0 WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

/// Notes that nothing is left to do in the mailbox.
///
/// # Errors
/// Only the store's own.
pub fn copied(tx: &Transaction<'_>, id: MailId, at: Timestamp) -> Result<()> {
    done(tx, "UPDATE outgoing SET copied = 1, at = ?2 WHERE id = ?1", id, at)
}

/// Notes that nothing is left to do in the CRM. Of what was refused, nothing belongs into the mailbox either.
///
/// # Errors
/// Only the store's own.
pub fn told(tx: &Transaction<'_>, id: MailId, at: Timestamp) -> Result<()> {
    let sql = "UPDATE outgoing SET told = 1, at = ?2,
               copied = CASE state WHEN 'refused' THEN 1 ELSE copied END WHERE id = ?1";
    done(tx, sql, id, at)
}

/// Notes that the CRM is to be told once more.
///
/// # Errors
/// Only the store's own.
pub fn untold(tx: &Transaction<'_>, id: MailId, at: Timestamp) -> Result<()> {
    done(tx, "UPDATE outgoing SET told = 0, at = ?2 WHERE id = ?1", id, at)
}

/// Forgets a mail that was taken back before it left.
///
/// # Errors
/// [`ErrorKind::Missing`] when it may have left.
pub fn withdraw(tx: &Transaction<'_>, id: MailId) -> Result<()> {
    let sql = "DELETE FROM outgoing WHERE id = ?1 AND state = 'ready'";
    if tx.prepare_cached(sql)?.execute([id.0])? == 0 { Err(missing(id)) } else { Ok(()) }
}

/// The mails with which something is left to do.
///
/// # Errors
/// Only the store's own.
pub fn open(connection: &Connection) -> Result<Vec<Mail>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, record, uid, title, sender, recipients, length(message), state, reason, attempts, failures, due, copied, told, since, at
         FROM outgoing WHERE copied = 0 OR told = 0 ORDER BY id",
    )?;
    statement.query_and_then([], from_row)?.collect()
}

/// The mail of a record.
///
/// # Errors
/// Only the store's own.
pub fn of(connection: &Connection, record: &ItemId) -> Result<Option<Mail>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, record, uid, title, sender, recipients, length(message), state, reason, attempts, failures, due, copied, told, since, at
         FROM outgoing WHERE record = ?1",
    )?;
    statement.query_row([record.as_str()], |row| Ok(from_row(row))).optional()?.transpose()
}

/// The bytes of a mail; none once nothing more is to be done with them.
///
/// # Errors
/// Only the store's own.
pub fn message(connection: &Connection, id: MailId) -> Result<Arc<[u8]>> {
    let mut statement = connection.prepare_cached("SELECT message FROM outgoing WHERE id = ?1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([id.0], |row| row.get(0)).optional()?;
    Ok(bytes.unwrap_or_default().into())
}

/// How many mails wait for a person's word, and how many for a round.
///
/// # Errors
/// Only the store's own.
pub fn waiting(connection: &Connection) -> Result<(usize, usize)> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(state = 'unknown'), 0), coalesce(sum(state <> 'unknown'), 0)
         FROM outgoing WHERE copied = 0 OR told = 0",
    )?;
    let (asked, queued): (i64, i64) =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let number = |count| usize::try_from(count).unwrap_or_default();
    Ok((number(asked), number(queued)))
}

fn change(
    tx: &Transaction<'_>,
    id: MailId,
    to: State,
    from: &[State],
    reason: &str,
    at: Timestamp,
) -> Result<()> {
    let mut statement = tx.prepare_cached(
        "UPDATE outgoing SET state = ?2, reason = ?3, at = ?4 WHERE id = ?1 AND state = ?5",
    )?;
    for state in from {
        let values = params![id.0, to.as_str(), reason, at.as_microsecond(), state.as_str()];
        if statement.execute(values)? > 0 {
            return Ok(());
        }
    }
    Err(missing(id))
}

fn done(tx: &Transaction<'_>, sql: &str, id: MailId, at: Timestamp) -> Result<()> {
    tx.prepare_cached(sql)?.execute(params![id.0, at.as_microsecond()])?;
    // What is over is never sent again: its bytes need not be kept.
    tx.prepare_cached(
        "UPDATE outgoing SET message = x'' WHERE id = ?1 AND copied = 1 AND told = 1",
    )?
    .execute([id.0])?;
    Ok(())
}

fn missing(id: MailId) -> Error {
    Error::new(ErrorKind::Missing, format!("mail {id} is not in a state that allows this"))
}

fn lines(addresses: &[Address]) -> String {
    addresses.iter().map(Address::as_str).collect::<Vec<_>>().join("\n")
}

fn from_row(row: &Row<'_>) -> Result<Mail> {
    let text = |index: usize| row.get::<_, String>(index);
    let address = |text: &str| Address::parse(text).ok_or_else(|| unreadable("address"));
    let state = text(7)?;
    let sender = text(4)?;
    Ok(Mail {
        id: MailId(row.get(0)?),
        record: ItemId::new(text(1)?),
        uid: Uid::new(text(2)?),
        title: text(3)?,
        sender: address(&sender)?,
        recipients: text(5)?.lines().map(address).collect::<Result<_>>()?,
        size: row.get(6)?,
        state: State::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| unreadable("state"))?,
        reason: text(8)?,
        attempts: row.get(9)?,
        failures: row.get(10)?,
        due: read_moment(row.get(11)?)?,
        copied: row.get(12)?,
        told: row.get(13)?,
        since: read_moment(row.get(14)?)?,
        changed: read_moment(row.get(15)?)?,
    })
}
