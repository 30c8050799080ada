//! Who shows notifications in a test: writes down each, and shows none.

#![allow(
    clippy::disallowed_types,
    clippy::used_underscore_binding,
    reason = "what the macro of zbus makes of an interface"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use zbus::object_server::SignalEmitter;
use zbus::zvariant::OwnedValue;

use super::program::Session;

/// What was to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub id: u32,
    pub replaces: u32,
    pub summary: String,
    pub body: String,
    pub actions: Vec<String>,
    /// Bytes of its picture.
    pub picture: usize,
}

#[derive(Debug, Clone, Default)]
struct Screen {
    shown: Arc<Mutex<Vec<Shown>>>,
    closed: Arc<Mutex<Vec<u32>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Screen {
    #[allow(
        clippy::too_many_arguments,
        clippy::needless_pass_by_value,
        reason = "the interface is given"
    )]
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        _app_icon: &str,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: BTreeMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        assert_eq!(app_name, "Liaison");
        let mut shown = self.shown.lock().unwrap();
        let count = u32::try_from(shown.len()).unwrap();
        let id = if replaces_id == 0 { 100 + count } else { replaces_id };
        let picture: (i32, i32, i32, bool, i32, i32, Vec<u8>) =
            hints["image-data"].try_clone().unwrap().try_into().unwrap();
        let picture = picture.6.len();
        shown.push(Shown { id, replaces: replaces_id, summary, body, actions, picture });
        id
    }

    async fn close_notification(
        &self,
        id: u32,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<()> {
        self.closed.lock().unwrap().push(id);
        Ok(Self::notification_closed(&emitter, id, 3).await?)
    }

    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn action_invoked(
        emitter: &SignalEmitter<'_>,
        id: u32,
        action_key: &str,
    ) -> zbus::Result<()>;
}

/// The notifications of a session.
pub struct Notifications {
    screen: Screen,
    connection: zbus::Connection,
}

const PATH: &str = "/org/freedesktop/Notifications";

impl Notifications {
    pub async fn of(session: &Session) -> Self {
        let screen = Screen::default();
        let address = session.bus.address.as_str();
        let builder = zbus::connection::Builder::address(address).unwrap();
        let builder = builder.serve_at(PATH, screen.clone()).unwrap();
        let builder = builder.name("org.freedesktop.Notifications").unwrap();
        Self { screen, connection: builder.build().await.unwrap() }
    }

    pub fn shown(&self) -> Vec<Shown> {
        self.screen.shown.lock().unwrap().clone()
    }

    pub fn closed(&self) -> Vec<u32> {
        self.screen.closed.lock().unwrap().clone()
    }

    /// Somebody clicks on one.
    pub async fn click(&self, id: u32) {
        let screen = self.connection.object_server().interface::<_, Screen>(PATH).await.unwrap();
        Screen::action_invoked(screen.signal_emitter(), id, "default").await.unwrap();
        Screen::notification_closed(screen.signal_emitter(), id, 2).await.unwrap();
    }
}
