//! The two clients that `benches/mailbox/run.py` measures beside the peers: Liaison as a process that stays, told round by
//! round what to do, and the least that a first look can cost, written without any library for the protocol.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first surprise, and prints its figures"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use liaison::cli::open::Opened;
use liaison::cli::{Common, Installation};
use liaison::model::Class;
use rusqlite::{Connection, params};
use serde_json::json;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["engine", config, state] => engine(config.into(), state.into()),
        ["raw", port, user, password, database] => {
            let port = port.parse().expect("a port");
            raw(port, user, password, Path::new(database));
        }
        // `cargo bench` runs all benches, and this one is nothing without its servers.
        _ => println!("benches/mailbox/run.py runs this"),
    }
    ExitCode::SUCCESS
}

/// Opens the installation and does what each line of the standard input says. `sync CLASS[,CLASS] [COUNT]` runs rounds,
/// `deliver` waits for news of the mail and runs one.
fn engine(config: PathBuf, state: PathBuf) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let common = Common { config: Some(config), state: Some(state), json: true, verbose: 0 };
        let here = Installation::find(&common).expect("an installation");
        let (opened, _lock) = here.open(Arc::new(|_| ())).await.expect("an engine");
        println!("{}", json!({ "opened": true }));
        for line in std::io::stdin().lines() {
            let line = line.expect("a line");
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["sync", classes] => rounds(&opened, &named(classes), 1).await,
                ["sync", classes, count] => {
                    rounds(&opened, &named(classes), count.parse().expect("a count")).await;
                }
                ["deliver"] => deliver(&opened, &here).await,
                _ => panic!("{line}"),
            }
        }
    });
}

fn named(words: &str) -> Vec<Class> {
    let is_named = |class: &Class| words.split(',').any(|word| word == class.as_str());
    Class::ALL.into_iter().filter(is_named).collect()
}

async fn rounds(opened: &Opened, classes: &[Class], count: usize) {
    let engine = &opened.engine;
    let requests = || -> u64 {
        // One connector may serve two classes.
        let mut all: Vec<_> =
            classes.iter().filter_map(|class| engine.mailbox.get(class)).collect();
        all.dedup_by(|one, other| Arc::ptr_eq(one, other));
        all.into_iter().map(|connector| connector.requests()).sum()
    };
    let before = requests();
    let (mut seconds, mut report) = (0.0, None);
    for _ in 0..count {
        let round = engine.sync(classes, "bench").await.expect("a round");
        seconds += round.seconds;
        report = Some(round);
    }
    let report = report.expect("at least one round");
    let said = json!({
        "seconds": seconds,
        "requests": requests() - before,
        "operations": report.operations(),
        "report": report.to_json(),
    });
    println!("{said}");
}

/// How long a delivery may take to be noticed.
const DELIVERY: Duration = Duration::from_secs(30);

/// Says when it was woken, and when what it was woken for is in the CRM. As the program does, it waits again where a wait ended for
/// another reason, such as the keyword that was set on the last message.
async fn deliver(opened: &Opened, here: &Installation) {
    let engine = &opened.engine;
    let mailbox = engine.mailbox.get(&Class::Email).expect("a mailbox with mail");
    let noticed = async {
        loop {
            mailbox.wait(Class::Email).await.expect("news");
            let woken = here.clock.now();
            let report = engine.sync(&[Class::Email], "news").await.expect("a round");
            if report.operations() > 0 {
                return (woken, here.clock.now(), report.operations());
            }
        }
    };
    let (woken, done, operations) =
        tokio::time::timeout(DELIVERY, noticed).await.expect("a record in time");
    let seconds = |at: jiff::Timestamp| at.as_duration().as_secs_f64();
    println!(
        "{}",
        json!({ "woken": seconds(woken), "done": seconds(done), "operations": operations })
    );
}

/// What the connector asks for of each message.
const HEAD: &str = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Sender Reply-To Date Subject \
     Message-ID In-Reply-To References Thread-Index Thread-Topic Importance Priority X-Priority X-MSMail-Priority \
     Sensitivity MIME-Version Content-Type List-Id List-Post Auto-Submitted Precedence X-Auto-Response-Suppress)])";

/// Signs in, asks for everything at once, and inserts the answers into a table in one transaction, without looking at them.
fn raw(port: u16, user: &str, password: &str, database: &Path) {
    let db = Connection::open(database).expect("a database");
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE message (id TEXT NOT NULL PRIMARY KEY, flags BLOB, head BLOB) STRICT; BEGIN",
    )
    .expect("a table");
    let mut insert = db.prepare("INSERT INTO message VALUES (?1, ?2, ?3)").expect("a statement");

    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a server");
    stream.set_nodelay(true).expect("a socket");
    let mut server = BufReader::with_capacity(256 << 10, stream.try_clone().expect("a socket"));
    let mut line = Vec::new();
    let mut hear = |line: &mut Vec<u8>| {
        line.clear();
        server.read_until(b'\n', line).expect("an answer");
        assert!(!line.is_empty(), "the server hung up");
        let text = line.trim_ascii_end();
        let Some(open) =
            text.iter().rposition(|byte| *byte == b'{').filter(|_| text.ends_with(b"}"))
        else {
            return Vec::new();
        };
        let digits = text.get(open + 1..text.len() - 1).and_then(|text| str::from_utf8(text).ok());
        let length: usize = digits.and_then(|text| text.parse().ok()).expect("a length");
        let mut literal = vec![0; length];
        server.read_exact(&mut literal).expect("a literal");
        let mut rest = Vec::new();
        server.read_until(b'\n', &mut rest).expect("an end");
        literal
    };
    hear(&mut line);
    write!(&stream, "1 LOGIN {user} {password}\r\n2 LIST \"\" *\r\n").expect("a command");
    let mut folders: Vec<String> = Vec::new();
    while !line.starts_with(b"2 ") {
        hear(&mut line);
        let text = String::from_utf8_lossy(&line);
        if text.starts_with("* LIST") {
            folders.extend(text.trim_end().rsplit_once("\"/\" ").map(|(_, name)| name.to_owned()));
        }
    }
    let commands: Vec<String> = folders
        .iter()
        .map(|folder| format!("3 EXAMINE {folder}\r\n4 UID FETCH 1:* {HEAD}\r\n"))
        .collect();
    (&stream).write_all(commands.concat().as_bytes()).expect("commands");
    let mut messages = 0;
    for folder in &folders {
        loop {
            let header = hear(&mut line);
            if line.starts_with(b"4 ") {
                break;
            }
            if !header.is_empty() {
                let flags = line.split(|byte| *byte == b'[').next();
                let uid = String::from_utf8_lossy(&line);
                let uid = uid.split("UID ").nth(1).and_then(|rest| rest.split(' ').next());
                let id = format!("{folder}/{}", uid.expect("a UID"));
                insert.execute(params![id, flags, header]).expect("a row");
                messages += 1;
            }
        }
    }
    db.execute_batch("COMMIT").expect("a commit");
    println!("{}", json!({ "messages": messages }));
}
