//! What the engine must know, out of what the user set and what the organisation told. No file, no wire.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::selection::Filters;
use crate::config::Settings;
use crate::config::settings::{self, Conflict, Deletion, Guard, Limit, Tracking};
use crate::connector::dataverse::{ClassStanding, Dataverse, Standing};
use crate::filter::fetch;
use crate::mapping::Lengths;
use crate::model::{Class, Table};
use crate::plan::guard::Limits;
use crate::plan::{ConflictPolicy, DeleteRule, OnLeave, Rules};
use crate::sync::{self, ClassSettings, May};

/// The settings of an engine that works for this mailbox and this organisation and counts days in this zone.
pub fn engine(
    settings: &Settings,
    dataverse: &Dataverse,
    (standing, filters): (&Standing, &Filters),
    zone: TimeZone,
) -> sync::Settings {
    let mailbox = &settings.mailbox;
    let of = |class: Class| {
        let of_class = of(settings.sync.of(class));
        // What the rules for messages say stands in the configuration alone.
        let filter = filters.fingerprint(class).unwrap_or(of_class.filter);
        ClassSettings { may: may(standing.of(class)), filter, ..of_class }
    };
    sync::Settings {
        organisation: dataverse.organisation(),
        mailbox: mailbox.address.clone(),
        me: mailbox.me().union(dataverse.me()).cloned().collect(),
        zone,
        lengths: Lengths(dataverse.lengths()),
        limits: limits(settings.guard),
        filing: filing(&settings.sync.email.filing, dataverse),
        classes: settings.classes().map(|class| (class, of(class))).collect(),
    }
}

/// The sync filters of the classes that take part, by table.
pub fn filters(settings: &Settings) -> BTreeMap<Table, Vec<String>> {
    let mut by_table: BTreeMap<Table, Vec<String>> = BTreeMap::new();
    for filter in settings.classes().flat_map(|class: Class| &settings.sync.of(class).filters) {
        by_table.entry(filter.table()).or_default().push(filter.as_fetchxml().to_owned());
    }
    by_table
}

fn filing(filing: &settings::Filing, dataverse: &Dataverse) -> sync::Filing {
    sync::Filing {
        content: filing.content.clone(),
        files: dataverse.files().clone(),
        create_people: filing.create_people,
    }
}

fn of(sync: &settings::Sync) -> ClassSettings {
    let rules = Rules {
        direction: sync.direction,
        fields: sync.fields.clone(),
        conflict: match sync.conflict {
            Conflict::Crm => ConflictPolicy::Crm,
            Conflict::Mailbox => ConflictPolicy::Mailbox,
            Conflict::Ask => ConflictPolicy::Ask,
        },
        deleted_in_mailbox: deletion(sync.deletes.mailbox),
        deleted_in_crm: deletion(sync.deletes.crm),
        on_leave: match sync.on_leave {
            settings::OnLeave::Keep => OnLeave::Keep,
            settings::OnLeave::Remove => OnLeave::Remove,
        },
    };
    let filter = fetch::fingerprint(&sync.filters);
    let class = ClassSettings { rules, filter, ..ClassSettings::default() };
    match &sync.track {
        Tracking::Items(policy) => ClassSettings { tracking: policy.clone(), ..class },
        Tracking::Email(policy) => {
            ClassSettings { email: (**policy).clone(), filter: policy.fingerprint(), ..class }
        }
    }
}

fn may(standing: ClassStanding) -> May {
    May { create: standing.create, write: standing.write, delete: standing.delete }
}

fn deletion(deletion: Deletion) -> DeleteRule {
    match deletion {
        Deletion::Propagate => DeleteRule::Propagate,
        Deletion::Keep => DeleteRule::Keep,
        Deletion::Rule => DeleteRule::ByClass,
    }
}

fn limits(guard: Guard) -> Limits {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let of = |limit: Limit| (number(limit.max), number(limit.percent));
    let (deletes_max, deletes_percent) = of(guard.deletes);
    let (updates_max, updates_percent) = of(guard.updates);
    let (creates_max, creates_percent) = of(guard.creates);
    Limits {
        deletes_max,
        deletes_percent,
        updates_max,
        updates_percent,
        creates_max,
        creates_percent,
    }
}
