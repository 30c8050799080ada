//! The cursor of a collection as text: how far it was seen, of which address, and when it was last listed whole.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;

use crate::connector::file;

/// How far a collection was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) mark: Mark,
    /// When everything was listed.
    pub(super) listed: Timestamp,
}

/// What the server gave to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// The token of a sync report.
    Sync(String),
    /// The tag of the collection.
    Ctag(String),
}

impl Seen {
    /// Reads a cursor of this collection; `None` for any other text.
    pub(super) fn parse(text: &str, collection: &Url) -> Option<Self> {
        let mut words = text.splitn(4, ' ');
        let (kind, place, listed, token) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        if place != place_of(collection) || token.is_empty() {
            return None;
        }
        let mark = match kind {
            "sync" => Mark::Sync(token.to_owned()),
            "ctag" => Mark::Ctag(token.to_owned()),
            _ => return None,
        };
        Some(Self { mark, listed: Timestamp::from_second(listed.parse().ok()?).ok()? })
    }

    /// Whether this is a cursor, of some other collection.
    pub(super) fn is_of_another(text: &str, collection: &Url) -> bool {
        let mut words = text.split(' ');
        let is_ours = matches!(words.next(), Some("sync" | "ctag"));
        is_ours && words.next().is_some_and(|place| place != place_of(collection))
    }

    pub(super) fn text(&self, collection: &Url) -> String {
        let (kind, token) = match &self.mark {
            Mark::Sync(token) => ("sync", token),
            Mark::Ctag(tag) => ("ctag", tag),
        };
        format!("{kind} {} {} {token}", place_of(collection), self.listed.as_second())
    }

    /// Whether it was listed less than this long ago. A clock that was set back makes no cursor old.
    pub(super) fn is_younger_than(&self, age: Duration, now: Timestamp) -> bool {
        Duration::try_from(now.duration_since(self.listed)).unwrap_or_default() < age
    }
}

fn place_of(collection: &Url) -> String {
    file::digest(collection.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_its_collection_only() {
        let url = Url::parse("http://localhost/a/").unwrap();
        let other = Url::parse("http://localhost/b/").unwrap();
        let listed = Timestamp::from_second(1_800_000_000).unwrap();
        for mark in [Mark::Sync("data:,1 2-3".to_owned()), Mark::Ctag("\"x y\"".to_owned())] {
            let seen = Seen { mark, listed };
            let text = seen.text(&url);
            assert_eq!(Seen::parse(&text, &url), Some(seen));
            assert_eq!(Seen::parse(&text, &other), None);
            assert!(Seen::is_of_another(&text, &other) && !Seen::is_of_another(&text, &url));
        }
        for bad in ["", "sync", "sync x 1 t", "data:,1", "etag  1 "] {
            assert_eq!(Seen::parse(bad, &url), None, "{bad}");
            assert!(bad == "sync x 1 t" || !Seen::is_of_another(bad, &url), "{bad}");
        }
    }

    #[test]
    fn a_cursor_grows_old() {
        let seen = Seen { mark: Mark::Sync("t".to_owned()), listed: Timestamp::UNIX_EPOCH };
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let minute = Duration::from_mins(1);
        assert!(seen.is_younger_than(minute, at(59)) && !seen.is_younger_than(minute, at(60)));
        assert!(seen.is_younger_than(minute, at(-1000)));
    }
}
