//! The certificate that was refused, by name. A handshake ends with the refusal, before anything but the handshake was said;
//! what is known of the certificate then travels in the error, so that nobody has to ask the server again.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

use super::Fingerprint;
use crate::connector::error::causes;
use crate::connector::{self, ErrorKind};

/// A certificate that was refused.
#[derive(Debug)]
pub struct Untrusted {
    pub fingerprint: Fingerprint,
    /// In plain words: `it has expired`.
    because: String,
}

impl Untrusted {
    /// The refusal in an error, or in what caused it.
    pub fn of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        causes(error).find_map(|cause| match cause.downcast_ref::<Error>()? {
            Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
                inner.downcast_ref()
            }
            _ => None,
        })
    }

    /// The error of a connection to `server`, with what can be done about it.
    pub fn refusal(&self, server: impl fmt::Display) -> connector::Error {
        let Self { fingerprint, because } = self;
        connector::Error::new(
            ErrorKind::Unreachable,
            format!("the certificate of {server} is not trusted: {because}"),
        )
        .hint(format!(
            "ask whoever runs the server for the SHA-256 of its certificate; if this is it, \
             trust it with pin=\"{fingerprint}\" or trust the authority that signed it with `ca`"
        ))
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate {} is not trusted: {}", self.fingerprint, self.because)
    }
}

impl StdError for Untrusted {}

/// Judges as another verifier does, and says which certificate it refused.
#[derive(Debug)]
pub(super) struct Naming {
    pub(super) judge: Arc<dyn ServerCertVerifier>,
    /// Whether the judge knows one certificate only.
    pub(super) pinned: bool,
}

impl Naming {
    fn because(&self, error: &Error) -> String {
        if self.pinned {
            return "it is not the one in `pin`".to_owned();
        }
        let Error::InvalidCertificate(reason) = error else { return error.to_string() };
        let plain = match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "it is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "it is made out to another server"
            }
            CertificateError::Revoked => "it was withdrawn",
            CertificateError::UnknownIssuer => "nobody that is trusted here has signed it",
            other => return format!("it is not in order ({other})"),
        };
        plain.to_owned()
    }
}

impl ServerCertVerifier for Naming {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| {
                let because = self.because(&error);
                let refused = Untrusted { fingerprint: Fingerprint::of(end_entity), because };
                let named = CertificateError::Other(OtherError(Arc::new(refused)));
                Error::InvalidCertificate(named)
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.judge.root_hint_subjects()
    }
}
