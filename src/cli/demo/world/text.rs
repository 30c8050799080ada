//! Content lines of vCard and iCalendar (RFC 6350 §3.2, RFC 5545 §3.1) as other programs write them, and as they edit them. It must not know what a
//! property means.

/// How lines end.
pub const CRLF: &str = "\r\n";
/// How they end where somebody was careless.
pub const LF: &str = "\n";
/// Octets of a line before it is folded.
const WIDTH: usize = 73;

/// A text of content lines in the making.
#[derive(Debug)]
pub struct Lines {
    text: String,
    ending: &'static str,
}

impl Lines {
    pub fn new(ending: &'static str) -> Self {
        Self { text: String::new(), ending }
    }

    /// Adds a line, `property` being all before the colon, folded where it is too long.
    pub fn add(&mut self, property: &str, value: &str) {
        let mut width = 0;
        for char in property.chars().chain([':']).chain(value.chars()) {
            if width + char.len_utf8() > WIDTH {
                self.text.push_str(self.ending);
                self.text.push(' ');
                width = 1;
            }
            self.text.push(char);
            width += char.len_utf8();
        }
        self.text.push_str(self.ending);
    }

    /// Adds lines as they are, which end with `\n` in `lines`.
    pub fn block(&mut self, lines: &str) {
        for line in lines.lines() {
            self.text.push_str(line);
            self.text.push_str(self.ending);
        }
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// A value of type TEXT.
pub fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;").replace('\n', "\\n")
}

/// Quoted-printable of vCard 2.1: everything but plain ASCII is encoded, lines are broken with `=`.
pub fn quoted_printable(value: &str, ending: &str) -> String {
    let mut text = String::new();
    // The property, which stands before it, may take as much.
    let mut width = 52;
    for byte in value.bytes() {
        let plain = (byte.is_ascii_graphic() || byte == b' ') && byte != b'=';
        let piece = if plain { char::from(byte).to_string() } else { format!("={byte:02X}") };
        if width + piece.len() > WIDTH {
            text.push('=');
            text.push_str(ending);
            width = 0;
        }
        width += piece.len();
        text.push_str(&piece);
    }
    text
}

/// The value of the first line of that name, unfolded; `None` if there is none.
pub fn value(text: &str, name: &str) -> Option<String> {
    logical(text).into_iter().find(|line| is(line, name)).map(|line| {
        let unfolded = unfold(line);
        let at = colon(&unfolded).unwrap_or(unfolded.len());
        unfolded.get(at + 1..).unwrap_or_default().to_owned()
    })
}

/// Rewrites the lines that `change` answers for, given all before the colon and the value; all others keep their bytes. New lines end as the first
/// one does.
pub fn rewrite(text: &str, mut change: impl FnMut(&str, &str) -> Option<String>) -> String {
    let ending = if text.contains(CRLF) { CRLF } else { LF };
    let mut out = String::new();
    for line in logical(text) {
        let unfolded = unfold(line);
        let at = colon(&unfolded).unwrap_or(unfolded.len());
        let (property, value) =
            (unfolded.get(..at).unwrap_or_default(), unfolded.get(at + 1..).unwrap_or_default());
        match change(property, value) {
            Some(new) => {
                let mut lines = Lines::new(ending);
                lines.add(property, &new);
                out.push_str(&lines.finish());
            }
            None => out.push_str(line),
        }
    }
    out
}

/// Puts lines before the first one that reads `before`.
pub fn insert(text: &str, before: &str, lines: &[(&str, &str)]) -> String {
    let mut new = Lines::new(if text.contains(CRLF) { CRLF } else { LF });
    for (property, value) in lines {
        new.add(property, value);
    }
    let mut new = Some(new.finish());
    let mut out = String::new();
    for line in logical(text) {
        if line.trim_end().eq_ignore_ascii_case(before) {
            out.push_str(&new.take().unwrap_or_default());
        }
        out.push_str(line);
    }
    out
}

/// Whether a property, which may stand in a group and have parameters, has that name.
pub fn is(property: &str, name: &str) -> bool {
    let end = property.find([';', ':']).unwrap_or(property.len());
    let head = property.get(..end).unwrap_or_default().trim_end();
    head.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case(name))
}

/// Lines together with what was folded off them, each with its ending.
fn logical(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if !line.starts_with([' ', '\t']) && end > start {
            lines.extend(text.get(start..end));
            start = end;
        }
        end += line.len();
    }
    lines.extend(text.get(start..end).filter(|rest| !rest.is_empty()));
    lines
}

fn unfold(line: &str) -> String {
    let mut unfolded = String::new();
    for (number, part) in line.split('\n').enumerate() {
        let part = part.trim_end_matches('\r');
        unfolded.push_str(if number == 0 { part } else { part.get(1..).unwrap_or_default() });
    }
    unfolded
}

/// Where the value begins: at the first colon outside of quotes.
fn colon(line: &str) -> Option<usize> {
    let mut quoted = false;
    line.char_indices().find_map(|(at, char)| {
        quoted ^= char == '"';
        (char == ':' && !quoted).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_and_read_back() {
        let long = "ü".repeat(200);
        let mut lines = Lines::new(CRLF);
        lines.add("item1.NOTE;X=\"a:b\"", &long);
        lines.add("UID", "1");
        let text = lines.finish();
        assert!(text.lines().all(|line| line.len() <= 75));
        assert_eq!(value(&text, "note").as_deref(), Some(long.as_str()));
        assert_eq!(value(&text, "UID").as_deref(), Some("1"));
        assert_eq!(value(&text, "X"), None);
    }

    #[test]
    fn an_edit_leaves_all_other_bytes() {
        let text = "BEGIN:A\r\nX-ODD;A=\"b:c\": d\r\n  e\r\nTEL;TYPE=WORK:1\r\nEND:A\r\n";
        let new = rewrite(text, |property, value| {
            (is(property, "TEL") && value == "1").then(|| "2".to_owned())
        });
        assert_eq!(new, text.replace("WORK:1", "WORK:2"));
        let more = insert(&new, "END:A", &[("NOTE", "x")]);
        assert_eq!(more, new.replace("END:A", "NOTE:x\r\nEND:A"));
        assert_eq!(rewrite(text, |_, _| None), text);
    }

    #[test]
    fn quoted_printable_breaks_its_lines() {
        let text = quoted_printable(&"é=".repeat(40), CRLF);
        assert!(text.lines().all(|line| line.len() <= 76));
        assert!(text.starts_with("=C3=A9=3D"));
    }
}
