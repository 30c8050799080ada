//! Mails that the organisation wants sent (*Pending Send*), and what it is told of them. Whether they are sent is not decided
//! here.
//!
//! * A mail that waits counts as completed, and a completed activity refuses edits: it is opened, named and closed again in one
//!   change set, under the version that was seen. Where the organisation does not even allow that, only its status moves; its
//!   name can be computed from its id all the same.
//! * `SendEmail` with `IssueSend: false` marks a mail as sent.
//!   <https://learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/sendemail>
//! * No column of `email` holds why one failed: the reason becomes a note on it, under an id made from the mail's, so that
//!   there is one however often it is told.
//!   <https://learn.microsoft.com/power-apps/developer/data-platform/reference/entities/email>

use std::collections::BTreeMap;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::Dataverse;
use super::batch::{Answer, Method, Operation, Part, Reply};
use super::error::refused;
use super::examine::delivery;
use super::fetch::{Condition, Fetch};
use super::list::{Found, Query, run};
use super::odata::{self, etag};
use super::read::judge;
use super::record;
use super::write::steps::set_state;
use crate::connector::outgoing::{Pending, Postbox, Stage, Take, Verdict, Waiting};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::record::{RecordAttachment, State};
use crate::model::{ItemId, Record, RecordId, Table, Uid, Version};

const PENDING: i64 = 6;
const SENDING: i64 = 7;

/// States of a mail (`email`: 0 Open, 1 Completed).
const DRAFT: State = State { statecode: 0, statuscode: 1 };
const TAKEN: State = State { statecode: 1, statuscode: 7 };
const FAILED: State = State { statecode: 0, statuscode: 8 };

/// A mail with more than this in its files is taken by no server that we know of.
const FILES: u64 = 48 << 20;

/// How much is fetched in one request.
const AT_ONCE: u64 = 16 << 20;

/// What a note holds.
const NOTE: usize = 4000;

#[async_trait]
impl Postbox for Dataverse {
    async fn waiting(&self) -> Result<Waiting> {
        let queries = vec![mails(self), mailboxes(), organisation()];
        let mut found = run(self, queries).await?.into_iter();
        let (mails, mailboxes, organisation) = (found.next(), found.next(), found.next());
        let mails = whole(mails)?;
        let refusal = delivery::sent_by_server(&whole(mailboxes)?);
        let strangers = organisation.is_some_and(|found| {
            let allows = |row: &Map<String, Json>| {
                row.get(STRANGERS).is_some_and(|allowed| allowed.as_bool() == Some(true))
            };
            found.rows.iter().any(allows)
        });
        Ok(Waiting { mails: mails.iter().filter_map(pending).collect(), refusal, strangers })
    }

    async fn read(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Result<(Version, Record)>>> {
        let ids: Vec<RecordId> = ids.iter().filter_map(RecordId::parse).collect();
        let questions = |id: &RecordId| {
            let mut questions = record::questions(&self.metadata, *id);
            questions.push(odata::get(format!(
                "{}/email_activity_mime_attachment?$select=activitymimeattachmentid,filename,mimetype,filesize",
                record::path(&self.metadata, *id)
            )));
            questions
        };
        let parts = ids.iter().flat_map(questions).map(Part::One).collect();
        let mut replies = self.client.read(parts).await?.into_iter();
        let now = self.client.clock().now();
        let mut found = BTreeMap::new();
        for id in ids {
            let row: Vec<Reply> = replies.by_ref().take(record::question_count(id.table)).collect();
            let files = replies.next();
            let read = match (judge(id, &row, now), files) {
                (Ok(read), Some(Reply::One(files))) => match self.files_of(id, &files).await {
                    Ok(files) => {
                        let (version, mut record) = (read.version(), read.record);
                        record.attachments = files;
                        Ok((version, record))
                    }
                    Err(error) => Err(error),
                },
                (Ok(_), _) => Err(unclear()),
                (Err(error), _) => Err(error),
            };
            found.insert(id.item_id(), read);
        }
        Ok(found)
    }

    async fn take(&self, mails: &[Take]) -> Result<Vec<Result<()>>> {
        let whole = mails.iter().map(|mail| Part::of(self.taking(mail, true))).collect();
        let mut results = self.carry_out(whole, "take a mail").await?;
        let refused: Vec<usize> = results
            .iter()
            .enumerate()
            .filter(|(_, result)| matches!(result, Err(error) if error.kind == ErrorKind::Rejected))
            .map(|(place, _)| place)
            .collect();
        if refused.is_empty() {
            return Ok(results);
        }
        let status = refused
            .iter()
            .filter_map(|place| mails.get(*place))
            .map(|mail| Part::of(self.taking(mail, false)))
            .collect();
        for (place, result) in refused.into_iter().zip(self.carry_out(status, "take a mail").await?)
        {
            if let Some(slot) = results.get_mut(place) {
                *slot = result;
            }
        }
        Ok(results)
    }

    async fn stages(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Stage>> {
        let guids = ids.iter().filter_map(RecordId::parse).map(|id| id.guid.to_string());
        let id = "activityid";
        let these = Condition::is_in(id, guids);
        let fetch = Fetch::by_values("email", id, &[id, "statecode", "statuscode"], these);
        let query = Query { entity_set: emails(self), id, fetch };
        let rows = whole(run(self, vec![query]).await?.into_iter().next())?;
        let mut stages: BTreeMap<ItemId, Stage> =
            ids.iter().map(|id| (id.clone(), Stage::Gone)).collect();
        for row in &rows {
            if let Some(guid) = odata::guid(row, id) {
                stages.insert(RecordId::new(Table::Email, guid).item_id(), stage(row));
            }
        }
        Ok(stages)
    }

    async fn tell(&self, verdicts: &[(ItemId, Verdict)]) -> Result<Vec<Result<()>>> {
        let mut parts = Vec::new();
        let mut counts = Vec::new();
        for (id, verdict) in verdicts {
            let told = RecordId::parse(id).map(|id| self.telling(id, verdict)).unwrap_or_default();
            counts.push(told.len());
            parts.extend(told.into_iter().map(Part::One));
        }
        let mut results = self.carry_out(parts, "tell what came of a mail").await?.into_iter();
        let of_one = |count: usize| {
            let told: Vec<Result<()>> = results.by_ref().take(count).collect();
            // The state comes last and is what counts; a note that is there already says the same.
            told.into_iter().next_back().unwrap_or_else(|| Err(unclear()))
        };
        Ok(counts.into_iter().map(of_one).collect())
    }
}

impl Dataverse {
    fn taking(&self, mail: &Take, named: bool) -> Vec<Operation> {
        let Some(id) = RecordId::parse(&mail.id) else { return Vec::new() };
        let guard = if self.metadata.of(Table::Email).versioned {
            etag(mail.version.as_str())
        } else {
            "*".to_owned()
        };
        let closed = set_state(&self.metadata, id, TAKEN);
        if !named {
            return vec![closed.header("If-Match", guard)];
        }
        let mut name = json!({ "messageid": format!("<{}>", mail.uid) });
        if let (Some(token), Some(columns)) = (&mail.token, name.as_object_mut()) {
            columns.insert("trackingtoken".to_owned(), json!(token));
        }
        vec![
            set_state(&self.metadata, id, DRAFT).header("If-Match", guard),
            Operation::new(Method::Patch, record::path(&self.metadata, id))
                .header("If-Match", "*")
                .body(&name),
            closed.header("If-Match", "*"),
        ]
    }

    fn telling(&self, id: RecordId, verdict: &Verdict) -> Vec<Operation> {
        let row = record::path(&self.metadata, id);
        match verdict {
            Verdict::Sent => {
                let action = format!("{row}/Microsoft.Dynamics.CRM.SendEmail");
                vec![Operation::new(Method::Post, action).body(&json!({ "IssueSend": false }))]
            }
            Verdict::Failed { reason, number } => {
                let note = Uuid::new_v5(&id.guid, format!("not sent {number}").as_bytes());
                let body = json!({
                    "annotationid": note.to_string(),
                    "subject": "This e-mail was not sent",
                    "notetext": reason.chars().take(NOTE).collect::<String>(),
                    "objectid_email@odata.bind": format!("/{row}"),
                });
                vec![
                    Operation::new(Method::Post, "annotations").body(&body),
                    set_state(&self.metadata, id, FAILED).header("If-Match", "*"),
                ]
            }
        }
    }

    /// Writes, one result a part.
    async fn carry_out(&self, parts: Vec<Part>, doing: &str) -> Result<Vec<Result<()>>> {
        let now = self.client.clock().now();
        let replies = self.client.send(&parts).await?;
        Ok(replies
            .into_iter()
            .map(|reply| match reply {
                Reply::One(answer) if !answer.is_success() => {
                    Err(refused(&answer, doing, None, now))
                }
                Reply::One(_) | Reply::Set(_) => Ok(()),
            })
            .collect())
    }

    /// The files of a mail, by the answer that lists them.
    async fn files_of(&self, id: RecordId, listed: &Answer) -> Result<Vec<RecordAttachment>> {
        let now = self.client.clock().now();
        if !listed.is_success() {
            return Err(refused(listed, "list the files of a mail", Some(id.guid), now));
        }
        let json = listed.json().ok_or_else(unclear)?;
        if json.get("@odata.nextLink").is_some() {
            return Err(Error::new(
                ErrorKind::Rejected,
                "the mail has more files than can be sent",
            ));
        }
        let rows = odata::rows(json).ok_or_else(unclear)?;
        let size =
            |row: &Map<String, Json>| row.get("filesize").and_then(Json::as_u64).unwrap_or(0);
        if rows.iter().map(size).fold(0, u64::saturating_add) > FILES {
            let message = format!("the files of the mail have more than {} MiB", FILES >> 20);
            return Err(Error::new(ErrorKind::Rejected, message));
        }
        let mut files = Vec::new();
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take_while(|row| {
                bytes += size(row);
                bytes <= AT_ONCE
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            rest = later;
            files.append(&mut self.contents(id, now).await?);
        }
        Ok(files)
    }

    async fn contents(
        &self,
        id: RecordId,
        rows: &[Map<String, Json>],
    ) -> Result<Vec<RecordAttachment>> {
        let question = |row: &Map<String, Json>| {
            let file = odata::guid(row, "activitymimeattachmentid").ok_or_else(unclear)?;
            let path = format!("activitymimeattachments({file})/body/$value");
            Ok(Part::One(Operation::new(Method::Get, path)))
        };
        let questions = rows.iter().map(question).collect::<Result<Vec<Part>>>()?;
        let replies = self.client.read(questions).await?;
        let now = self.client.clock().now();
        let text = |row: &Map<String, Json>, name: &str| {
            row.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
        };
        rows.iter()
            .zip(replies)
            .map(|(row, reply)| {
                let Reply::One(answer) = reply else { return Err(unclear()) };
                let bytes = match answer.status {
                    // An empty file has no body.
                    204 => Vec::new(),
                    200 => {
                        let body = answer.body.trim_ascii();
                        STANDARD.decode(body).map_err(|_| unclear())?
                    }
                    _ => return Err(refused(&answer, "read a file of a mail", Some(id.guid), now)),
                };
                let (filename, mimetype) = (text(row, "filename"), text(row, "mimetype"));
                Ok(RecordAttachment { filename, mimetype, bytes })
            })
            .collect()
    }
}

fn emails(dataverse: &Dataverse) -> String {
    dataverse.metadata.of(Table::Email).entity_set.clone()
}

/// The user's own mails that wait or were taken.
fn mails(dataverse: &Dataverse) -> Query {
    let id = "activityid";
    let columns = [id, "versionnumber", "statecode", "statuscode", "messageid"];
    let mine = Condition::all([
        Condition::is_in("statuscode", [PENDING.to_string(), SENDING.to_string()]),
        Condition::equals("directioncode", "1"),
        Condition::operator("ownerid", "eq-userid"),
    ]);
    let fetch = Fetch::by_values("email", id, &columns, mine);
    Query { entity_set: emails(dataverse), id, fetch }
}

fn mailboxes() -> Query {
    Query { entity_set: "mailboxes".to_owned(), id: "mailboxid", fetch: delivery::outgoing() }
}

/// Whether the organisation lets mails go to addresses that belong to no record.
const STRANGERS: &str = "allowunresolvedpartiesonemailsend";

fn organisation() -> Query {
    let id = "organizationid";
    let fetch =
        Fetch::by_values("organization", id, &[id, STRANGERS], Condition::operator(id, "not-null"));
    Query { entity_set: "organizations".to_owned(), id, fetch }
}

fn pending(row: &Map<String, Json>) -> Option<Pending> {
    let id = RecordId::new(Table::Email, odata::guid(row, "activityid")?).item_id();
    let stage = stage(row);
    let name = row.get("messageid").and_then(Json::as_str).unwrap_or_default();
    let name: String = name.trim().trim_matches(['<', '>']).to_owned();
    Some(Pending {
        id,
        version: Version::new(odata::row_version(row)?),
        stage,
        uid: (!name.is_empty()).then(|| Uid::new(name)),
    })
}

fn stage(row: &Map<String, Json>) -> Stage {
    let number = |column: &str| row.get(column).and_then(Json::as_i64);
    match (number("statecode"), number("statuscode")) {
        (_, Some(PENDING)) => Stage::Pending,
        (_, Some(SENDING)) => Stage::Sending,
        // Completed, by whatever name.
        (Some(1), _) => Stage::Sent,
        _ => Stage::Withdrawn,
    }
}

fn whole(found: Option<Found>) -> Result<Vec<Map<String, Json>>> {
    let found = found.ok_or_else(unclear)?;
    found.broken.map_or(Ok(found.rows), Err)
}

fn unclear() -> Error {
    Error::new(ErrorKind::Malformed, "the answer about mails to send makes no sense")
}
