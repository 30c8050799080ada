//! Reads the stories.

use std::collections::BTreeMap;

use liaison::filter::{email, track};
use liaison::mapping::Lengths;
use liaison::model::fields::{Address, Direction};
use liaison::model::{Class, Table};
use liaison::plan::guard::Limits;
use liaison::plan::{ConflictPolicy, DeleteRule, OnLeave};
use liaison::sync::{ClassSettings, Settings};

use crate::support::cell::{self, Cell};
use crate::support::world::{Approval, ME, ORGANISATION, me};

/// A story as it was written.
#[derive(Debug, Clone)]
pub struct Story {
    pub name: String,
    pub class: Class,
    pub settings: Settings,
    pub approval: Approval,
    /// A new store cannot know what this one knew: after its loss both ends hold what they held, and no more is said.
    pub forgetful: bool,
    /// What else can happen when the program recovers from its first end is told, too.
    pub twice: bool,
    pub stages: Vec<Stage>,
}

/// What happens before a look at both sides, and what is there afterwards.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    pub actions: Vec<String>,
    pub rows: Vec<Row>,
    pub waits: String,
}

#[derive(Debug, Clone)]
pub struct Row {
    pub key: String,
    pub base: Cell,
    pub mailbox: Cell,
    pub crm: Cell,
    pub mailbox_after: Cell,
    pub crm_after: Cell,
    pub link: String,
}

/// Reads the stories of a file.
pub fn read(class: &str, text: &str) -> Vec<Story> {
    let class = Class::named(class).unwrap();
    let mut stories: Vec<Story> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if !line.starts_with(' ') {
            stories.push(Story {
                name: format!("{class}: {}", line.trim()),
                class,
                settings: settings(class),
                approval: Approval::First,
                forgetful: false,
                twice: false,
                stages: vec![Stage::default()],
            });
            continue;
        }
        let story = stories.last_mut().unwrap();
        let first = story.stages.len() == 1;
        let stage = story.stages.last_mut().unwrap();
        let line = line.trim();
        if let Some(words) = line.strip_prefix("with ") {
            words.split_whitespace().for_each(|word| set(story, word));
        } else if let Some(actions) = line.strip_prefix("then") {
            let actions = actions.split(',').map(|action| action.trim().to_owned());
            let actions = actions.filter(|action| !action.is_empty()).collect();
            story.stages.push(Stage { actions, ..Stage::default() });
        } else if let Some(waits) = line.strip_prefix("waits ") {
            stage.waits = waits.trim().to_owned();
        } else {
            stage.rows.extend(rows(class, line, first));
        }
    }
    stories
}

fn rows(class: Class, line: &str, first: bool) -> Vec<Row> {
    let (key, cells) = line.split_once('|').unwrap();
    let (before, after) = cells.split_once("->").unwrap_or_else(|| panic!("no end: {line}"));
    let (key, count) = match key.trim().split_once('*') {
        Some((key, count)) => (key, count.parse().unwrap()),
        None => (key.trim(), 1),
    };
    let row = |number: usize| {
        let number = number.to_string();
        let counted = |text: &str| text.replace('#', &number);
        let (before, after) = (counted(before), counted(after));
        let before: Vec<&str> = before.split('|').collect();
        let after: Vec<&str> = after.split('|').collect();
        let (base, mailbox, crm) = match (first, before.as_slice()) {
            (true, [base, mailbox, crm]) => (*base, *mailbox, *crm),
            (false, [mailbox, crm]) => ("*", *mailbox, *crm),
            _ => panic!("too few or too many cells: {line}"),
        };
        let [mailbox_after, crm_after, link] = after.as_slice() else {
            panic!("too few or too many cells: {line}");
        };
        let crm_after = if crm_after.trim() == "=" { mailbox_after } else { crm_after };
        let parse = |text: &str| cell::parse(class, text);
        Row {
            key: if count == 1 { key.to_owned() } else { format!("{key}{number}") },
            base: parse(base),
            mailbox: parse(mailbox),
            crm: parse(crm),
            mailbox_after: parse(mailbox_after),
            crm_after: parse(crm_after),
            link: link.trim().to_owned(),
        }
    };
    (1..=count).map(row).collect()
}

/// The usual settings, but that everything takes part: most stories are not about that.
fn settings(class: Class) -> Settings {
    let lengths = BTreeMap::from([
        ((Table::Contact, "jobtitle".to_owned()), 12),
        ((Table::Task, "description".to_owned()), 12),
        ((Table::Appointment, "location".to_owned()), 12),
    ]);
    let tracking = track::Policy { track: track::Track::All, ..track::Policy::default() };
    let email = email::Policy { automatic: email::Automatic::All, ..email::Policy::default() };
    let settings = ClassSettings {
        tracking,
        email,
        filter: "the usual".to_owned(),
        ..ClassSettings::default()
    };
    Settings {
        organisation: ORGANISATION,
        mailbox: Address::parse(ME).unwrap(),
        me: me(),
        zone: jiff::tz::TimeZone::UTC,
        lengths: Lengths(lengths),
        limits: Limits::default(),
        filing: liaison::sync::Filing::default(),
        classes: BTreeMap::from([(class, settings)]),
    }
}

/// Changes a setting.
pub fn set(story: &mut Story, word: &str) {
    match word {
        "approve=nothing" => story.approval = Approval::Nothing,
        "approve=all" => story.approval = Approval::All,
        "forgetful" => story.forgetful = true,
        "twice" => story.twice = true,
        _ => configure(story.class, &mut story.settings, word),
    }
}

/// Changes a setting of the class.
pub fn configure(class: Class, settings: &mut Settings, word: &str) {
    let of = settings.classes.entry(class).or_default();
    let direction = |name: &str| match name {
        "two-way" => Direction::TwoWay,
        "to-crm" => Direction::ToCrm,
        "to-mailbox" => Direction::ToMailbox,
        "none" => Direction::None,
        _ => panic!("no direction is called {name}"),
    };
    let deletes = |name: &str| match name {
        "propagate" => DeleteRule::Propagate,
        "keep" => DeleteRule::Keep,
        _ => panic!("no delete rule is called {name}"),
    };
    let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("no setting: {word}"));
    match name {
        "conflict" => {
            of.rules.conflict = match value {
                "crm" => ConflictPolicy::Crm,
                "mailbox" => ConflictPolicy::Mailbox,
                "ask" => ConflictPolicy::Ask,
                _ => panic!("no policy is called {value}"),
            };
        }
        "direction" => of.rules.direction = direction(value),
        "on_leave" => {
            of.rules.on_leave = if value == "remove" { OnLeave::Remove } else { OnLeave::Keep };
        }
        "deleted_in_mailbox" => of.rules.deleted_in_mailbox = deletes(value),
        "deleted_in_crm" => of.rules.deleted_in_crm = deletes(value),
        "track" => {
            of.tracking.track = match value {
                "all" => track::Track::All,
                "category" => track::Track::Category,
                _ => track::Track::Manual,
            };
            of.email.automatic = match value {
                "all" => email::Automatic::All,
                "replies" => email::Automatic::Replies,
                "known-senders" => email::Automatic::KnownSenders,
                _ => email::Automatic::None,
            };
        }
        "filter" => value.clone_into(&mut of.filter),
        _ => {
            let field = name.strip_prefix("field.").unwrap_or_else(|| panic!("no setting: {word}"));
            of.rules.fields.insert(field.to_owned(), direction(value));
        }
    }
}
