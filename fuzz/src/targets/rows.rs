//! What the Web API of the CRM answers: rows as JSON, and many answers in one reply.

use bytes::Bytes;
use jiff::Timestamp;
use liaison::connector::ErrorKind;
use liaison::connector::dataverse::batch::{self, Answer, Garbled, Method, Operation, Part, Reply};
use liaison::connector::dataverse::{odata, read, record};
use liaison::mapping::{self, Change, Unwritable};
use liaison::model::{Class, Patch, RecordId, Table, all_of};
use uuid::Uuid;

use super::items::{context, document, shown};

/// The boundary of the replies, as the reply's `Content-Type` names it.
pub const BOUNDARY: &str = "batchresponse_1";

/// The row that is asked for.
pub const ROW: Uuid = Uuid::from_u128(0x1111_1111_2222_3333_4444_5555_5555_5555);

const TABLES: [Table; 5] = [
    Table::Contact,
    Table::Task,
    Table::Appointment,
    Table::RecurringAppointmentMaster,
    Table::Email,
];

/// The reply to a batch of one question and one change set of two.
///
/// It has an answer for each or is no reply at all; a change set is a success only as a whole; and without its last boundary
/// nothing of it counts.
///
/// # Panics
/// When that does not hold.
pub fn batch(bytes: &[u8]) {
    let operation = |method| Operation::new(method, "contacts");
    let parts = [
        Part::One(operation(Method::Get)),
        Part::ChangeSet(vec![operation(Method::Post), operation(Method::Patch)]),
    ];
    let content_type = format!("multipart/mixed; boundary={BOUNDARY}");
    let body = Bytes::copy_from_slice(bytes);
    let Ok(replies) = batch::decode(&content_type, &body, &parts) else { return };
    let [Reply::One(_), set] = replies.as_slice() else { panic!("{} replies", replies.len()) };
    match set {
        Reply::One(failure) => assert!(!failure.is_success(), "a set of which one is done"),
        Reply::Set(answers) => {
            assert_eq!(answers.len(), 2);
            assert!(answers.iter().all(Answer::is_success), "a set that failed in part");
        }
    }
    // The last boundary, wherever something follows it.
    let last = format!("--{BOUNDARY}--");
    let end = bytes.windows(last.len()).position(|window| window == last.as_bytes());
    let cut = body.slice(..end.expect("a last boundary"));
    let cut = batch::decode(&content_type, &cut, &parts);
    assert!(matches!(cut, Err(Garbled::Cut | Garbled::Part)), "cut off and whole");
}

/// The answer to the question for one row; the first byte is which table's, the rest the body.
///
/// It is the row that was asked for or none; and what is read of it can be said in the mailbox, or is refused with a reason.
///
/// # Panics
/// When that does not hold.
pub fn rows(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let table = TABLES[usize::from(*first) % TABLES.len()];
    let id = RecordId::new(table, ROW);
    // The exceptions of a series come as a second answer.
    let (row, exceptions) = match body.iter().position(|byte| *byte == 0) {
        Some(at) => (&body[..at], &body[at + 1..]),
        None => (body, &br#"{"value":[]}"#[..]),
    };
    let answer = |body: &[u8]| {
        let body = Bytes::copy_from_slice(body);
        Reply::One(Answer { status: 200, headers: Vec::new(), body })
    };
    let mut replies = vec![answer(row)];
    if record::question_count(table) == 2 {
        replies.push(answer(exceptions));
    }
    let read = match read::judge(id, &replies, Timestamp::UNIX_EPOCH) {
        Ok(read) => read,
        Err(error) => {
            // Absence needs the service's word.
            assert!(!matches!(error.kind, ErrorKind::Missing), "{}", error.message);
            return;
        }
    };
    let columns = &read.record.columns;
    assert_eq!(odata::guid(columns, table.id_column()), Some(ROW), "another row");
    let context = context(bytes);
    let class = table.class();
    let Ok(said) = mapping::read_record(&read.record, &context) else { return };
    let whole = &said.fields;
    let nothing = Patch::new();
    let change = Change { uid: &said.uid, patch: &nothing, whole };
    if let Ok(patch) = mapping::write_record(table, change, Some(&read.record), &context) {
        assert!(patch.columns.is_empty() && patch.state.is_none(), "no change");
    }
    let patch = all_of(whole);
    let change = Change { uid: &said.uid, patch: &patch, whole };
    match mapping::write_item(class, change, None, &context) {
        Ok(item) => {
            assert!(std::str::from_utf8(&item).is_ok());
            let again = mapping::read_item(class, &document(&item), &context);
            let again = again.unwrap_or_else(|why| {
                panic!("{why}: {}", String::from_utf8_lossy(&item));
            });
            if class != Class::Email {
                let text = String::from_utf8_lossy(&item).into_owned();
                assert_eq!(shown(&again.fields), shown(whole), "{text}");
            }
        }
        Err(Unwritable(why)) => assert!(!why.is_empty()),
    }
}
