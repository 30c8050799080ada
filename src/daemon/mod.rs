//! The service: rounds whenever something happened, day after day, and a socket to ask it by. It decides *when*; what a round does
//! is `sync`'s, and what it needs is the [`House`]'s.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::clock::Clock;

/// What is known, and what it means.
pub mod facts;
/// Who may write when.
pub mod gate;
/// What all parts share.
mod hall;
/// What the service asks of the program around it.
pub mod house;
/// The network, and sleep.
mod network;
/// When the next round begins.
mod pace;
/// A changed configuration.
mod reload;
/// What rounds need, and that they go on.
mod rounds;
/// Who asks.
mod server;
/// One of those who ask.
mod session;
/// The service manager.
mod systemd;
/// Why a round begins.
mod trigger;
/// The rounds of one class.
mod worker;

pub use gate::Gate;
pub use house::House;

use hall::Hall;
use house::Stale;

/// What the service is started with.
#[derive(Debug)]
pub struct Options {
    /// Where others ask; its folder is made for the owner only.
    pub socket: PathBuf,
    pub clock: Clock,
    /// What rounds pass, and what a command closes.
    pub gate: Gate,
}

/// Runs until the system or the user ends it. The caller holds the lock of the state.
///
/// # Errors
/// When the socket cannot be opened.
pub async fn run(house: Arc<dyn House>, options: Options) -> std::io::Result<()> {
    let Options { socket, clock, gate } = options;
    let hall = Arc::new(Hall::new(house, clock, gate));
    let listener = server::Listener::bind(&socket)?;
    let end = Signal::listen()?;

    // Before anything is opened by it: what changes from here on is a change.
    let before = reload::text(hall.house.file()).await;
    let mut beside = JoinSet::new();
    beside.spawn(server::serve(Arc::clone(&hall), listener));
    beside.spawn(reload::watch(Arc::clone(&hall), before));
    beside.spawn(systemd::watchdog(Arc::clone(&hall)));
    beside.spawn(systemd::tell(Arc::clone(&hall)));
    let rounds = tokio::spawn(rounds::keep(Arc::clone(&hall)));
    systemd::ready();
    tracing::info!("ready");
    // Counting a large mailbox takes longer than all before; until then the service says that it is starting.
    hall.refresh(Stale::All).await;

    end.wait().await;
    tracing::info!("ending: what is being written is finished");
    systemd::stopping();
    hall.ending.cancel();
    // It has a time limit of its own.
    drop(rounds.await);
    beside.shutdown().await;
    tracing::info!("ended");
    Ok(())
}

/// What the system ends a process with.
struct Signal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signal {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
