//! One logical line: `group.NAME;PARAM=value,"value":value`.

use std::borrow::Cow;
use std::fmt;

use mail_parser::decoders::charsets::map::charset_decoder;

const QUOTED_PRINTABLE: &str = "QUOTED-PRINTABLE";

/// A content line. Its value is free of folding, quoted-printable and charset, but still escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Everything before the colon as spelled in the file; `None` once that was changed or for a new line.
    head: Option<String>,
    group: Option<String>,
    name: String,
    params: Vec<Param>,
    value: String,
}

/// A parameter of a line. The bare ones of vCard 2.1 (`TEL;HOME`) are values without a name.
#[derive(Clone, PartialEq, Eq)]
pub struct Param {
    /// In upper case, or empty.
    pub name: String,
    /// Unquoted, with `^n`, `^'` and `^^` undone (RFC 6868).
    pub values: Vec<String>,
}

impl Line {
    /// A new line. `value` is raw: escaped as the property demands.
    pub fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            head: None,
            group: None,
            name: name.to_owned(),
            params: Vec::new(),
            value: value.into(),
        }
    }

    /// The name in upper case; empty when this is no content line.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the line has this name, given in upper case.
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// The prefix that ties lines together (`item1` in `item1.EMAIL`), as spelled.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// The first value of the parameter of this name (upper case).
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|param| param.name == name)?.values.first().map(String::as_str)
    }

    /// What the line says about its kind, in lower case: the values of `TYPE` and the bare parameters of vCard 2.1.
    pub fn types(&self) -> Vec<String> {
        self.params
            .iter()
            .filter(|param| param.name == "TYPE" || param.name.is_empty())
            .flat_map(|param| &param.values)
            .flat_map(|value| value.split(','))
            .map(|value| value.trim().to_lowercase())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// The value, still escaped.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The same line with another raw value. What stands before the colon stays as spelled, but for the charset, since we
    /// write UTF-8.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        if self.param("CHARSET").is_some_and(|charset| !charset.eq_ignore_ascii_case("UTF-8")) {
            self = self.without_param("CHARSET").with_param("CHARSET", "UTF-8");
        }
        self
    }

    /// With one more parameter; a bare one when `name` is empty.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: impl Into<String>) -> Self {
        self.head = None;
        self.params.push(Param { name: name.to_owned(), values: vec![value.into()] });
        self
    }

    /// Without the parameters of this name (upper case).
    #[must_use]
    pub fn without_param(mut self, name: &str) -> Self {
        if self.params.iter().any(|param| param.name == name) {
            self.head = None;
            self.params.retain(|param| param.name != name);
        }
        self
    }

    /// With the value written in quoted-printable: how vCard 2.1 holds line ends, long lines and other characters than ASCII.
    #[must_use]
    pub fn quoted_printable(self) -> Self {
        if self.is_quoted_printable() {
            return self;
        }
        self.with_param("ENCODING", QUOTED_PRINTABLE)
            .without_param("CHARSET")
            .with_param("CHARSET", "UTF-8")
    }

    pub fn is_quoted_printable(&self) -> bool {
        self.params
            .iter()
            .filter(|param| param.name.is_empty() || param.name == "ENCODING")
            .flat_map(|param| &param.values)
            .any(|value| value.eq_ignore_ascii_case(QUOTED_PRINTABLE))
    }

    /// Whether the value is binary (`ENCODING=b`, `ENCODING=BASE64`).
    pub fn is_base64(&self) -> bool {
        self.params
            .iter()
            .filter(|param| param.name.is_empty() || param.name == "ENCODING")
            .flat_map(|param| &param.values)
            .any(|value| value.eq_ignore_ascii_case("b") || value.eq_ignore_ascii_case("base64"))
    }

    /// What stands before the colon: as it was, or made anew. Line ends in it would begin another line and are left out.
    pub(super) fn head(&self) -> Cow<'_, str> {
        if let Some(head) = &self.head {
            return Cow::Borrowed(head);
        }
        let mut head = String::new();
        if let Some(group) = &self.group {
            head.extend([group.as_str(), "."]);
        }
        head.push_str(&self.name);
        for param in &self.params {
            head.push(';');
            if !param.name.is_empty() {
                head.extend([param.name.as_str(), "="]);
            }
            let values: Vec<String> = param.values.iter().map(|value| quoted(value)).collect();
            head.push_str(&values.join(","));
        }
        head.retain(|c| c != '\r' && c != '\n');
        Cow::Owned(head)
    }

    /// Reads an unfolded line. What has no name and colon becomes a line without a name, all of it value.
    pub(super) fn parse(content: &[u8]) -> Self {
        let head = head_end(content).and_then(|(end, quotes)| {
            let head = String::from_utf8_lossy(content.get(..end)?);
            let value = content.get(end + 1..)?;
            Some((head.into_owned(), quotes, value))
        });
        let named = head.and_then(|(head, quotes, value)| {
            let mut parts = cut(&head, ';', quotes).into_iter();
            let (group, name) = name_of(parts.next()?)?;
            let params = parts.map(|part| param_of(part, quotes)).collect();
            Some((Self { head: Some(head), group, name, params, value: String::new() }, value))
        });
        match named {
            Some((mut line, value)) => {
                line.value = line.decode(value);
                line
            }
            None => Self::new("", String::from_utf8_lossy(content)),
        }
    }

    fn decode(&self, value: &[u8]) -> String {
        let bytes = if self.is_quoted_printable() {
            Cow::Owned(undo_quoted_printable(value))
        } else {
            Cow::Borrowed(value)
        };
        let charset = self.param("CHARSET").filter(|name| !name.eq_ignore_ascii_case("UTF-8"));
        match charset.and_then(|name| charset_decoder(name.as_bytes())) {
            Some(decode) => decode(&bytes),
            None => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

impl fmt::Debug for Line {
    /// Names the property only: content stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({})", self.name)
    }
}

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Param({})", self.name)
    }
}

/// Where the colon before the value stands, and whether quotes count: where one is never closed they are mere characters.
fn head_end(content: &[u8]) -> Option<(usize, bool)> {
    let mut quoted = false;
    let colon = content.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b':' && !quoted
    });
    match colon {
        Some(end) => Some((end, true)),
        None => content.iter().position(|byte| *byte == b':').map(|end| (end, false)),
    }
}

/// The parts between separators, those in quotes left whole.
fn cut(text: &str, separator: char, quotes: bool) -> Vec<&str> {
    let mut inside = false;
    text.split(|c: char| {
        inside ^= quotes && c == '"';
        c == separator && !inside
    })
    .collect()
}

/// Group and name; `None` for what cannot be a property name.
fn name_of(text: &str) -> Option<(Option<String>, String)> {
    let text = text.trim();
    let (group, name) = match text.rsplit_once('.') {
        Some((group, name)) => (Some(group.to_owned()), name),
        None => (None, text),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then(|| (group, name.to_ascii_uppercase()))
}

fn param_of(text: &str, quotes: bool) -> Param {
    let (name, values) = text.split_once('=').unwrap_or(("", text));
    let values = cut(values, ',', quotes).into_iter().map(unquoted).collect();
    Param { name: name.trim().to_ascii_uppercase(), values }
}

/// A parameter's value as it is meant (RFC 6868 §3.2).
fn unquoted(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.trim().chars().filter(|c| *c != '"').peekable();
    while let Some(c) = chars.next() {
        let meant = match (c, chars.peek()) {
            ('^', Some('n')) => '\n',
            ('^', Some('\'')) => '"',
            ('^', Some('^')) => '^',
            _ => {
                text.push(c);
                continue;
            }
        };
        chars.next();
        text.push(meant);
    }
    text
}

/// The inverse of [`unquoted`]; in quotes where it must be (RFC 5545 §3.2).
fn quoted(value: &str) -> String {
    let encoded = value
        .replace('^', "^^")
        .replace('"', "^'")
        .replace("\r\n", "^n")
        .replace(['\r', '\n'], "^n");
    if encoded.contains([':', ';', ',']) { format!("\"{encoded}\"") } else { encoded }
}

/// RFC 2045 §6.7; what is not quoted-printable stays as it is. A soft line break that nothing followed is no content.
fn undo_quoted_printable(raw: &[u8]) -> Vec<u8> {
    let raw = raw.strip_suffix(b"=").unwrap_or(raw);
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        let pair = (*byte == b'=').then(|| (digit(raw.get(at + 1)), digit(raw.get(at + 2))));
        let code = match pair {
            Some((Some(high), Some(low))) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        at += if code.is_some() { 3 } else { 1 };
        bytes.push(code.unwrap_or(*byte));
    }
    bytes
}
