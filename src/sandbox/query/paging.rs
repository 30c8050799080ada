//! Paging: which rows a page holds, the cookie that leads to the next one, and back from a cookie to a place in the order.
//!
//! A cookie holds the sort keys of the first and last row of its page, so that the next page begins behind that row even if rows
//! were inserted or deleted in between. Queries whose rows those keys do not tell apart are paged by counting rows.
//!
//! <https://learn.microsoft.com/power-apps/developer/data-platform/fetchxml/page-results>

use std::fmt;

use super::value::{self, Value};
use super::{At, Dialect, MAX_PAGE, Query, QueryError, Scope, xml};
use crate::sandbox::schema::{Column, Kind};

/// How far a query without cookies can be paged.
const MAX_SIMPLE: u64 = 50_000;
/// The longest text that is worth keeping in a cookie.
const MAX_KEY: usize = 2000;

/// Which page is asked for.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// From 1 on; `None` is the first.
    pub number: Option<u32>,
    /// The page size that the query itself states.
    pub size: Option<u32>,
    pub cookie: Option<Cookie>,
}

/// What a client gives back.
#[derive(Clone)]
pub struct Cookie {
    /// The page it was given with.
    page: u32,
    /// Name and text of each sort key of the last row; `None` is null.
    last: Vec<(String, Option<String>)>,
}

impl fmt::Debug for Cookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Cookie").field("page", &self.page).finish_non_exhaustive()
    }
}

/// The rows to read.
#[derive(Debug)]
pub struct Window {
    /// Rows of the page, at most.
    pub limit: u32,
    pub offset: u64,
    /// The number of the page.
    pub number: u32,
    /// Whether there can be a further page.
    pub paged: bool,
    pub keyset: Option<Keyset>,
}

/// The sort keys, and where the page begins.
#[derive(Debug)]
pub struct Keyset {
    pub keys: Vec<Key>,
    /// The values of the row before the page.
    pub last: Option<Vec<Option<Value>>>,
}

/// One sort key of the table itself.
#[derive(Debug)]
pub struct Key {
    pub column: &'static Column,
    pub descending: bool,
}

/// The sort keys of one row as text.
pub type KeyTexts = Vec<Option<String>>;

/// Decides which rows the page holds.
pub fn window(query: &Query, scope: &Scope<'_>) -> Result<Window, QueryError> {
    let number = query.paging.number.unwrap_or(1);
    let before = u64::from(number.saturating_sub(1));
    let (size, top) = match (&query.dialect, scope.page_size) {
        // With maxpagesize, `$top` is ignored.
        (Dialect::OData { .. }, Some(size)) => (size.clamp(1, MAX_PAGE), None),
        (Dialect::OData { .. }, None) => (MAX_PAGE, query.top),
        (Dialect::FetchXml, _) => {
            (query.paging.size.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE), query.top)
        }
    };
    let mut limit = size;
    let mut paged = true;
    if let Some(top) = top {
        let left = u64::from(top).saturating_sub(before.saturating_mul(u64::from(size)));
        limit = u32::try_from(left.min(u64::from(size))).unwrap_or(size);
        paged = left > u64::from(size);
    }
    let mut offset = before.saturating_mul(u64::from(size));
    let mut keyset = keys(query)?.map(|keys| Keyset { keys, last: None });
    if let (Some(keyset), Some(cookie)) = (&mut keyset, &query.paging.cookie)
        && number > cookie.page
    {
        keyset.last = Some(place(&keyset.keys, cookie)?);
        offset = u64::from(number - cookie.page - 1).saturating_mul(u64::from(size));
    } else if offset.saturating_add(u64::from(limit)) > MAX_SIMPLE {
        return Err(QueryError::argument(
            "Paging beyond 50000 rows needs the paging cookie of the page before.",
        ));
    }
    Ok(Window { limit, offset, number, paged, keyset })
}

/// The cookie that leads to the page after `window`, unless the query can only be paged by number.
pub fn cookie(window: &Window, first: &KeyTexts, last: &KeyTexts) -> Option<String> {
    let next = window.number.saturating_add(1);
    let inner = inner(window.number, window.keyset.as_ref()?, first, last)?;
    Some(format!(
        "<cookie pagenumber=\"{next}\" pagingcookie=\"{}\" istracking=\"False\" />",
        encode(&encode(&inner))
    ))
}

/// The skip token that leads to the page after `window` by number alone.
pub fn numbered(window: &Window) -> String {
    format!("<cookie pagenumber=\"{}\" istracking=\"False\" />", window.number.saturating_add(1))
}

/// `@odata.nextLink`: the address of the same query with the cookie as `$skiptoken`.
pub fn next_link(base: &str, path: &str, options: &[(String, String)], cookie: &str) -> String {
    let mut link = format!("{base}/{path}?");
    for (name, value) in options {
        if name != "$skiptoken" {
            link.push_str(&escape_option(name));
            link.push('=');
            link.push_str(&escape_option(value));
            link.push('&');
        }
    }
    // Only what cannot stand in an address is escaped: the value inside is escaped twice already.
    let token =
        cookie.replace('<', "%3C").replace('>', "%3E").replace(' ', "%20").replace('"', "%22");
    link + "$skiptoken=" + &token
}

/// Reads `$skiptoken`: the whole `<cookie pagenumber=… pagingcookie=… />`.
pub fn from_skip_token(token: &str) -> Result<Paging, QueryError> {
    let malformed = || QueryError::odata("Malformed XML in the Paging Cookie.");
    let node = xml::parse(token).map_err(|_| malformed())?;
    let number = node.attribute("pagenumber").and_then(|text| text.parse::<u32>().ok());
    let number = number.filter(|number| *number > 0).ok_or_else(malformed)?;
    let cookie = node.attribute("pagingcookie").map(from_attribute).transpose()?;
    Ok(Paging { number: Some(number), size: None, cookie })
}

/// Reads the `paging-cookie` attribute of a fetch, decoded (`<cookie page="1">…`) or still URL-encoded.
pub fn from_attribute(text: &str) -> Result<Cookie, QueryError> {
    let malformed = || QueryError::argument("Malformed XML in the Paging Cookie.");
    let mut text = text.to_owned();
    for _ in 0..3 {
        if text.starts_with('%') {
            let decoded = percent_encoding::percent_decode_str(&text).decode_utf8();
            text = decoded.map_err(|_| malformed())?.into_owned();
        }
    }
    let node = xml::parse(&text).map_err(|_| malformed())?;
    let page = node.attribute("page").and_then(|text| text.parse::<u32>().ok());
    let mut last = Vec::new();
    for key in &node.children {
        let value = match (key.attribute("last"), key.attribute("lastnull")) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Some(_)) => None,
            (None, None) => return Err(malformed()),
        };
        last.push((key.name.clone(), value));
    }
    match page {
        Some(page) if node.name == "cookie" => Ok(Cookie { page, last }),
        _ => Err(malformed()),
    }
}

/// The sort keys, ending with the primary key, if they tell all rows of the query apart.
fn keys(query: &Query) -> Result<Option<Vec<Key>>, QueryError> {
    let told_apart = if query.distinct {
        let shows_id = query
            .outputs
            .iter()
            .any(|output| output.at == At::Here && output.column.name == query.table.id);
        shows_id && query.outputs.iter().all(|output| single(query, output.at))
    } else {
        (0..query.joins.len()).all(|index| single(query, At::Join(index)))
    };
    if !told_apart || query.order.iter().any(|order| order.at != At::Here) {
        return Ok(None);
    }
    let mut keys: Vec<Key> = Vec::new();
    for order in &query.order {
        if !keys.iter().any(|key| key.column.name == order.column.name) {
            keys.push(Key { column: order.column, descending: order.descending });
        }
    }
    if !keys.iter().any(|key| key.column.name == query.table.id) {
        keys.push(Key { column: super::key(query.table)?, descending: false });
    }
    Ok(Some(keys))
}

/// Whether a row of the table has at most one row there.
fn single(query: &Query, at: At) -> bool {
    let At::Join(index) = at else { return true };
    query.joins.get(index).is_some_and(|join| {
        // A join refers only to those before it, so this ends.
        join.column.name == join.table.id
            && match join.parent.0 {
                At::Join(parent) if parent >= index => false,
                parent => single(query, parent),
            }
    })
}

/// The place that a cookie names, if it fits the sort keys.
fn place(keys: &[Key], cookie: &Cookie) -> Result<Vec<Option<Value>>, QueryError> {
    let unfit = || QueryError::argument("The paging cookie does not fit the order of the query.");
    if cookie.last.len() != keys.len() {
        return Err(unfit());
    }
    keys.iter()
        .zip(&cookie.last)
        .map(|(key, (name, text))| match text {
            _ if name != key.column.name => Err(unfit()),
            None => Ok(None),
            Some(text) => value::from_text(key.column, text).map(Some).ok_or_else(unfit),
        })
        .collect()
}

/// `<cookie page="1"><fullname last="…" first="…" /><contactid last="{GUID}" first="{GUID}" /></cookie>`, unless a key cannot
/// stand in it.
fn inner(page: u32, keyset: &Keyset, first: &KeyTexts, last: &KeyTexts) -> Option<String> {
    let mut inner = format!("<cookie page=\"{page}\">");
    for (key, (first, last)) in keyset.keys.iter().zip(first.iter().zip(last)) {
        inner.push('<');
        inner.push_str(key.column.name);
        for (side, text) in [("last", last), ("first", first)] {
            let value = match text {
                None => format!(" {side}null=\"1\""),
                Some(text) => format!(" {side}=\"{}\"", spelled(key.column, text)?),
            };
            inner.push_str(&value);
        }
        inner.push_str(" />");
    }
    inner.push_str("</cookie>");
    Some(inner)
}

/// The text as it stands in the cookie; nothing for what XML cannot carry or what is too long.
fn spelled(column: &Column, text: &str) -> Option<String> {
    match column.kind {
        Kind::Key | Kind::Guid | Kind::Lookup { .. } => {
            Some(format!("{{{}}}", text.to_ascii_uppercase()))
        }
        _ if text.len() > MAX_KEY
            || text.chars().any(|c| c.is_control() || c == '\u{fffe}' || c == '\u{ffff}') =>
        {
            None
        }
        _ => Some(quick_xml::escape::escape(text).into_owned()),
    }
}

/// URL encoding with lower-case digits, as the service writes it.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                encoded.push(char::from(byte));
            }
            other => {
                let digit = |bits| char::from_digit(u32::from(bits), 16).unwrap_or('0');
                encoded.extend(['%', digit(other >> 4), digit(other & 15)]);
            }
        }
    }
    encoded
}

/// Option names and values in a link: everything that a form decoder would take for something else is escaped.
fn escape_option(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'$')
        .remove(b'_')
        .remove(b'-')
        .remove(b'.')
        .remove(b',')
        .remove(b'(')
        .remove(b')')
        .remove(b';')
        .remove(b'=')
        .remove(b'/')
        .remove(b':')
        .remove(b'@')
        .remove(b'\'');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}
