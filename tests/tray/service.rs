//! A service that says what the test wants, and remembers what it was asked. It speaks the protocol, and nothing is behind it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use liaison::ipc::wire::{
    Answer, Call, Class, ClassStatus, Command, Done, Event, Failed, Need, NeedKind, Request,
    Response, Said, State, Status, Trouble,
};
use liaison::ipc::{VERSION, frame};
use serde_json::json;
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A service that runs; dropped, it is as killed: its socket stays.
pub struct Service {
    status: watch::Sender<Status>,
    asked: Arc<Mutex<Vec<Call>>>,
    refusal: Arc<Mutex<Option<Failed>>>,
    serving: JoinSet<()>,
}

impl Service {
    /// Listens at a socket.
    pub fn start(socket: &Path, status: Status) -> Self {
        std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
        std::fs::remove_file(socket).ok();
        let listener = UnixListener::bind(socket).unwrap();
        let (status, _) = watch::channel(status);
        let service = Self {
            status,
            asked: Arc::default(),
            refusal: Arc::default(),
            serving: JoinSet::new(),
        };
        service.listen(listener)
    }

    fn listen(mut self, listener: UnixListener) -> Self {
        let (status, asked) = (self.status.clone(), Arc::clone(&self.asked));
        let refusal = Arc::clone(&self.refusal);
        self.serving.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (status, asked) = (status.clone(), Arc::clone(&asked));
                clients.spawn(serve(stream, status, asked, Arc::clone(&refusal)));
            }
        });
        self
    }

    /// Things stand otherwise from now on.
    pub fn says(&self, status: Status) {
        self.status.send_replace(status);
    }

    /// What it was asked, but for what every tray asks at first.
    pub fn asked(&self) -> Vec<Call> {
        self.asked.lock().unwrap().clone()
    }

    /// Refuses whatever it is asked from now on.
    pub fn refuses(&self, message: &str) {
        *self.refusal.lock().unwrap() = Some(Failed {
            kind: Trouble::Command,
            message: message.to_owned(),
            hint: Some("try later".to_owned()),
            exit: 75,
        });
    }
}

async fn serve(
    stream: UnixStream,
    status: watch::Sender<Status>,
    asked: Arc<Mutex<Vec<Call>>>,
    refusal: Arc<Mutex<Option<Failed>>>,
) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = frame::Reader::new(BufReader::new(reader), frame::LINE_MAX);
    let mut events: Option<(u64, watch::Receiver<Status>)> = None;
    loop {
        let changed = async {
            match &mut events {
                Some((id, status)) => {
                    status.changed().await.unwrap();
                    let status = Box::new(status.borrow_and_update().clone());
                    Response { id: *id, said: Said::Event(Event::Status(status)) }
                }
                None => std::future::pending().await,
            }
        };
        let response = tokio::select! {
            response = changed => response,
            request = reader.next::<Request>() => {
                let Ok(Some(Request { id, call })) = request else { return };
                let said = match call {
                    Call::Hello { version, .. } => {
                        assert_eq!(version, VERSION);
                        let program = "scripted".to_owned();
                        Said::Done(Done::Welcome { version, program })
                    }
                    Call::Events => {
                        let mut receiver = status.subscribe();
                        receiver.mark_changed();
                        events = Some((id, receiver));
                        continue;
                    }
                    call => {
                        asked.lock().unwrap().push(call.clone());
                        let refused = refusal.lock().unwrap().clone();
                        refused.map_or_else(|| Said::Done(done(&call, &status)), Said::Failed)
                    }
                };
                Response { id, said }
            }
        };
        if frame::write(&mut writer, &response).await.is_err() {
            return;
        }
    }
}

/// Does what was asked, as far as its own words go.
fn done(call: &Call, status: &watch::Sender<Status>) -> Done {
    let offline = |offline| status.send_modify(|status| status.offline = offline);
    match call {
        Call::Pause { .. } => {
            status.send_modify(|status| status.paused = Some("until resume".to_owned()));
        }
        Call::Resume => status.send_modify(|status| status.paused = None),
        Call::Run { command: Command::Offline, .. } => offline(true),
        Call::Run { command: Command::Online, .. } => offline(false),
        _ => {}
    }
    if matches!(call, Call::Pause { .. } | Call::Resume) {
        return Done::Nothing;
    }
    let text = String::new();
    Done::Answer(Answer { text, json: json!({}), notes: Vec::new(), exit: 0 })
}

/// How things stand after a round, with so many of these waiting.
pub fn status(state: State, needs: &[(NeedKind, u64)]) -> Status {
    let need = |(kind, count): &(NeedKind, u64)| Need {
        kind: *kind,
        count: *count,
        text: format!("{count} wait: Anna's secret"),
        command: None,
    };
    let class = |class, linked| ClassStatus {
        class,
        state,
        sentence: "as it is".to_owned(),
        linked,
        last_round: Some("2026-11-22T09:00:10Z".to_owned()),
        next_round: None,
    };
    Status {
        version: 1,
        state,
        sentence: format!("it is {state:?}."),
        organisation: Some("contoso".to_owned()),
        mailbox: Some("anna@example.org".to_owned()),
        classes: vec![class(Class::Contact, 1600), class(Class::Email, 1)],
        needs: needs.iter().map(need).collect(),
        paused: None,
        offline: false,
        running_since: "2026-11-22T09:00:00Z".to_owned(),
    }
}
