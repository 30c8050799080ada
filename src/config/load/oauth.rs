//! A sign-in at a provider: in `auth` of an organisation, and in `oauth` of a server.

use url::Url;

use crate::config::error::Result;
use crate::config::section::Section;
use crate::config::settings::OAuth;
use crate::config::tree::{Place, Value};
use crate::connector::oauth::{Identity, Provider};

pub(super) const EXAMPLE: &str = "{ tenant = \"contoso.onmicrosoft.com\", client_id = \"…\" }, or `issuer` in the place of \
                                  `tenant` for another provider than Microsoft";

/// `user` signs in unless the section names somebody else.
pub(super) fn read(mut section: Section<'_>, user: &str) -> Result<OAuth> {
    let provider = provider(&mut section)?;
    let (client_id, place) = section.required("client_id")?;
    if client_id.trim().is_empty() {
        let error = section.reading.error(place, "`client_id` is empty");
        return Err(error.hint(
            "register Liaison at the provider (README.md says how), and write the id that it gives",
        ));
    }
    let client_id = client_id.trim().to_owned();
    let user = match section.text("user")? {
        Some((user, _)) if !user.is_empty() => user.to_owned(),
        _ => user.to_owned(),
    };
    let scopes = scopes(&mut section)?;
    // Microsoft knows by the scopes what a token is for, and refuses to be told twice.
    let resource = match provider {
        Provider::Entra { .. } => None,
        Provider::Issuer(_) => section.text("resource")?.map(|(text, _)| text.to_owned()),
    };
    section.finish()?;
    Ok(OAuth { identity: Identity { provider, client_id, user }, scopes, resource })
}

fn provider(section: &mut Section<'_>) -> Result<Provider> {
    if section.place_of_text("issuer").is_some() {
        let (issuer, place) = section.required("issuer")?;
        if section.place_of_text("tenant").is_some() {
            let error = section.reading.error(place, "`tenant` and `issuer` cannot both be there");
            return Err(error.hint("`tenant` is for Microsoft, `issuer` for everybody else"));
        }
        return url(section, issuer, place).map(Provider::Issuer);
    }
    let Some((tenant, place)) = section.text("tenant")? else {
        return Err(section.missing("tenant").hint(format!("write it like this: {EXAMPLE}")));
    };
    let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '.');
    if tenant.is_empty() || !tenant.chars().all(plain) {
        let error = section.reading.error(place, "`tenant`: this is no tenant");
        return Err(error.hint("it is a domain like contoso.onmicrosoft.com, or an id"));
    }
    Ok(Provider::Entra { tenant: tenant.to_owned() })
}

fn url(section: &Section<'_>, text: &str, place: Place) -> Result<Url> {
    let refuse = |reason: &str| {
        let error = section.reading.error(place, format!("`issuer`: {reason}"));
        error.hint("write it like this: https://login.example.org/realms/main")
    };
    let (url, local) = super::server::address(text).map_err(refuse)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it goes on after the path"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err(refuse("only https is safe")),
    }
}

fn scopes(section: &mut Section<'_>) -> Result<Vec<String>> {
    let Some(nodes) = section.optional_list("scopes")? else { return Ok(Vec::new()) };
    let scope = |value: &Value| match value {
        // RFC 6749 §3.3
        Value::Text(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) => {
            Some(text.clone())
        }
        _ => None,
    };
    nodes
        .iter()
        .map(|node| {
            scope(&node.value).ok_or_else(|| {
                section.reading.error(node.place, "`scopes` is a list of words without blanks")
            })
        })
        .collect()
}
