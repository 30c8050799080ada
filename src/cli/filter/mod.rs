//! `liaison filter`: which records come into the mailbox, and what a change of that would do. Filters are kept in the
//! organisation, where they hold for every computer and for Dynamics itself, or in the configuration, which is the user's own
//! to write: the commands here change the former and show both.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::output::Answer;
use super::selection::Reached;
use super::{Exit, Installation, Stop};
use crate::filter::fetch;
use crate::filter::union::{Source, Union};
use crate::model::{Class, Origin, StoredFilter, Table};

mod change;
mod list;
mod preview;
mod rules;

/// Show and change which records come into the mailbox, and try the rules for messages
///
/// All records that one of the filters finds come in. Yours and the system's are kept in the organisation; the configuration
/// may have more. What leaves the filters is not deleted: see `on_leave`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Filter {
    #[command(subcommand)]
    what: What,
}

const EXAMPLES: &str = "\
Examples:
  liaison filter list                          all filters, with what they find
  liaison filter add contact VIPs --where 'new_vip eq 1' --where 'statecode eq 0'
  liaison filter preview VIPs                  what enters or leaves if it is switched
  liaison filter preview                       what the next round would bring";

#[derive(Debug, clap::Subcommand)]
enum What {
    List(list::List),
    Show(list::Show),
    Add(change::Add),
    Edit(change::Edit),
    Enable(change::Enable),
    Disable(change::Disable),
    Reset(change::Reset),
    Preview(preview::Preview),
    Test(rules::Test),
}

impl Filter {
    /// Whether it reads a file that the person names.
    pub fn reads_a_file(&self) -> bool {
        let definition = match &self.what {
            What::Test(_) => return true,
            What::Add(add) => &add.definition,
            What::Edit(edit) => &edit.definition,
            What::Preview(preview) => &preview.definition,
            What::List(_) | What::Show(_) | What::Enable(_) | What::Disable(_) | What::Reset(_) => {
                return false;
            }
        };
        definition.fetchxml.is_some()
    }

    /// # Errors
    /// When the organisation cannot be asked, or refuses.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        match self.what {
            What::List(list) => list.run(here).await,
            What::Show(show) => show.run(here).await,
            What::Add(add) => add.run(here).await,
            What::Edit(edit) => edit.run(here).await,
            What::Enable(enable) => enable.run(here).await,
            What::Disable(disable) => disable.run(here).await,
            What::Reset(reset) => reset.run(here).await,
            What::Preview(preview) => preview.run(here).await,
            What::Test(test) => test.run(here).await,
        }
    }
}

/// All filters, with what they find.
///
/// # Errors
/// When the organisation cannot be asked.
pub(super) async fn listed(here: &Installation) -> anyhow::Result<Answer> {
    list::List {}.run(here).await
}

/// What a filter says.
#[derive(Debug, clap::Args)]
struct Definition {
    /// 'column operator value': it must hold (may be repeated)
    #[arg(long = "where", value_name = "CONDITION", conflicts_with = "fetchxml")]
    conditions: Vec<String>,
    /// A file with `FetchXML` instead
    #[arg(long, value_name = "FILE")]
    fetchxml: Option<PathBuf>,
    /// Of appointments: `appointment` or `recurringappointmentmaster`
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
}

/// More than any filter is let be.
const BYTES_MAX: u64 = 1 << 20;

impl Definition {
    fn is_given(&self) -> bool {
        !self.conditions.is_empty() || self.fetchxml.is_some()
    }

    /// The filter, about `known` where nothing else is said.
    fn read(
        &self,
        name: &str,
        class: Class,
        known: Option<Table>,
    ) -> anyhow::Result<fetch::Filter> {
        let usage = |message: String, hint: &str| Stop::new(Exit::Usage, message, hint);
        let refused = |fetch::Invalid(reason): fetch::Invalid| {
            usage(format!("filter “{name}”: {reason}"), "nothing was changed")
        };
        if let Some(path) = &self.fetchxml {
            let mut text = String::new();
            std::fs::File::open(path)
                .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
                .with_context(|| format!("{} cannot be read", path.display()))?;
            return Ok(fetch::Filter::fetchxml(name, class, &text).map_err(refused)?);
        }
        let named = self.table.as_deref().map(|table| {
            Table::named(table)
                .filter(|table| table.class() == class)
                .ok_or_else(|| usage(format!("{class}s have no table `{table}`"), "see --help"))
        });
        let mut tables = Table::ALL.into_iter().filter(|table| table.class() == class);
        let only = match (tables.next(), tables.next()) {
            (only, None) => only,
            (_, Some(_)) => None,
        };
        let table = named.transpose()?.or(known).or(only).ok_or_else(|| {
            let hint = "--table appointment or --table recurringappointmentmaster";
            usage(format!("filter “{name}”: which table?"), hint)
        })?;
        Ok(fetch::Filter::conditions(name, table, &self.conditions).map_err(refused)?)
    }
}

/// Where a filter is kept, for people.
fn place(origin: Origin) -> &'static str {
    match origin {
        Origin::Configuration => "configuration",
        Origin::Own => "yours",
        Origin::System => "system",
        Origin::Template => "template",
    }
}

/// The one filter that goes by this name or id, with its class where it has one.
fn find<'a>(
    reached: &'a Reached,
    name: &str,
) -> anyhow::Result<(Option<(Class, &'a Union)>, &'a Source)> {
    let of_classes = reached.filters.classes.iter().flat_map(|(class, union)| {
        union.sources.iter().map(move |source| (Some((*class, union)), source))
    });
    let elsewhere = reached.filters.elsewhere.iter().map(|source| (None, source));
    let all: Vec<_> = of_classes.chain(elsewhere).collect();
    let by_id = |source: &Source| source.id.is_some_and(|id| id.to_string() == name);
    let by_name = |source: &Source| source.name.to_lowercase() == name.to_lowercase();
    let mut fitting: Vec<_> = all.iter().filter(|(_, source)| by_id(source)).collect();
    if fitting.is_empty() {
        fitting = all.iter().filter(|(_, source)| by_name(source)).collect();
    }
    match fitting.as_slice() {
        [only] => Ok(**only),
        [] => Err(Stop::new(
            Exit::Failed,
            format!("no filter is called “{name}”"),
            "`liaison filter list` lists them",
        )
        .into()),
        several => {
            let line = |(_, source): &&(Option<(Class, &Union)>, &Source)| {
                let id = source.id.map(|id| id.to_string()).unwrap_or_default();
                format!("\n     {id}  {} “{}”, {}", source.table, source.name, place(source.origin))
            };
            let lines: String = several.iter().map(line).collect();
            let message = format!("“{name}” fits {} filters", several.len());
            Err(Stop::new(Exit::Failed, message, format!("name one by its id:{lines}")).into())
        }
    }
}

/// The row of a filter.
fn row<'a>(reached: &'a Reached, source: &Source) -> Option<&'a StoredFilter> {
    let told = reached.dataverse.told();
    let all = told.own.iter().chain(&told.system).flatten().chain(&told.templates);
    all.into_iter().find(|stored| Some(stored.id) == source.id && stored.origin == source.origin)
}
