//! Fetching from many folders in one go: a folder is opened, what is wanted of it asked for, and the next one opened, before the
//! first answer is there. A server works through commands in their order (RFC 9051 §5.5: opening a folder waits for what
//! came before), so that what it says until a command is done belongs to that command.

use std::collections::{BTreeMap, VecDeque};

use super::fetch::{Ended, Fetched};
use super::folder;
use super::response::Response;
use super::session::{Session, Tag};
use crate::connector::{Error, ErrorKind, Result};

/// What is asked of one folder.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) place: Place,
    /// Sets of UIDs, each for a command of its own.
    pub(super) sets: Vec<String>,
}

/// Where a message lies: the name of its folder, and the validity that its number is of.
pub(super) type Place = (String, u32);

/// Takes in what is fetched.
pub(super) trait Sink: Send {
    fn take(&mut self, place: &Place, fetched: Fetched);

    /// A command is done, and others are under way. Returns whether more is wanted.
    fn rest(&mut self) -> impl Future<Output = bool> + Send;
}

impl<F: FnMut(&Place, Fetched) + Send> Sink for F {
    fn take(&mut self, place: &Place, fetched: Fetched) {
        self(place, fetched);
    }

    async fn rest(&mut self) -> bool {
        true
    }
}

/// Commands under way are no longer than this together, in bytes: they fit on the way even to a server that does not read on
/// before its answers are taken.
const LENGTH: usize = 32 << 10;

/// A command for the ask of this number.
#[derive(Debug)]
struct Command {
    number: usize,
    /// Nothing for the one that opens the folder.
    line: Option<String>,
}

/// A command that is under way.
struct Flying {
    command: Command,
    tag: Tag,
}

/// How opening a folder ended.
enum Opened {
    Here,
    /// The numbers mean other messages now (RFC 9051 §2.3.1.1), or nothing.
    Gone,
    Refused(Error),
}

/// Fetches items of messages, so many commands in flight. What became of each place is told; a folder that is gone gave nothing
/// and refused nothing. Nothing is told where no more was wanted: the connection is of no use then.
///
/// # Errors
/// When the connection is lost.
pub(super) async fn fetch(
    session: &mut Session,
    asks: Vec<Ask>,
    (items, in_flight): (&str, usize),
    sink: &mut impl Sink,
) -> Result<BTreeMap<Place, Ended>> {
    let mut opened: BTreeMap<usize, Opened> = BTreeMap::new();
    let mut ended: BTreeMap<usize, Ended> = BTreeMap::new();
    let mut commands = commands(session, &asks, items, &mut opened);
    let (mut flying, mut length) = (VecDeque::<Flying>::new(), 0);
    loop {
        while (flying.is_empty() || flying.len() < in_flight && length < LENGTH)
            && let Some(command) = commands.pop_front()
        {
            length += command.length();
            flying.push_back(command.send(session, &asks).await?);
        }
        let Some(Flying { command, tag }) = flying.pop_front() else { break };
        length -= command.length();
        let Some(ask) = asks.get(command.number) else { continue };
        if command.line.is_none() {
            opened.insert(command.number, open(session, &tag, &ask.place).await?);
        } else {
            let is_here = matches!(opened.get(&command.number), Some(Opened::Here));
            let hear = |response: Response| {
                if let Some(fetched) = Fetched::of(&response).filter(|_| is_here) {
                    sink.take(&ask.place, fetched);
                }
            };
            let of_ask = ended.entry(command.number).or_default();
            match session.finish(&tag, "read messages", hear).await {
                Ok(done) => of_ask.broken = done.broken.or(of_ask.broken),
                Err(error) if session.is_alive() => of_ask.refused = Some(error),
                Err(error) => return Err(error),
            }
            if !sink.rest().await {
                session.abandon();
                return Ok(BTreeMap::new());
            }
        }
        if flying.iter().any(|later| session.is_early(&later.tag)) {
            return Err(session.malformed("it answers out of turn"));
        }
    }
    conclude(session, asks, opened, ended).await
}

impl Command {
    fn length(&self) -> usize {
        const OPENING: usize = 100;
        self.line.as_ref().map_or(OPENING, String::len)
    }

    async fn send(self, session: &mut Session, asks: &[Ask]) -> Result<Flying> {
        let tag = if let Some(line) = &self.line {
            session.send(line).await?
        } else {
            let folder = asks.get(self.number).map_or("", |ask| ask.place.0.as_str());
            session.begin_open(folder, false, "").await?
        };
        Ok(Flying { command: self, tag })
    }
}

/// All commands in their order; a folder that is open already needs not be opened.
fn commands(
    session: &Session,
    asks: &[Ask],
    items: &str,
    opened: &mut BTreeMap<usize, Opened>,
) -> VecDeque<Command> {
    let mut commands = VecDeque::new();
    for (number, ask) in asks.iter().enumerate() {
        let (name, validity) = &ask.place;
        match &session.selected {
            Some(open) if number == 0 && open.name == *name && open.uid_validity == *validity => {
                opened.insert(number, Opened::Here);
            }
            _ => commands.push_back(Command { number, line: None }),
        }
        for set in &ask.sets {
            let line = Some(format!("UID FETCH {set} {items}"));
            commands.push_back(Command { number, line });
        }
    }
    commands
}

async fn open(session: &mut Session, tag: &Tag, place: &Place) -> Result<Opened> {
    match session.end_open(tag, &place.0, false, |_| {}).await {
        Ok(opened) if opened.uid_validity == place.1 => Ok(Opened::Here),
        Ok(_) => Ok(Opened::Gone),
        Err(error) if !session.is_alive() => Err(error),
        Err(error) if error.kind == ErrorKind::Missing => Ok(Opened::Gone),
        Err(error) => Ok(Opened::Refused(error)),
    }
}

/// A folder that was refused is gone only if a whole list of folders lacks it.
async fn conclude(
    session: &mut Session,
    asks: Vec<Ask>,
    mut opened: BTreeMap<usize, Opened>,
    mut ended: BTreeMap<usize, Ended>,
) -> Result<BTreeMap<Place, Ended>> {
    let mut found = BTreeMap::new();
    for (number, ask) in asks.into_iter().enumerate() {
        let ended = match opened.remove(&number) {
            Some(Opened::Here) => ended.remove(&number).unwrap_or_default(),
            Some(Opened::Refused(error)) => {
                let refused = match folder::exists(session, &ask.place.0).await {
                    Ok(exists) => exists.then_some(error),
                    Err(error) if session.is_alive() => Some(error),
                    Err(error) => return Err(error),
                };
                Ended { refused, broken: None }
            }
            Some(Opened::Gone) | None => Ended::default(),
        };
        found.insert(ask.place, ended);
    }
    Ok(found)
}
