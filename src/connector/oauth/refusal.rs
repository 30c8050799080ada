//! What a provider's *no* means: sign in again, ask the person for this one thing, correct the configuration, or try later. Only
//! words of the standards and of Microsoft decide; trouble of any other kind never asks a person.

use std::fmt;

use oauth2::ErrorResponse;
use serde::{Deserialize, Serialize};

/// RFC 6749 §5.2, with what Microsoft adds.
/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub(super) error: String,
    #[serde(default)]
    pub(super) error_description: Option<String>,
    #[serde(default)]
    pub(super) suberror: Option<String>,
}

impl ErrorResponse for Refusal {}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The refresh token is dead.
    Revoked,
    /// A person must agree to something, or prove more, for this token; others of the same sign-in may still be had.
    Asks,
    /// This application is not registered as it should be.
    Misconfigured,
    /// The person said no.
    Denied,
    /// Time ran out.
    Expired,
    /// Nothing that a person could do.
    Later,
}

impl Refusal {
    pub(super) fn meaning(&self) -> Meaning {
        match (self.error.as_str(), self.suberror.as_deref()) {
            // AADSTS65001: one of several resources has no consent yet, the sign-in itself is fine.
            ("invalid_grant", Some("consent_required")) => Meaning::Asks,
            ("invalid_grant", _) => Meaning::Revoked,
            (
                "interaction_required"
                | "login_required"
                | "consent_required"
                | "account_selection_required"
                | "invalid_scope"
                | "invalid_target",
                _,
            ) => Meaning::Asks,
            (
                "invalid_client"
                | "unauthorized_client"
                | "invalid_request"
                | "unsupported_grant_type"
                | "unsupported_response_type"
                | "invalid_resource",
                _,
            ) => Meaning::Misconfigured,
            ("access_denied" | "authorization_declined", _) => Meaning::Denied,
            ("expired_token", _) => Meaning::Expired,
            _ => Meaning::Later,
        }
    }

    /// Microsoft's number of the reason, where there is one: `AADSTS50173`.
    fn number(&self) -> Option<&str> {
        let (number, _) = self.error_description.as_deref()?.split_once(':')?;
        let digits = number.strip_prefix("AADSTS")?;
        let fits = (4..10).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        fits.then_some(number)
    }
}

/// Longest word that is repeated.
const WORD: usize = 60;

impl fmt::Display for Refusal {
    /// In the provider's word, which is not trusted to be short or printable; its sentence may name people and is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |sign: char| sign.is_ascii_alphanumeric() || "_-.".contains(sign);
        let word: String = self.error.chars().filter(|sign| plain(*sign)).take(WORD).collect();
        f.write_str(if word.is_empty() { "refused" } else { &word })?;
        match self.number() {
            Some(number) => write!(f, ", {number}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> Refusal {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn only_what_a_person_can_help_asks_a_person() {
        for (error, suberror, expected) in [
            ("invalid_grant", None, Meaning::Revoked),
            ("invalid_grant", Some("bad_token"), Meaning::Revoked),
            ("invalid_grant", Some("consent_required"), Meaning::Asks),
            ("interaction_required", Some("basic_action"), Meaning::Asks),
            ("consent_required", None, Meaning::Asks),
            ("invalid_scope", None, Meaning::Asks),
            ("invalid_client", None, Meaning::Misconfigured),
            ("authorization_declined", None, Meaning::Denied),
            ("access_denied", None, Meaning::Denied),
            ("expired_token", None, Meaning::Expired),
            ("temporarily_unavailable", None, Meaning::Later),
            ("server_error", None, Meaning::Later),
            ("", None, Meaning::Later),
            ("INVALID_GRANT", None, Meaning::Later),
        ] {
            let (error, suberror) = (error.to_owned(), suberror.map(str::to_owned));
            let refusal = Refusal { error, suberror, error_description: None };
            assert_eq!(refusal.meaning(), expected, "{refusal:?}");
        }
    }

    #[test]
    fn microsofts_number_is_shown_and_its_sentence_is_not() {
        let shown = refusal(
            r#"{"error":"invalid_grant","error_description":"AADSTS50173: The grant of anna@contoso.com …","error_codes":[50173]}"#,
        );
        assert_eq!(shown.to_string(), "invalid_grant, AADSTS50173");
        let hostile =
            refusal(r#"{"error":"a\u001b[2Jb c","error_description":"AADSTS1234567890123: x"}"#);
        assert_eq!(hostile.to_string(), "a2Jbc");
        assert_eq!(refusal(r#"{"error":""}"#).to_string(), "refused");
        let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(10_000));
        assert_eq!(refusal(&long).to_string().len(), WORD);
    }
}
