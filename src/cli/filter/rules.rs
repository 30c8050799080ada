//! `liaison filter test`: what the rules for messages would do, without doing it.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use crate::cli::Installation;
use crate::cli::explain::word;
use crate::cli::open::silent;
use crate::cli::output::{Answer, Page};
use crate::filter::email::Verdict;
use crate::model::record::PartyRef;

/// Larger files are no messages that anybody tries rules on.
const SIZE_LIMIT: u64 = 64 << 20;

/// Tell what the rules would do with messages, and why
///
/// Nothing is written anywhere. The CRM is asked what the messages answer and who wrote them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison filter test offer.eml --folder Customers/Contoso")]
pub(super) struct Test {
    /// Messages as files (RFC 5322)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The folder that they are thought to lie in
    #[arg(long, default_value = "INBOX")]
    folder: String,
}

impl Test {
    pub(super) async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let mut messages = Vec::new();
        for file in &self.files {
            let size = fs::metadata(file).map(|found| found.len());
            let size = size.with_context(|| format!("{} cannot be read", file.display()))?;
            anyhow::ensure!(size <= SIZE_LIMIT, "{} is larger than 64 MiB", file.display());
            messages.push(fs::read(file).with_context(|| format!("{}", file.display()))?);
        }
        let opened = here.look(silent()).await?;
        let verdicts = opened.engine.try_rules(&self.folder, &messages).await?;
        let mut page = Page::default();
        let mut json = Vec::new();
        for (file, verdict) in self.files.iter().zip(verdicts) {
            page.gap();
            match verdict {
                Ok((verdict, regarding)) => {
                    show(&mut page, &file.display().to_string(), &verdict, regarding.as_ref());
                    json.push(to_json(&file.display().to_string(), &verdict, regarding.as_ref()));
                }
                Err(reason) => {
                    page.line(format!("{}: cannot be judged: {reason}", file.display()));
                    json.push(json!({ "file": file.display().to_string(), "error": reason }));
                }
            }
        }
        Ok(Answer::new(page, json!({ "messages": json })))
    }
}

fn show(page: &mut Page, file: &str, verdict: &Verdict, regarding: Option<&PartyRef>) {
    let tracked = if verdict.decision.tracked { "tracked" } else { "not tracked" };
    page.line(format!("{file}: {tracked}: {}", verdict.decision.rule));
    for step in &verdict.steps {
        page.line(format!("  {:16} {}", step.rule, word(step.result)));
    }
    if let Some(parent) = &verdict.parent {
        page.line(format!("  answers {} ({})", parent.record, parent.method.as_str()));
    }
    if let Some(regarding) = regarding {
        page.line(format!("  would be about {regarding}"));
    }
}

fn to_json(file: &str, verdict: &Verdict, regarding: Option<&PartyRef>) -> Json {
    let rules: Vec<Json> = verdict
        .steps
        .iter()
        .map(|step| json!({ "rule": step.rule, "result": word(step.result) }))
        .collect();
    json!({
        "file": file,
        "tracked": verdict.decision.tracked,
        "rule": verdict.decision.rule,
        "rules": rules,
        "answers": verdict.parent.as_ref().map(|parent| json!({
            "record": parent.record.to_string(),
            "method": parent.method.as_str(),
        })),
        "regarding": regarding.map(ToString::to_string),
    })
}
