//! The mails that the CRM wants sent, as one installation gets to them, and the server that they are handed in at. What it took
//! responsibility for is written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use liaison::connector::header;
use liaison::connector::outgoing::{Courier, Pending, Postbox, Stage, Take, Verdict, Waiting};
use liaison::connector::smtp::{Outcome, Phase, Reply, Submission};
use liaison::connector::{Error, ErrorKind, Result};
use liaison::model::name::item_uid;
use liaison::model::record::{Party, Role, State};
use liaison::model::{
    Address, Body, Class, ItemId, Record, RecordId, RecordPatch, Side, Table, Uid, Version,
};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::office::Office;
use super::servers::{Servers, key};
use crate::support::faults::{Course, Fault, Point, throttled, unreachable};
use crate::support::world::{ME, ORGANISATION};

/// How a mail stands: a draft, waiting, taken, sent, failed.
const DRAFT: State = State { statecode: 0, statuscode: 1 };
const PENDING: State = State { statecode: 1, statuscode: 6 };
const TAKEN: State = State { statecode: 1, statuscode: 7 };
const SENT: State = State { statecode: 1, statuscode: 3 };
const FAILED: State = State { statecode: 0, statuscode: 8 };

/// Who gets the mails.
const READERS: [&str; 2] = ["lea@example.org", "max@example.org"];

/// See the module.
pub struct Post {
    pub site: usize,
    pub all: Arc<Servers>,
    pub office: Weak<Office>,
    pub course: Arc<dyn Course>,
}

impl Servers {
    /// Somebody clicks *Send*, in a new mail or in one that is a draft (again); whether that could be.
    pub fn send_mail(&self, thing: u32) -> bool {
        let id = mail_of(thing);
        let patch = match self.status(id) {
            None => fresh(thing),
            Some(DRAFT | FAILED) => RecordPatch { state: Some(PENDING), ..RecordPatch::default() },
            Some(_) => return false,
        };
        self.crm.lock().unwrap().crm.put(id, patch).unwrap();
        true
    }

    /// Somebody takes a mail back that is not sent yet, as far as the CRM knows; whether that is so.
    pub fn take_back(&self, thing: u32) -> bool {
        let id = mail_of(thing);
        let waits = matches!(self.status(id), Some(PENDING | TAKEN));
        if waits {
            self.set(id, DRAFT);
        }
        waits
    }

    /// How the CRM says that a mail stands.
    pub fn stage(&self, thing: u32) -> Stage {
        stage(self.status(mail_of(thing)))
    }

    /// How often a mail was handed in.
    pub fn handed_in(&self, thing: u32) -> usize {
        self.taken(&item_uid(ORGANISATION, mail_of(thing).guid))
    }

    /// How often the server took a message of this name.
    pub fn taken(&self, name: &Uid) -> usize {
        self.taken.lock().unwrap().get(name).copied().unwrap_or_default()
    }

    /// The submission server takes responsibility for a message, and may file it, by a name of its own.
    fn take_mail(&self, name: Uid, message: &[u8]) {
        if self.nature.files || self.nature.files_untold {
            let mut ends = self.mailboxes[&Class::Email].lock().unwrap();
            let times = self.taken(&name);
            ends.mailbox.insert(ItemId::new(format!("Sent/{times}-{name}")), message.to_vec());
        }
        *self.taken.lock().unwrap().entry(name).or_default() += 1;
    }

    fn status(&self, id: RecordId) -> Option<State> {
        let ends = self.crm.lock().unwrap();
        let columns = &ends.crm.rows.get(&id)?.record.columns;
        let number = |name: &str| {
            columns.get(name).and_then(Json::as_i64).and_then(|code| i32::try_from(code).ok())
        };
        Some(State { statecode: number("statecode")?, statuscode: number("statuscode")? })
    }

    fn set(&self, id: RecordId, state: State) {
        let patch = RecordPatch { state: Some(state), ..RecordPatch::default() };
        self.crm.lock().unwrap().crm.put(id, patch).unwrap();
    }

    fn record(&self, id: &ItemId) -> Result<(Version, Record)> {
        let document = self.crm.lock().unwrap().read(Side::Crm, id)?;
        match document.body {
            Body::Record(record) => Ok((document.version, *record)),
            Body::Bytes(_) | Body::Patch(_) => Err(Error::new(ErrorKind::Malformed, "no record")),
        }
    }
}

/// The record of a mail.
pub fn mail_of(thing: u32) -> RecordId {
    let name = key(Class::Email, thing);
    RecordId::new(Table::Email, Uuid::new_v5(&ORGANISATION, name.as_bytes()))
}

fn fresh(thing: u32) -> RecordPatch {
    let party = |role, address: &str| Party {
        role,
        address: address.to_owned(),
        name: String::new(),
        target: None,
    };
    let columns = json!({
        "subject": key(Class::Email, thing),
        "description": "<p>Good morning</p>",
        "directioncode": true,
    });
    let columns = columns.as_object().cloned().unwrap_or_default();
    let mut parties = vec![party(Role::Sender, ME)];
    parties.extend(READERS.map(|address| party(Role::To, address)));
    let (state, parties) = (Some(PENDING), Some(parties));
    RecordPatch { columns, state, parties, ..RecordPatch::default() }
}

fn stage(status: Option<State>) -> Stage {
    match status {
        None => Stage::Gone,
        Some(PENDING) => Stage::Pending,
        Some(TAKEN) => Stage::Sending,
        Some(State { statecode: 1, .. }) => Stage::Sent,
        Some(_) => Stage::Withdrawn,
    }
}

impl Post {
    async fn look(&self, point: Point) -> Result<()> {
        match self.course.reach(point).await? {
            Some(Fault::Throttled) => Err(throttled()),
            Some(_) => Err(unreachable()),
            None => Ok(()),
        }
    }

    fn take_one(&self, mail: &Take) -> Result<()> {
        let refuse = |kind| Err(Error::new(kind, "it is another by now"));
        let Some(id) = RecordId::parse(&mail.id) else { return refuse(ErrorKind::Missing) };
        let (version, _) = self.all.record(&mail.id)?;
        if version != mail.version {
            return refuse(ErrorKind::Stale);
        }
        let name = Map::from_iter([("messageid".to_owned(), json!(format!("<{}>", mail.uid)))]);
        let patch = RecordPatch { columns: name, state: Some(TAKEN), ..RecordPatch::default() };
        self.all.crm.lock().unwrap().crm.put(id, patch)
    }

    fn tell_one(&self, id: &ItemId, verdict: &Verdict) -> Result<()> {
        self.all.record(id)?;
        let state = match verdict {
            Verdict::Sent => SENT,
            Verdict::Failed { .. } => FAILED,
        };
        if let Some(id) = RecordId::parse(id) {
            self.all.set(id, state);
        }
        Ok(())
    }
}

#[async_trait]
impl Postbox for Post {
    async fn waiting(&self) -> Result<Waiting> {
        self.look(Point::MailList).await?;
        let rows: Vec<RecordId> = {
            let ends = self.all.crm.lock().unwrap();
            let mails = ends.crm.rows.keys().filter(|id| id.table == Table::Email);
            mails.copied().collect()
        };
        let pending = |id: RecordId| {
            let stage = stage(self.all.status(id));
            let (version, record) = self.all.record(&id.item_id()).ok()?;
            let name = record.columns.get("messageid").and_then(Json::as_str);
            let uid = name.map(|name| Uid::new(name.trim_matches(['<', '>'])));
            let waits = matches!(stage, Stage::Pending | Stage::Sending);
            waits.then_some(Pending { id: id.item_id(), version, stage, uid })
        };
        let mails = rows.into_iter().filter_map(pending).collect();
        Ok(Waiting { mails, refusal: None, strangers: true })
    }

    async fn read(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Result<(Version, Record)>>> {
        self.look(Point::MailRead).await?;
        Ok(ids.iter().map(|id| (id.clone(), self.all.record(id))).collect())
    }

    async fn take(&self, mails: &[Take]) -> Result<Vec<Result<()>>> {
        match self.course.reach(Point::BeforeTake).await? {
            Some(Fault::Stale) => {
                let stale = || Err(Error::new(ErrorKind::Stale, "not now"));
                return Ok(mails.iter().map(|_| stale()).collect());
            }
            Some(_) => return Err(unreachable()),
            None => {}
        }
        let done = mails.iter().map(|mail| self.take_one(mail)).collect();
        self.look(Point::AfterTake).await?;
        Ok(done)
    }

    async fn stages(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Stage>> {
        self.look(Point::MailRead).await?;
        let of = |id: &ItemId| stage(RecordId::parse(id).and_then(|id| self.all.status(id)));
        Ok(ids.iter().map(|id| (id.clone(), of(id))).collect())
    }

    async fn tell(&self, verdicts: &[(ItemId, Verdict)]) -> Result<Vec<Result<()>>> {
        self.look(Point::BeforeTell).await?;
        let done = verdicts.iter().map(|(id, verdict)| self.tell_one(id, verdict)).collect();
        self.look(Point::AfterTell).await?;
        Ok(done)
    }
}

fn refused(phase: Phase, why: Error) -> Outcome {
    let permanent = why.kind == ErrorKind::Rejected;
    Outcome::Refused { phase, permanent, why, recipients: Vec::new() }
}

fn no() -> Error {
    Error::new(ErrorKind::Rejected, "550 no")
}

#[async_trait]
impl Courier for Post {
    async fn submit(&self, submission: &Submission) -> Outcome {
        match self.course.reach(Point::BeforeSubmit).await {
            Err(why) => return refused(Phase::Connect, why),
            Ok(Some(Fault::Unreachable)) => return refused(Phase::Connect, unreachable()),
            Ok(Some(Fault::Throttled)) => return refused(Phase::Sender, throttled()),
            // One of the recipients is not liked: nobody gets it.
            Ok(Some(Fault::Refused)) => {
                let reply = Reply { code: 550, text: "nobody of that name".to_owned() };
                let of: Vec<(Address, Reply)> =
                    submission.to.first().map(|to| (to.clone(), reply)).into_iter().collect();
                let (phase, permanent, why) = (Phase::Recipients, true, no());
                return Outcome::Refused { phase, permanent, why, recipients: of };
            }
            Ok(Some(_)) => return refused(Phase::Message, unreachable()),
            Ok(None) => {}
        }
        let unknown = |why| Outcome::Unknown { phase: Phase::End, why };
        match self.course.reach(Point::FinalStop).await {
            Ok(Some(Fault::Refused)) => return refused(Phase::End, no()),
            Ok(Some(Fault::Throttled)) => return refused(Phase::End, throttled()),
            Err(why) => return unknown(why),
            Ok(Some(_)) => return unknown(unreachable()),
            Ok(None) => {}
        }
        if let Some(name) = header::message_id(&submission.message) {
            if let Some(office) = self.office.upgrade() {
                office.note(|| format!("    {} handed in {name}", self.site));
            }
            self.all.take_mail(name, &submission.message);
        }
        match self.course.reach(Point::AfterSubmit).await {
            Err(why) => unknown(why),
            Ok(Some(_)) => unknown(unreachable()),
            Ok(None) => {
                let reply = Reply { code: 250, text: "fine".to_owned() };
                Outcome::Sent { refused: Vec::new(), reply }
            }
        }
    }

    fn files_itself(&self) -> bool {
        self.all.nature.files
    }
}
