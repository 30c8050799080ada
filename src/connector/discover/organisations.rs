//! The organisations of a user: Microsoft's Global Discovery Service
//! (<https://learn.microsoft.com/power-apps/developer/data-platform/webapi/discover-url-organization-web-api>). It lists what one
//! cloud knows of; disabled users and those kept out by a security group are not told.

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, Request, StatusCode, Url};
use serde_json::{Map, Value as Json};

use crate::connector::http::{self, Http, Limits};
use crate::connector::tls::{self, Trust};
use crate::connector::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// A cloud of Microsoft's, by what people call it, and the host that knows its organisations.
pub const CLOUDS: [(&str, &str); 5] = [
    ("Microsoft 365", "https://globaldisco.crm.dynamics.com"),
    ("US government (GCC)", "https://globaldisco.crm9.dynamics.com"),
    ("US government (GCC High)", "https://globaldisco.crm.microsoftdynamics.us"),
    ("US government (DoD)", "https://globaldisco.crm.appsplatform.us"),
    ("China (21Vianet)", "https://globaldisco.crm.dynamics.cn"),
];

/// Nobody is in more of them.
const ORGANISATIONS_MAX: usize = 500;

const ANSWER_MAX: usize = 4 << 20;

/// An organisation that the user is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// As people call it.
    pub name: String,
    /// As it is called in addresses.
    pub short: String,
    pub url: Url,
}

/// The organisations of whoever this token stands for, by name. `cloud` is the host of one of [`CLOUDS`].
///
/// # Errors
/// [`ErrorKind::Unauthorised`] when the token is not for this host; as for any request otherwise.
pub async fn organisations(cloud: &str, token: &Secret, trust: &Trust) -> Result<Vec<Known>> {
    let limits = Limits { answer: ANSWER_MAX, ..Limits::default() };
    let http = Http::new(&tls::client_config(trust)?, limits)?;
    let url =
        http::server_url(&format!("{}/api/discovery/v2.0/Instances", cloud.trim_end_matches('/')))?;
    let mut request = Request::new(Method::GET, url.clone());
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
    let mut bearer = bearer.map_err(|_| refused("the token is none"))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let answer = http.send(request).await?;
    match answer.status {
        StatusCode::OK => read(&answer.body, &url),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(refused("the sign-in is not accepted"))
        }
        status => Err(Error::new(
            ErrorKind::Unreachable,
            format!("the list of organisations: it answered {status}"),
        )),
    }
}

/// Those that can be used. What leads out of the cloud that was asked is left out: a token would go there.
fn read(body: &[u8], asked: &Url) -> Result<Vec<Known>> {
    let malformed = || Error::new(ErrorKind::Malformed, "the list of organisations makes no sense");
    let answer: Json =
        serde_json::from_slice(body).map_err(|error| malformed().caused_by(error))?;
    let rows = answer.get("value").and_then(Json::as_array).ok_or_else(malformed)?;
    let mut found: Vec<Known> = rows
        .iter()
        .filter_map(Json::as_object)
        .filter_map(|row| known(row).filter(|known| is_of(&known.url, asked)))
        .take(ORGANISATIONS_MAX)
        .collect();
    found.sort_by(|one, other| (&one.name, &one.short).cmp(&(&other.name, &other.short)));
    Ok(found)
}

fn known(row: &Map<String, Json>) -> Option<Known> {
    let text = |key: &str| row.get(key).and_then(Json::as_str).map(str::trim);
    let mut url = http::server_url(text("Url").or_else(|| text("ApiUrl"))?).ok()?;
    url.set_path("");
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
    let short = plain(text("UrlName").or_else(|| text("UniqueName")).unwrap_or_default());
    let name = text("FriendlyName").map(plain).filter(|name| !name.is_empty());
    Some(Known { name: name.unwrap_or_else(|| short.clone()), short, url })
}

/// Whether an organisation belongs to the cloud that was asked: `org.crm4.dynamics.com` to `globaldisco.crm.dynamics.com`.
fn is_of(url: &Url, asked: &Url) -> bool {
    let (Some(host), Some(cloud)) = (url.host_str(), asked.host_str()) else { return false };
    if url.scheme() != asked.scheme() {
        return false;
    }
    let Some((_, rest)) = cloud.strip_prefix("globaldisco.").and_then(|rest| rest.split_once('.'))
    else {
        // A service on this machine.
        return host == cloud;
    };
    host.ends_with(&format!(".{rest}"))
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::Unauthorised, format!("the list of organisations: {what}"))
        .hint("write the address of the organisation instead")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Url {
        Url::parse("https://globaldisco.crm.dynamics.com/api/discovery/v2.0/Instances").unwrap()
    }

    #[test]
    fn organisations_are_listed_by_name_and_only_those_of_the_cloud() {
        let body = br#"{"value": [
            {"FriendlyName": "Fabrikam", "UrlName": "fabrikam", "Url": "https://fabrikam.crm4.dynamics.com/x"},
            {"FriendlyName": "Contoso\u0007", "UniqueName": "org1", "ApiUrl": "https://contoso.api.crm.dynamics.com"},
            {"FriendlyName": "Evil", "Url": "https://evil.example"},
            {"FriendlyName": "Evil", "Url": "https://crm.dynamics.com.evil.example"},
            {"FriendlyName": "Plain", "Url": "http://plain.crm.dynamics.com"},
            {"FriendlyName": "None"}, 7]}"#;
        let found = read(body, &asked()).unwrap();
        let names: Vec<_> =
            found.iter().map(|known| (known.name.as_str(), known.url.as_str())).collect();
        assert_eq!(
            names,
            [
                ("Contoso", "https://contoso.api.crm.dynamics.com/"),
                ("Fabrikam", "https://fabrikam.crm4.dynamics.com/"),
            ]
        );
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_no_empty_list() {
        for body in ["", "{}", "[]", r#"{"value": 3}"#, "<html>"] {
            assert_eq!(
                read(body.as_bytes(), &asked()).unwrap_err().kind,
                ErrorKind::Malformed,
                "{body}"
            );
        }
        assert_eq!(read(br#"{"value": []}"#, &asked()).unwrap(), []);
    }
}
