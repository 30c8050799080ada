//! Puts the parts together: one task that waits for the service, the user and the desktop, and lets each know of the others.

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use futures_util::StreamExt as _;
use ksni::{Handle, TrayMethods as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing_subscriber::filter::EnvFilter;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;
use zbus::{Connection, MessageStream};

use super::bubble::{Bubbles, NotificationsProxy};
use super::face::{Action, Face};
use super::item::Item;
use super::launch::{self, Advice};
use super::link::{self, Heard, Link, Wish};
use super::news::{News, Step, Told};
use super::place::{Named, Place};

/// Who has this name on the session bus is the tray of the session.
const NAME: &str = "liaison.Tray";

/// A bus that takes longer is none.
const BUS: Duration = Duration::from_secs(5);

/// Pauses between attempts to reach a panel that is there and does not answer.
const PANEL: [u64; 6] = [0, 1, 2, 4, 8, 16];

/// Clicks and news that wait; nobody makes more.
const WAITING: usize = 16;

/// Shows how the liaison service stands as an icon in the panel
///
/// Starts with the session; without a desktop it ends at once. Everything in its menu can be had from `liaison` too.
#[derive(Debug, Parser)]
#[command(name = "liaison-tray", version, after_help = "Example: liaison-tray --state ~/second")]
struct Arguments {
    #[command(flatten)]
    named: Named,
}

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // zbus warns of a name without objects: ours has none.
    let filter = EnvFilter::new("warn,zbus=error");
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_ansi(std::io::stderr().is_terminal()).init();
    let Some(place) = Place::find(arguments.named) else {
        tracing::error!("there is no home directory; name the service's socket with --socket");
        return ExitCode::FAILURE;
    };
    // One thread: it sleeps nearly always.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(place)),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(place: Place) -> anyhow::Result<()> {
    let Some(bus) = session().await else { return Ok(()) };
    match serve(&bus, place).await {
        // The session ended in the middle of something.
        Err(_) if is_over(&bus).await => Ok(()),
        other => other,
    }
}

/// Whether the session bus answers no more.
async fn is_over(bus: &Connection) -> bool {
    let asked = async { DBusProxy::new(bus).await?.get_id().await };
    !matches!(timeout(BUS, asked).await, Ok(Ok(_)))
}

async fn serve(bus: &Connection, place: Place) -> anyhow::Result<()> {
    let (chosen, mut choices) = mpsc::channel(WAITING);
    let (wishes, to_ask) = mpsc::channel(WAITING);
    let (heard, mut news) = mpsc::channel(WAITING);
    let (advice, mut advised) = mpsc::channel(WAITING);
    let item = show(Item { face: Face::of(&Link::Absent), chosen }).await?;
    let follow = tokio::spawn(link::follow(place.socket.clone(), to_ask, heard));
    let desktop = NotificationsProxy::new(bus).await?;
    let mut closed = desktop.receive_notification_closed().await?;
    let mut clicked = desktop.receive_action_invoked().await?;
    let mut owner = desktop.inner().receive_owner_changed().await?;
    let mut traffic = MessageStream::from(bus);
    let kept = Told::load(&place.told());
    let mut tray = Tray {
        news: News::after(kept.clone()),
        kept,
        bubbles: Bubbles::new(desktop),
        place,
        item,
        wishes,
        advice,
    };
    loop {
        let next = tray.news.next();
        tokio::select! {
            // A click closes what was clicked: the click comes first.
            biased;
            Some(heard) = news.recv() => tray.hear(heard).await,
            Some(action) = choices.recv() => {
                if action == Action::Quit {
                    break;
                }
                tray.act(action);
            }
            Some((summary, body)) = advised.recv() => tray.bubbles.refuse(&summary, &body).await,
            Some(signal) = clicked.next() => {
                let id = signal.args().ok().map(|clicked| clicked.id);
                if let Some(action) = id.and_then(|id| tray.bubbles.clicked(id)) {
                    tray.act(action);
                }
            }
            Some(signal) = closed.next() => {
                if let Ok(closed) = signal.args() {
                    tray.bubbles.closed(closed.id);
                }
            }
            Some(_) = owner.next() => tray.bubbles.forget(),
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                let due = tray.news.due(Instant::now());
                tray.tell(due).await;
            }
            // The session is over.
            message = traffic.next() => if !matches!(message, Some(Ok(_))) { break },
        }
    }
    follow.abort();
    tray.item.shutdown().await;
    Ok(())
}

/// The session bus with our name on it; nothing if there is none, or another tray has the name.
async fn session() -> Option<Connection> {
    let bus = Builder::session().and_then(|bus| bus.name(NAME)).ok()?;
    timeout(BUS, bus.replace_existing_names(false).build()).await.ok()?.ok()
}

/// Puts it into the panel, or makes it wait for one.
async fn show(item: Item) -> anyhow::Result<Handle<Item>> {
    let mut refused = None;
    for pause in PANEL {
        sleep(Duration::from_secs(pause)).await;
        let item = Item { face: item.face.clone(), chosen: item.chosen.clone() };
        match item.assume_sni_available(true).spawn().await {
            Ok(handle) => return Ok(handle),
            Err(error) => refused = Some(error),
        }
    }
    let why = refused.map_or_else(String::new, |error| error.to_string());
    anyhow::bail!("the panel takes no icon: {why}")
}

/// What the loop works on.
struct Tray {
    place: Place,
    item: Handle<Item>,
    news: News,
    /// What another tray will know.
    kept: Option<Told>,
    bubbles: Bubbles,
    wishes: mpsc::Sender<Wish>,
    /// For what fails later.
    advice: mpsc::Sender<Advice>,
}

impl Tray {
    async fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Link(link) => {
                let face = Face::of(&link);
                self.item.update(|item| item.face = face).await;
                if let Link::Up(status) = link {
                    let steps = self.news.hear(&status, Instant::now());
                    self.tell(steps).await;
                }
            }
            Heard::Refused(wish, why) => self.bubbles.refuse(refusal(wish), &why).await,
        }
    }

    /// Kept first: who is killed in between tells it not at all rather than twice, and the icon shows it all the same.
    async fn tell(&mut self, steps: Vec<Step>) {
        self.remember();
        for step in steps {
            match step {
                Step::Tell(topic, count) => self.bubbles.tell(topic, count).await,
                Step::Withdraw(topic) => self.bubbles.withdraw(topic).await,
            }
        }
    }

    /// Keeps what the user knows, when it has changed.
    fn remember(&mut self) {
        let told = self.news.told();
        if let Some(told) = told.filter(|told| self.kept.as_ref() != Some(told)) {
            if let Err(error) = told.save(&self.place.told()) {
                tracing::warn!(%error, "what was told cannot be kept: another tray tells it again");
            }
            self.kept = Some(told.clone());
        }
    }

    /// Does what was chosen; what takes long goes on by itself.
    fn act(&self, action: Action) {
        if let Action::Ask(wish) = action {
            if self.wishes.try_send(wish).is_err() {
                tracing::warn!("the service takes no more requests");
            }
        } else if let Some(arguments) = launch::command(action) {
            let (advice, flags) = (self.advice.clone(), self.place.flags.clone());
            tokio::spawn(async move {
                if let Err(failed) = launch::terminal(arguments, &flags).await {
                    advice.send(failed).await.ok();
                }
            });
        } else if action == Action::Start {
            let (advice, wishes) = (self.advice.clone(), self.wishes.clone());
            tokio::spawn(async move {
                match launch::service().await {
                    Ok(()) => wishes.send(Wish::Look).await.ok(),
                    Err(failed) => advice.send(failed).await.ok(),
                }
            });
        }
    }
}

fn refusal(wish: Wish) -> &'static str {
    match wish {
        Wish::Sync => "The sync did not run through",
        Wish::Offline => "You are not offline",
        Wish::Online => "You are not online",
        Wish::Pause => "Nothing was paused",
        Wish::Resume => "It could not be resumed",
        Wish::Look => "The service does not answer",
    }
}
