//! Being written.

use super::{Change, Context, Unreadable, Unwritable};
use crate::model::{Content, Record, RecordPatch};

pub fn read_item(
    _bytes: &[u8],
    _marks: &std::collections::BTreeSet<String>,
    _context: &Context,
) -> Result<Content, Unreadable> {
    Err(Unreadable(String::new()))
}
pub fn read_record(_record: &Record, _context: &Context) -> Result<Content, Unreadable> {
    Err(Unreadable(String::new()))
}
pub fn write_item(
    _change: Change<'_>,
    _old: Option<&[u8]>,
    _context: &Context,
) -> Result<Vec<u8>, Unwritable> {
    Err(Unwritable(String::new()))
}
pub fn write_record(
    _change: Change<'_>,
    _old: Option<&Record>,
    _context: &Context,
) -> Result<RecordPatch, Unwritable> {
    Err(Unwritable(String::new()))
}
pub fn head(
    _bytes: &[u8],
    _marks: &std::collections::BTreeSet<String>,
    _context: &Context,
) -> Result<Content, Unreadable> {
    Err(Unreadable(String::new()))
}
