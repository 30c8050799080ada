//! One of those who ask: greets first, asks then, and may ask several things at a time. Who does not read what is said, or says
//! what nobody understands, is let go; what was begun for them is finished.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::facts::{Pause, model, wired};
use super::hall::Hall;
use super::house::{Front, Order, Stale};
use super::reload;
use super::trigger::Cause;
use super::worker::whole;
use crate::ipc::wire::{
    Call, Class, Command, Doing, Done, Event, Failed, Progress, Question, Request, Response, Said,
    Trouble,
};
use crate::ipc::{PROGRAM, VERSION, frame};
use crate::sync;

/// Who connects says hello within this.
const HELLO: Duration = Duration::from_secs(5);

/// The most bytes of a request.
const REQUEST_MAX: usize = 1 << 20;

/// How many requests of one client are worked on at a time.
const REQUESTS: usize = 8;

/// Who reads nothing for this long is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a question waits for its answer.
const QUESTION: Duration = Duration::from_mins(10);

/// Changes within this are told as one.
const TOGETHER: Duration = Duration::from_millis(100);

/// The exit code of what is to be tried again later, as in `sysexits.h`.
const LATER: u8 = 75;

/// The exit code of a request that makes no sense.
const USAGE: u8 = 2;

/// Serves one client to its end. Without a place, it is told so.
pub(super) async fn run(hall: Arc<Hall>, stream: UnixStream, place: Option<OwnedSemaphorePermit>) {
    let (reader, writer) = stream.into_split();
    let (say, said) = mpsc::channel(REQUESTS);
    let writing = write(writer, said);
    let reader = frame::Reader::new(BufReader::new(reader), REQUEST_MAX);
    let session = Session {
        hall: Arc::clone(&hall),
        say,
        questions: Arc::default(),
        room: Arc::new(Semaphore::new(REQUESTS)),
    };
    tokio::select! {
        () = async { tokio::join!(session.listen(reader, place.is_some()), writing); } => {}
        () = hall.ending.cancelled() => {}
    }
}

type Reader = frame::Reader<BufReader<OwnedReadHalf>>;

/// Those who wait for the answer to a question, by the number of the request.
type Questions = Arc<Mutex<BTreeMap<u64, oneshot::Sender<bool>>>>;

#[derive(Clone)]
struct Session {
    hall: Arc<Hall>,
    say: mpsc::Sender<Response>,
    questions: Questions,
    room: Arc<Semaphore>,
}

/// Ends with the last who has something to say, or with a client that does not read.
async fn write(mut writer: OwnedWriteHalf, mut said: mpsc::Receiver<Response>) {
    while let Some(response) = said.recv().await {
        match timeout(PATIENCE, frame::write(&mut writer, &response)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
                let failed = failed(Trouble::Command, "the answer is too long for this socket", 1);
                let said = Response { id: response.id, said: Said::Failed(failed) };
                if frame::write(&mut writer, &said).await.is_err() {
                    return;
                }
            }
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

impl Session {
    async fn listen(self, mut reader: Reader, has_place: bool) {
        if let Err(refused) = self.greet(&mut reader, has_place).await {
            if let Some(response) = refused {
                self.say(response.id, response.said).await;
            }
            return;
        }
        // What was begun is finished, also when nobody waits for it any more.
        let mut watches = JoinSet::new();
        loop {
            match reader.next::<Request>().await {
                Ok(Some(request)) => self.take(request, &mut watches).await,
                Ok(None) => return,
                Err(error) => {
                    let failed = failed(Trouble::Protocol, &error.to_string(), USAGE);
                    self.say(0, Said::Failed(failed)).await;
                    return;
                }
            }
        }
    }

    /// The first request is a hello of the right version. Else what to say to it, if it can still be heard.
    async fn greet(&self, reader: &mut Reader, has_place: bool) -> Result<(), Option<Response>> {
        let refuse = |id, kind, message: &str, exit| {
            Some(Response { id, said: Said::Failed(failed(kind, message, exit)) })
        };
        let request = match timeout(HELLO, reader.next::<Request>()).await {
            Err(_) => {
                let late = format!("nobody said hello within {} seconds", HELLO.as_secs());
                return Err(refuse(0, Trouble::Protocol, &late, LATER));
            }
            Ok(Ok(None)) => return Err(None),
            Ok(Err(error)) => {
                return Err(refuse(0, Trouble::Protocol, &error.to_string(), USAGE));
            }
            Ok(Ok(Some(request))) => request,
        };
        let id = request.id;
        match request.call {
            Call::Hello { version: VERSION, program } => {
                tracing::debug!(program = %program.escape_debug(), "a client said hello");
                if !has_place {
                    let busy = "too many are connected already";
                    return Err(refuse(id, Trouble::Busy, busy, LATER));
                }
                let program = PROGRAM.to_owned();
                let welcome = Done::Welcome { version: VERSION, program };
                self.say(id, Said::Done(welcome)).await;
                Ok(())
            }
            Call::Hello { version, .. } => {
                let message = format!(
                    "the running service speaks version {VERSION} of the protocol, not {version}"
                );
                Err(refuse(id, Trouble::Version, &message, USAGE))
            }
            _ => Err(refuse(id, Trouble::Protocol, "say hello first", USAGE)),
        }
    }

    async fn take(&self, request: Request, watches: &mut JoinSet<()>) {
        let Request { id, call } = request;
        match call {
            Call::Hello { .. } => {
                let again = failed(Trouble::Protocol, "hello was said already", USAGE);
                self.say(id, Said::Failed(again)).await;
            }
            Call::Status => {
                let status = Box::new(self.hall.status());
                self.say(id, Said::Done(Done::Status(status))).await;
            }
            Call::Events if watches.is_empty() => {
                let session = self.clone();
                watches.spawn(async move { session.events(id).await });
            }
            Call::Events => {
                let again = failed(Trouble::Protocol, "events are told already", USAGE);
                self.say(id, Said::Failed(again)).await;
            }
            Call::Pause { seconds } => {
                let pause = self.pause(seconds);
                self.hall.learn(|facts| facts.paused = Some(pause));
                self.say(id, Said::Done(Done::Nothing)).await;
            }
            Call::Resume => {
                self.hall.learn(|facts| facts.paused = None);
                self.say(id, Said::Done(Done::Nothing)).await;
            }
            Call::Reload => {
                reload::now(&self.hall).await;
                self.say(id, Said::Done(Done::Nothing)).await;
            }
            Call::Reply { yes } => {
                let waits = self.lock().remove(&id);
                if let Some(waits) = waits {
                    // Whoever asked may have given up.
                    waits.send(yes).ok();
                }
            }
            Call::Sync { classes } => {
                let named = |class: &Class| ["--class", model(*class).as_str()].map(str::to_owned);
                let arguments = classes.iter().flat_map(named).collect();
                self.run(id, Order { command: Command::Sync, arguments, json: true }).await;
            }
            Call::Run { command, arguments, json } => {
                self.run(id, Order { command, arguments, json }).await;
            }
        }
    }

    fn pause(&self, seconds: Option<u64>) -> Pause {
        let end = seconds.and_then(|seconds| {
            let span = jiff::SignedDuration::from_secs(i64::try_from(seconds).ok()?);
            self.hall.clock.now().checked_add(span).ok()
        });
        end.map_or(Pause::UntilResume, Pause::Until)
    }

    async fn run(&self, id: u64, order: Order) {
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            let busy = failed(Trouble::Busy, "too many requests at a time", LATER);
            return self.say(id, Said::Failed(busy)).await;
        };
        let session = self.clone();
        tokio::spawn(async move {
            let command = order.command;
            let front = Arc::new(Waiting { id, session: session.clone() });
            let answer = match whole(session.hall.house.run(order, front)).await {
                Ok(answer) => answer,
                Err(it) => {
                    Err(Failed { hint: it.hint, ..failed(Trouble::Command, &it.message, 1) })
                }
            };
            let effect = effect(command);
            match effect {
                Effect::None => {}
                // A person who said so may have put right what kept everything closed.
                Effect::Work if session.hall.is_closed() => session.hall.reopen(),
                Effect::Work => session.hall.pull_all(Cause::Command),
                Effect::Foundation => reload::now(&session.hall).await,
            }
            if !matches!(effect, Effect::None) {
                session.hall.refresh(Stale::All).await;
            }
            let said = match answer {
                Ok(answer) => Said::Done(Done::Answer(answer)),
                Err(failed) => Said::Failed(failed),
            };
            session.say(id, said).await;
            drop(place);
        });
    }

    /// Tells how things stand, and again when that changes.
    async fn events(&self, id: u64) {
        let mut facts = self.hall.facts();
        let mut last = None;
        loop {
            let status = facts.borrow_and_update().status(self.hall.clock.now());
            if last.as_ref() != Some(&status) {
                let event = Event::Status(Box::new(status.clone()));
                if self.say.send(Response { id, said: Said::Event(event) }).await.is_err() {
                    return;
                }
                last = Some(status);
            }
            if facts.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(TOGETHER).await;
        }
    }

    async fn say(&self, id: u64, said: Said) {
        // Who went away hears nothing.
        drop(self.say.send(Response { id, said }).await);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<bool>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever waits for a command at the other end of the socket.
struct Waiting {
    id: u64,
    session: Session,
}

#[async_trait]
impl Front for Waiting {
    async fn ask(&self, about: &str, question: &str) -> bool {
        let (reply, replied) = oneshot::channel();
        self.session.lock().insert(self.id, reply);
        let question = Question { about: about.to_owned(), question: question.to_owned() };
        self.session.say(self.id, Said::Question(question)).await;
        let yes = tokio::select! {
            answer = timeout(QUESTION, replied) => answer.is_ok_and(|answer| answer.unwrap_or(false)),
            () = self.session.say.closed() => false,
        };
        self.session.lock().remove(&self.id);
        yes
    }

    fn tell(&self, progress: sync::Progress) {
        let said = Said::Progress(told(progress));
        // Progress that nobody has read yet is old already.
        drop(self.session.say.try_send(Response { id: self.id, said }));
    }
}

/// What a command leads to.
enum Effect {
    None,
    /// Perhaps there is something to do.
    Work,
    /// What rounds rest on may be another.
    Foundation,
}

fn effect(command: Command) -> Effect {
    match command {
        Command::Explain
        | Command::History
        | Command::Plan
        | Command::Search
        | Command::Status
        | Command::Verify => Effect::None,
        Command::Approve
        | Command::Conflicts
        | Command::Outbox
        | Command::Outgoing
        | Command::People
        | Command::Record
        | Command::Regarding
        | Command::Sync
        | Command::Track
        | Command::Undo
        | Command::Untrack => Effect::Work,
        Command::Filter | Command::Instance | Command::Offline | Command::Online | Command::Org => {
            Effect::Foundation
        }
    }
}

fn told(progress: sync::Progress) -> Progress {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let (doing, done, of) = match progress {
        sync::Progress::Listing { .. } => (Doing::Listing, 0, 0),
        sync::Progress::Reading { side, done, of, .. } => {
            let from_crm = side == crate::model::Side::Crm;
            (if from_crm { Doing::ReadingCrm } else { Doing::ReadingMailbox }, done, of)
        }
        sync::Progress::Writing { done, of, .. } => (Doing::Writing, done, of),
        sync::Progress::Done { .. } => (Doing::Done, 1, 1),
    };
    Progress { class: wired(progress.class()), doing, done: count(done), of: count(of) }
}

fn failed(kind: Trouble, message: &str, exit: u8) -> Failed {
    Failed { kind, message: message.to_owned(), hint: None, exit }
}
