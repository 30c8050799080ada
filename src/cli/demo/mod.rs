//! `liaison demo`: the whole main job in a directory of its own, told as a story. `stage` sets up what it plays on, `proof` says
//! whether it went well; the play itself is the engine that every other command uses.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use indicatif::ProgressBar;
use serde_json::json;

use super::output::{self, Answer, Page, count, short};
use super::waiting::Waiting;
use super::{Arguments, Exit, Installation, conflicts, explain, history, plan, progress, sync};
use crate::model::Class;
use crate::store::hold;
use crate::sync::Report;

/// The chapter without the CRM.
pub mod offline;
/// What the demo proves about itself.
pub mod proof;
/// The directory, the served organisation, the configuration.
pub mod stage;
/// The mailbox and the organisation that the demo works on.
pub mod world;

use proof::{Census, Figures};
use stage::Stage;

/// See the whole main job at work, in a folder of its own
///
/// Makes a mailbox of local folders and an organisation on this machine, shows the first plan, carries it out, lets people
/// change things on both sides, syncs again, and explains what happened. Nothing outside of the folder is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: liaison demo --dir /tmp/liaison-demo")]
pub struct Demo {
    /// Where to play; made if missing, and gone on with if not [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// How many syncs it may take until nothing is planned any more.
const SYNCS_MAX: usize = 4;

/// How many lines of an answer the story shows.
const LINES: usize = 36;

/// The width that the story keeps to.
const WIDTH: usize = 80;

impl Demo {
    /// # Errors
    /// When the stage cannot be set up or a part of the play fails.
    pub async fn run(self, here: &Installation) -> anyhow::Result<Answer> {
        let stage = Stage::set(self.dir, here).await?;
        let played = play(&stage).await;
        // The page is gone with this, whatever came of the play.
        let (dir, url) = (stage.dir.clone(), stage.url.clone());
        stage.running.stop().await?;
        let figures = played?;
        let json = figures.to_json(&dir, &url);
        let exit = if figures.troubles().is_empty() { Exit::Done } else { Exit::Failed };
        Ok(Answer::new(Page::default(), json).exit(exit))
    }
}

async fn play(stage: &Stage) -> anyhow::Result<Figures> {
    let clock = &stage.here.clock;
    let started = clock.monotonic();
    let (bar, tell) = progress::bar(stage.here.json);
    let mut story = Story { quiet: stage.here.json, number: 0, bar };
    opening(stage, &mut story).await?;
    let (opened, _lock) = stage.here.open(tell).await?;
    let mut acts = Acts { stage, opened, figures: Figures::default() };
    acts.first_plan(&mut story).await?;
    let before = Census::take(&acts.opened).await?;
    acts.carry_out(&mut story).await?;
    acts.people_change_things(&mut story).await?;
    acts.second_sync(&mut story).await?;
    acts.questions(&mut story).await?;
    acts.journey(&mut story).await?;
    acts.quiet(&mut story, &before).await?;
    story.bar.finish_and_clear();
    acts.figures.requests = acts.opened.engine.crm.requests();
    acts.figures.seconds = clock.monotonic().saturating_sub(started).as_secs_f64();
    closing(stage, &mut story, &acts.figures)?;
    Ok(acts.figures)
}

/// Tells as it happens, unless a program reads.
struct Story {
    quiet: bool,
    number: usize,
    bar: ProgressBar,
}

impl Story {
    fn chapter(&mut self, title: &str) -> anyhow::Result<()> {
        self.number += 1;
        let mut page = Page::default();
        page.line("");
        page.line(format!("{}  {title}", self.number));
        page.line("");
        self.tell(&page)
    }

    fn line(&self, text: impl std::fmt::Display) -> anyhow::Result<()> {
        let mut page = Page::default();
        page.line(text);
        self.tell(&page)
    }

    /// What a command answers, as it would be seen.
    fn command(&self, line: &str, answer: &Answer) -> anyhow::Result<()> {
        self.line(format!("   $ liaison {line}"))?;
        let text = answer.page.as_str();
        let mut page = Page::default();
        for line in text.lines().take(LINES) {
            page.line(format!("   {line}"));
        }
        if text.lines().count() > LINES {
            page.line("   …");
        }
        page.line("");
        self.tell(&page)
    }

    fn tell(&self, page: &Page) -> anyhow::Result<()> {
        if self.quiet {
            return Ok(());
        }
        let mut cut = Page::default();
        for line in page.as_str().lines() {
            cut.line(short(line, WIDTH));
        }
        // The bar and the story share a screen.
        Ok(self.bar.suspend(|| output::tell(&cut))?)
    }
}

/// What there is before anything is synced.
async fn opening(stage: &Stage, story: &mut Story) -> anyhow::Result<()> {
    story.line(format!("liaison demo, in {}", stage.dir.display()))?;
    story.chapter("A mailbox and an organisation")?;
    let now = stage.here.clock.now();
    let mailbox = world::furnish(&stage.dir, now, &stage.zone)
        .with_context(|| format!("the mailbox in {}", stage.dir.display()))?;
    let organisation = world::populate(&stage.api, now).await.context("the demo's organisation")?;
    for count in &mailbox.counts {
        story.line(format!(
            "   {:12} {:4} in the mailbox, {} to be tracked, {} broken",
            format!("{}s", count.class),
            count.items,
            if count.class == Class::Email {
                "by rules".to_owned()
            } else {
                count.tracked.to_string()
            },
            count.broken,
        ))?;
    }
    let records: Vec<String> =
        organisation.counts.iter().map(|(set, number)| format!("{number} {set}")).collect();
    story.line(format!("   and in the CRM: {}", records.join(", ")))?;
    if !mailbox.fresh {
        story.line("   All of it was there already: the demo goes on where it was.")?;
    }
    Ok(())
}

/// The acts of the play.
struct Acts<'s> {
    stage: &'s Stage,
    opened: super::open::Opened,
    figures: Figures,
}

impl Acts<'_> {
    /// Nothing is written before a person saw it.
    async fn first_plan(&mut self, story: &mut Story) -> anyhow::Result<()> {
        story.chapter("The plan: nothing is written before you saw it")?;
        let mut previews = BTreeMap::new();
        for class in self.opened.classes.clone() {
            previews.insert(class, self.opened.engine.preview(class).await?);
        }
        self.figures.planned(&previews);
        story.command("plan", &Answer::new(plan::page(&previews, 3), json!(null)))
    }

    /// Approves and syncs until nothing waits for a word any more: what one sync brings can make more take part.
    async fn carry_out(&mut self, story: &mut Story) -> anyhow::Result<()> {
        story.chapter("Approved, and carried out")?;
        for round in 0..SYNCS_MAX {
            let approved = self.approve().await?;
            if round > 0 && approved == 0 {
                break;
            }
            if round > 0 {
                let more = count(approved, "operation");
                story.line(format!(
                    "   What is in the CRM now makes {more} more possible: approved."
                ))?;
                story.line("")?;
            }
            let report = self.sync().await?;
            story.command("sync", &self.answer(&report).await?)?;
        }
        let waiting = self.waiting().await?;
        if waiting.aside > 0 {
            let aside = count(waiting.aside, "item");
            story.line(format!(
                "   {aside} could not be taken as they are. They stay where they are, each"
            ))?;
            story.line("   with its reason (`liaison status --all`), and stop nobody else:")?;
            for line in proof::reasons(&self.opened).await? {
                story.line(format!("     {line}"))?;
            }
        }
        Ok(())
    }

    async fn people_change_things(&mut self, story: &mut Story) -> anyhow::Result<()> {
        story.chapter("People change things, on both sides")?;
        let now = self.stage.here.clock.now();
        let mut done = world::edit_mailbox(&self.stage.dir, now).context("edit the mailbox")?;
        done.extend(world::edit_organisation(&self.stage.api, now).await.context("edit the CRM")?);
        if done.is_empty() {
            story.line("   They did so in an earlier run.")?;
        }
        for sentence in done {
            for (number, line) in wrapped(&sentence, WIDTH - 7).into_iter().enumerate() {
                let mark = if number == 0 { "   - " } else { "     " };
                story.line(format!("{mark}{line}"))?;
            }
        }
        Ok(())
    }

    async fn second_sync(&mut self, story: &mut Story) -> anyhow::Result<()> {
        story.chapter("The next sync brings both sides together")?;
        let report = self.sync().await?;
        story.command("sync", &self.answer(&report).await?)
    }

    /// What a person can ask afterwards.
    async fn questions(&mut self, story: &mut Story) -> anyhow::Result<()> {
        let kept = self.opened.engine.store.clone();
        let people = world::people::acquaintances();
        let both = people.get(world::edits::COLLISION).map(world::people::Person::name);
        let both = both.unwrap_or_default();
        story.chapter("Why? What was contested? What was written?")?;
        let answer = explain::about(&kept, &both).await?;
        story.command(&format!("explain '{both}'"), &answer)?;
        let told = kept.read(|db| conflicts::tell(db, true)).await?;
        self.figures.contested(&told);
        story.command("conflicts --all", &conflicts::list(&told, true))?;
        let moved = world::calendar::meeting_uid(world::calendar::MOVED);
        let answer = history::of(&kept, &moved).await?;
        story.command(&format!("history {moved}"), &answer)
    }

    /// What was entered without the CRM comes into the mailbox as everything else does.
    async fn journey(&mut self, story: &mut Story) -> anyhow::Result<()> {
        offline::journey(self.stage, story).await?;
        let report = self.sync().await?;
        story.line("   What she made on the train is in the mailbox after the next sync:")?;
        story.line("")?;
        story.command("sync", &self.answer(&report).await?)
    }

    /// A quiet world plans nothing.
    async fn quiet(&mut self, story: &mut Story, before: &Census) -> anyhow::Result<()> {
        story.chapter("A further sync has nothing to do")?;
        let report = self.sync().await?;
        self.figures.last_operations = report.operations();
        let after = Census::take(&self.opened).await?;
        self.figures.duplicates = after.surplus_over(before);
        self.figures.ended(&report);
        story.line(format!(
            "   {} in {} requests; {}",
            count(report.operations(), "operation"),
            report.classes.values().map(|class| class.requests).sum::<u64>(),
            match self.figures.duplicates {
                0 => "nothing is there twice".to_owned(),
                twice => format!("{} there twice", count(twice, "thing")),
            }
        ))
    }

    async fn approve(&self) -> anyhow::Result<usize> {
        let now = self.stage.here.clock.now();
        let approved = self.opened.engine.store.promise(move |tx| {
            hold::open_holds(tx)?.iter().map(|hold| hold::approve(tx, hold.id, now)).sum()
        });
        Ok(approved.await?)
    }

    async fn sync(&mut self) -> anyhow::Result<Report> {
        let report = self.opened.engine.sync(&self.opened.classes, "demo").await?;
        self.figures.synced(&report);
        Ok(report)
    }

    async fn answer(&self, report: &Report) -> anyhow::Result<Answer> {
        Ok(sync::answer(report, self.waiting().await?))
    }

    async fn waiting(&self) -> anyhow::Result<Waiting> {
        let classes = self.opened.classes.clone();
        Ok(self.opened.engine.store.read(move |db| Waiting::all(db, &classes)).await?)
    }
}

fn closing(stage: &Stage, story: &mut Story, figures: &Figures) -> anyhow::Result<()> {
    let troubles = figures.troubles();
    story.chapter(if troubles.is_empty() {
        "Where to look"
    } else {
        "This did not go as it should"
    })?;
    for trouble in &troubles {
        story.line(format!("   {trouble}"))?;
    }
    let dir = stage.dir.display();
    let installation: &Installation = &stage.here;
    let flags = format!(
        "--config {} --state {}",
        installation.directories.config.display(),
        installation.directories.state.display()
    );
    for line in [
        format!("   mailbox       {dir}/{}", world::mailbox::MAILBOX),
        format!("   settings      {}", installation.directories.config.display()),
        format!("   organisation  {}/ in a browser, while this runs:", stage.url),
    ] {
        story.line(line)?;
    }
    // These are to be pasted: they are never cut.
    let mut page = Page::default();
    page.line(format!(
        "     liaison sandbox serve --dir {dir}/{} --listen {}",
        stage::ORGANISATION,
        stage.url.trim_start_matches("http://")
    ));
    page.line("");
    page.line("   Then go on by hand, with any command:");
    page.line(format!("     liaison {flags} status"));
    page.line("");
    page.line(format!("   {} requests, {:.1} s", figures.requests, figures.seconds));
    if story.quiet { Ok(()) } else { Ok(output::tell(&page)?) }
}

/// A sentence in lines of at most so many characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
