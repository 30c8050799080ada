//! Notifications on the desktop (Desktop Notifications Specification 1.2 of freedesktop.org): one for each topic, which a later one
//! replaces, and which goes when there is nothing left. No content of mails, contacts or the like is in any.

use std::collections::BTreeMap;
use std::time::Duration;

use liaison::ipc::wire::{NeedKind, State};
use tokio::time::timeout;
use zbus::zvariant::{Structure, Value};

use super::face::Action;
use super::icon::Icon;
use super::item::escaped;
use super::news::Topic;

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications",
    gen_blocking = false
)]
pub(crate) trait Notifications {
    #[allow(clippy::too_many_arguments, reason = "the interface is given")]
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        app_icon: &str,
        summary: &str,
        body: &str,
        actions: &[&str],
        hints: BTreeMap<&str, Value<'_>>,
        expire_timeout: i32,
    ) -> zbus::Result<u32>;

    fn close_notification(&self, id: u32) -> zbus::Result<()>;

    #[zbus(signal)]
    fn notification_closed(&self, id: u32, reason: u32) -> zbus::Result<()>;

    #[zbus(signal)]
    fn action_invoked(&self, id: u32, action_key: &str) -> zbus::Result<()>;
}

/// A desktop that does not answer gets no more of our time.
const PATIENCE: Duration = Duration::from_secs(5);

/// The server decides how long one is shown.
const SERVERS_CHOICE: i32 = -1;

const PICTURE: u8 = 48;

/// What is on the screen.
#[derive(Debug)]
pub(crate) struct Bubbles {
    desktop: NotificationsProxy<'static>,
    shown: BTreeMap<Subject, u32>,
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    News(Topic),
    /// What the user asked for was not done.
    Refusal,
}

#[derive(Debug, Clone, Copy)]
struct Bubble<'a> {
    icon: Icon,
    summary: &'a str,
    body: &'a str,
    /// What a click on it is called, for servers that show it as a button.
    click: Option<&'a str>,
}

impl Bubbles {
    pub(crate) fn new(desktop: NotificationsProxy<'static>) -> Self {
        Self { desktop, shown: BTreeMap::new() }
    }

    /// Says how many of something wait.
    pub(crate) async fn tell(&mut self, topic: Topic, count: u64) {
        let (summary, body) = words(topic, count);
        let click = Some(if topic == Topic::SignIn { "Sign in" } else { "Review" });
        let icon = Icon::Is(match topic {
            Topic::SignIn => State::SignIn,
            Topic::Standby => State::Standby,
            Topic::Held | Topic::Doubt | Topic::Conflict => State::Held,
        });
        self.show(Subject::News(topic), Bubble { icon, summary: &summary, body, click }).await;
    }

    /// Says that what the user asked for was not done.
    pub(crate) async fn refuse(&mut self, summary: &str, body: &str) {
        let body = escaped(body);
        let bubble = Bubble { icon: Icon::Is(State::Error), summary, body: &body, click: None };
        self.show(Subject::Refusal, bubble).await;
    }

    /// Takes it from the screen.
    pub(crate) async fn withdraw(&mut self, topic: Topic) {
        if let Some(id) = self.shown.remove(&Subject::News(topic)) {
            let closed = timeout(PATIENCE, self.desktop.close_notification(id)).await;
            // It may have gone by itself.
            tracing::debug!(id, ?closed, "withdrawn");
        }
    }

    /// The user closed it, or its time was over.
    pub(crate) fn closed(&mut self, id: u32) {
        self.shown.retain(|_, shown| *shown != id);
    }

    /// Another program shows notifications now, and counts anew: a number of the old one may be somebody else's.
    pub(crate) fn forget(&mut self) {
        self.shown.clear();
    }

    /// What a click on it means.
    pub(crate) fn clicked(&self, id: u32) -> Option<Action> {
        let (subject, _) = self.shown.iter().find(|(_, shown)| **shown == id)?;
        let kind = match subject {
            Subject::News(Topic::SignIn) => NeedKind::SignIn,
            Subject::News(Topic::Standby) => NeedKind::Standby,
            Subject::News(Topic::Held) => NeedKind::Approve,
            Subject::News(Topic::Doubt) => NeedKind::Doubt,
            Subject::News(Topic::Conflict) => NeedKind::Conflict,
            Subject::Refusal => return None,
        };
        Some(Action::Review(kind))
    }

    async fn show(&mut self, subject: Subject, bubble: Bubble<'_>) {
        let replaces = self.shown.get(&subject).copied().unwrap_or_default();
        let actions: Vec<&str> = bubble.click.iter().flat_map(|click| ["default", click]).collect();
        let hints = BTreeMap::from([
            ("image-data", Value::from(picture(bubble.icon))),
            ("desktop-entry", Value::from("liaison-tray")),
        ]);
        let Bubble { summary, body, .. } = bubble;
        let notified = self.desktop.notify(
            "Liaison",
            replaces,
            "",
            summary,
            body,
            &actions,
            hints,
            SERVERS_CHOICE,
        );
        match timeout(PATIENCE, notified).await {
            Ok(Ok(id)) => drop(self.shown.insert(subject, id)),
            Ok(Err(error)) => tracing::debug!(%error, "nobody shows notifications"),
            Err(_) => tracing::debug!("who shows notifications does not answer"),
        }
    }
}

fn words(topic: Topic, count: u64) -> (String, &'static str) {
    let summary = match (topic, count) {
        (Topic::SignIn, _) => "Please sign in again".to_owned(),
        (Topic::Standby, _) => "Another computer has taken over".to_owned(),
        (Topic::Held, 1) => "1 change waits for your approval".to_owned(),
        (Topic::Held, count) => format!("{count} changes wait for your approval"),
        (Topic::Doubt, 1) => "1 mail may not have been sent".to_owned(),
        (Topic::Doubt, count) => format!("{count} mails may not have been sent"),
        (Topic::Conflict, 1) => "1 conflict waits for your decision".to_owned(),
        (Topic::Conflict, count) => format!("{count} conflicts wait for your decision"),
    };
    let body = match topic {
        Topic::SignIn => "Until then nothing is kept in step.",
        Topic::Standby => "This one stands by and writes nothing.",
        Topic::Held => "Nothing of it is written before.",
        Topic::Doubt => "They are not sent again by themselves.",
        Topic::Conflict => "Both sides were changed differently.",
    };
    (summary, body)
}

/// Width, height, bytes a row, whether there is alpha, bits a channel, channels, and rows of red, green, blue and alpha.
fn picture(icon: Icon) -> Structure<'static> {
    let mut pixels = icon.pixels(PICTURE);
    pixels.chunks_exact_mut(4).for_each(|pixel| pixel.rotate_left(1));
    let side = i32::from(PICTURE);
    Structure::from((side, side, side * 4, true, 8_i32, 4_i32, pixels))
}
