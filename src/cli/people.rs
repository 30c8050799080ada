//! `liaison people`: addresses of which it is not known whose they are, and the user's choice. From the store alone: the next sync
//! carries a choice out.

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::output::{Answer, Page, count};
use super::{Exit, Installation, Stop};
use crate::model::Address;
use crate::model::record::{Candidate, PartyRef};
use crate::store::person::{self, Choice, Doubt, Kind};

/// List addresses that could be several people's, or choose whose they are
///
/// A message that names such an address is filed with nobody behind it. What you choose is used for every message from then on,
/// and for those that were filed before.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison people                                     those that wait\n  liaison people settle ann@x.example 'Ann Smith'    by name, if only one has it\n  liaison people settle ann@x.example contact/0b6c…  by record\n  liaison people settle info@x.example none          it is nobody's, for good"
)]
pub struct People {
    /// Also those that are settled
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    choice: Option<Settle>,
}

#[derive(Debug, Subcommand)]
enum Settle {
    /// Choose whose an address is, for all messages alike
    Settle {
        /// The address
        address: String,
        /// One of the records listed, by id or by name; or `none`
        who: String,
    },
}

impl People {
    /// # Errors
    /// When the store is lost, or there is nothing of this name to choose.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let settings = here.load()?.settings;
        let makes = settings.sync.email.filing.create_people.table().is_some();
        let store = here.store().await?;
        let doubts = store.read(person::all).await?;
        let Some(Settle::Settle { address, who }) = self.choice else {
            return Ok(list(&doubts, self.all, makes));
        };
        let (doubt, choice) = chosen(&doubts, &address, &who)?;
        let (of, stored) = (doubt.address.clone(), choice.clone());
        store.promise(move |tx| person::choose(tx, &of, &stored)).await?;
        Ok(settled(doubt, &choice))
    }
}

/// `makes`: whether records are made for people whom nobody knows.
fn list(doubts: &[Doubt], all: bool, makes: bool) -> Answer {
    let open = |doubt: &&Doubt| all || doubt.choice.is_none() || doubt.refused > 0;
    let mut page = Page::default();
    for doubt in doubts.iter().filter(open) {
        page.gap();
        page.append(&one(doubt));
    }
    if page.as_str().is_empty() {
        page.line(if all { "no address was ever in doubt" } else { "no address is in doubt" });
    }
    let json: Vec<Json> = doubts.iter().filter(open).map(to_json).collect();
    let answer = Answer::new(page, json!({ "people": json }));
    let waits =
        |kind| doubts.iter().filter(|doubt| doubt.kind == kind && doubt.choice.is_none()).count();
    let answer = match waits(Kind::Several) {
        0 => answer,
        _ => answer.note("→ choose: `liaison people settle ADDRESS RECORD|NAME|none`"),
    };
    match waits(Kind::New) {
        waiting if waiting == 0 || !makes => answer,
        _ => answer.note("→ let records be made for those whom nobody knows: `liaison approve`"),
    }
}

fn one(doubt: &Doubt) -> Page {
    let mut page = Page::default();
    let state = match (&doubt.choice, doubt.kind) {
        (Some(Choice::Nobody), _) => "nobody's, as you chose".to_owned(),
        (Some(Choice::Record(party)), _) => format!("belongs to {}", called(doubt, party)),
        (None, Kind::Several) => {
            format!("could be any of {}", count(doubt.candidates.len(), "record"))
        }
        (None, Kind::New) => "nobody in the CRM has it".to_owned(),
    };
    page.line(format!("{}: {state}", doubt.address));
    if doubt.choice.is_none() {
        for candidate in &doubt.candidates {
            page.line(format!("  {}  {}", candidate.party, candidate.name));
        }
    }
    if doubt.waiting > 0 {
        page.line(format!("  {} with nobody behind it", filed(doubt.waiting)));
    }
    if doubt.refused > 0 {
        page.line(format!(
            "  {} so: the organisation does not let what is filed be changed",
            if doubt.refused == 1 {
                "1 stays".to_owned()
            } else {
                format!("{} stay", doubt.refused)
            }
        ));
    }
    page
}

fn filed(messages: u32) -> String {
    count(usize::try_from(messages).unwrap_or(usize::MAX), "filed message")
}

fn called(doubt: &Doubt, party: &PartyRef) -> String {
    let candidate = doubt.candidates.iter().find(|candidate| candidate.party == *party);
    match candidate.map(|candidate| candidate.name.as_str()) {
        Some(name) if !name.is_empty() => format!("{name} ({party})"),
        Some(_) | None => party.to_string(),
    }
}

/// What the words of the user mean.
fn chosen<'a>(doubts: &'a [Doubt], address: &str, who: &str) -> Result<(&'a Doubt, Choice), Stop> {
    let parsed = Address::parse(address);
    let doubt = doubts.iter().find(|doubt| Some(&doubt.address) == parsed.as_ref());
    let doubt = doubt.ok_or_else(|| {
        let message = format!("{address} is not in doubt");
        Stop::new(Exit::Failed, message, "`liaison people --all` lists the addresses")
    })?;
    if who.trim().eq_ignore_ascii_case("none") {
        return Ok((doubt, Choice::Nobody));
    }
    let words = who.trim().to_lowercase();
    let is_meant = |candidate: &&Candidate| match PartyRef::parse(&words) {
        Some(party) => candidate.party == party,
        None => candidate.name.trim().to_lowercase() == words,
    };
    let meant: Vec<&Candidate> = doubt.candidates.iter().filter(is_meant).collect();
    match (meant.as_slice(), doubt.kind) {
        ([one], _) => Ok((doubt, Choice::Record(one.party.clone()))),
        ([], Kind::New) => Err(Stop::new(
            Exit::Failed,
            format!("nobody in the CRM has the address {}", doubt.address),
            "give it to somebody there, or let a record be made: `liaison approve`",
        )),
        (found, _) => {
            let known: Vec<&Candidate> =
                if found.is_empty() { doubt.candidates.iter().collect() } else { found.to_vec() };
            let known: Vec<String> = known
                .into_iter()
                .map(|candidate| format!("{} ({})", candidate.party, candidate.name))
                .collect();
            let message = if found.is_empty() {
                format!("{who} does not have the address {}", doubt.address)
            } else {
                format!("more than one is called {who}")
            };
            Err(Stop::new(Exit::Failed, message, format!("one of: {}", known.join(", "))))
        }
    }
}

fn settled(doubt: &Doubt, choice: &Choice) -> Answer {
    let mut page = Page::default();
    page.line(match choice {
        Choice::Nobody => format!("{} stays nobody's", doubt.address),
        Choice::Record(party) => format!("{} belongs to {}", doubt.address, called(doubt, party)),
    });
    let record = match choice {
        Choice::Nobody => None,
        Choice::Record(party) => Some(party.to_string()),
    };
    let json = json!({
        "address": doubt.address.as_str(),
        "record": record,
        "waiting": doubt.waiting,
    });
    let answer = Answer::new(page, json);
    if doubt.waiting == 0 || record.is_none() {
        return answer;
    }
    answer.note(format!("→ the next sync tells {}: `liaison sync`", filed(doubt.waiting)))
}

fn to_json(doubt: &Doubt) -> Json {
    let candidates: Vec<Json> = doubt
        .candidates
        .iter()
        .map(|candidate| json!({ "record": candidate.party.to_string(), "name": candidate.name }))
        .collect();
    let choice = match &doubt.choice {
        None => Json::Null,
        Some(Choice::Nobody) => json!("none"),
        Some(Choice::Record(party)) => json!(party.to_string()),
    };
    json!({
        "address": doubt.address.as_str(),
        "kind": doubt.kind.as_str(),
        "choice": choice,
        "candidates": candidates,
        "waiting": doubt.waiting,
        "refused": doubt.refused,
        "since": doubt.noted.to_string(),
    })
}
