//! `liaison search`: words in all records that were taken along.

use serde_json::{Value as Json, json};

use super::output::{Answer, Page};
use super::record::{line, to_json};
use super::{Exit, Installation, Stop};
use crate::offline::search;
use crate::store::replica::row;

/// Find records by the words in them, in the copy that was taken along
///
/// Finds what has all the words, or words that begin so, in any column: names, notes, texts of e-mails. Needs no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison search bridge tender --org contoso")]
pub struct Search {
    /// The words
    #[arg(required = true)]
    words: Vec<String>,
    /// At most so many
    #[arg(long, default_value_t = 20)]
    limit: u32,
    /// The organisation, by its name in the configuration (else the one that the mailbox goes with)
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
}

impl Search {
    /// # Errors
    /// When there is no copy, or it is lost.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let place = here.copy(self.org.as_deref()).await?;
        let counts = place.desk.store.read(row::counts).await?;
        if counts.is_empty() {
            return Err(Stop::new(
                Exit::Failed,
                format!("nothing of `{}` was taken along yet", place.name),
                format!("`liaison offline --for 1m --org {}` makes a copy, or `liaison offline` before you leave", place.name),
            )
            .into());
        }
        let words = search::words(&self.words.join(" "));
        let limit = self.limit.clamp(1, 1000);
        let found = place.desk.store.read(move |db| search::find(db, &words, limit)).await?;
        let tables: Vec<String> = found.iter().map(|view| view.row.table.clone()).collect();
        let definitions = place.desk.definitions(&tables).await.map_err(super::desk::told)?;
        let mut page = Page::default();
        page.table("<<<", &found.iter().map(line).collect::<Vec<_>>());
        if found.is_empty() {
            page.line("nothing has these words");
        }
        let json: Vec<Json> = found
            .iter()
            .filter_map(|view| Some(to_json(definitions.get(&view.row.table)?, view)))
            .collect();
        let mut answer = Answer::new(page, json!({ "organisation": place.name, "records": json }));
        answer.notes = place.notes().await?;
        Ok(answer)
    }
}
