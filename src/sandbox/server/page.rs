//! The page for people: what is in the organisation, readable in any browser, without scripts. All
//! text is escaped.

use crate::sandbox::record::value;
use crate::sandbox::refusal::Refusal;
use crate::sandbox::schema::{self, Kind, Table};
use crate::sandbox::service::message::Reply;
use crate::sandbox::store::{self, quoted};
use rusqlite::Connection;
use rusqlite::types::Value;

/// Rows that the page shows of each table.
const SHOWN: u32 = 100;
/// Characters of a value on a record's page.
const MAX_VALUE: usize = 20_000;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#222;background:#fff}\
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem}p.note{color:#555}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:break-word}th{white-space:nowrap;background:#f4f4f4;font-weight:600}\
a{color:#0645ad;text-decoration:none}a:hover{text-decoration:underline}td.value{white-space:pre-wrap}";

/// `/` or `/records/<set>/<id>`.
pub(super) fn show(connection: &Connection, path: &str) -> Reply {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let page = match parts.as_slice() {
        [] => overview(connection),
        ["records", set, id] => record(connection, set, id),
        _ => Err(Refusal::no_resource(path)),
    };
    match page {
        Ok(page) => Reply::typed(200, "text/html; charset=utf-8", page)
            .with("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
            .with("X-Content-Type-Options", "nosniff"),
        Err(refusal) => Reply::typed(refusal.status, "text/plain; charset=utf-8", refusal.message),
    }
}

type Section = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The tables of the page: heading, logical name, and columns in SQL with their headings.
const SECTIONS: [Section; 5] = [
    (
        "Contacts",
        "contact",
        &[
            ("Name", "t.fullname"),
            ("E-mail", "t.emailaddress1"),
            ("Telephone", "t.telephone1"),
            ("State", STATE),
        ],
    ),
    ("Tasks", "task", &[("Subject", "t.subject"), ("Due", "t.scheduledend"), ("State", STATE)]),
    (
        "Appointments",
        "appointment",
        &[
            ("Subject", "t.subject"),
            ("Start", "t.scheduledstart"),
            ("End", "t.scheduledend"),
            ("Location", "t.location"),
            ("State", STATE),
        ],
    ),
    (
        "Series",
        "recurringappointmentmaster",
        &[
            ("Subject", "t.subject"),
            ("From", "t.patternstartdate"),
            ("Until", "t.effectiveenddate"),
            ("State", STATE),
        ],
    ),
    (
        "E-mails",
        "email",
        &[
            ("Subject", "t.subject"),
            ("From", "t.sender"),
            ("To", "t.torecipients"),
            ("Sent", "t.senton"),
            ("State", STATE),
        ],
    ),
];
const STATE: &str = "t.statuscode";

fn overview(connection: &Connection) -> Result<String, Refusal> {
    let name: String = connection.query_row(
        "SELECT COALESCE(name, '') || ' (' || organizationid || ')' FROM organization",
        [],
        |row| row.get(0),
    )?;
    let mut body = format!(
        "<h1>Sandbox organisation</h1><p class=\"note\">{}. This is a local stand-in for a Dataverse organisation, for trying and testing; nothing here is in a real one. \
         The last {SHOWN} changed rows of each table are shown, times are UTC.</p>",
        escape(&name)
    );
    for (heading, logical, columns) in SECTIONS {
        let table = schema::table(logical).ok_or_else(|| Refusal::no_resource(logical))?;
        body.push_str(&section(connection, heading, table, columns)?);
    }
    Ok(document("Sandbox organisation", &body))
}

fn section(
    connection: &Connection,
    heading: &str,
    table: &Table,
    columns: &[(&str, &str)],
) -> Result<String, Refusal> {
    let count: i64 = connection.query_row(
        &format!("SELECT COUNT(*) FROM {}", quoted(table.logical)),
        [],
        |row| row.get(0),
    )?;
    let fields: Vec<&str> = columns.iter().map(|(_, field)| *field).collect();
    let sql = format!(
        "SELECT t.{}, u.fullname, t.modifiedon, {} FROM {} t LEFT JOIN systemuser u ON u.systemuserid = t.ownerid ORDER BY t.modifiedon DESC, t.versionnumber DESC LIMIT {SHOWN}",
        table.id,
        fields.join(", "),
        quoted(table.logical)
    );
    let mut html = format!("<h2>{heading}: {count}</h2><table><tr>");
    let headings = columns.iter().map(|(heading, _)| *heading).chain(["Owner", "Changed"]);
    headings.for_each(|heading| html.extend(["<th>", heading, "</th>"]));
    html.push_str("</tr>");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        html.push_str("<tr>");
        for (index, (_, field)) in columns.iter().enumerate() {
            let text = display(table, field, &row.get::<_, Value>(index + 3)?);
            if index == 0 {
                let text = if text.is_empty() { "(empty)" } else { text.as_str() };
                let link = ["<td><a href=\"/records/", table.set, "/", &escape(&id), "\">"];
                html.extend(link.into_iter().chain([escape(text).as_str(), "</a></td>"]));
            } else {
                cell(&mut html, &text);
            }
        }
        let owner: Option<String> = row.get(1)?;
        let changed: Option<String> = row.get(2)?;
        cell(&mut html, &owner.unwrap_or_default());
        cell(&mut html, &changed.unwrap_or_default());
        html.push_str("</tr>");
    }
    html.push_str("</table>");
    Ok(html)
}

/// A value as people read it: options by their label.
fn display(table: &Table, field: &str, value: &Value) -> String {
    let column = table.column(field.trim_start_matches("t."));
    match (value, column.map(|column| column.kind)) {
        (Value::Null | Value::Blob(_), _) => String::new(),
        (Value::Integer(number), Some(kind)) => {
            label(kind, *number).map_or_else(|| number.to_string(), str::to_owned)
        }
        (Value::Integer(number), None) => number.to_string(),
        (Value::Real(number), _) => number.to_string(),
        (Value::Text(text), _) => text.clone(),
    }
}

fn label(kind: Kind, number: i64) -> Option<&'static str> {
    match kind {
        Kind::Picklist { options } | Kind::State { options } => {
            options.iter().find(|(value, _)| i64::from(*value) == number).map(|(_, label)| *label)
        }
        Kind::Status { options } => options
            .iter()
            .find(|(value, _, _)| i64::from(*value) == number)
            .map(|(_, _, label)| *label),
        Kind::Boolean => Some(if number == 0 { "No" } else { "Yes" }),
        _ => None,
    }
}

/// Every column of a row that is not empty, and the parties of an activity.
fn record(connection: &Connection, set: &str, id: &str) -> Result<String, Refusal> {
    let table = schema::by_set(set).ok_or_else(|| Refusal::no_resource(set))?;
    let id = value::guid(id).ok_or_else(|| Refusal::argument("That is not a GUID."))?;
    let row =
        store::row(connection, table, &id)?.ok_or_else(|| Refusal::missing(table.logical, &id))?;
    let title = store::text(&row, table.primary_name).unwrap_or("(empty)");
    let mut body = format!(
        "<p><a href=\"/\">Sandbox organisation</a></p><h1>{}</h1><p class=\"note\">{} {id}</p><table>",
        escape(title),
        table.logical
    );
    for column in &table.columns {
        let Some(value) = row.get(column.name) else { continue };
        let text = display(table, column.name, value);
        if !text.is_empty() {
            let text: String = text.chars().take(MAX_VALUE).collect();
            let row = ["<tr><th>", column.name, "</th><td class=\"value\">", &escape(&text)];
            body.extend(row.into_iter().chain(["</td></tr>"]));
        }
    }
    body.push_str("</table>");
    if table.activity {
        body.push_str(&parties(connection, &id)?);
    }
    Ok(document(title, &body))
}

fn parties(connection: &Connection, id: &str) -> Result<String, Refusal> {
    let Some(table) = schema::table("activityparty") else { return Ok(String::new()) };
    let sql = "SELECT participationtypemask, partyidname, addressused, partyid_type FROM activityparty WHERE activityid = ? ORDER BY participationtypemask, rowid";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let mut html = String::from(
        "<h2>Parties</h2><table><tr><th>Part</th><th>Name</th><th>Address</th><th>Kind</th></tr>",
    );
    while let Some(row) = rows.next()? {
        html.push_str("<tr>");
        for (index, column) in
            ["participationtypemask", "partyidname", "addressused", "partyid_type"]
                .into_iter()
                .enumerate()
        {
            cell(&mut html, &display(table, column, &row.get::<_, Value>(index)?));
        }
        html.push_str("</tr>");
    }
    html.push_str("</table>");
    Ok(html)
}

fn cell(html: &mut String, text: &str) {
    html.extend(["<td>", &escape(text), "</td>"]);
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{}</title><style>{STYLE}</style></head><body>{body}</body></html>",
        escape(title)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn markup_is_escaped() {
        assert_eq!(super::escape("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}
