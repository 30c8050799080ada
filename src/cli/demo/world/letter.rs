//! Mail as it comes over the wire (RFC 5322, 2045–2047, 2231, 2387). It must not know what the messages are for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Zoned;
use jiff::fmt::rfc2822;

/// A body or a part of one: its header fields and what follows them.
#[derive(Debug, Clone)]
pub struct Part {
    header: String,
    body: Vec<u8>,
}

/// The envelope of a message.
#[derive(Debug, Clone)]
pub struct Letter {
    pub from: String,
    pub to: String,
    pub cc: Option<String>,
    pub subject: String,
    pub date: Zoned,
    /// Without angle brackets; `None` for a message that has none.
    pub id: Option<String>,
    /// The ids before it in its thread, the one that it answers last.
    pub thread: Vec<String>,
    /// Further header fields, whole lines.
    pub more: String,
}

impl Letter {
    /// The message with that body.
    pub fn with(&self, part: &Part) -> Vec<u8> {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            text.extend([name, ": ", value, "\r\n"]);
        };
        line("From", &self.from);
        line("To", &self.to);
        if let Some(cc) = &self.cc {
            line("Cc", cc);
        }
        line("Subject", &words(&self.subject));
        line("Date", &rfc2822::to_string(&self.date).unwrap_or_default());
        if let Some(id) = &self.id {
            line("Message-ID", &format!("<{id}>"));
        }
        if let Some(answered) = self.thread.last() {
            line("In-Reply-To", &format!("<{answered}>"));
            let all: Vec<String> = self.thread.iter().map(|id| format!("<{id}>")).collect();
            line("References", &all.join("\r\n "));
        }
        line("MIME-Version", "1.0");
        text.push_str(&self.more);
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&part.bytes());
        bytes
    }
}

impl Part {
    /// A part whose header lines are given, each ending with CRLF, and its body as it shall stand there.
    pub fn raw(header: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { header: header.into(), body: body.into() }
    }

    /// Plain text in UTF-8: as it is where it is ASCII, else quoted-printable.
    pub fn plain(text: &str) -> Self {
        Self::text("plain", text)
    }

    /// HTML in UTF-8.
    pub fn html(text: &str) -> Self {
        Self::text("html", text)
    }

    fn text(kind: &str, text: &str) -> Self {
        let (encoding, body) = if text.is_ascii() {
            ("7bit", text.replace('\n', "\r\n"))
        } else {
            ("quoted-printable", quoted_printable(text))
        };
        Self::raw(
            format!(
                "Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
            ),
            body,
        )
    }

    /// A file. A name that is not ASCII is written as RFC 2231 says, in pieces where it is long.
    pub fn file(kind: &str, name: &str, bytes: &[u8]) -> Self {
        let header = format!(
            "Content-Type: {kind}\r\nContent-Disposition: attachment;{}\r\nContent-Transfer-Encoding: base64\r\n",
            filename(name)
        );
        Self::raw(header, wrapped(&STANDARD.encode(bytes)))
    }

    /// A picture that the HTML shows as `cid:` with that id.
    pub fn inline(kind: &str, id: &str, bytes: &[u8]) -> Self {
        let header = format!(
            "Content-Type: {kind}\r\nContent-ID: <{id}>\r\nContent-Disposition: inline; filename=picture.png\r\nContent-Transfer-Encoding: base64\r\n"
        );
        Self::raw(header, wrapped(&STANDARD.encode(bytes)))
    }

    /// Several parts in one, `kind` being `mixed`, `alternative` or `related`.
    pub fn multipart(kind: &str, boundary: &str, parts: &[Self]) -> Self {
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            body.extend_from_slice(&part.bytes());
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Self::raw(format!("Content-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n"), body)
    }

    fn bytes(&self) -> Vec<u8> {
        [self.header.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// `Name <address>`, the name encoded where it is not ASCII and quoted where it has specials.
pub fn mailbox(name: &str, address: &str) -> String {
    if !name.is_ascii() {
        return format!("{} <{address}>", words(name));
    }
    let quote =
        !name.chars().all(|char| char.is_ascii_alphanumeric() || char == ' ' || char == '-');
    if quote { format!("\"{name}\" <{address}>") } else { format!("{name} <{address}>") }
}

/// Unstructured text, as encoded words (RFC 2047) if it is not ASCII.
fn words(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for char in text.chars() {
        // 45 octets are 60 letters of base64: with the frame 72, below the 75 of an encoded word.
        if word.len() + char.len_utf8() > 45 {
            words.push(std::mem::take(&mut word));
        }
        word.push(char);
    }
    words.push(word);
    let encoded: Vec<String> =
        words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    encoded.join("\r\n ")
}

fn filename(name: &str) -> String {
    if name.is_ascii() {
        return format!(" filename=\"{name}\"");
    }
    let pieces: Vec<String> =
        name.chars().map(|char| char.to_string().bytes().map(percent).collect()).collect();
    let lines: Vec<String> = pieces.chunks(12).map(<[String]>::concat).collect();
    if let [only] = lines.as_slice() {
        return format!("\r\n filename*=UTF-8''{only}");
    }
    let piece = |(number, piece): (usize, &String)| {
        let charset = if number == 0 { "UTF-8''" } else { "" };
        format!("\r\n filename*{number}*={charset}{piece}")
    };
    lines.iter().enumerate().map(piece).collect::<Vec<_>>().join(";")
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// Quoted-printable of MIME: line ends stay, spaces before them do not.
fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    for line in text.split('\n') {
        let mut width = 0;
        for byte in line.bytes() {
            let plain = matches!(byte, b' '..=b'~') && byte != b'=';
            let piece = if plain { char::from(byte).to_string() } else { format!("={byte:02X}") };
            if width + piece.len() > 75 {
                out.push_str("=\r\n");
                width = 0;
            }
            width += piece.len();
            out.push_str(&piece);
        }
        out.push_str("\r\n");
    }
    out
}

/// Base64 in lines of 76.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    for (number, char) in text.chars().enumerate() {
        if number > 0 && number % 76 == 0 {
            out.push_str("\r\n");
        }
        out.push(char);
    }
    out.push_str("\r\n");
    out
}
