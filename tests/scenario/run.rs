//! Lets a story happen once without faults, compares the end with what was told, and hands each of its stages to `crash`.

use std::collections::BTreeMap;

use liaison::model::{Fields, Side};
use liaison::sync::ClassReport;

use crate::crash::harness::{self, End, Told};
use crate::support::cell::{self, Cell};
use crate::support::faults::{Fault, Faults, Point};
use crate::support::world::{Approval, World};

use super::tell::{Stage, Story, configure};

/// What each thing says on each side when a stage begins.
type Model = BTreeMap<(String, Side), Fields>;

/// Tells a story.
pub fn tell(story: &Story) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut told = Told::default();
    if let Err(problem) = runtime.block_on(through(story, &mut told)) {
        told.problems.push(problem);
    }
    told
}

async fn through(story: &Story, told: &mut Told) -> Result<(), String> {
    let mut story = story.clone();
    let mut world = World::new(story.class, story.settings.clone());
    base(&mut world, &story.stages[0]).await?;
    for (number, stage) in story.stages.clone().iter().enumerate() {
        let name = format!("stage {}", number + 1);
        let model = model(&world, stage);
        happen(&mut world, &mut story, stage);
        let before = world.snapshot();
        world.faults = Faults::none();
        let report =
            world.settle(story.approval).await.map_err(|error| format!("{name}: {error}"))?;
        let run = world.faults.clone();
        let end = end(&mut world, &report).await.map_err(|error| format!("{name}: {error}"))?;
        let expected = expected(&world, stage, &model);
        if (&expected, stage.waits.as_str()) != (&end.rows, end.waits.as_str()) {
            return Err(format!(
                "{name} was to end with\n    {}\n    waits {}\nand ended with\n    {}\n    waits {}",
                expected.join("\n    "),
                stage.waits,
                end.rows.join("\n    "),
                end.waits,
            ));
        }
        let after = world.snapshot();
        let siege = harness::Siege {
            story: &story,
            stage: &name,
            before: &before,
            end: &end,
            after: &after,
        };
        siege.lay(&run, told).await;
        if story.twice {
            again(&siege, &run, told).await.map_err(|error| format!("{name}: {error}"))?;
        }
    }
    Ok(())
}

/// The program dies when its write is done and nobody has noted that yet: what follows is a stage of its own, and under siege
/// as the first one was.
async fn again(siege: &harness::Siege<'_>, run: &Faults, told: &mut Told) -> Result<(), String> {
    let story = siege.story;
    for (number, point) in run.points().into_iter().enumerate() {
        if !matches!(point, Point::AfterWrite(..)) {
            continue;
        }
        let faults = Faults::at(number, Fault::Die);
        let mut world = World::resume(story.class, &story.settings, siege.before, faults);
        while world.sync().await?.is_some() {
            world.approve(story.approval);
        }
        world.start();
        let before = world.snapshot();
        world.faults = Faults::none();
        world.settle(story.approval).await?;
        let run = world.faults.clone();
        let stage = format!("{}, after an end {point}", siege.stage);
        harness::Siege { stage: &stage, before: &before, ..*siege }.lay(&run, told).await;
    }
    Ok(())
}

/// Both sides come to agree on what the first column says.
async fn base(world: &mut World, stage: &Stage) -> Result<(), String> {
    for row in &stage.rows {
        let Cell::Says { patch, marks } = &row.base else { continue };
        let side = if marks.contains("crm") { Side::Crm } else { Side::Mailbox };
        world.edit(side, &row.key, patch);
        for mark in marks.iter().filter(|mark| *mark != "crm") {
            world.happen(side, &row.key, mark);
        }
    }
    world.settle(Approval::First).await.map_err(|error| format!("base: {error}"))?;
    Ok(())
}

fn model(world: &World, stage: &Stage) -> Model {
    let mut model = Model::new();
    for row in &stage.rows {
        for side in [Side::Mailbox, Side::Crm] {
            if let Some(fields) = world.says(side, &row.key) {
                model.insert((row.key.clone(), side), fields);
            }
        }
    }
    model
}

fn happen(world: &mut World, story: &mut Story, stage: &Stage) {
    for row in &stage.rows {
        for (side, cell) in [(Side::Mailbox, &row.mailbox), (Side::Crm, &row.crm)] {
            match cell {
                Cell::Same => {}
                Cell::Gone => world.remove(side, &row.key),
                Cell::Says { patch, marks } => {
                    if !patch.is_empty() {
                        world.edit(side, &row.key, patch);
                    }
                    marks.iter().for_each(|mark| world.happen(side, &row.key, mark));
                }
            }
        }
    }
    for action in &stage.actions {
        match action.split_once(' ').unwrap_or((action, "")) {
            ("approve", _) => drop(world.approve(Approval::All)),
            ("choose", side) => world.choose(Side::named(side).unwrap()),
            ("track", key) => world.mark(key, true),
            ("untrack", key) => world.mark(key, false),
            ("set", word) => {
                configure(story.class, &mut story.settings, word);
                world.settings = story.settings.clone();
            }
            _ => panic!("nobody can {action}"),
        }
    }
}

fn expected(world: &World, stage: &Stage, model: &Model) -> Vec<String> {
    let mut rows = Vec::new();
    for row in &stage.rows {
        let show = |side, after: &Cell| {
            let old = model.get(&(row.key.clone(), side));
            match (after, old) {
                (Cell::Gone, _) | (Cell::Same, None) => "-".to_owned(),
                (Cell::Same, Some(old)) => cell::show(world.class, old),
                (Cell::Says { marks, .. }, _) if marks.contains("broken") => "broken".to_owned(),
                (Cell::Says { patch, .. }, Some(old)) => {
                    cell::show(world.class, &cell::edited(old, patch))
                }
                (Cell::Says { patch, .. }, None) => {
                    cell::show(world.class, &cell::fresh(world.class, patch))
                }
            }
        };
        let mailbox = show(Side::Mailbox, &row.mailbox_after);
        let crm = show(Side::Crm, &row.crm_after);
        match (mailbox.as_str(), crm.as_str(), row.link.as_str()) {
            ("-", "-", _) => {}
            (_, "-", word) => rows.push(format!("{mailbox} | - | {word}")),
            ("-", _, word) => rows.push(format!("- | {crm} | {word}")),
            (_, _, "alone") => {
                rows.push(format!("{mailbox} | - | alone"));
                rows.push(format!("- | {crm} | alone"));
            }
            (_, _, word) => rows.push(format!("{mailbox} | {crm} | {word}")),
        }
    }
    rows.sort();
    rows
}

/// What is there now, once another sync has shown that nothing is left to do.
///
/// # Errors
/// When that sync did something.
pub async fn end(world: &mut World, report: &ClassReport) -> Result<End, String> {
    let end = End {
        rows: world.rows(),
        waits: waits(report),
        pairs: world.pairs(),
        values: world.values(),
    };
    let again = world.sync().await?.ok_or("it died once more")?;
    if again.operations > 0 || again.error.is_some() {
        return Err(format!("a further sync did something: {again:?}"));
    }
    let (rows, waiting) = (world.rows(), waits(&again));
    if rows != end.rows || waiting != end.waits {
        return Err(format!(
            "a further sync changed\n    {}\n    waits {}\nto\n    {}\n    waits {waiting}",
            end.rows.join("\n    "),
            end.waits,
            rows.join("\n    ")
        ));
    }
    Ok(end)
}

fn waits(report: &ClassReport) -> String {
    [("held", report.held), ("conflicts", report.conflicts), ("quarantined", report.quarantined)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{what}={count}"))
        .collect::<Vec<_>>()
        .join(" ")
}
