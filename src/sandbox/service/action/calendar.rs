//! Calendar actions: booking and rescheduling appointments, exceptions of a series, making a series
//! of an appointment, ending a series.

use super::{answer, moment, named, object};
use crate::sandbox::clock;
use crate::sandbox::record::payload::{self, Object, Purpose};
use crate::sandbox::record::{self, Condition, cascade, reference, series, value};
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Table};
use crate::sandbox::security::Right;
use crate::sandbox::service::message::{Reply, Request};
use crate::sandbox::store::Context;
use serde_json::{Value as Json, json};

/// `Book`: makes the appointment and schedules it.
pub(super) fn book(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    let target = object(body, "Target")?;
    let table = schedulable(target)?;
    let id = record::create(context, table, target, None)?;
    let scheduled = Object::from_iter([
        ("statecode".to_owned(), 3.into()),
        ("statuscode".to_owned(), 5.into()),
    ]);
    record::update(context, table, &id, &scheduled, &Condition::Exists)?;
    Ok(validated(request, "BookResponse", &id))
}

/// `Reschedule`: changes an appointment that is there.
pub(super) fn reschedule(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    let target = object(body, "Target")?;
    let table = schedulable(target)?;
    let id = named(context, table, target)?.ok_or_else(|| super::missing("activityid"))?;
    record::update(context, table, &id, target, &Condition::Exists)?;
    Ok(validated(request, "RescheduleResponse", &id))
}

fn validated(request: &Request, kind: &str, id: &str) -> Reply {
    let result =
        json!({"ActivityId": id, "TraceInfo": {"ErrorInfoList": []}, "ValidationSuccess": true});
    answer(request, kind, json!({"ValidationResult": result, "Notifications": []}))
}

/// The table that `@odata.type` of a target names.
fn schedulable(target: &Object) -> Result<&'static Table, Refusal> {
    let kind = target.get("@odata.type").and_then(Json::as_str).unwrap_or_default();
    match kind.trim_start_matches('#').trim_start_matches("Microsoft.Dynamics.CRM.") {
        logical @ ("appointment" | "recurringappointmentmaster") => table(logical),
        _ => Err(Refusal::argument("'Target' needs the '@odata.type' of an appointment.")),
    }
}

/// `CreateException`: `{"Target": {"seriesid": …, …}, "OriginalStartDate": …, "IsDeleted": false}`
pub(super) fn create_exception(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    let target = object(body, "Target")?;
    let start = moment(body, "OriginalStartDate")?;
    let deleted = body.get("IsDeleted").and_then(Json::as_bool).unwrap_or(false);
    let bind = target
        .iter()
        .find(|(name, _)| name.starts_with("seriesid") && name.ends_with("@odata.bind"));
    let series = match (target.get("seriesid").and_then(Json::as_str), bind) {
        (Some(id), _) => {
            value::guid(id).ok_or_else(|| Refusal::argument("'seriesid' is not a GUID."))?
        }
        (None, Some((_, address))) => {
            let (table, key) = reference::parse(address.as_str().unwrap_or_default())?;
            reference::resolve(context, table, &key)?
        }
        (None, None) => return Err(super::missing("seriesid")),
    };
    let id = series::except(context, &series, start, deleted)?;
    if !deleted {
        let appointment = table("appointment")?;
        let fields = target
            .iter()
            .filter(|(name, _)| !name.starts_with("seriesid"))
            .map(|(name, value)| (name.clone(), value.clone()));
        let payload = payload::read(appointment, &fields.collect(), Purpose::Update)?;
        let mut changes = payload.values;
        record::connect(context, appointment, &payload.links, &mut changes)?;
        series::fill_exception(context, &id, changes)?;
        for (_, rows) in &payload.children {
            record::party::replace(context, appointment, &id, rows)?;
        }
    }
    Ok(answer(request, "CreateExceptionResponse", json!({"id": id})))
}

/// `AddRecurrence`: a series takes the place of an appointment, whose row goes.
pub(super) fn add_recurrence(
    context: &mut Context<'_>,
    request: &Request,
    body: &Object,
) -> Result<Reply, Refusal> {
    let (appointment, master) = (table("appointment")?, table("recurringappointmentmaster")?);
    let old = super::text(body, "AppointmentId")?;
    let old =
        value::guid(old).ok_or_else(|| Refusal::argument("'AppointmentId' is not a GUID."))?;
    let row = context.existing(appointment, &old)?;
    context.caller.check(context.connection, Right::Delete, appointment, &row)?;
    let target = object(body, "Target")?;
    let id = record::create(context, master, target, None)?;
    let has_parties = target.contains_key("recurringappointmentmaster_activity_parties");
    if !has_parties {
        record::party::copy(context, &old, master, &id)?;
        series::expand(context, &id)?;
    }
    cascade::delete(context, appointment, &old)?;
    Ok(answer(request, "AddRecurrenceResponse", json!({"id": id})))
}

/// `DeleteOpenInstances`: ends a series; what lies before the end is set to the state given.
pub(super) fn delete_open_instances(
    context: &mut Context<'_>,
    body: &Object,
) -> Result<Reply, Refusal> {
    let (appointment, master) = (table("appointment")?, table("recurringappointmentmaster")?);
    let series =
        named(context, master, object(body, "Target")?)?.ok_or_else(|| super::missing("Target"))?;
    let end = clock::text(moment(body, "SeriesEndDate")?);
    let row = context.existing(master, &series)?;
    context.caller.check(context.connection, Right::Write, master, &row)?;
    cascade::delete_instances(
        context,
        &series,
        &format!("statecode IN (0, 3) AND scheduledstart >= '{end}'"),
    )?;
    if let Some(state) = body.get("StateOfPastInstances").and_then(Json::as_i64) {
        let sql = format!(
            "SELECT activityid FROM appointment WHERE seriesid = ? AND statecode IN (0, 3) AND scheduledstart < '{end}'"
        );
        let mut statement = context.connection.prepare_cached(&sql)?;
        let past: Vec<String> =
            statement.query_map([&series], |row| row.get(0))?.collect::<Result<_, _>>()?;
        drop(statement);
        let state = Object::from_iter([("statecode".to_owned(), state.into())]);
        for id in past {
            record::update(context, appointment, &id, &state, &Condition::Exists)?;
        }
    }
    let ended = Object::from_iter([
        ("patternendtype".to_owned(), 3.into()),
        ("patternenddate".to_owned(), end.into()),
    ]);
    record::update(context, master, &series, &ended, &Condition::Exists)?;
    Ok(Reply::empty())
}

fn table(logical: &str) -> Result<&'static Table, Refusal> {
    schema::table(logical).ok_or_else(|| Refusal::no_resource(logical))
}
