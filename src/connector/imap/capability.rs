//! What a server says it can do, less what it is not believed, and the way of finding changes that follows from it.

use std::collections::BTreeSet;

use super::response::Response;
use super::token::Token;

/// The names of capabilities, in upper case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Capabilities(BTreeSet<String>);

/// How changes are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    /// RFC 7162 §3.2: opening a folder tells what changed and what is gone.
    QuickResync,
    /// RFC 7162 §3.1: what changed can be asked for; what is gone shows in the number of messages.
    ModSeq,
    /// The flags of all messages are looked at where something may have changed.
    Flags,
    /// As `ModSeq`, in the one folder that holds every message once; labels stand for folders.
    Gmail,
}

impl Capabilities {
    /// From the words of a `CAPABILITY` answer or code, without those to hide.
    pub(super) fn of(words: &[Token], hide: &BTreeSet<String>) -> Self {
        let hidden = |name: &str| hide.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
        let names = words.iter().filter_map(Token::text).filter(|name| !hidden(name));
        Self(names.map(str::to_ascii_uppercase).collect())
    }

    /// As told in passing, if this is such a response.
    pub(super) fn told(response: &Response, hide: &BTreeSet<String>) -> Option<Self> {
        match response {
            Response::Data { name, rest } if name == "CAPABILITY" => Some(Self::of(rest, hide)),
            Response::Status(status) | Response::Tagged { status, .. } => {
                status.code("CAPABILITY").map(|code| Self::of(&code.rest, hide))
            }
            _ => None,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// The names of the ways to sign in (`AUTH=`).
    pub(super) fn sign_ins(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|name| name.strip_prefix("AUTH="))
    }

    /// The largest message that can be filed, in bytes (RFC 7889), if that is said.
    pub(super) fn append_limit(&self) -> Option<u64> {
        self.0.iter().find_map(|name| name.strip_prefix("APPENDLIMIT=")?.parse().ok())
    }

    /// Whether a literal of this many bytes needs no leave (RFC 7888).
    pub(super) fn takes_literal(&self, length: usize) -> bool {
        self.has("LITERAL+") || (self.has("LITERAL-") && length <= 4096)
    }

    /// RFC 7162 §3.2.4: a server with `QRESYNC` has `CONDSTORE`, whether it says so or not.
    pub(super) fn has_mod_seq(&self) -> bool {
        self.has("CONDSTORE") || self.has("QRESYNC")
    }

    pub(super) fn strategy(&self) -> Strategy {
        if self.has("X-GM-EXT-1") {
            Strategy::Gmail
        } else if self.has("QRESYNC") && self.has("ENABLE") {
            Strategy::QuickResync
        } else if self.has_mod_seq() {
            Strategy::ModSeq
        } else {
            Strategy::Flags
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn strategy(words: &str, hide: &[&str]) -> Strategy {
        let words = super::super::token::tokens(&Bytes::copy_from_slice(words.as_bytes()), 0);
        let hide = hide.iter().map(|name| (*name).to_owned()).collect();
        Capabilities::of(&words.unwrap(), &hide).strategy()
    }

    #[test]
    fn the_strategy_follows_from_what_is_said_and_believed() {
        let all = "IMAP4rev1 ENABLE CONDSTORE QRESYNC";
        assert_eq!(strategy(all, &[]), Strategy::QuickResync);
        assert_eq!(strategy(all, &["qresync"]), Strategy::ModSeq);
        assert_eq!(strategy(all, &["QRESYNC", "CONDSTORE"]), Strategy::Flags);
        assert_eq!(strategy("IMAP4rev1 CONDSTORE X-GM-EXT-1 enable", &[]), Strategy::Gmail);
        assert_eq!(strategy("IMAP4rev1 QRESYNC", &[]), Strategy::ModSeq, "it cannot be enabled");
    }
}
