//! E-mail actions: marking as sent, tracking tokens, and filing mails that came or went elsewhere.
//! Filing by `DeliverIncomingEmail` or `DeliverPromoteEmail` is the one way in which the columns
//! that the service reserves for itself (`inreplyto`, `conversationindex`, `senton`) are set.

use super::{Arguments, answer, moment, text};
use crate::sandbox::clock;
use crate::sandbox::record::payload::{self, Object, Payload, Purpose};
use crate::sandbox::record::{self, party, set_lookup};
use crate::sandbox::refusal::{self, Refusal};
use crate::sandbox::schema::{self, Table};
use crate::sandbox::security::Right;
use crate::sandbox::service::message::{Reply, Request};
use crate::sandbox::store::{self, Context, Row};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params};
use serde_json::{Value as Json, json};

/// `SendEmail`: with `IssueSend` the mail waits to be sent, without it is marked as sent. The
/// tracking token goes into the subject.
pub(super) fn send(
    context: &mut Context<'_>,
    request: &Request,
    id: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let table = table("email")?;
    let row = context.existing(table, id)?;
    context.caller.check(context.connection, Right::Write, table, &row)?;
    let issue =
        body.get("IssueSend").and_then(Json::as_bool).ok_or_else(|| super::missing("IssueSend"))?;
    let sendable = matches!(
        (store::number(&row, "statecode"), store::number(&row, "statuscode")),
        (Some(0), _) | (Some(1), Some(6 | 7))
    );
    if !sendable {
        return Err(Refusal::new(
            400,
            refusal::INVALID_STATE,
            format!("The email {id} cannot be sent in its current status."),
        ));
    }
    let parties = |masks: &str| -> Result<i64, Refusal> {
        let sql = format!(
            "SELECT COUNT(*) FROM activityparty WHERE activityid = ? AND participationtypemask IN ({masks})"
        );
        Ok(context.connection.prepare_cached(&sql)?.query_row([id], |row| row.get(0))?)
    };
    if parties("1")? == 0 {
        return Err(Refusal::new(
            400,
            "0x80040308",
            "The e-mail must have a sender before it can be sent.",
        ));
    }
    if parties("2, 3, 4")? == 0 {
        return Err(Refusal::new(
            400,
            "0x80040307",
            "The e-mail must have at least one recipient before it can be sent.",
        ));
    }
    let token = body.get("TrackingToken").and_then(Json::as_str).unwrap_or_default();
    let subject = store::text(&row, "subject").unwrap_or_default();
    let subject = if token.is_empty() || subject.ends_with(token) {
        subject.to_owned()
    } else {
        format!("{subject} {token}").trim_start().to_owned()
    };
    let mut changes = Row::from([
        ("statecode".to_owned(), Value::Integer(1)),
        ("statuscode".to_owned(), Value::Integer(if issue { 6 } else { 3 })),
        ("subject".to_owned(), Value::Text(subject.chars().take(200).collect())),
    ]);
    if !token.is_empty() {
        changes.insert("trackingtoken".to_owned(), Value::Text(token.chars().take(50).collect()));
    }
    record::change(context, table, &row, changes)?;
    Ok(answer(request, "SendEmailResponse", json!({"Subject": subject})))
}

/// `GetTrackingTokenEmail`: the token in the subject, or the next new one.
pub(super) fn tracking_token(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    let subject = body.get("Subject").and_then(Json::as_str).unwrap_or_default();
    let token = if let Some(token) = token_in(subject) {
        token
    } else {
        let number = store::meta(context.connection, "tracking")?.unwrap_or(1000) + 1;
        store::set_meta(context.connection, "tracking", number)?;
        context.version();
        format!("CRM:{number:07}")
    };
    Ok(answer(request, "GetTrackingTokenEmailResponse", json!({"TrackingToken": token})))
}

/// `CRM:` and digits, wherever it stands.
fn token_in(subject: &str) -> Option<String> {
    let (_, rest) = subject.split_once("CRM:")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("CRM:{digits}"))
}

/// `CheckIncomingEmail`: no to a message that is there already or that the user's setting leaves
/// out.
pub(super) fn check_incoming(
    context: &Context<'_>,
    arguments: &Arguments<'_>,
) -> Result<Reply, Refusal> {
    context.caller.require(Right::Read, table("email")?)?;
    for name in ["MessageId", "From", "To", "Cc", "Bcc"] {
        arguments.need(name)?;
    }
    let subject = arguments.get("Subject").unwrap_or_default();
    let deliver = find_message(context, &arguments.need("MessageId")?)?.is_none()
        && wanted(context, &subject, &arguments.need("From")?)?;
    Ok(answer(
        arguments.request,
        "CheckIncomingEmailResponse",
        json!({"ShouldDeliver": deliver, "ReasonCode": i32::from(!deliver)}),
    ))
}

/// `CheckPromoteEmail`
pub(super) fn check_promote(
    context: &Context<'_>,
    arguments: &Arguments<'_>,
) -> Result<Reply, Refusal> {
    context.caller.require(Right::Read, table("email")?)?;
    let promote = find_message(context, &arguments.need("MessageId")?)?.is_none();
    Ok(answer(
        arguments.request,
        "CheckPromoteEmailResponse",
        json!({"ShouldPromote": promote, "ReasonCode": i32::from(!promote)}),
    ))
}

/// `usersettings.incomingemailfilteringmethod`: all, replies, known senders, e-mail enabled
/// records, none.
fn wanted(context: &Context<'_>, subject: &str, from: &str) -> Result<bool, Refusal> {
    let method: Option<i64> = context
        .connection
        .prepare_cached(
            "SELECT incomingemailfilteringmethod FROM usersettings WHERE systemuserid = ?",
        )?
        .query_row([&context.caller.id], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(match method.unwrap_or(1) {
        0 => true,
        1 => token_in(subject).is_some(),
        2 => {
            matches!(resolve(context, &addresses(from).into_iter().next().unwrap_or_default())?, Some((kind, _)) if kind != "systemuser")
        }
        3 => resolve(context, &addresses(from).into_iter().next().unwrap_or_default())?.is_some(),
        _ => false,
    })
}

/// `POST /emails/…DeliverIncomingEmail`: a message that is there already is not filed again, its
/// row is named.
pub(super) fn deliver_incoming(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    complete(body)?;
    let validate = body.get("ValidateBeforeCreate").and_then(Json::as_bool).unwrap_or(true);
    let known = if validate { find_message(context, text(body, "MessageId")?)? } else { None };
    let id = if let Some(id) = known {
        id
    } else {
        let id = context.counters.random.guid();
        deliver(context, &id, body, false)?;
        id
    };
    Ok(answer(request, "DeliverIncomingEmailResponse", json!({"EmailId": id})))
}

/// `POST /emails(id)/…DeliverPromoteEmail`: the row gets the id of the URL; if there is one of that
/// id, the message is refused as a duplicate.
pub(super) fn deliver_promote(
    context: &mut Context<'_>,
    request: &Request,
    id: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    deliver(context, id, body, true)?;
    Ok(answer(request, "DeliverPromoteEmailResponse", json!({"EmailId": id})))
}

/// Refuses a message that lacks a parameter; all but the subject must be there. Returns the
/// attachments.
fn complete(body: &Object) -> Result<&[Json], Refusal> {
    for name in ["MessageId", "From", "To", "Cc", "Bcc", "SubmittedBy", "Importance", "Body"] {
        text(body, name)?;
    }
    let attachments = body.get("Attachments").and_then(Json::as_array);
    attachments.map(Vec::as_slice).ok_or_else(|| super::missing("Attachments"))
}

fn deliver(
    context: &mut Context<'_>,
    id: &str,
    body: &Object,
    promote: bool,
) -> Result<(), Refusal> {
    let table = table("email")?;
    context.caller.require(Right::Create, table)?;
    let attachments = complete(body)?;
    let received = clock::text(moment(body, "ReceivedOn")?);
    let sender = addresses(text(body, "From")?).into_iter().next().unwrap_or_default();
    let outgoing =
        promote && resolve(context, &sender)?.is_some_and(|(_, party)| party == context.caller.id);
    let mut row = columns(table, body)?;
    let number = |on: bool, yes: i64, no: i64| Value::Integer(if on { yes } else { no });
    row.extend([
        ("activityid".to_owned(), Value::Text(id.to_owned())),
        ("directioncode".to_owned(), Value::Integer(i64::from(outgoing))),
        ("statecode".to_owned(), Value::Integer(1)),
        ("statuscode".to_owned(), number(outgoing, 3, 4)),
        ("senton".to_owned(), Value::Text(received.clone())),
        ("actualend".to_owned(), Value::Text(received)),
    ]);
    let extra = match body.get("ExtraProperties") {
        Some(Json::Object(extra)) => payload::read(table, extra, Purpose::Service)?,
        _ => Payload::default(),
    };
    let reserved = ["activityid", "statecode", "statuscode"];
    row.extend(extra.values.into_iter().filter(|(name, _)| !reserved.contains(&name.as_str())));
    record::connect(context, table, &extra.links, &mut row)?;
    correlate(context, &mut row)?;
    record::finish_create(context, table, row, &Payload::default())?;
    let masks = [("From", 1), ("To", 2), ("Cc", 3), ("Bcc", 4)];
    for (name, mask) in masks {
        let parties = recipients(context, text(body, name)?, mask)?;
        let collection = table
            .collection("email_activity_parties")
            .ok_or_else(|| Refusal::no_resource("email_activity_parties"))?;
        party::add(context, table, id, collection, &parties)?;
    }
    attachments.iter().try_for_each(|attachment| attach(context, id, attachment))
}

/// The columns that the parameters fill.
fn columns(table: &Table, body: &Object) -> Result<Row, Refusal> {
    let subject = body.get("Subject").and_then(Json::as_str).unwrap_or_default();
    let cut = |text: &str, max: usize| text.chars().take(max).collect::<String>();
    let fields = [
        ("subject", cut(subject, 200)),
        ("description", text(body, "Body")?.to_owned()),
        ("messageid", text(body, "MessageId")?.to_owned()),
        ("sender", cut(text(body, "From")?, 250)),
        ("torecipients", cut(text(body, "To")?, 500)),
        ("submittedby", cut(text(body, "SubmittedBy")?, 250)),
        ("trackingtoken", token_in(subject).unwrap_or_default()),
    ];
    let mut row = Row::new();
    for (name, text) in fields {
        let column = table.column(name).ok_or_else(|| Refusal::no_resource(name))?;
        row.insert(name.to_owned(), record::value::convert(table, column, &text.into())?);
    }
    let priority = match text(body, "Importance")?.to_ascii_lowercase().as_str() {
        "low" | "0" => 0,
        "high" | "2" => 2,
        _ => 1,
    };
    row.insert("prioritycode".to_owned(), Value::Integer(priority));
    Ok(row)
}

/// What the message answers: by `inreplyto`, then by the tracking token, then by the start of the
/// conversation index. The regarding is inherited.
fn correlate(context: &Context<'_>, row: &mut Row) -> Result<(), Refusal> {
    let index = |row: &Row| {
        store::text(row, "conversationindex")
            .filter(|index| index.len() > 22)
            .map(|index| index.chars().take(22).collect::<String>())
    };
    let attempts = [
        (3, "messageid = ?1", store::text(row, "inreplyto").map(str::to_owned)),
        (4, "trackingtoken = ?1", store::text(row, "trackingtoken").map(str::to_owned)),
        (5, "substr(conversationindex, 1, 22) = ?1", index(row)),
    ];
    for (method, predicate, value) in attempts {
        let Some(value) = value else { continue };
        let sql = format!(
            "SELECT activityid, regardingobjectid, regardingobjectid_type FROM email WHERE {predicate} ORDER BY createdon DESC LIMIT 1"
        );
        let found: Option<(String, Option<String>, Option<String>)> = context
            .connection
            .prepare_cached(&sql)?
            .query_row([value], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((parent, regarding, kind)) = found else { continue };
        set_lookup(row, "correlatedactivityid", "email", &parent);
        row.insert("correlationmethod".to_owned(), Value::Integer(method));
        if let (Some(regarding), Some(kind), None) =
            (regarding, kind, store::text(row, "regardingobjectid"))
        {
            set_lookup(row, "regardingobjectid", &kind, &regarding);
        }
        return Ok(());
    }
    row.entry("correlationmethod".to_owned()).or_insert(Value::Integer(0));
    Ok(())
}

fn recipients(context: &Context<'_>, list: &str, mask: i64) -> Result<Vec<Object>, Refusal> {
    let party = |address: String| {
        let mut party = Object::from_iter([("participationtypemask".to_owned(), mask.into())]);
        if let Some((kind, id)) = resolve(context, &address)?
            && let Some(table) = schema::table(&kind)
        {
            party.insert(
                format!("partyid_{kind}@odata.bind"),
                format!("/{}({id})", table.set).into(),
            );
        }
        party.insert("addressused".to_owned(), address.into());
        Ok(party)
    };
    let limit = if mask == 1 { 1 } else { usize::MAX };
    addresses(list).into_iter().take(limit).map(party).collect()
}

/// The addresses of a list with `;` or `,` between and perhaps names before.
fn addresses(list: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = list.split(move |letter: char| {
        quoted ^= letter == '"';
        (letter == ';' || letter == ',') && !quoted
    });
    let address = |part: &str| match part.rsplit_once('<') {
        Some((_, rest)) => rest.split('>').next().unwrap_or_default().trim().to_owned(),
        None => part.trim().to_owned(),
    };
    parts.map(address).filter(|address| !address.is_empty()).collect()
}

/// Whose address it is: a user, contact, account or lead, in that order, the caller's own rows
/// first.
fn resolve(context: &Context<'_>, address: &str) -> Result<Option<(String, String)>, Refusal> {
    if address.is_empty() {
        return Ok(None);
    }
    let sql = "SELECT 'systemuser', systemuserid FROM systemuser WHERE internalemailaddress = ?1 COLLATE NOCASE LIMIT 1";
    if let Some(user) = context
        .connection
        .prepare_cached(sql)?
        .query_row([address], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
    {
        return Ok(Some(user));
    }
    for logical in ["contact", "account", "lead"] {
        let table = table(logical)?;
        let sql = format!(
            "SELECT t.{} FROM {logical} t WHERE (t.emailaddress1 = ?1 COLLATE NOCASE OR t.emailaddress2 = ?1 COLLATE NOCASE OR t.emailaddress3 = ?1 COLLATE NOCASE) \
             AND {} ORDER BY t.ownerid <> ?2, t.createdon LIMIT 1",
            table.id,
            context.caller.readable(table, "t")
        );
        let found: Option<String> = context
            .connection
            .prepare_cached(&sql)?
            .query_row(params![address, context.caller.id], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(Some((logical.to_owned(), id)));
        }
    }
    Ok(None)
}

fn find_message(context: &Context<'_>, message: &str) -> Result<Option<String>, Refusal> {
    let sql = "SELECT activityid FROM email WHERE messageid = ? ORDER BY createdon LIMIT 1";
    Ok(context.connection.prepare_cached(sql)?.query_row([message], |row| row.get(0)).optional()?)
}

/// An attachment of a filed mail: filed with it, although the mail is closed already.
fn attach(context: &mut Context<'_>, email: &str, attachment: &Json) -> Result<(), Refusal> {
    let table = table("activitymimeattachment")?;
    let body = attachment
        .as_object()
        .ok_or_else(|| Refusal::payload(table, "An attachment must be an object."))?;
    let payload = payload::read(table, body, Purpose::Create)?;
    let mut row = payload.values;
    row.entry(table.id.to_owned()).or_insert_with(|| Value::Text(context.counters.random.guid()));
    set_lookup(&mut row, "objectid", "email", email);
    row.insert("objecttypecode".to_owned(), Value::Text("email".to_owned()));
    party::acceptable(context, &row)?;
    record::finish_create(context, table, row, &Payload::default())
}

fn table(logical: &str) -> Result<&'static Table, Refusal> {
    schema::table(logical).ok_or_else(|| Refusal::no_resource(logical))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_out_of_lists_with_names() {
        assert_eq!(addresses("\"Ek, Erik\" <erik@x>; bo@x, <c@x>"), ["erik@x", "bo@x", "c@x"]);
        assert!(addresses(" ; ,").is_empty());
    }

    #[test]
    fn a_token_is_found_anywhere() {
        assert_eq!(token_in("Re: offer CRM:0001001 today").as_deref(), Some("CRM:0001001"));
        assert_eq!(token_in("CRM: none"), None);
    }
}
