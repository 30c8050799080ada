//! Whether a filed message says what it was filed with. It must not know what is done about a difference.

use super::{ACTUALEND, is_me, moment, new_row, read_record};
use crate::mapping::{Change, Context, Unreadable};
use crate::model::record::Party;
use crate::model::{Address, Content, Field, Record, all_of};

/// What is compared. `senton`, `inreplyto` and `conversationindex` the service keeps for itself; of the text and the files, rules
/// and the organisation's limits decide how much is filed.
const COMPARED: [&str; 8] =
    ["subject", "from", "to", "cc", "bcc", "messageid", "directioncode", "prioritycode"];

/// What hangs on who filed the message.
const OF_THE_FILER: [&str; 2] = ["bcc", "directioncode"];

/// The columns of a filed message that say something else than its head, from which it would be filed in the same way today. Blind
/// copies, and which way the message went, are only compared where no colleague can have filed it.
///
/// # Errors
/// [`Unreadable`] when a column is of another type than documented.
pub fn differing(
    head: &Content,
    record: &Record,
    context: &Context,
) -> Result<Vec<&'static str>, Unreadable> {
    let patch = all_of(&head.fields);
    let row = new_row(Change { uid: &head.uid, patch: &patch, whole: &head.fields }, context);
    let filed = Record {
        id: record.id,
        columns: row.columns,
        parties: row.parties.unwrap_or_default(),
        exceptions: Vec::new(),
        attachments: Vec::new(),
    };
    let (due, told) = (read_record(&filed, context)?.fields, read_record(record, context)?.fields);
    let is_shared = record.parties.iter().any(|party| is_colleague(party, context));
    let differs = |name: &&&'static str| {
        let field = Field::of(name);
        match (due.get(&field), told.get(&field)) {
            (Some(due), Some(told)) => !due.agrees(told),
            (due, told) => due.is_some() || told.is_some(),
        }
    };
    let compared = COMPARED.iter().filter(|name| !(is_shared && OF_THE_FILER.contains(name)));
    let mut differing: Vec<&'static str> = compared.filter(differs).copied().collect();
    let date = moment(&filed.columns, ACTUALEND)?;
    if date.is_some() && date != moment(&record.columns, ACTUALEND)? {
        differing.push(ACTUALEND);
    }
    Ok(differing)
}

/// Another user of the organisation.
fn is_colleague(party: &Party, context: &Context) -> bool {
    let is_user = party.target.as_ref().is_some_and(|target| target.table == "systemuser");
    is_user && !Address::parse(&party.address).is_some_and(|address| is_me(context, &address))
}
