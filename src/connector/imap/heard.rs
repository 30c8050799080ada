//! What a server says about the messages of a folder while it is looked at. It must not know what was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::fetch::Fetched;
use super::response::Response;
use super::set;
use super::token::Token;
use crate::model::Version;

/// What has to be known of a message here: folders are large.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) version: Version,
    /// Gmail's.
    pub(super) labels: Option<BTreeSet<String>>,
}

pub(super) type Messages = BTreeMap<u32, Message>;

/// What was said while a folder was looked at.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) messages: Messages,
    pub(super) gone: Vec<RangeInclusive<u32>>,
    pub(super) left: Option<BTreeSet<u32>>,
    pub(super) is_unreadable: bool,
}

impl Heard {
    pub(super) fn hear(&mut self, response: &Response) {
        if let Some(fetched) = Fetched::of(response) {
            if let Some(version) = fetched.version() {
                self.messages.insert(fetched.uid, Message { version, labels: fetched.labels });
            }
            return;
        }
        let Response::Data { name, rest } = response else { return };
        match name.as_str() {
            "VANISHED" => match rest.last().and_then(Token::text).and_then(set::parse) {
                Some(ranges) => self.gone.extend(ranges),
                None => self.is_unreadable = true,
            },
            "SEARCH" => {
                let found = rest.iter().filter_map(Token::number::<u32>);
                self.left.get_or_insert_default().extend(found);
            }
            "ESEARCH" => {
                let all = rest.iter().skip_while(|word| !word.is_atom("ALL")).nth(1);
                let found = all.map(|all| {
                    all.text().and_then(set::parse).and_then(|found| set::members(&found, u32::MAX))
                });
                match found {
                    Some(None) => self.is_unreadable = true,
                    Some(Some(found)) => self.left.get_or_insert_default().extend(found),
                    None => drop(self.left.get_or_insert_default()),
                }
            }
            _ => {}
        }
    }
}
