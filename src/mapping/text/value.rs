//! Escaping of values: RFC 5545 §3.3.11, RFC 6350 §3.4, RFC 2426 §4, and what vCard 2.1 does instead.

/// A TEXT value as it is meant: `\n`, `\N`, `\,`, `\;`, `\\` and (seen in the wild) `\:` are undone, other backslashes stay.
pub fn unescape(raw: &str) -> String {
    undo(raw, true)
}

/// As [`unescape`], but `\n` stays as it is: for vCard 2.1, where line ends are quoted-printable, and for URIs.
pub fn unescape_separators(raw: &str) -> String {
    undo(raw, false)
}

/// Text as a TEXT value.
pub fn escape(text: &str) -> String {
    let mut raw = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ',' | ';' => raw.extend(['\\', c]),
            '\n' => raw.push_str("\\n"),
            '\r' => {}
            _ => raw.push(c),
        }
    }
    raw
}

/// Text where only the backslash itself needs escaping: URIs.
pub fn escape_backslashes(text: &str) -> String {
    text.replace('\\', "\\\\")
}

/// The parts of a raw value between separators (`;` or `,`) that are not escaped; the parts stay raw. Never empty.
pub fn split(raw: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    raw.split(|c: char| {
        let cut = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        cut
    })
    .collect()
}

/// A comma list as it is meant.
pub fn list(raw: &str) -> Vec<String> {
    split(raw, ',').into_iter().map(unescape).collect()
}

/// Raw parts as one structured value, without the empty ones at its end beyond `least` parts. A backslash that escapes
/// nothing at the end of a part would take the separator for it, and is escaped itself.
pub fn join(parts: &[String], least: usize) -> String {
    let used = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
    let closed = |part: &String| {
        let open = part.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1;
        if open { format!("{part}\\") } else { part.clone() }
    };
    let parts: Vec<String> = parts.iter().take(used.max(least)).map(closed).collect();
    parts.join(";")
}

fn undo(raw: &str, line_ends: bool) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        let next = if c == '\\' { chars.peek().copied() } else { None };
        let meant = match next {
            Some('n' | 'N') if line_ends => '\n',
            Some(escaped @ ('\\' | ',' | ';' | ':')) => escaped,
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
