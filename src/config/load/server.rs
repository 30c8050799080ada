//! What the sections of servers have in common: where one is, what makes its certificate good, and who signs in.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::Paths;
use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::settings::{Collection, Login, MailServer};
use crate::config::tree::{Place, Value};
use crate::connector::auth;
use crate::connector::net::{Security, Server};
use crate::connector::tls::{Fingerprint, Trust};

/// The registered ports of a protocol: with TLS from the start, and without (RFC 8314 §7, RFC 6409).
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    tls: u16,
    plain: u16,
    /// Whether it has folders that can be left out.
    folders: bool,
}

pub(super) const IMAP: Ports = Ports { tls: 993, plain: 143, folders: true };
pub(super) const POP3: Ports = Ports { tls: 995, plain: 110, folders: false };
pub(super) const SUBMISSION: Ports = Ports { tls: 465, plain: 587, folders: false };

const SECURITY: &[(&str, Security)] =
    &[("tls", Security::Tls), ("starttls", Security::StartTls), ("none", Security::None)];

/// A server that speaks lines.
pub(super) fn mail(
    mut section: Section<'_>,
    ports: Ports,
    paths: &Paths<'_>,
    login: Option<&Login>,
) -> Result<MailServer> {
    let (host, place) = section.required("host")?;
    if host.is_empty() || host.contains(|sign: char| sign.is_whitespace() || sign == '/') {
        let error = section.reading.error(place, "`host`: this is no name of a server");
        return Err(
            error.hint("write only the name, like imap.example.org; the port goes to `port`")
        );
    }
    let security = match section.text("security")? {
        Some((word, place)) => section.one_of("security", word, place, SECURITY)?,
        None => Security::Tls,
    };
    let usual = if security == Security::Tls { ports.tls } else { ports.plain };
    let port = match section.optional_number("port", u64::from(u16::MAX))? {
        Some(port) => u16::try_from(port).unwrap_or(usual),
        None => usual,
    };
    let server =
        Server { host: host.to_owned(), port, security, trust: trust(&mut section, paths)? };
    let login = self::login(&mut section, login)?;
    let leave_out = if ports.folders { names(&mut section, "leave_out")? } else { BTreeSet::new() };
    section.finish()?;
    Ok(MailServer { server, login, leave_out })
}

/// A collection on a DAV server.
pub(super) fn collection(
    mut section: Section<'_>,
    paths: &Paths<'_>,
    login: Option<&Login>,
) -> Result<Collection> {
    let (text, place) = section.required("url")?;
    let url = url(&section, text, place)?;
    let trust = trust(&mut section, paths)?;
    let login = self::login(&mut section, login)?;
    section.finish()?;
    Ok(Collection { url, trust, login })
}

fn url(section: &Section<'_>, text: &str, place: Place) -> Result<Url> {
    let refuse = |reason: &str| {
        let error = section.reading.error(place, format!("`url`: {reason}"));
        error.hint("write it like this: https://dav.example.org/anna/contacts/")
    };
    let url = Url::parse(text).map_err(|_| refuse("this is no web address"))?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(refuse("it names no server")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("names and passwords have no place in it"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        "http" => Err(refuse("only https is safe")),
        _ => Err(refuse("it does not begin with https")),
    }
}

/// What makes a server's certificate good: `ca` or `pin`, else the platform alone.
pub(super) fn trust(section: &mut Section<'_>, paths: &Paths<'_>) -> Result<Trust> {
    let (ca, pin) = (section.text("ca")?, section.text("pin")?);
    match (ca, pin) {
        (None, None) => Ok(Trust::Platform),
        (Some((path, place)), None) => paths
            .resolve(path)
            .map(Trust::Authority)
            .map_err(|reason| section.reading.error(place, format!("`ca`: {reason}"))),
        (None, Some((text, place))) => Fingerprint::parse(text).map(Trust::Pin).ok_or_else(|| {
            let error = section.reading.error(place, "`pin`: this is no SHA-256 fingerprint");
            error.hint("`liaison doctor` shows the one that the server has now")
        }),
        (Some(_), Some((_, place))) => Err(section
            .reading
            .error(place, "`ca` and `pin` cannot both be there")
            .hint("a pinned certificate is trusted whoever signed it: take `ca` out")),
    }
}

/// Who signs in; where this section does not say, whoever does elsewhere in the mailbox.
fn login(section: &mut Section<'_>, other: Option<&Login>) -> Result<Login> {
    let user = section.text("user")?.map(|(user, _)| user.to_owned());
    let password = secret(section, "password", auth::Kind::Password)?;
    let token = secret(section, "token", auth::Kind::Token)?;
    let (kind, command) = match (password, token) {
        (Some(_), Some(_)) => {
            return Err(section.error("`password` and `token` cannot both be there"));
        }
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => match other {
            Some(other) => (other.kind, other.command.clone()),
            None => return Err(section.missing("password").hint(HOW)),
        },
    };
    let user = user.or_else(|| other.map(|other| other.user.clone()));
    Ok(Login { user: user.ok_or_else(|| section.missing("user"))?, kind, command })
}

const HOW: &str = "name a command that prints it: password = { command = \"pass mail/anna\" }, or \
                   token = { command = \"…\" } for OAuth";

/// A command that prints a secret. The secret itself is never in the file, and never repeated if it is.
fn secret(
    section: &mut Section<'_>,
    key: &'static str,
    kind: auth::Kind,
) -> Result<Option<(auth::Kind, String)>> {
    if let Some(place) = section.place_of_text(key) {
        let error =
            section.reading.error(place, format!("`{key}`: secrets are not kept in this file"));
        return Err(error.hint(format!("{HOW}; then change the secret, since it stood in a file")));
    }
    let Some(mut inner) = section.section(key)? else { return Ok(None) };
    let (command, _) = inner.required("command")?;
    inner.finish()?;
    Ok(Some((kind, command.to_owned())))
}

fn names(section: &mut Section<'_>, key: &'static str) -> Result<BTreeSet<String>> {
    let Some(nodes) = section.optional_list(key)? else { return Ok(BTreeSet::new()) };
    nodes
        .iter()
        .map(|node| match &node.value {
            Value::Text(text) => Ok(text.clone()),
            other => {
                let message = format!("`{key}` is a list of names, not of {}", other.kind());
                Err(section.reading.error(node.place, message))
            }
        })
        .collect()
}
