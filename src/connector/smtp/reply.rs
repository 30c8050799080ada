//! A server's answer, line by line, as far as it is read without lettre: before TLS, and out of turn.

use super::Reply;

/// RFC 5321 §4.5.3.1.5 has 512 bytes for a line of an answer; lettre takes 1000.
pub(super) const LINE_LIMIT: usize = 1000;

/// The longest answer is that to `EHLO`: a line an extension.
pub(super) const LINES: usize = 128;

/// How much of an answer is kept to be shown.
const SHOWN: usize = 500;

/// Reads a line of an answer: what it says, and whether it is the last (RFC 5321 §4.2.1).
pub(super) fn line(line: &str) -> Option<(Reply, bool)> {
    let (code, rest) = line.split_at_checked(3)?;
    if !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let code = code.parse().ok().filter(|code| (200..600).contains(code))?;
    let last = !rest.starts_with('-');
    let text = rest.strip_prefix(['-', ' ']).unwrap_or(rest);
    Some((Reply::new(code, text), last))
}

impl Reply {
    /// An answer whose text cannot play tricks on a terminal.
    pub(super) fn new(code: u16, text: &str) -> Self {
        let text = text.chars().filter(|letter| !letter.is_control()).take(SHOWN).collect();
        Self { code, text }
    }
}
