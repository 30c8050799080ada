//! What hangs on an activity: its parties and its attachments. Parties have no create of their own;
//! they come with their activity, one by one through its collection, or as a whole. A change of
//! them does not move the activity's version.

use super::payload::{self, Object, Purpose};
use super::{connect, create, rules, series, set_lookup};
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::{self, Collection, Table};
use crate::sandbox::security::Right;
use crate::sandbox::store::{self, Context, Row};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params};

/// Kept by the service itself: regarding and owner.
const SYSTEM_MASKS: [i64; 2] = [8, 9];
const SENDER: i64 = 1;
const ORGANIZER: i64 = 7;

/// Makes the rows of a collection along with the row that they hang on.
pub fn add(
    context: &mut Context<'_>,
    parent: &'static Table,
    id: &str,
    collection: &Collection,
    rows: &[Object],
) -> Result<(), Refusal> {
    let table =
        schema::table(collection.table).ok_or_else(|| Refusal::no_resource(collection.table))?;
    for body in rows {
        if table.logical == "activityparty" {
            add_party(context, parent, id, body)?;
        } else {
            add_child(context, parent, id, table, collection, body)?;
        }
    }
    if table.logical == "activityparty" { one_sender(context, parent, id) } else { Ok(()) }
}

/// A row of any other collection: an ordinary create, linked to its parent.
fn add_child(
    context: &mut Context<'_>,
    parent: &'static Table,
    id: &str,
    table: &'static Table,
    collection: &Collection,
    body: &Object,
) -> Result<(), Refusal> {
    let navigation = table.navigations.iter().find(|navigation| {
        navigation.column == collection.key && navigation.targets.contains(&parent.logical)
    });
    let navigation = navigation.ok_or_else(|| Refusal::no_resource(collection.name))?;
    let mut body = body.clone();
    body.insert(format!("{}@odata.bind", navigation.name), format!("/{}({id})", parent.set).into());
    create(context, table, &body, None).map(|_| ())
}

/// Replaces all parties but the service's own (`PUT …/email_activity_parties`).
pub fn replace(
    context: &mut Context<'_>,
    parent: &'static Table,
    id: &str,
    rows: &[Object],
) -> Result<(), Refusal> {
    if let Err(refusal) = writable(context, parent, id)
        && !(parent.logical == "email" && only_names(context, parent, id, rows)?)
    {
        return Err(refusal);
    }
    context
        .connection
        .prepare_cached("DELETE FROM activityparty WHERE activityid = ? AND participationtypemask NOT IN (8, 9)")?
        .execute([id])?;
    for body in rows {
        add_party(context, parent, id, body)?;
    }
    if parent.logical == "recurringappointmentmaster" {
        series::expand(context, id)?;
    }
    one_sender(context, parent, id)
}

/// Adds one party (`POST …/email_activity_parties`).
pub fn append(
    context: &mut Context<'_>,
    parent: &'static Table,
    id: &str,
    body: &Object,
) -> Result<String, Refusal> {
    writable(context, parent, id)?;
    let party = add_party(context, parent, id, body)?;
    one_sender(context, parent, id)?;
    Ok(party)
}

/// Whether rows say the same as the parties that are there, but whose some unresolved addresses are. The form of a message
/// allows that whatever its state. Who may not write the message at all, may not do this either.
fn only_names(
    context: &mut Context<'_>,
    parent: &'static Table,
    id: &str,
    rows: &[Object],
) -> Result<bool, Refusal> {
    let row = context.existing(parent, id)?;
    context.caller.check(context.connection, Right::Write, parent, &row)?;
    let table =
        schema::table("activityparty").ok_or_else(|| Refusal::no_resource("activityparty"))?;
    let mut there: Vec<Told> = context
        .connection
        .prepare_cached(
            "SELECT participationtypemask, partyid, COALESCE(addressused, '') FROM activityparty
             WHERE activityid = ? AND participationtypemask NOT IN (8, 9)",
        )?
        .query_map([id], |row| {
            Ok(Told { mask: row.get(0)?, party: row.get(1)?, address: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    for body in rows {
        let payload = payload::read(table, body, Purpose::Create)?;
        let mut row = payload.values;
        connect(context, table, &payload.links, &mut row)?;
        let text = |name: &str| store::text(&row, name).map(str::to_owned);
        let new = Told {
            mask: store::number(&row, "participationtypemask").unwrap_or_default(),
            party: text("partyid"),
            address: text("addressused").unwrap_or_default(),
        };
        let Some(place) = there.iter().position(|old| old.is_said_by(&new)) else {
            return Ok(false);
        };
        there.swap_remove(place);
    }
    Ok(there.is_empty())
}

/// What a party says.
struct Told {
    mask: i64,
    party: Option<String>,
    address: String,
}

impl Told {
    fn is_said_by(&self, new: &Self) -> bool {
        self.mask == new.mask
            && self.address.eq_ignore_ascii_case(&new.address)
            && (self.party.is_none() || self.party == new.party)
    }
}

fn writable(context: &Context<'_>, parent: &'static Table, id: &str) -> Result<(), Refusal> {
    let row = context.existing(parent, id)?;
    context.caller.check(context.connection, Right::Write, parent, &row)?;
    if !rules::closed(parent, &row) {
        return Ok(());
    }
    let message = format!(
        "The {} is closed: its parties cannot be changed until it is reopened.",
        parent.logical
    );
    Err(Refusal::new(400, refusal::INVALID_OPERATION, message))
}

/// Makes one party; those of the service's own kinds are passed over. Returns its id.
fn add_party(
    context: &mut Context<'_>,
    parent: &'static Table,
    id: &str,
    body: &Object,
) -> Result<String, Refusal> {
    let table =
        schema::table("activityparty").ok_or_else(|| Refusal::no_resource("activityparty"))?;
    let payload = payload::read(table, body, Purpose::Create)?;
    let mut row = payload.values;
    connect(context, table, &payload.links, &mut row)?;
    let Some(mask) = store::number(&row, "participationtypemask") else {
        return Err(Refusal::argument("An activity party needs a participationtypemask."));
    };
    let party = context.counters.random.guid();
    if SYSTEM_MASKS.contains(&mask) {
        return Ok(party);
    }
    if store::text(&row, "partyid").is_none() && store::text(&row, "addressused").is_none() {
        return Err(Refusal::argument("An activity party needs a partyid or an addressused."));
    }
    if mask == ORGANIZER
        && store::text(&row, "partyid_type").is_some_and(|kind| kind != "systemuser")
    {
        return Err(Refusal::new(
            400,
            "0x80043B21",
            "The organizer of an appointment must be a system user.",
        ));
    }
    row.insert(table.id.to_owned(), Value::Text(party.clone()));
    insert(context, parent, id, row)?;
    Ok(party)
}

fn insert(
    context: &mut Context<'_>,
    parent: &'static Table,
    id: &str,
    mut row: Row,
) -> Result<(), Refusal> {
    let table =
        schema::table("activityparty").ok_or_else(|| Refusal::no_resource("activityparty"))?;
    set_lookup(&mut row, "activityid", parent.logical, id);
    if let (Some(kind), Some(party)) =
        (store::text(&row, "partyid_type"), store::text(&row, "partyid"))
    {
        let (name, address) = identity(context, kind, party)?;
        row.insert("partyidname".to_owned(), name.map_or(Value::Null, Value::Text));
        row.entry("addressused".to_owned()).or_insert(address.map_or(Value::Null, Value::Text));
    }
    row.insert("ispartydeleted".to_owned(), Value::Integer(0));
    let version = context.version();
    row.insert("versionnumber".to_owned(), Value::Integer(version));
    row.insert("createdon".to_owned(), Value::Text(context.time()));
    row.insert("modifiedon".to_owned(), Value::Text(context.time()));
    store::insert(context.connection, table, &row)?;
    Ok(())
}

/// Name and first address of whoever stands in a party.
fn identity(
    context: &Context<'_>,
    kind: &str,
    id: &str,
) -> Result<(Option<String>, Option<String>), Refusal> {
    let sql = match kind {
        "systemuser" => {
            "SELECT fullname, internalemailaddress FROM systemuser WHERE systemuserid = ?"
        }
        "contact" => "SELECT fullname, emailaddress1 FROM contact WHERE contactid = ?",
        "account" => "SELECT name, emailaddress1 FROM account WHERE accountid = ?",
        "lead" => "SELECT fullname, emailaddress1 FROM lead WHERE leadid = ?",
        "queue" => "SELECT name, emailaddress FROM queue WHERE queueid = ?",
        _ => return Ok((None, None)),
    };
    let found = context
        .connection
        .prepare_cached(sql)?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn one_sender(context: &Context<'_>, parent: &Table, id: &str) -> Result<(), Refusal> {
    if parent.logical != "email" {
        return Ok(());
    }
    let senders: i64 = context
        .connection
        .prepare_cached("SELECT COUNT(*) FROM activityparty WHERE activityid = ?1 AND participationtypemask = ?2")?
        .query_row(params![id, SENDER], |row| row.get(0))?;
    if senders <= 1 {
        return Ok(());
    }
    Err(Refusal::new(400, "0x80040309", "An email can have one sender only."))
}

/// Keeps the regarding and owner parties as the activity has them.
pub fn keep_system_parties(
    context: &mut Context<'_>,
    parent: &'static Table,
    row: &Row,
) -> Result<(), Refusal> {
    let id = store::text(row, parent.id).unwrap_or_default();
    context
        .connection
        .prepare_cached(
            "DELETE FROM activityparty WHERE activityid = ? AND participationtypemask IN (8, 9)",
        )?
        .execute([id])?;
    for (column, mask) in [("regardingobjectid", 8), ("ownerid", 9)] {
        let (Some(target), Some(kind)) =
            (store::text(row, column), store::text(row, &format!("{column}_type")))
        else {
            continue;
        };
        if kind == "team" || kind == "opportunity" {
            continue;
        }
        let mut party = Row::new();
        party.insert("activitypartyid".to_owned(), Value::Text(context.counters.random.guid()));
        party.insert("participationtypemask".to_owned(), Value::Integer(mask));
        set_lookup(&mut party, "partyid", kind, target);
        insert(context, parent, id, party)?;
    }
    Ok(())
}

/// Copies the parties that people set from one activity to another.
pub fn copy(
    context: &mut Context<'_>,
    from: &str,
    parent: &'static Table,
    to: &str,
) -> Result<(), Refusal> {
    let mut statement = context.connection.prepare_cached(
        "SELECT partyid, partyid_type, addressused, participationtypemask FROM activityparty
         WHERE activityid = ? AND participationtypemask NOT IN (8, 9) ORDER BY rowid",
    )?;
    let rows: Vec<[Value; 4]> = statement
        .query_map([from], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?
        .collect::<Result<_, _>>()?;
    drop(statement);
    for values in rows {
        let names = ["partyid", "partyid_type", "addressused", "participationtypemask"];
        let mut row: Row = names.into_iter().map(str::to_owned).zip(values).collect();
        row.insert("activitypartyid".to_owned(), Value::Text(context.counters.random.guid()));
        insert(context, parent, to, row)?;
    }
    Ok(())
}

/// Gives an instance of a series the parties that its master has now.
pub fn refresh(
    context: &mut Context<'_>,
    series: &str,
    instance: &'static Table,
    id: &str,
) -> Result<(), Refusal> {
    let row = context.existing(instance, id)?;
    context
        .connection
        .prepare_cached("DELETE FROM activityparty WHERE activityid = ?")?
        .execute([id])?;
    keep_system_parties(context, instance, &row)?;
    copy(context, series, instance, id)
}

/// Keeps `attachmentcount` of the activity that an attachment hangs on.
pub fn count_attachments(context: &Context<'_>, attachment: &Row) -> Result<(), Refusal> {
    let (Some(kind), Some(id)) =
        (store::text(attachment, "objectid_type"), store::text(attachment, "objectid"))
    else {
        return Ok(());
    };
    if kind != "email" && kind != "appointment" {
        return Ok(());
    }
    let sql = format!(
        "UPDATE {kind} SET attachmentcount = (SELECT COUNT(*) FROM activitymimeattachment WHERE objectid = ?1) WHERE activityid = ?1"
    );
    context.connection.prepare_cached(&sql)?.execute([id])?;
    Ok(())
}

/// Refuses an attachment or note file that the organisation does not take: too large, or of a
/// blocked extension.
pub fn acceptable(context: &Context<'_>, row: &Row) -> Result<(), Refusal> {
    let size = store::text(row, "body")
        .or_else(|| store::text(row, "documentbody"))
        .map_or(0, rules::decoded_size);
    let (largest, blocked, blocked_types, allowed_types): (i64, String, String, String) = context
        .connection
        .prepare_cached(
            "SELECT maxuploadfilesize, COALESCE(blockedattachments, ''), COALESCE(blockedmimetypes, ''),
             COALESCE(allowedmimetypes, '') FROM organization",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    if size > largest {
        return Err(Refusal::new(
            400,
            "0x80044a02",
            format!("Attachment file size is too big: {size} bytes, the limit is {largest}."),
        ));
    }
    let name = store::text(row, "filename").unwrap_or_default().to_lowercase();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default();
    if !extension.is_empty()
        && blocked.split(';').any(|blocked| blocked.trim().eq_ignore_ascii_case(extension))
    {
        return Err(Refusal::new(
            400,
            "0x80043e09",
            format!("The attachment is not a valid file type: {extension}."),
        ));
    }
    let mimetype = store::text(row, "mimetype").unwrap_or_default();
    let lists = |list: &str| list.split(';').any(|word| word.trim().eq_ignore_ascii_case(mimetype));
    // A list of allowed types makes the other one void.
    let taken =
        if allowed_types.is_empty() { !lists(&blocked_types) } else { lists(&allowed_types) };
    if mimetype.is_empty() || taken {
        return Ok(());
    }
    let message = format!("The attachment is not a valid file type: {mimetype}.");
    Err(Refusal::new(400, "0x80043e09", message))
}
