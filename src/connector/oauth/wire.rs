//! The requests to a provider, through our own HTTP client with its limits; and what comes of each.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use oauth2::basic::{
    BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthUrl, AuthorizationCode, Client, ClientId, CsrfToken,
    DeviceAuthorizationUrl, EndpointMaybeSet, EndpointNotSet, EndpointSet, ExtraTokenFields,
    HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardDeviceAuthorizationResponse, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
};
use reqwest::Request;
use serde::{Deserialize, Serialize};
use url::Url;

use super::endpoints::Endpoints;
use super::refusal::{Meaning, Refusal};
use super::{Identity, Provider, Wanted};
use crate::clock::Clock;
use crate::connector::http::{self, Http, Limits};
use crate::connector::{Error, ErrorKind, Result, tls};
use crate::secret::Secret;

/// A provider answers in a few kilobytes, soon.
const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    request: Duration::from_secs(30),
    answer: 256 << 10,
};

/// What some providers say about the refresh token, in seconds, each in its own words.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Lifetime {
    #[serde(default, alias = "refresh_expires_in")]
    refresh_token_expires_in: Option<serde_json::Value>,
}

impl ExtraTokenFields for Lifetime {}

type Answer = StandardTokenResponse<Lifetime, BasicTokenType>;

type Provided = Client<
    Refusal,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointMaybeSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// What a provider gave.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) access: Secret,
    /// For how long it is good; not every provider tells.
    pub(super) lifetime: Option<Duration>,
    /// The one to use from now on; `None`: still the one before.
    pub(super) refresh: Option<Secret>,
    pub(super) refresh_lifetime: Option<Duration>,
}

/// Why a provider gave nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    Refused(Refusal),
    /// It was not reached, has no time, or something else answered in its place.
    Away(Error),
}

/// The way to one provider.
#[derive(Debug)]
pub(super) struct Wire {
    http: Http,
    client: Provided,
    pub(super) endpoints: Endpoints,
    clock: Clock,
    is_entra: bool,
}

impl Wire {
    /// # Errors
    /// When the provider cannot be asked for its addresses, or what it says cannot be used.
    pub(super) async fn new(identity: &Identity, clock: Clock) -> Result<Self> {
        let http = Http::new(&tls::client_config(&tls::Trust::Platform)?, LIMITS)?;
        let endpoints = Endpoints::find(&identity.provider, &http).await?;
        let client = Client::new(ClientId::new(identity.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(endpoints.authorization.clone()))
            .set_token_uri(TokenUrl::from_url(endpoints.token.clone()))
            .set_device_authorization_url_option(
                endpoints.device.clone().map(DeviceAuthorizationUrl::from_url),
            );
        let is_entra = matches!(identity.provider, Provider::Entra { .. });
        Ok(Self { http, client, endpoints, clock, is_entra })
    }

    /// Where the browser goes to sign in, and what proves that it was we who sent it there (RFC 7636).
    ///
    /// # Errors
    /// When `redirect` is no address.
    pub(super) fn authorize(
        &self,
        identity: &Identity,
        wanted: &[Wanted],
        redirect: &str,
        state: &str,
    ) -> Result<(Url, Secret)> {
        // 256 random bits in 64 letters; RFC 7636 §4.1 wants 43 to 128.
        let verifier: String = [self.clock.unique(), self.clock.unique()]
            .map(|part| part.simple().to_string())
            .concat();
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let state = state.to_owned();
        let redirect = redirect_url(redirect)?;
        let mut request = self
            .client
            .authorize_url(|| CsrfToken::new(state))
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .set_pkce_challenge(challenge)
            .add_scopes(self.all_scopes(wanted))
            .add_extra_param("login_hint", identity.user.clone())
            // A refresh token is only given to a person who agrees (OpenID Connect Core §11).
            .add_extra_param("prompt", if self.is_entra { "select_account" } else { "consent" });
        for resource in resources(wanted) {
            request = request.add_extra_param("resource", resource.to_owned());
        }
        Ok((request.url().0, Secret::new(verifier)))
    }

    /// Exchanges a code for tokens, the access token being for `wanted`.
    pub(super) async fn redeem(
        &self,
        code: String,
        verifier: &Secret,
        redirect: &str,
        wanted: &Wanted,
    ) -> Result<Tokens, Trouble> {
        let redirect = redirect_url(redirect).map_err(Trouble::Away)?;
        let mut request = self
            .client
            .exchange_code(AuthorizationCode::new(code))
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_owned()));
        if self.is_entra {
            // One token is for one resource: which, the scopes say.
            request = request.add_extra_param("scope", self.scopes(wanted).join(" "));
        }
        if let Some(resource) = &wanted.resource {
            request = request.add_extra_param("resource", resource.clone());
        }
        given(request.request_async(&self.carrier()).await)
    }

    /// A new access token for `wanted` (RFC 6749 §6).
    pub(super) async fn refresh(
        &self,
        refresh: &Secret,
        wanted: &Wanted,
    ) -> Result<Tokens, Trouble> {
        let refresh = RefreshToken::new(refresh.expose().to_owned());
        let mut request = self.client.exchange_refresh_token(&refresh);
        if self.is_entra || !wanted.scopes.is_empty() {
            request = request.add_scopes(self.scopes(wanted).into_iter().map(Scope::new));
        }
        if let Some(resource) = &wanted.resource {
            request = request.add_extra_param("resource", resource.clone());
        }
        given(request.request_async(&self.carrier()).await)
    }

    /// Asks for a code that a person types in elsewhere (RFC 8628 §3.1).
    pub(super) async fn device(
        &self,
        wanted: &[Wanted],
    ) -> Result<StandardDeviceAuthorizationResponse, Trouble> {
        let request = self.client.exchange_device_code().map_err(|_| {
            let message = "the provider gives no codes to type in elsewhere";
            Trouble::Away(
                Error::new(ErrorKind::Unsupported, message).hint("sign in without --device"),
            )
        })?;
        // Microsoft's codes are for one resource; consent to the others is asked for when they are.
        let wanted = if self.is_entra { wanted.get(..1).unwrap_or_default() } else { wanted };
        let mut request = request.add_scopes(self.all_scopes(wanted));
        for resource in resources(wanted) {
            request = request.add_extra_param("resource", resource.to_owned());
        }
        let asked = request.request_async(&self.carrier()).await;
        asked.map_err(trouble)
    }

    /// Waits until the person typed the code, asking as seldom as the provider wants (RFC 8628 §3.5).
    pub(super) async fn typed(
        &self,
        details: &StandardDeviceAuthorizationResponse,
        wanted: &Wanted,
    ) -> Result<Tokens, Trouble> {
        let mut request = self.client.exchange_device_access_token(details);
        if let Some(resource) = &wanted.resource {
            request = request.add_extra_param("resource", resource.clone());
        }
        let answer = request.request_async(&self.carrier(), tokio::time::sleep, None).await;
        answer.map(Into::into).map_err(|error| match error {
            RequestTokenError::ServerResponse(refusal) => Trouble::Refused(Refusal {
                error: refusal.error().to_string(),
                error_description: refusal.error_description().cloned(),
                suberror: None,
            }),
            other => Trouble::Away(strange(other)),
        })
    }

    /// Tells the provider that a refresh token is not needed any more (RFC 7009); whether it takes such word.
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) async fn revoke(&self, client_id: &str, refresh: &Secret) -> Result<bool> {
        let Some(url) = &self.endpoints.revocation else { return Ok(false) };
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", refresh.expose())
            .append_pair("token_type_hint", "refresh_token")
            .append_pair("client_id", client_id)
            .finish();
        let mut request = Request::new(reqwest::Method::POST, url.clone());
        let form = reqwest::header::HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(reqwest::header::CONTENT_TYPE, form);
        *request.body_mut() = Some(body.into());
        Ok(self.http.send(request).await?.status.is_success())
    }

    /// For a token that is for this.
    fn scopes(&self, wanted: &Wanted) -> Vec<String> {
        let offline = self.endpoints.offline_access.then(|| "offline_access".to_owned());
        wanted.scopes.iter().cloned().chain(offline).collect()
    }

    /// What a person agrees to, once for everything.
    fn all_scopes(&self, wanted: &[Wanted]) -> Vec<Scope> {
        let mut all = vec!["openid".to_owned()];
        for scope in wanted.iter().flat_map(|wanted| self.scopes(wanted)) {
            if !all.contains(&scope) {
                all.push(scope);
            }
        }
        all.into_iter().map(Scope::new).collect()
    }

    fn carrier(&self) -> Carrier<'_> {
        Carrier { http: &self.http, clock: &self.clock }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }
}

fn resources(wanted: &[Wanted]) -> std::collections::BTreeSet<&str> {
    wanted.iter().filter_map(|wanted| wanted.resource.as_deref()).collect()
}

fn redirect_url(text: &str) -> Result<RedirectUrl> {
    RedirectUrl::new(text.to_owned()).map_err(|error| {
        Error::new(ErrorKind::Unsupported, "this is no address to come back to").caused_by(error)
    })
}

impl From<Answer> for Tokens {
    fn from(answer: Answer) -> Self {
        let said = answer.extra_fields().refresh_token_expires_in.as_ref();
        // Keycloak says 0 for a refresh token without an end.
        let seconds = said.and_then(|said| {
            said.as_u64().or_else(|| said.as_str()?.parse().ok()).filter(|seconds| *seconds > 0)
        });
        Self {
            access: Secret::new(AccessToken::secret(answer.access_token()).clone()),
            lifetime: answer.expires_in(),
            refresh: answer.refresh_token().map(|token| Secret::new(token.secret().clone())),
            refresh_lifetime: seconds.map(Duration::from_secs),
        }
    }
}

fn given(
    answer: std::result::Result<Answer, RequestTokenError<Error, Refusal>>,
) -> Result<Tokens, Trouble> {
    answer.map(Into::into).map_err(trouble)
}

fn trouble(error: RequestTokenError<Error, Refusal>) -> Trouble {
    match error {
        RequestTokenError::ServerResponse(refusal) if refusal.meaning() == Meaning::Later => {
            let message = format!("the provider gives no token now ({refusal})");
            Trouble::Away(Error::new(ErrorKind::Unreachable, message))
        }
        RequestTokenError::ServerResponse(refusal) => Trouble::Refused(refusal),
        other => Trouble::Away(strange(other)),
    }
}

/// What is no answer of a provider; it is not repeated, since it may hold a token.
fn strange<T: oauth2::ErrorResponse>(error: RequestTokenError<Error, T>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        _ => Error::new(
            ErrorKind::Unreachable,
            "something that is no provider answers in the provider's place",
        )
        .hint("does this network want a sign-in of its own? open any page in the browser"),
    }
}

/// Our HTTP client, as the library wants it.
struct Carrier<'a> {
    http: &'a Http,
    clock: &'a Clock,
}

impl<'c> AsyncHttpClient<'c> for Carrier<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let unsent =
                |error| Error::new(ErrorKind::Unsupported, "this cannot be asked").caused_by(error);
            let answer = self.http.send(Request::try_from(request).map_err(unsent)?).await?;
            match answer.status.as_u16() {
                429 => {
                    let pause = http::retry_after(&answer.headers, self.clock.now());
                    let pause = pause.unwrap_or(Duration::from_secs(30));
                    let message = "the provider asks for a pause";
                    return Err(Error::new(ErrorKind::Throttled(pause), message));
                }
                status @ (408 | 500..=599) => {
                    let message = format!("the provider has no time ({status})");
                    return Err(Error::new(ErrorKind::Unreachable, message));
                }
                _ => {}
            }
            let mut response = HttpResponse::new(answer.body.to_vec());
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}
