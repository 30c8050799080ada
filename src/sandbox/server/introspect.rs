//! Tokens that somebody else gave: the organisation asks whose they are, at each request, as the real service trusts the
//! identity platform and nobody else (RFC 7662).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::crypto::ring;
use serde_json::Value as Json;

/// The provider runs on this machine.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Whom to ask.
#[derive(Debug, Clone)]
pub struct Introspection {
    client: reqwest::Client,
    url: Url,
    name: String,
    password: String,
}

impl Introspection {
    /// Reads the endpoint's address from the first line of a file: `http://NAME:PASSWORD@127.0.0.1:PORT/…`, where name and
    /// password are those of a resource server. Only an endpoint on this machine is asked.
    pub fn read(file: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(file)?;
        let unusable = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
        let line = text.lines().next().unwrap_or_default();
        let mut url = Url::parse(line).map_err(|_| unusable("the file holds no address"))?;
        if url.scheme() != "http" || !matches!(url.host_str(), Some("127.0.0.1" | "localhost")) {
            return Err(unusable("only an http address of this machine is asked"));
        }
        let (name, password) =
            (url.username().to_owned(), url.password().unwrap_or_default().to_owned());
        if url.set_username("").and_then(|()| url.set_password(None)).is_err() {
            return Err(unusable("the address cannot be used"));
        }
        let client = client().map_err(std::io::Error::other)?;
        Ok(Self { client, url, name, password })
    }

    /// The name of the user whose token this is, without what follows an `@`; `None` for a token that is not good.
    pub async fn user(&self, token: &str) -> Option<String> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .finish();
        let request = self
            .client
            .post(self.url.clone())
            .basic_auth(&self.name, Some(&self.password))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer: Json = request.send().await.ok()?.json().await.ok()?;
        let is_active = answer.get("active") == Some(&Json::Bool(true));
        let subject = answer.get("sub")?.as_str().filter(|_| is_active)?;
        subject.split('@').next().map(str::to_owned)
    }
}

fn client() -> Result<reqwest::Client, Box<dyn std::error::Error + Send + Sync>> {
    // Nothing is ever trusted by it: only this machine is asked, without TLS.
    let tls = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .timeout(TIME_LIMIT)
        .redirect(reqwest::redirect::Policy::none());
    Ok(client.build()?)
}
