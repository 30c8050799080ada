//! `liaison org`: the organisations of the configuration, and which of them the mailbox is kept in step with. The file is changed
//! where it must be and nowhere else.

use serde_json::{Value as Json, json};

use super::file::{change, read};
use super::output::{Answer, Page, count};
use super::{Exit, Installation, Stop};
use crate::config::edit::{self, NewOrganisation};
use crate::model::Class;
use crate::store::{Store, departure, meta};

/// List, add and remove organisations, or choose the one that is synced
///
/// Several may be configured; the mailbox is kept in step with exactly one of them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  liaison org list\n  liaison org add fabrikam --url https://fabrikam.crm4.dynamics.com --auth-command 'pass crm'\n  liaison org use fabrikam        what changing to it means, and do it\n  liaison org remove contoso"
)]
pub struct Org {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The organisations of the configuration
    List,
    /// Add an organisation to the configuration
    Add(Add),
    /// Remove an organisation from the configuration; not the one that is synced
    Remove(Named),
    /// Keep the mailbox in step with another organisation
    ///
    /// Both keep what they have: nothing is deleted. What belonged together is not any more, and the first plan with the other
    /// organisation waits for your word. Your own marks on items stay.
    Use(Use),
}

#[derive(Debug, clap::Args)]
struct Add {
    /// What you call it
    name: String,
    /// Its address, as in a browser
    #[arg(long)]
    url: String,
    /// A command that prints a bearer token
    #[arg(long, value_name = "COMMAND")]
    auth_command: String,
}

#[derive(Debug, clap::Args)]
struct Named {
    name: String,
}

#[derive(Debug, clap::Args)]
struct Use {
    name: String,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
}

impl Org {
    /// # Errors
    /// When the configuration cannot be used or changed, or the store is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        match self.what {
            What::List => list(here).await,
            What::Add(add) => add.run(here),
            What::Remove(named) => remove(here, &named.name),
            What::Use(to) => to.run(here).await,
        }
    }
}

async fn list(here: &Installation) -> anyhow::Result<Answer> {
    let settings = here.load()?.settings;
    let store = here.store().await?;
    let (classes, pinned) = learnt(&store).await?;
    let mut page = Page::default();
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for (name, organisation) in &settings.organisations {
        let synced = if organisation.sync { "synced" } else { "" };
        rows.push(vec![name.clone(), organisation.url.to_string(), synced.to_owned()]);
        all.push(json!({
            "name": name,
            "url": organisation.url.as_str(),
            "sync": organisation.sync,
            "id": pinned.as_ref().filter(|_| organisation.sync),
            "pairs": organisation.sync.then(|| sum(&classes)),
        }));
    }
    page.table("<<<", &rows);
    Ok(Answer::new(page, json!({ "organisations": all })))
}

impl Add {
    fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let file = &here.directories.config;
        let new = NewOrganisation { name: &self.name, url: &self.url, command: &self.auth_command };
        let text = edit::add(&read(file)?, file, &new)?;
        let settings = change(here, &text)?;
        let mut page = Page::default();
        page.line(format!("added `{}`", self.name));
        let chosen = settings.sync_organisation().is_some_and(|(name, _)| name == self.name);
        let answer = Answer::new(page, json!({ "added": self.name, "sync": chosen }));
        if chosen {
            return Ok(answer.note("→ can it be used? `liaison doctor crm`"));
        }
        Ok(answer
            .note(format!("→ keep the mailbox in step with it: `liaison org use {}`", self.name)))
    }
}

fn remove(here: &Installation, name: &str) -> anyhow::Result<Answer> {
    let settings = here.load()?.settings;
    if settings.organisations.get(name).is_some_and(|organisation| organisation.sync) {
        return Err(Stop::new(
            Exit::Failed,
            format!("`{name}` is the organisation that the mailbox is kept in step with"),
            "choose another one first: `liaison org use NAME`",
        )
        .into());
    }
    let file = &here.directories.config;
    change(here, &edit::remove(&read(file)?, file, name)?)?;
    let mut page = Page::default();
    page.line(format!("removed `{name}`; nothing in it was touched"));
    Ok(Answer::new(page, json!({ "removed": name })))
}

impl Use {
    async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let settings = here.load()?.settings;
        let file = &here.directories.config;
        let text = edit::choose(&read(file)?, file, &self.name)?;
        // Nobody syncs while whose state this is changes.
        let lock = here.lock().await?;
        let store = here.store().await?;
        let (classes, pinned) = learnt(&store).await?;
        let is_chosen = settings.sync_organisation().is_some_and(|(name, _)| name == self.name);
        let mismatch = store.read(|db| meta::get(db, meta::MISMATCH)).await?.is_some();
        if is_chosen && (pinned.is_none() || !mismatch) {
            let mut page = Page::default();
            page.line(format!("the mailbox is kept in step with `{}` already", self.name));
            return Ok(Answer::new(page, json!({ "sync": self.name, "changed": false })));
        }
        refuse_mails(&store).await?;
        let page = meaning(&self.name, &classes);
        let json =
            json!({ "sync": self.name, "changed": self.yes, "released": classes_json(&classes) });
        let question = format!("change to `{}`?", self.name);
        if !self.yes && !here.front.ask(&page, &question, here.json).await? {
            let answer = Answer::new(page, json).exit(Exit::Held);
            return Ok(answer.note(format!("→ do it: `liaison org use {} --yes`", self.name)));
        }
        // The file first: a state that belongs to another organisation than the file says is noticed, and this command ends what
        // it began.
        change(here, &text)?;
        let now = here.clock.now();
        store.promise(move |tx| departure::leave(tx, now)).await?;
        drop(lock);
        let mut page = Page::default();
        page.line(format!("the mailbox is kept in step with `{}` from now on", self.name));
        page.line(format!("released: {}; nothing was deleted anywhere", pairs(&classes)));
        let json =
            json!({ "sync": self.name, "changed": true, "released": classes_json(&classes) });
        Ok(Answer::new(page, json).note("→ look at the first plan: `liaison plan`"))
    }
}

/// A mail on its way belongs to the organisation that wants it sent: only that one can be told what became of it.
async fn refuse_mails(store: &Store) -> anyhow::Result<()> {
    let mails = store.read(departure::mails).await?;
    if mails == 0 {
        return Ok(());
    }
    Err(Stop::new(
        Exit::Held,
        format!("{} of the present organisation on the way", count(mails, "mail")),
        "end that first: `liaison sync`, and `liaison outgoing` for those in doubt",
    )
    .into())
}

fn meaning(name: &str, classes: &[(Class, u32)]) -> Page {
    let mut page = Page::default();
    page.line(format!("to keep the mailbox in step with `{name}` means:"));
    page.line(format!("  released: {}", pairs(classes)));
    page.line("  nothing is deleted: the mailbox and the present organisation keep what they have");
    page.line("  forgotten: what rules decided, holds, open conflicts, whose addresses are whose");
    page.line("  kept: your own marks on items, and all history");
    page.line("  the first plan of each class waits for your word");
    page
}

/// How many pairs there are of each class, and of which organisation.
async fn learnt(store: &Store) -> anyhow::Result<(Vec<(Class, u32)>, Option<String>)> {
    let read = |db: &crate::store::Connection| {
        let mut classes = Vec::new();
        for class in Class::ALL {
            classes.push((class, departure::pairs(db, class)?));
        }
        Ok((classes, meta::get(db, meta::ORGANISATION)?))
    };
    Ok(store.read(read).await?)
}

fn sum(classes: &[(Class, u32)]) -> u32 {
    classes.iter().map(|(_, pairs)| pairs).sum()
}

fn pairs(classes: &[(Class, u32)]) -> String {
    let some: Vec<String> = classes
        .iter()
        .filter(|(_, pairs)| *pairs > 0)
        .map(|(class, pairs)| count(*pairs as usize, &format!("{class} pair")))
        .collect();
    if some.is_empty() { "nothing, there are no pairs".to_owned() } else { some.join(", ") }
}

fn classes_json(classes: &[(Class, u32)]) -> Json {
    classes.iter().map(|(class, pairs)| (class.to_string(), Json::from(*pairs))).collect()
}
