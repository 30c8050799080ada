//! The words of the domain as plain values. Nothing here does I/O, knows a wire format or a clock.

pub mod fields;
pub mod files;
pub mod item;
pub mod link;
pub mod name;
pub mod people;
pub mod record;
pub mod row;
pub mod selection;
pub mod thread;
pub mod time;

pub use fields::{Address, Attachment, Field, Fields, Patch, Value, all_of};
pub use files::FileRules;
pub use item::{Body, Class, Completeness, Document, ItemId, Listing, Side, Uid, Version};
pub use link::{Bases, Content, Link, LinkId, LinkState, Traits};
pub use people::{People, Person};
pub use record::{Record, RecordId, RecordPatch, Table};
pub use row::RowId;
pub use selection::{Origin, Selected, Selection, Selector, StoredFilter, Told};
pub use thread::{Clue, Filed, Method, Similar};
