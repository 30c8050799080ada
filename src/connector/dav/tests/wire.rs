//! A server whose connections break at any byte, fall silent, or refuse at any step: a listing is right or there is none.

use std::sync::{Arc, Mutex};

use axum::body::to_bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::connector::tls::Fingerprint;

/// How the end of an answer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
    /// By the end of the connection, as with servers of the last century.
    Close,
}

/// What is left of a conversation after so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Cut,
    Silence,
}

/// Instead of the answer to the request with this number.
#[derive(Debug, Clone)]
enum Twist {
    Status(u16),
    /// A good answer, in which what is asked about has an error of its own.
    Inner(u16),
    Elsewhere(String),
    /// As it is, without end.
    Raw(String),
}

#[derive(Debug)]
struct Course {
    framing: Framing,
    after: After,
    room: usize,
    twist: Option<(usize, Twist)>,
    said: usize,
    requests: usize,
    stored: Vec<String>,
}

/// A server with one calendar, `/c/`, found by way of `/`, `/me/` and `/home/`. In it are `a.ics` and `b.ics`; since the token `t1`
/// the former was changed and `old.ics` is gone.
#[derive(Debug, Clone)]
struct Wire {
    url: String,
    course: Arc<Mutex<Course>>,
}

impl Wire {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let course = Course {
            framing: Framing::Length,
            after: After::Cut,
            room: usize::MAX,
            twist: None,
            said: 0,
            requests: 0,
            stored: Vec::new(),
        };
        let wire = Self { url, course: Arc::new(Mutex::new(course)) };
        let serving = wire.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let serving = serving.clone();
                tokio::spawn(async move { serving.talk(stream).await });
            }
        });
        wire
    }

    /// From now on.
    fn set(&self, framing: Framing, after: After, room: usize, twist: Option<(usize, Twist)>) {
        let mut course = self.course.lock().unwrap();
        *course = Course { framing, after, room, twist, said: 0, requests: 0, stored: Vec::new() };
    }

    fn said(&self) -> usize {
        self.course.lock().unwrap().said
    }

    fn requests(&self) -> usize {
        self.course.lock().unwrap().requests
    }

    fn has_stored(&self) -> bool {
        !self.course.lock().unwrap().stored.is_empty()
    }

    fn dav(&self, path: &str) -> Dav {
        let mut options = Options::new(format!("{}{path}", self.url), [Class::Appointment]);
        options.account = Some(password());
        // No certificate is ever seen here, and the platform's take their time to load.
        options.trust = Trust::Pin(Fingerprint::parse(&"00".repeat(32)).unwrap());
        options.limits = Limits {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(5),
            answer: 1 << 20,
        };
        connect_with(options).0
    }

    async fn talk(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                    return;
                }
                head.push_str(&line);
                let line = line.trim_end().to_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
            let body = String::from_utf8(body).unwrap();
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let bytes = self.answer(method, path, &head, &body).await;
            let (sent, after, framing) = {
                let mut course = self.course.lock().unwrap();
                let sent = bytes.len().min(course.room);
                course.room -= sent;
                course.said += sent;
                (sent, course.after, course.framing)
            };
            if stream.write_all(&bytes[..sent]).await.is_err() {
                return;
            }
            if sent < bytes.len() && after == After::Silence {
                drop(stream.read_to_string(&mut head).await);
            }
            if sent < bytes.len() || framing == Framing::Close {
                return;
            }
        }
    }

    async fn answer(&self, method: &str, path: &str, head: &str, body: &str) -> Vec<u8> {
        let (framing, twist) = {
            let mut course = self.course.lock().unwrap();
            let number = course.requests;
            course.requests += 1;
            (course.framing, course.twist.clone().filter(|(at, _)| *at == number))
        };
        let inner = |code: u16| format!("<status>HTTP/1.1 {code} Oops</status>");
        let answer = match twist {
            Some((_, Twist::Raw(text))) => return text.into_bytes(),
            Some((_, Twist::Status(code))) => status(code),
            Some((_, Twist::Elsewhere(to))) => answer_with(302, &[("location", to.as_str())], ""),
            Some((_, Twist::Inner(code))) => inside(method, path, body, &inner(code)),
            None => self.good(method, path, head, body),
        };
        framed(answer, framing).await
    }

    fn good(&self, method: &str, path: &str, head: &str, body: &str) -> Response<Body> {
        match (method, path) {
            ("OPTIONS", _) => plain(),
            ("PUT", _) => {
                self.course.lock().unwrap().stored.push(path.to_owned());
                status(201)
            }
            ("GET", "/c/new.ics") if !self.has_stored() => status(404),
            ("GET", _) => answer_with(200, &[("etag", "\"1\"")], EVENT),
            ("PROPFIND", "/") => multistatus(&found(
                "/",
                "<current-user-principal><href>/me/</href></current-user-principal>",
            )),
            ("PROPFIND", "/me/") => multistatus(&found(
                "/me/",
                "<C:calendar-home-set><href>/home/</href></C:calendar-home-set>",
            )),
            ("PROPFIND", "/home/") => {
                multistatus(&(found("/home/", COLLECTION) + &calendar("/c/")))
            }
            ("PROPFIND", "/c/") if head.to_lowercase().contains("depth: 0") => described("all"),
            ("PROPFIND", "/c/") => {
                multistatus(&(calendar("/c/") + &event("a.ics", "2") + &event("b.ics", "1")))
            }
            ("REPORT", "/other/") => multistatus(&token("t1")),
            ("REPORT", "/c/") if body.contains("multiget") => {
                let is_new = self.has_stored();
                let all = ["a.ics", "b.ics", "new.ics"];
                let asked = all.iter().filter(|name| body.contains(**name));
                let one = |name: &&str| match (*name as &str, is_new) {
                    ("new.ics", false) => gone(name),
                    _ => data(name, "1", EVENT),
                };
                multistatus(&asked.map(one).collect::<String>())
            }
            ("REPORT", "/c/") if body.contains("t1") => {
                multistatus(&(event("a.ics", "2") + &gone("old.ics") + &token("t2")))
            }
            ("REPORT", "/c/") => {
                multistatus(&(event("a.ics", "2") + &event("b.ics", "1") + &token("t2")))
            }
            _ => status(404),
        }
    }
}

const COLLECTION: &str = "<resourcetype><collection/></resourcetype>";

fn calendar(path: &str) -> String {
    found(path, "<resourcetype><collection/><C:calendar/></resourcetype>")
}

/// A whole answer in which the one thing that matters has an error instead.
fn inside(method: &str, path: &str, body: &str, error: &str) -> Response<Body> {
    let wrong = |href: &str| format!("<response><href>{href}</href>{error}</response>");
    match (method, path) {
        ("PROPFIND", "/home/") => {
            multistatus(&(found("/home/", COLLECTION) + &wrong("/c/") + &calendar("/other/")))
        }
        ("REPORT", _) if body.contains("multiget") => {
            multistatus(&(wrong("/c/a.ics") + &wrong("/c/b.ics") + &wrong("/c/new.ics")))
        }
        ("REPORT", _) => multistatus(&(wrong("/c/a.ics") + &event("b.ics", "1") + &token("t9"))),
        _ => multistatus(&wrong(path)),
    }
}

async fn framed(answer: Response<Body>, framing: Framing) -> Vec<u8> {
    let (parts, body) = answer.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let mut head = format!("HTTP/1.1 {}\r\n", parts.status);
    for (name, value) in &parts.headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let mut bytes = Vec::new();
    match framing {
        Framing::Length => {
            bytes.extend(format!("{head}content-length: {}\r\n\r\n", body.len()).bytes());
            bytes.extend(&body);
        }
        Framing::Chunked => {
            bytes.extend(format!("{head}transfer-encoding: chunked\r\n\r\n").bytes());
            for chunk in body.chunks(50) {
                bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(b"0\r\n\r\n");
        }
        Framing::Close => {
            bytes.extend(format!("{head}connection: close\r\n\r\n").bytes());
            bytes.extend(&body);
        }
    }
    bytes
}

/// What is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// From nothing: discovery, then the first listing.
    First,
    /// The same, later.
    Again,
    /// By a sync report, with what it needs to know.
    Since,
    Reading,
    Creating,
}

const ALL: [Doing; 5] = [Doing::First, Doing::Again, Doing::Since, Doing::Reading, Doing::Creating];

/// Does it, and checks that what comes of it is right or an error. Whether it is right.
async fn attempt(wire: &Wire, doing: Doing, cursor: &Cursor, what: &str) -> bool {
    let expected = BTreeMap::from([("a.ics", "\"2\""), ("b.ics", "\"1\"")])
        .into_iter()
        .map(|(id, version)| (ItemId::new(id), Version::new(version)))
        .collect::<BTreeMap<_, _>>();
    let is_asked = matches!(doing, Doing::First | Doing::Again);
    let dav = wire.dav(if is_asked { "/" } else { "/c/" });
    match doing {
        Doing::First | Doing::Again | Doing::Since => {
            let since = if doing == Doing::First { &Cursor::new() } else { cursor };
            let Ok(news) = dav.news(Class::Appointment, since).await else { return false };
            if news.completeness != Completeness::Complete {
                assert!(news.cursor.is_empty(), "{what}: {news:?}");
                let subset = |entries: &BTreeMap<ItemId, Version>| {
                    entries.iter().all(|(id, version)| expected.get(id) == Some(version))
                };
                assert!(
                    news.parts.values().all(|part| match part {
                        Part::Whole(entries) => subset(entries),
                        Part::Changes { changed, gone } => subset(changed) && gone.is_empty(),
                    }),
                    "{what}: {news:?}"
                );
                return false;
            }
            match &news.parts[""] {
                Part::Whole(entries) => assert_eq!(*entries, expected, "{what}"),
                Part::Changes { changed, gone } => {
                    assert_ne!(doing, Doing::First, "{what}");
                    assert_eq!(
                        changed.keys().cloned().collect::<Vec<_>>(),
                        ids(&["a.ics"]),
                        "{what}"
                    );
                    assert_eq!(
                        gone.iter().cloned().collect::<Vec<_>>(),
                        ids(&["old.ics"]),
                        "{what}"
                    );
                }
            }
            true
        }
        Doing::Reading => read(&dav, what).await,
        Doing::Creating => {
            let written = dav.write(Class::Appointment, vec![create("new.ics", EVENT)]).await;
            told(wire, written, what);
            wire.has_stored()
        }
    }
}

/// Whether all was read.
async fn read(dav: &Dav, what: &str) -> bool {
    let read = dav.read(Class::Appointment, &ids(&["a.ics", "b.ics"])).await;
    let Ok(read) = read else { return false };
    assert_eq!(read.len(), 2, "{what}");
    for found in read.values() {
        match found {
            Ok(document) => assert_eq!(document.body, Text::Bytes(EVENT.into()), "{what}"),
            Err(error) => assert_ne!(error.kind, ErrorKind::Missing, "{what}"),
        }
    }
    read.values().all(Result::is_ok)
}

fn told(wire: &Wire, written: Result<Vec<Result<Written>>>, what: &str) {
    match written.map(|mut written| written.remove(0)) {
        Ok(Ok(_)) => assert!(wire.has_stored(), "{what}"),
        Ok(Err(error)) | Err(error) if wire.has_stored() => {
            assert!(error.kind.leaves_open(), "{what}: it may be there: {error:?}");
        }
        Ok(Err(error)) => {
            let wrong = [ErrorKind::Missing, ErrorKind::Stale, ErrorKind::Exists];
            assert!(!wrong.contains(&error.kind), "{what}: {error:?}");
        }
        Err(_) => {}
    }
}

/// A cursor of the collection, as an earlier look left it.
async fn earlier(wire: &Wire) -> Cursor {
    let news = wire.dav("/c/").news(Class::Appointment, &Cursor::new()).await.unwrap();
    let token = news.cursor[""].replace("t2", "t1");
    Cursor::from([(String::new(), token)])
}

#[tokio::test]
async fn a_connection_cut_at_any_byte_makes_nothing_seem_so() {
    let wire = Wire::start().await;
    let cursor = earlier(&wire).await;
    for framing in [Framing::Length, Framing::Chunked, Framing::Close] {
        for doing in [Doing::First, Doing::Since, Doing::Reading, Doing::Creating] {
            wire.set(framing, After::Cut, usize::MAX, None);
            assert!(attempt(&wire, doing, &cursor, "whole").await, "{framing:?} {doing:?}");
            let all = wire.said();
            let mut whole = 0;
            // Every byte once; the other framings are about where an answer ends.
            let step = if framing == Framing::Length || all < 1500 { 1 } else { 7 };
            for room in (0..all).step_by(step) {
                wire.set(framing, After::Cut, room, None);
                let what = format!("{framing:?} {doing:?} cut at {room} of {all}");
                let trying = attempt(&wire, doing, &cursor, &what);
                let is_right = tokio::time::timeout(Duration::from_secs(20), trying).await;
                whole +=
                    usize::from(is_right.expect("it takes for ever") && doing != Doing::Creating);
            }
            // The line end that closes the last chunk says nothing new.
            assert!(whole <= 2, "{framing:?} {doing:?}: {whole} were right though cut");
        }
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_in_the_middle_of_anything_is_given_up() {
    let wire = Wire::start().await;
    let cursor = earlier(&wire).await;
    for doing in ALL {
        wire.set(Framing::Length, After::Cut, usize::MAX, None);
        assert!(attempt(&wire, doing, &cursor, "whole").await);
        let all = wire.said();
        let silences = (0..all).step_by(97).map(|room| {
            let doing = async move {
                // Each has a server of its own, since all of them wait at once.
                let wire = Wire::start().await;
                let cursor = earlier(&wire).await;
                wire.set(Framing::Length, After::Silence, room, None);
                let what = format!("{doing:?} silent after {room} of {all}");
                attempt(&wire, doing, &cursor, &what).await
            };
            tokio::time::timeout(Duration::from_secs(30), doing)
        });
        for ended in futures_util::future::join_all(silences).await {
            let is_right = ended.expect("it takes for ever");
            assert!(!is_right || doing == Doing::Creating);
        }
    }
}

#[tokio::test]
async fn a_refusal_at_any_step_makes_nothing_seem_so() {
    let elsewhere = Scripted::start(vec![]).await;
    let wire = Wire::start().await;
    let cursor = earlier(&wire).await;
    let mut twists: Vec<Twist> =
        [400, 403, 404, 405, 409, 410, 412, 423, 500, 501, 502, 504, 507].map(Twist::Status).into();
    twists.extend([403, 404, 423, 500, 503, 507].map(Twist::Inner));
    // Signed in over plain HTTP on this machine: what lies elsewhere is not even on the same server.
    twists.push(Twist::Elsewhere("https://127.0.0.1:1/c/".to_owned()));
    twists.push(Twist::Elsewhere("//evil.example.org/c/".to_owned()));
    for doing in ALL {
        wire.set(Framing::Length, After::Cut, usize::MAX, None);
        assert!(attempt(&wire, doing, &cursor, "whole").await);
        let steps = wire.requests();
        for at in 0..steps {
            for twist in &twists {
                let what = format!("{doing:?} {twist:?} at step {at} of {steps}");
                wire.set(Framing::Length, After::Cut, usize::MAX, Some((at, twist.clone())));
                // That an item is gone is believed where it is said of itself, and that a calendar is not for us, too: as long
                // as nothing is known of it.
                let is_word = match (doing, twist) {
                    (Doing::First, Twist::Inner(403 | 404)) => true,
                    (Doing::Again | Doing::Since, Twist::Inner(404)) => at + 1 == steps,
                    (Doing::Reading, Twist::Inner(404)) => true,
                    // The word for a name that is taken.
                    (Doing::Creating, Twist::Status(412)) => at == 3,
                    (Doing::Creating, Twist::Inner(404)) => at == 4,
                    _ => false,
                };
                if is_word {
                    continue;
                }
                attempt(&wire, doing, &cursor, &what).await;
            }
        }
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

#[tokio::test]
async fn heads_without_end_are_given_up() {
    let wire = Wire::start().await;
    let cursor = earlier(&wire).await;
    let lines: String = (0..200_000).map(|line| format!("x-{line}: y\r\n")).collect();
    let long = format!("HTTP/1.1 207 x\r\nx: {}", "y".repeat(8 << 20));
    let informed = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000);
    let many = format!("HTTP/1.1 207 x\r\n{lines}");
    for hostile in [long, many, informed, "\r\n".repeat(1 << 20), "\0".repeat(1 << 20)] {
        for doing in ALL {
            let shown: String = hostile.chars().take(30).collect();
            wire.set(
                Framing::Length,
                After::Cut,
                usize::MAX,
                Some((0, Twist::Raw(hostile.clone()))),
            );
            let trying = attempt(&wire, doing, &cursor, &shown);
            tokio::time::timeout(Duration::from_secs(20), trying).await.expect("it takes for ever");
        }
    }
}
