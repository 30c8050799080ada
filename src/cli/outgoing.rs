//! `liaison outgoing`: the mails that are on their way out, and the user's word on those of which nobody knows whether they left.

use serde_json::{Value as Json, json};

use super::output::{Answer, Page, count, short};
use super::{Exit, Installation, Stop, status};
use crate::model::Address;
use crate::store::outgoing::{self, Mail, MailId, State};

/// Show the mails on their way out, and say of those in doubt whether they were sent
///
/// When the answer of the server was lost, or the program ended while it was sending, nobody knows whether a mail left. Every
/// sync looks for it in the mailbox. It is never sent again without your word.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison outgoing           what is on its way, and what is in doubt\n  liaison outgoing sent 7    it arrived: file it and tell the CRM\n  liaison outgoing again 7   it did not: send it"
)]
pub struct Outgoing {
    #[command(subcommand)]
    word: Option<Word>,
}

/// The user's word on mails in doubt.
#[derive(Debug, clap::Subcommand)]
enum Word {
    /// They were sent: file a copy and tell the CRM
    Sent {
        /// Numbers of mails
        #[arg(required = true, value_name = "MAIL")]
        mails: Vec<i64>,
    },
    /// They were not: send them again
    Again {
        /// Numbers of mails
        #[arg(required = true, value_name = "MAIL")]
        mails: Vec<i64>,
    },
}

impl Outgoing {
    /// # Errors
    /// When the store is lost, or nobody asks about one of the mails.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        here.load()?;
        let store = here.store().await?;
        let open = store.read(outgoing::open).await?;
        let (mails, was_sent) = match self.word {
            None => return Ok(list(&open)),
            Some(Word::Sent { mails }) => (mails, true),
            Some(Word::Again { mails }) => (mails, false),
        };
        let wanted: Vec<&Mail> =
            mails.iter().map(|number| in_doubt(&open, *number)).collect::<Result<_, _>>()?;
        let (ids, now): (Vec<MailId>, _) =
            (wanted.iter().map(|mail| mail.id).collect(), here.clock.now());
        // All of them or none, and on the disk before it is acknowledged.
        store
            .promise(move |tx| {
                ids.iter().try_for_each(|id| outgoing::answer(tx, *id, was_sent, now))
            })
            .await?;
        Ok(answered(&wanted, was_sent))
    }
}

fn in_doubt(open: &[Mail], number: i64) -> Result<&Mail, Stop> {
    let is_in_doubt = |mail: &&Mail| mail.state == State::Unknown;
    open.iter().filter(is_in_doubt).find(|mail| mail.id.0 == number).ok_or_else(|| {
        let known: Vec<String> =
            open.iter().filter(is_in_doubt).map(|mail| mail.id.to_string()).collect();
        let hint = if known.is_empty() {
            "no mail is in doubt".to_owned()
        } else {
            format!("mails in doubt: {}", known.join(", "))
        };
        Stop::new(Exit::Failed, format!("mail {number} is not in doubt"), hint)
    })
}

fn list(open: &[Mail]) -> Answer {
    let mut page = Page::default();
    let json = json!({ "mails": open.iter().map(to_json).collect::<Vec<Json>>() });
    if open.is_empty() {
        page.line("no mail is on its way");
        return Answer::new(page, json);
    }
    for mail in open {
        page.gap();
        page.line(format!("mail {}: “{}”", mail.id, short(&mail.title, 100)));
        let to: Vec<&str> = mail.recipients.iter().map(Address::as_str).collect();
        page.line(format!("  to: {}", short(&to.join(", "), 200)));
        page.line(format!("  since: {}", status::moment(mail.since)));
        page.line(format!("  state: {}", sentence(mail)));
    }
    let doubtful = open.iter().filter(|mail| mail.state == State::Unknown).count();
    let answer = Answer::new(page, json);
    if doubtful == 0 {
        return answer.exit(Exit::Partly);
    }
    answer
        .note(
            "→ were they sent? ask who was to get them, then: `liaison outgoing sent MAIL…` or `liaison outgoing again MAIL…`",
        )
        .exit(Exit::Held)
}

fn sentence(mail: &Mail) -> String {
    let because = |text: &str| {
        if mail.reason.is_empty() { text.to_owned() } else { format!("{text}: {}", mail.reason) }
    };
    match mail.state {
        State::Ready if mail.attempts == 0 => "to be sent by the next sync".to_owned(),
        State::Ready => because(&format!("tried {}", count(mail.attempts as usize, "time"))),
        State::Sending => "being sent; if no sync is at work, the next one looks for it".to_owned(),
        State::Unknown => because("in doubt"),
        State::Sent if !mail.copied => {
            "sent; a copy is to be filed, and the CRM to be told".to_owned()
        }
        State::Sent => "sent; the CRM is to be told".to_owned(),
        State::Refused => because("not sent; the CRM is to be told"),
    }
}

fn answered(mails: &[&Mail], was_sent: bool) -> Answer {
    let mut page = Page::default();
    let what = if was_sent { "was sent" } else { "is sent again" };
    for mail in mails {
        page.line(format!("mail {} “{}” {what}", mail.id, short(&mail.title, 100)));
    }
    let ids: Vec<i64> = mails.iter().map(|mail| mail.id.0).collect();
    let json = json!({ "mails": ids, "answer": if was_sent { "sent" } else { "again" } });
    Answer::new(page, json).note("→ the next sync does the rest: `liaison sync`")
}

fn to_json(mail: &Mail) -> Json {
    let to: Vec<&str> = mail.recipients.iter().map(Address::as_str).collect();
    json!({
        "mail": mail.id.0,
        "record": mail.record.as_str(),
        "message_id": mail.uid.as_str(),
        "subject": mail.title,
        "to": to,
        "state": mail.state.as_str(),
        "reason": mail.reason,
        "attempts": mail.attempts,
        "due": mail.due.to_string(),
        "since": mail.since.to_string(),
    })
}
