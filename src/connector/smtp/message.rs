//! Whether a message can be carried by SMTP byte for byte, and what it needs of the server for that. Pure.

use lettre::Address as Mailbox;

use super::{SIZE_LIMIT, Submission};
use crate::connector::{Error, ErrorKind, Result};
use crate::model::Address;

/// RFC 5321 §4.5.3.1.6, without the line's end.
const LINE_LIMIT: usize = 998;

/// RFC 5321 §4.5.3.1.3, without the angle brackets.
const ADDRESS_LIMIT: usize = 254;

/// A message that can be carried, in its envelope.
pub(super) struct Letter<'a> {
    pub(super) from: Mailbox,
    /// Each once, with the address as it was given.
    pub(super) to: Vec<(Address, Mailbox)>,
    /// Without the last line's end, which lettre writes itself.
    pub(super) body: &'a [u8],
    /// In bytes, as the server counts (RFC 1870 §3).
    pub(super) size: usize,
    /// Whether it needs 8BITMIME (RFC 6152).
    pub(super) eight_bit: bool,
    /// Whether an address or the header needs SMTPUTF8 (RFC 6531).
    pub(super) international: bool,
}

impl<'a> Letter<'a> {
    /// # Errors
    /// [`ErrorKind::Rejected`] when it cannot be carried as it is.
    pub(super) fn new(submission: &'a Submission) -> Result<Self> {
        let message: &[u8] = &submission.message;
        let header = check(message)?;
        let from = mailbox(&submission.from)?;
        let mut to: Vec<(Address, Mailbox)> = Vec::new();
        for address in &submission.to {
            if !to.iter().any(|(known, _)| known == address) {
                to.push((address.clone(), mailbox(address)?));
            }
        }
        if to.is_empty() {
            return Err(unfit("the message has no recipients"));
        }
        let ascii = |mailbox: &Mailbox| mailbox.user().is_ascii();
        let addresses = ascii(&from) && to.iter().all(|(_, mailbox)| ascii(mailbox));
        let international = !header.is_ascii() || !addresses;
        Ok(Self {
            from,
            to,
            body: message.strip_suffix(b"\r\n").unwrap_or(message),
            size: message.len(),
            eight_bit: !message.is_ascii(),
            international,
        })
    }
}

/// The header of a message that can be carried.
fn check(message: &[u8]) -> Result<&[u8]> {
    if message.len() > SIZE_LIMIT {
        return Err(unfit(format!("the message is larger than {} MiB", SIZE_LIMIT >> 20)));
    }
    if !message.ends_with(b"\r\n") {
        return Err(unfit("the message does not end with a line's end"));
    }
    let mut header = None;
    let mut at = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r\n").unwrap_or(line);
        if text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            // A server might see the end of the message, and commands of a stranger, where we see none.
            return Err(unfit("the message has a line end that is not CRLF, or a NUL"));
        }
        if text.len() > LINE_LIMIT {
            return Err(unfit(format!("the message has a line of more than {LINE_LIMIT} bytes")));
        }
        if header.is_none() && is_blind_copy(text) {
            return Err(unfit("the message has a Bcc field, which every recipient would see"));
        }
        if header.is_none() && text.is_empty() {
            header = message.get(..at);
        }
        at += line.len();
    }
    header.filter(|header| !header.is_empty()).ok_or_else(|| unfit("the message has no header"))
}

/// `Bcc` and `Resent-Bcc`, also with the blanks before the colon that RFC 5322 §4.5 lets pass.
fn is_blind_copy(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    let name = name.trim_ascii_end();
    name.len() < line.len()
        && (name.eq_ignore_ascii_case(b"Bcc") || name.eq_ignore_ascii_case(b"Resent-Bcc"))
}

/// An address as SMTP has it. The domain goes in its ASCII form, which every server knows (RFC 5890 §2.3.2.1).
fn mailbox(address: &Address) -> Result<Mailbox> {
    let text = address.as_str();
    let parts = text.rsplit_once('@').filter(|_| text.len() <= ADDRESS_LIMIT);
    let mailbox = parts.and_then(|(user, domain)| {
        if domain.is_ascii() {
            return Mailbox::new(user, domain).ok();
        }
        let domain = url::Host::parse(domain).ok()?.to_string();
        Mailbox::new(user, domain).ok()
    });
    mailbox.ok_or_else(|| unfit(format!("`{}` is no address", text.escape_debug())))
}

fn unfit(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Rejected, message)
}
