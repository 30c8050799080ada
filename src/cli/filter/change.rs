//! `liaison filter add`, `edit`, `enable`, `disable` and `reset`: the user's own filters in the organisation. Every change
//! names the version that was seen. The mailbox is not touched: the next sync brings in what entered, and keeps what left.

use serde_json::json;

use super::{Definition, find, row};
use crate::cli::output::{Answer, Page, count};
use crate::cli::selection::Reached;
use crate::cli::sync::ClassName;
use crate::cli::{Exit, Installation, Stop};
use crate::connector::dataverse::filters::Draft;
use crate::connector::{Error, ErrorKind};
use crate::model::{Origin, StoredFilter, Table};

/// Make a filter of your own in the organisation
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: liaison filter add contact 'My town' --where \"address1_city eq 'Ulm'\""
)]
pub(super) struct Add {
    /// What it is about: `contact`, `task` or `appointment`
    class: ClassName,
    /// What it is to be called
    name: String,
    #[command(flatten)]
    pub(super) definition: Definition,
}

/// Change what a filter of yours says, or its name
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison filter edit 'My town' --where 'address1_city like Ulm%'")]
pub(super) struct Edit {
    /// Its name, or its id
    name: String,
    /// Its new name
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,
    #[command(flatten)]
    pub(super) definition: Definition,
}

/// Turn a filter of yours on
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison filter enable 'My town'")]
pub(super) struct Enable {
    /// Its name, or its id
    name: String,
}

/// Turn a filter of yours off: nothing is deleted
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison filter disable 'My town'")]
pub(super) struct Disable {
    /// Its name, or its id
    name: String,
}

/// Replace your filters in the organisation by those that new users get
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison filter reset --yes")]
pub(super) struct Reset {
    /// Do it; without, only what would go is shown
    #[arg(long)]
    yes: bool,
}

impl Add {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let class = self.class.class();
        let filter = self.definition.read(&self.name, class, None)?;
        let reached = here.reach().await?;
        let taken = |stored: &StoredFilter| {
            stored.name.to_lowercase() == self.name.to_lowercase()
                && stored.table == filter.table().logical_name()
        };
        let exists = || {
            let message = format!("you have a filter “{}” for {class}s already", self.name);
            Stop::new(Exit::Failed, message, "choose another name, or use `liaison filter edit`")
        };
        if reached.dataverse.told().own.iter().flatten().any(taken) {
            return Err(exists().into());
        }
        let draft = Draft {
            name: self.name.clone(),
            table: filter.table(),
            fetchxml: filter.as_fetchxml().to_owned(),
        };
        match reached.dataverse.add_filter(&draft).await {
            Ok(()) => Ok(done("added", &self.name)),
            Err(error) if error.kind == ErrorKind::Exists => Err(exists().into()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Edit {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        if !self.definition.is_given() && self.rename.is_none() {
            let hint = "--where CONDITION, --fetchxml FILE or --rename NAME";
            return Err(Stop::new(Exit::Usage, "nothing is to be changed", hint).into());
        }
        let reached = here.reach().await?;
        let stored = own(&reached, &self.name)?;
        let name = self.rename.as_deref().unwrap_or(&stored.name);
        let table = Table::named(&stored.table).ok_or_else(|| {
            let message = format!("“{}” is about {}, which is not synced", name, stored.table);
            Stop::new(Exit::Failed, message, "change it in the CRM")
        })?;
        let fetchxml = if self.definition.is_given() {
            let filter = self.definition.read(name, table.class(), Some(table))?;
            if filter.table() != table {
                let message = format!("“{name}” is about {}, and stays so", stored.table);
                let hint = "make another one: `liaison filter add`";
                return Err(Stop::new(Exit::Usage, message, hint).into());
            }
            filter.as_fetchxml().to_owned()
        } else {
            stored.fetchxml.clone()
        };
        let draft = Draft { name: name.to_owned(), table, fetchxml };
        reached.dataverse.edit_filter(stored, &draft).await.map_err(meanwhile)?;
        Ok(done("changed", name))
    }
}

impl Enable {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        switch(here, &self.name, true).await
    }
}

impl Disable {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        switch(here, &self.name, false).await
    }
}

async fn switch(here: &Installation, name: &str, on: bool) -> anyhow::Result<Answer> {
    let reached = here.reach().await?;
    let stored = own(&reached, name)?;
    let word = if on { "turned on" } else { "turned off" };
    if stored.active != on {
        reached.dataverse.switch_filter(stored, on).await.map_err(meanwhile)?;
    }
    Ok(done(word, &stored.name))
}

impl Reset {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let reached = here.reach().await?;
        let told = reached.dataverse.told();
        let own = match &told.own {
            Ok(own) => own,
            Err(reason) => anyhow::bail!("your sync filters could not be read: {reason}"),
        };
        if told.templates.is_empty() {
            let hint = "ask the administrator for templates of sync filters; nothing was changed";
            let message = "the organisation has no filters for new users";
            return Err(Stop::new(Exit::Failed, message, hint).into());
        }
        let mut page = Page::default();
        let (gone, come) = (names(own), names(&told.templates));
        if !self.yes {
            page.line(format!("would go:   {}", gone.join(", ")));
            page.line(format!("would come: {}", come.join(", ")));
            let json = json!({ "done": false, "gone": gone, "come": come });
            let answer = Answer::new(page, json).exit(Exit::Held);
            return Ok(answer.note("→ do it: `liaison filter reset --yes`"));
        }
        reached.dataverse.reset_filters().await?;
        let filters = count(gone.len(), "filter");
        page.line(format!("replaced {filters} by those that new users get: {}", come.join(", ")));
        let json = json!({ "done": true, "gone": gone, "come": come });
        Ok(Answer::new(page, json).note(NEXT))
    }
}

fn names(filters: &[StoredFilter]) -> Vec<String> {
    filters.iter().map(|filter| format!("“{}”", filter.name)).collect()
}

/// A filter that the user may change: only the user's own row in the organisation.
fn own<'a>(reached: &'a Reached, name: &str) -> anyhow::Result<&'a StoredFilter> {
    let (_, source) = find(reached, name)?;
    let name = &source.name;
    let (message, hint) = match (source.origin, row(reached, source)) {
        (Origin::Own, Some(stored)) => return Ok(stored),
        (Origin::Own | Origin::Template, _) => (
            format!("“{name}” is what new users get, and not yours yet"),
            "it becomes yours with the first sync, or by `liaison filter reset --yes`",
        ),
        (Origin::System, _) => (
            format!("“{name}” is a system filter: the administrator made it for everybody"),
            "to go without those of the organisation: organisation_filters = false in [sync.CLASS]",
        ),
        (Origin::Configuration, _) => (
            format!("“{name}” is kept in the configuration"),
            "change `filters` in [sync.CLASS] there: `liaison config path` tells where it is",
        ),
    };
    Err(Stop::new(Exit::Failed, message, hint).into())
}

fn meanwhile(error: Error) -> anyhow::Error {
    if error.kind == ErrorKind::Stale {
        let hint = "look again: `liaison filter show NAME`";
        return Stop::new(Exit::Failed, "somebody changed the filter meanwhile", hint).into();
    }
    error.into()
}

/// What to do after a change.
const NEXT: &str =
    "→ what enters and leaves by that: `liaison filter preview`; then `liaison sync`";

fn done(word: &str, name: &str) -> Answer {
    let mut page = Page::default();
    page.line(format!("filter “{name}” {word}"));
    Answer::new(page, json!({ "name": name, "done": word })).note(NEXT)
}
