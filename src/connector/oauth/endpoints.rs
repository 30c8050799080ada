//! Where a provider does what. Microsoft's addresses are documented; everybody else tells (`OpenID` Connect Discovery 1.0 §4).

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, Request};
use serde::Deserialize;
use url::Url;

use super::Provider;
use crate::connector::http::{self, Http};
use crate::connector::{Error, ErrorKind, Result};

/// Where a provider does what.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) device: Option<Url>,
    pub(super) revocation: Option<Url>,
    /// The name that answers of the provider carry (RFC 9207), and whether they must.
    pub(super) issuer: Option<String>,
    pub(super) tells_issuer: bool,
    /// Whether a refresh token is asked for by the scope `offline_access`.
    pub(super) offline_access: bool,
}

/// What a provider says of itself.
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    scopes_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Endpoints {
    /// # Errors
    /// [`ErrorKind::Unreachable`] when the provider cannot be asked, [`ErrorKind::Unsupported`] when what it says cannot be used.
    pub(super) async fn find(provider: &Provider, http: &Http) -> Result<Self> {
        match provider {
            Provider::Entra { tenant } => Self::entra(tenant),
            Provider::Issuer(issuer) => Self::ask(issuer, http).await,
        }
    }

    /// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>
    fn entra(tenant: &str) -> Result<Self> {
        let below = |path: &str| {
            let url = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{path}");
            Url::parse(&url).map_err(|error| {
                Error::new(ErrorKind::Unsupported, "this is no tenant").caused_by(error)
            })
        };
        Ok(Self {
            authorization: below("authorize")?,
            token: below("token")?,
            device: Some(below("devicecode")?),
            revocation: None,
            issuer: None,
            tells_issuer: false,
            offline_access: true,
        })
    }

    async fn ask(issuer: &Url, http: &Http) -> Result<Self> {
        let root = issuer.as_str().trim_end_matches('/');
        let unusable = |what: &str| {
            Error::new(ErrorKind::Unsupported, format!("{root} {what}"))
                .hint("`issuer` is the address that ends before /.well-known/openid-configuration")
        };
        let url = Url::parse(&format!("{root}/.well-known/openid-configuration"))
            .map_err(|error| unusable("is no address").caused_by(error))?;
        let mut request = Request::new(Method::GET, url);
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let answer = http.send(request).await?;
        match answer.status.as_u16() {
            200 => {}
            status @ (408 | 429 | 500..=599) => {
                let message = format!("{root} has no time ({status})");
                return Err(Error::new(ErrorKind::Unreachable, message));
            }
            status => return Err(unusable(&format!("describes no provider ({status})"))),
        }
        let Ok(document) = serde_json::from_slice::<Document>(&answer.body) else {
            // Likely a page of the network that one has to click away.
            let message = format!("{root} answers with something that describes no provider");
            return Err(Error::new(ErrorKind::Unreachable, message));
        };
        if document.issuer.trim_end_matches('/') != root {
            return Err(unusable("calls itself by another name"));
        }
        Self::of(document)
            .map_err(|error| unusable("names an address that is not safe").caused_by(error))
    }

    fn of(document: Document) -> Result<Self> {
        Ok(Self {
            authorization: safe(&document.authorization_endpoint)?,
            token: safe(&document.token_endpoint)?,
            device: document.device_authorization_endpoint.as_deref().map(safe).transpose()?,
            revocation: document.revocation_endpoint.as_deref().map(safe).transpose()?,
            tells_issuer: document.authorization_response_iss_parameter_supported,
            issuer: Some(document.issuer),
            offline_access: document
                .scopes_supported
                .is_none_or(|scopes| scopes.iter().any(|scope| scope == "offline_access")),
        })
    }
}

/// An address that secrets may go to; a query may be part of it (RFC 6749 §3.1).
fn safe(text: &str) -> Result<Url> {
    http::server_url(text)?;
    Url::parse(text)
        .map_err(|error| Error::new(ErrorKind::Unsupported, "this is no address").caused_by(error))
}
