//! The Secret Service over D-Bus. Its library blocks, may not run inside of the runtime, and waits for as long as a person lets a
//! question stand: so it has a thread of its own, which nobody waits for without a limit, not even the end of the process. A person
//! who closed the window that asks for the keyring's password is not asked again by the same process.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use keyring_core::api::CredentialStoreApi;
use tokio::sync::oneshot;
use zbus::blocking::{Connection, Proxy};
use zbus_secret_service_keyring_store::Store;

use super::{Entry, Keyring, Vault};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// How long anybody waits for a secret. A person who is asked to unlock the keyring may take longer: the question stays, the work
/// goes on later.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How long for a secret to be kept: it may be the only one that is good, and the person who typed it may have to unlock the
/// keyring for it.
const KEEP_LIMIT: Duration = Duration::from_secs(45);

/// What all our entries are filed under.
const SERVICE: &str = "liaison";

#[async_trait]
impl Vault for Keyring {
    async fn get(&self, entry: &Entry) -> Result<Option<Secret>> {
        let found = ask(entry, Wish::Get).await?;
        Ok(found.map(Secret::new))
    }

    async fn put(&self, entry: &Entry, secret: &Secret) -> Result<()> {
        ask(entry, Wish::Put(secret.clone())).await.map(drop)
    }

    async fn remove(&self, entry: &Entry) -> Result<bool> {
        Ok(ask(entry, Wish::Remove).await?.is_some())
    }
}

enum Wish {
    Get,
    Put(Secret),
    Remove,
}

struct Question {
    entry: Entry,
    wish: Wish,
    answer: oneshot::Sender<Result<Option<String>>>,
}

/// The way to the thread, once there is one.
static THREAD: Mutex<Option<Sender<Question>>> = Mutex::new(None);

async fn ask(entry: &Entry, wish: Wish) -> Result<Option<String>> {
    let (answer, answered) = oneshot::channel();
    let limit = if matches!(wish, Wish::Put(_)) { KEEP_LIMIT } else { TIME_LIMIT };
    send(Question { entry: entry.clone(), wish, answer })?;
    match tokio::time::timeout(limit, answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(absent()),
        Err(_) => Err(Error::new(
            ErrorKind::Locked,
            format!("the keyring gave no answer in {} s", limit.as_secs()),
        )
        .hint("it may be asking you to unlock it: look for its window, or log in to the desktop")),
    }
}

fn send(question: Question) -> Result<()> {
    let mut thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    let question = match thread.as_ref() {
        Some(sender) => match sender.send(question) {
            Ok(()) => return Ok(()),
            Err(mpsc::SendError(question)) => question,
        },
        None => question,
    };
    let (sender, questions) = mpsc::channel();
    std::thread::Builder::new()
        .name("keyring".to_owned())
        .spawn(move || serve(&questions))
        .map_err(|error| absent().caused_by(error))?;
    sender.send(question).map_err(|_| absent())?;
    *thread = Some(sender);
    Ok(())
}

fn serve(questions: &Receiver<Question>) {
    let mut store: Option<Arc<Store>> = None;
    let mut was_refused = false;
    for Question { entry, wish, answer } in questions {
        // Whoever asked has stopped waiting, and will ask again.
        if answer.is_closed() {
            continue;
        }
        let given = if was_refused && is_locked() {
            Err(keyring_core::Error::NoStorageAccess("nobody unlocked it".into()))
        } else {
            had(&mut store, &entry, &wish)
        };
        was_refused = matches!(given, Err(keyring_core::Error::NoStorageAccess(_)));
        if answer.send(given.map_err(plainly)).is_err() {
            tracing::debug!("the keyring answered too late");
        }
    }
}

/// Carries a wish out, on a new connection where the old one broke: a keyring that was started anew knows nothing of us.
fn had(
    store: &mut Option<Arc<Store>>,
    entry: &Entry,
    wish: &Wish,
) -> keyring_core::Result<Option<String>> {
    loop {
        let was_connected = store.is_some();
        let given = connected(store).and_then(|store| carry_out(store, entry, wish));
        if !matches!(given, Err(keyring_core::Error::PlatformFailure(_))) {
            return given;
        }
        *store = None;
        if !was_connected {
            return given;
        }
    }
}

/// Whether the keyring that takes new secrets is locked. Asks nobody to unlock it; one that does not say is not.
/// <https://specifications.freedesktop.org/secret-service-spec/latest/org.freedesktop.Secret.Collection.html>
fn is_locked() -> bool {
    let ask = || -> zbus::Result<bool> {
        let bus = Connection::session()?;
        let place = "/org/freedesktop/secrets/aliases/default";
        let interface = "org.freedesktop.Secret.Collection";
        Proxy::new(&bus, "org.freedesktop.secrets", place, interface)?.get_property("Locked")
    };
    ask().unwrap_or(false)
}

fn connected(store: &mut Option<Arc<Store>>) -> keyring_core::Result<&Arc<Store>> {
    match store {
        Some(store) => Ok(store),
        None => Ok(store.insert(Store::new()?)),
    }
}

fn carry_out(
    store: &Arc<Store>,
    entry: &Entry,
    wish: &Wish,
) -> keyring_core::Result<Option<String>> {
    let label = [("label", entry.label())].into();
    let place = store.build(SERVICE, entry.name(), Some(&label))?;
    let done = match wish {
        Wish::Get => place.get_password().map(Some),
        Wish::Put(secret) => place.set_password(secret.expose()).map(|()| None),
        Wish::Remove => place.delete_credential().map(|()| Some(String::new())),
    };
    match done {
        Err(keyring_core::Error::NoEntry) => Ok(None),
        done => done,
    }
}

/// The library's errors may quote what was found.
fn plainly(error: keyring_core::Error) -> Error {
    match error {
        keyring_core::Error::NoStorageAccess(cause) => {
            Error::new(ErrorKind::Locked, "the keyring is locked")
                .hint("unlock it, by logging in to the desktop, say; it goes on by itself then")
                .caused_by(cause)
        }
        keyring_core::Error::PlatformFailure(cause) => absent().caused_by(cause),
        keyring_core::Error::Ambiguous(entries) => Error::new(
            ErrorKind::Local,
            format!("the keyring has {} entries where there can be one", entries.len()),
        )
        .hint("delete those of `liaison` in the keyring's window, then `liaison auth login`"),
        keyring_core::Error::BadEncoding(_) => {
            Error::new(ErrorKind::Local, "what the keyring holds is no text")
                .hint("store it again: `liaison auth login`")
        }
        _ => Error::new(ErrorKind::Local, "the keyring refused"),
    }
}

fn absent() -> Error {
    Error::new(ErrorKind::Locked, "there is no keyring here").hint(
        "a keyring needs a desktop session (gnome-keyring, KWallet, KeePassXC); without one, name a command that prints \
         the secret, or a systemd credential",
    )
}
