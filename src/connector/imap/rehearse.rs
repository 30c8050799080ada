//! A session with whoever is on the other end of a wire: all that is ever asked of a server, one after the other, with nothing
//! kept. It is how a server's answers are tried without a server. It must not know what is right.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::session::Session;
use super::sign_in::{sign_in, welcome};
use super::{Options, fetch, folder, look, read, search};
use crate::connector::net::Stream;
use crate::connector::{Cursor, Result};
use crate::model::{Completeness, ItemId, Uid};

/// The largest message that is read here, in bytes.
const LIMIT: u64 = 1 << 16;

/// What came of one step.
#[derive(Debug)]
pub struct Step {
    pub name: &'static str,
    /// The tag of its command, where it is one command.
    pub tag: Option<String>,
    /// What was understood, in a few words.
    pub outcome: Result<String>,
}

impl Step {
    fn of(name: &'static str, outcome: Result<String>) -> Self {
        Self { name, tag: None, outcome }
    }
}

/// Goes through greeting and sign-in, a command without data, the folders, one folder, its messages, what is new since `since`,
/// a search for `uid`, and reading `message`. It ends with the connection.
pub async fn rehearse(
    options: &Options,
    wire: Stream,
    since: &Cursor,
    (message, uid): (&ItemId, &Uid),
) -> Vec<Step> {
    let greeted = async {
        let greeted = welcome(options, wire).await?;
        sign_in(options, greeted, &Arc::default()).await
    };
    let mut session = match greeted.await {
        Ok(session) => session,
        Err(error) => return vec![Step::of("greet", Err(error))],
    };
    let mut steps = vec![Step::of("greet", Ok(String::new()))];
    let mut at = 0;
    while session.is_alive() {
        at += 1;
        let step = match at {
            1 => nothing(&mut session).await,
            2 => Step::of("folders", folders(&mut session, options, since).await),
            3 => Step::of("open", open(&mut session).await),
            4 => Step::of("messages", messages(&mut session).await),
            5 => Step::of("news", news(&mut session, options, since).await),
            6 => {
                let found = search::everywhere(&mut session, options, std::slice::from_ref(uid));
                Step::of("search", found.await.map(|found| format!("{} found", found.len())))
            }
            7 => {
                let ids = std::slice::from_ref(message);
                let read = read::read(&mut session, ids, LIMIT).await;
                Step::of("read", read.map(|read| format!("{} read", read.len())))
            }
            _ => break,
        };
        steps.push(step);
    }
    steps
}

async fn nothing(session: &mut Session) -> Step {
    match session.send("NOOP").await {
        Ok(tag) => {
            let done = session.finish(&tag, "do nothing", |_| {}).await;
            let outcome = done.map(|done| done.broken.unwrap_or_default().to_owned());
            Step { name: "nothing", tag: Some(tag.to_string()), outcome }
        }
        Err(error) => Step::of("nothing", Err(error)),
    }
}

async fn folders(session: &mut Session, options: &Options, since: &Cursor) -> Result<String> {
    let tree = folder::list(session, options, since.keys()).await?;
    Ok(format!("{} folders, doubt: {:?}", tree.folders.len(), tree.doubt))
}

async fn open(session: &mut Session) -> Result<String> {
    let folder = session.open("INBOX", false).await?;
    Ok(format!("{} messages of {}", folder.exists, folder.uid_validity))
}

async fn messages(session: &mut Session) -> Result<String> {
    let mut uids = BTreeSet::new();
    let asked = (vec!["1:9".to_owned(), "10:*".to_owned()], 2);
    let ended = fetch::many(session, asked, "(UID FLAGS)", |message| {
        uids.insert(message.uid);
    });
    let ended = ended.await?;
    match ended.refused {
        Some(refused) => Err(refused),
        None => Ok(format!("{} messages, broken: {:?}", uids.len(), ended.broken)),
    }
}

async fn news(session: &mut Session, options: &Options, since: &Cursor) -> Result<String> {
    let news = look::news(session, options, look::Before::Seen(since)).await?;
    let is_complete = news.completeness == Completeness::Complete;
    Ok(format!("{} parts, complete: {is_complete}", news.parts.len()))
}
