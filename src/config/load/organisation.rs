//! `[organisation.NAME]`.

use url::{Host, Url};

use super::Paths;
use super::server::trust;
use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::settings::{Auth, Organisation};
use crate::config::tree::Place;

pub(super) fn read(
    name: &str,
    mut section: Section<'_>,
    paths: &Paths<'_>,
    user: &str,
) -> Result<Organisation> {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_');
    if name.is_empty() || !name.chars().all(plain) {
        let error = section.error(format!("`{name}` is no name for an organisation"));
        return Err(error.hint("use letters, digits, `-` and `_`"));
    }
    let (text, place) = section.required("url")?;
    let url = url(&section, text, place)?;
    let sync = section.flag("sync")?.is_some_and(|(sync, _)| sync);
    let trust = trust(&mut section, paths)?;
    let auth = auth(&mut section, user)?;
    let requests_per_day = section.optional_number("requests_per_day", 1_000_000_000)?;
    section.finish()?;
    Ok(Organisation { url, sync, auth, trust, requests_per_day })
}

fn url(section: &Section<'_>, text: &str, place: Place) -> Result<Url> {
    let refuse = |reason: &str| section.reading.error(place, format!("`url` {reason}"));
    let example = "write it like this: url = \"https://contoso.crm4.dynamics.com\"";
    let url = Url::parse(text)
        .map_err(|error| refuse(&format!("is no address: {error}")).hint(example))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("must not hold a user or a password").hint(
            "name a command that prints a token: auth = { kind = \"token\", command = \"…\" }",
        ));
    }
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(refuse("names no host").hint(example)),
    };
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err(refuse("must be https: the token would travel in the clear")),
        _ => return Err(refuse("must be https").hint(example)),
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let bare = format!("url = \"{}://{host}{port}\"", url.scheme());
        return Err(refuse("goes on after the host").hint(format!("only the address: {bare}")));
    }
    Ok(url)
}

fn auth(section: &mut Section<'_>, user: &str) -> Result<Auth> {
    let written = section.section("auth")?;
    let mut auth = written.ok_or_else(|| {
        section.missing("auth").hint(
            "auth = { kind = \"oauth\", tenant = \"…\", client_id = \"…\" } to sign in, or \
                 auth = { kind = \"token\", command = \"…\" }: the command prints a bearer token",
        )
    })?;
    if auth.word("kind", &[("oauth", true), ("token", false)])? {
        return super::oauth::read(auth, user).map(Auth::OAuth);
    }
    let (command, place) = auth.required("command")?;
    if command.trim().is_empty() {
        return Err(auth.reading.error(place, "`command` is empty"));
    }
    let command = command.to_owned();
    auth.finish()?;
    Ok(Auth::Token { command })
}
