//! Names of things in a collection. Servers spell the same href in many ways: whole or from the root, `@` or `%40`, `%2b` or
//! `%2B`. Here all of them become the decoded name, which is what items are called by, as a file in a vdir is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Url;

use crate::connector::{Error, ErrorKind, Result};
use crate::model::ItemId;

/// Everything but what needs no escape anywhere (RFC 3986, 2.3), and what UIDs have in common with addresses: Cyrus refuses a
/// bracket that stands for itself.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// A collection on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Ends with a slash.
    url: Url,
    segments: Vec<Vec<u8>>,
}

/// What an href names, seen from a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Member {
    /// The collection.
    Itself,
    /// An item right in it.
    Item(ItemId),
    /// A collection in it.
    Folder,
    /// An item in it whose name cannot be kept: no text, or with a slash in it.
    Nameless,
    /// Something that is not in it.
    Elsewhere,
}

impl Base {
    pub(super) fn new(mut url: Url) -> Self {
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        url.set_query(None);
        url.set_fragment(None);
        let segments = decoded(url.path());
        Self { url, segments }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// What this href names.
    pub(super) fn member(&self, href: &str) -> Member {
        let Some(path) = path_of(&self.url, href) else { return Member::Elsewhere };
        let segments = decoded(path);
        let Some(rest) = segments.strip_prefix(self.segments.as_slice()) else {
            return Member::Elsewhere;
        };
        match rest {
            [] => Member::Itself,
            [_] if path.ends_with('/') => Member::Folder,
            [name] => match str::from_utf8(name) {
                Ok(name) if is_name(name) => Member::Item(ItemId::new(name)),
                _ => Member::Nameless,
            },
            _ => Member::Elsewhere,
        }
    }

    /// Where an item lies.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] for what is no name of an item.
    pub(super) fn item(&self, id: &ItemId) -> Result<Url> {
        let refuse =
            || Error::new(ErrorKind::Rejected, "not the name of an item of this collection");
        if !is_name(id.as_str()) {
            return Err(refuse());
        }
        let mut url = self.url.clone();
        let name = utf8_percent_encode(id.as_str(), ESCAPED);
        url.set_path(&format!("{}{name}", self.url.path()));
        Ok(url)
    }
}

/// The path of an href, as it is spelled; `None` when it is on another server.
fn path_of<'a>(from: &Url, href: &'a str) -> Option<&'a str> {
    let href = href.trim();
    let href = href.split(['?', '#']).next().unwrap_or(href);
    if href.starts_with('/') && !href.starts_with("//") {
        return Some(href);
    }
    let url = Url::parse(href).ok()?;
    // The scheme is not compared: behind a proxy servers call themselves `http`.
    let same = url.host() == from.host() && (url.port() == from.port() || url.port().is_none());
    let (_, rest) = href.split_once("://")?;
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    same.then_some(path)
}

fn decoded(path: &str) -> Vec<Vec<u8>> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).collect())
        .collect()
}

/// Neither a way through the tree, nor what would not come back from a URL as it went in.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && !name.contains('/')
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        Base::new(Url::parse("https://dav.example.org/a%20b/calendars/x").unwrap())
    }

    #[test]
    fn an_href_in_every_spelling_is_one_name() {
        let item = |name: &str| Member::Item(ItemId::new(name));
        let table = [
            ("/a%20b/calendars/x/e.ics", item("e.ics")),
            ("/a b/calendars/x/e.ics", item("e.ics")),
            ("  https://dav.example.org/a%20b/calendars/x/e.ics\n", item("e.ics")),
            ("http://dav.example.org/a%20b//calendars/x/e.ics?q", item("e.ics")),
            ("/a%20b/calendars/%78/1%40x%2by%25.ics", item("1@x+y%.ics")),
            ("/a%20b/calendars/x/1@x+y%25.ics", item("1@x+y%.ics")),
            ("/a%20b/calendars/x/%C3%A4.ics", item("ä.ics")),
            ("/a%20b/calendars/x/", Member::Itself),
            ("/a%20b/calendars/x", Member::Itself),
            ("/a%20b/calendars/x/sub/", Member::Folder),
            ("/a%20b/calendars/x/sub/e.ics", Member::Elsewhere),
            ("/a%20b/calendars/x/a%2Fb.ics", Member::Nameless),
            ("/a%20b/calendars/x/%FF.ics", Member::Nameless),
            ("/a%20b/calendars/x/..", Member::Nameless),
            ("/a%20b/calendars/x/%2e%2e", Member::Nameless),
            ("/a%20b/calendars/x/%00", Member::Nameless),
            ("/a%20b/calendars/y/e.ics", Member::Elsewhere),
            ("https://evil.example.org/a%20b/calendars/x/e.ics", Member::Elsewhere),
            ("//evil.example.org/a%20b/calendars/x/e.ics", Member::Elsewhere),
            ("https://dav.example.org:8443/a%20b/calendars/x/e.ics", Member::Elsewhere),
            ("mailto:a@x.example", Member::Elsewhere),
            ("", Member::Elsewhere),
        ];
        for (href, expected) in table {
            assert_eq!(base().member(href), expected, "{href:?}");
        }
    }

    #[test]
    fn every_name_survives_its_url() {
        for name in [
            "e.ics",
            "1@x+y%.ics",
            "ä ö.ics",
            "a?b#c.ics",
            "%41.ics",
            "a;b=c&d.ics",
            "a\\b.ics",
            "...ics",
            "(x){y}[z]|^`.ics",
        ] {
            let url = base().item(&ItemId::new(name)).unwrap();
            assert!(
                url.path()
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"/%-._~@".contains(&byte))
            );
            assert_eq!(base().member(url.path()), Member::Item(ItemId::new(name)), "{url}");
            assert_eq!(base().member(url.as_str()), Member::Item(ItemId::new(name)), "{url}");
        }
        for bad in ["", ".", "..", "a/b", "../x", "a\nb"] {
            assert_eq!(base().item(&ItemId::new(bad)).unwrap_err().kind, ErrorKind::Rejected);
        }
    }
}
