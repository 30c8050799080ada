//! What the sections of servers have in common: where one is, what makes its certificate good, and who signs in.

use std::collections::BTreeSet;

use url::Url;

use super::Paths;
use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::settings::{Collection, Login, MailServer, OAuth, With};
use crate::config::tree::{Place, Value};
use crate::connector::net::{Security, Server};
use crate::connector::oauth::Provider;
use crate::connector::tls::{Fingerprint, Trust};
use crate::connector::{auth, http};

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
    known: Known<'_>,
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
    let login = login(&mut section, host, known)?;
    let leave_out = if ports.folders { names(&mut section, "leave_out")? } else { BTreeSet::new() };
    section.finish()?;
    Ok(MailServer { server, login, leave_out })
}

/// A collection on a DAV server.
pub(super) fn collection(
    mut section: Section<'_>,
    paths: &Paths<'_>,
    known: Known<'_>,
) -> Result<Collection> {
    let (text, place) = section.required("url")?;
    let url = url(&section, text, place)?;
    let trust = trust(&mut section, paths)?;
    let login = login(&mut section, url.host_str().unwrap_or_default(), known)?;
    if let With::OAuth(OAuth { identity, scopes, .. }) = &login.with
        && matches!(identity.provider, Provider::Entra { .. })
        && scopes.is_empty()
    {
        let message = "which scopes a token for this server needs is not known";
        return Err(section.error(message).hint("Microsoft has no CalDAV or CardDAV; if this server takes its tokens: oauth = { …, scopes = [\"…\"] }"));
    }
    section.finish()?;
    Ok(Collection { url, trust, login })
}

fn url(section: &Section<'_>, text: &str, place: Place) -> Result<Url> {
    let refuse = |reason: &str| {
        let error = section.reading.error(place, format!("`url`: {reason}"));
        error.hint("write it like this: https://dav.example.org/anna/contacts/")
    };
    let (url, local) = address(text).map_err(refuse)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        "http" => Err(refuse("only https is safe")),
        _ => Err(refuse("it does not begin with https")),
    }
}

/// The address of a server without anybody's name in it, and whether the server is this machine; else why it is none.
pub(super) fn address(text: &str) -> std::result::Result<(Url, bool), &'static str> {
    let url = Url::parse(text).map_err(|_| "this is no web address")?;
    let local = http::is_loopback(&url.host().ok_or("it names no server")?);
    if !url.username().is_empty() || url.password().is_some() {
        return Err("names and passwords have no place in it");
    }
    Ok((url, local))
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

/// What is known of who signs in before a section is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Who signs in elsewhere in the mailbox.
    pub(super) login: Option<&'a Login>,
    /// The mailbox's address, as which one signs in at a provider.
    pub(super) address: &'a str,
}

/// Who signs in; where this section does not say, whoever does elsewhere in the mailbox.
fn login(section: &mut Section<'_>, host: &str, known: Known<'_>) -> Result<Login> {
    let user = section.text("user")?.map(|(user, _)| user.to_owned());
    let user = user.or_else(|| known.login.map(|other| other.user.clone()));
    let password = secret(section, "password", auth::Kind::Password)?;
    let token = secret(section, "token", auth::Kind::Token)?;
    let oauth = section.section("oauth")?.map(|inner| super::oauth::read(inner, known.address));
    let mut ways = [password, token].into_iter().flatten();
    let with = match (ways.next(), ways.next(), oauth.transpose()?) {
        (None, None, Some(oauth)) => Some(With::OAuth(oauth)),
        (way, None, None) => way
            .map(|way| match way {
                Way::Command(kind, command) => Ok(With::Command(kind, command)),
                Way::Systemd(kind, name) => Ok(With::Systemd(kind, name)),
                Way::Keyring => {
                    let user = user.clone().ok_or_else(|| section.missing("user"))?;
                    Ok(With::Keyring { user, host: host.to_owned() })
                }
            })
            .transpose()?,
        _ => {
            return Err(section.error("only one of `password`, `token` and `oauth` can be there"));
        }
    };
    let with = with.or_else(|| known.login.map(|other| other.with.clone()));
    let with = with.ok_or_else(|| section.missing("password").hint(HOW))?;
    Ok(Login { user: user.ok_or_else(|| section.missing("user"))?, with })
}

const HOW: &str = "password = { keyring = true } (`liaison auth login` stores it), or a command that prints it: \
                   password = { command = \"pass mail/anna\" }, or oauth = { tenant = \"…\", client_id = \"…\" }";

/// Where a secret of a section comes from.
enum Way {
    Command(auth::Kind, String),
    Systemd(auth::Kind, String),
    Keyring,
}

/// Where a secret comes from. The secret itself is never in the file, and never repeated if it is.
fn secret(section: &mut Section<'_>, key: &'static str, kind: auth::Kind) -> Result<Option<Way>> {
    if let Some(place) = section.place_of_text(key) {
        let error =
            section.reading.error(place, format!("`{key}`: secrets are not kept in this file"));
        return Err(error.hint(format!("{HOW}; then change the secret, since it stood in a file")));
    }
    let Some(mut inner) = section.section(key)? else { return Ok(None) };
    let command = inner.text("command")?.map(|(line, _)| Way::Command(kind, line.to_owned()));
    let systemd = inner.text("credential")?.map(|(name, _)| Way::Systemd(kind, name.to_owned()));
    let keyring = match kind {
        auth::Kind::Password => inner.flag("keyring")?.filter(|(wanted, _)| *wanted),
        auth::Kind::Token => None,
    };
    let mut ways = [command, systemd, keyring.map(|_| Way::Keyring)].into_iter().flatten();
    let way = match (ways.next(), ways.next()) {
        (Some(way), None) => way,
        (None, _) => return Err(inner.missing("command").hint(HOW)),
        (Some(_), Some(_)) => {
            let error = inner.error(format!("`{key}` can only come from one place"));
            return Err(error.hint(HOW));
        }
    };
    inner.finish()?;
    Ok(Some(way))
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
