//! The one TLS configuration, for every protocol: rustls with ring, TLS 1.2 or newer, the platform's trust. It must not know
//! who connects to what.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use super::{Error, ErrorKind, Result};

mod pin;
mod untrusted;

pub use untrusted::Untrusted;

/// What makes a server's certificate good.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// As the platform has it.
    #[default]
    Platform,
    /// Also what the authorities in this PEM file signed: a self-hosted server.
    Authority(PathBuf),
    /// Nothing but this certificate, whoever signed it and whatever names it holds.
    Pin(Fingerprint),
}

impl Trust {
    /// Of a certificate that was accepted: why.
    pub fn accepted(&self) -> String {
        match self {
            Self::Platform => "this machine trusts the certificate".to_owned(),
            Self::Authority(path) => format!(
                "the certificate is trusted by this machine or by the authority in {}",
                path.display()
            ),
            Self::Pin(pin) => format!("the certificate is the one in `pin`, {pin}"),
        }
    }
}

/// The SHA-256 of a certificate in DER form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        use sha2::{Digest as _, Sha256};
        Self(Sha256::digest(certificate).into())
    }

    /// Reads 64 hexadecimal digits, with colons or without, as `openssl x509 -fingerprint -sha256` prints them.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|digit| *digit != ':')
            .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        let bytes: Vec<u8> =
            digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, d| sum << 4 | d)).collect();
        let even = digits.len().is_multiple_of(2);
        bytes.try_into().ok().filter(|_| even).map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The configuration of a client that goes by this trust. A certificate that it refuses is told by [`Untrusted::of`] the error.
///
/// # Errors
/// [`ErrorKind::Local`] when the file cannot be read, holds no certificate, or the platform's trust cannot be loaded.
pub fn client_config(trust: &Trust) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let loading = |error: rustls::Error| {
        Error::new(ErrorKind::Local, "load the certificates to trust").caused_by(error)
    };
    let judge: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Platform => Arc::new(verifier(Vec::new(), &provider).map_err(loading)?),
        Trust::Authority(path) => {
            Arc::new(verifier(certificates(path)?, &provider).map_err(loading)?)
        }
        Trust::Pin(pinned) => Arc::new(pin::Pinned::new(*pinned, &provider)),
    };
    let verifier = untrusted::Naming { judge, pinned: matches!(trust, Trust::Pin(_)) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Local, "set up TLS").caused_by(error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// Only some platforms take extra roots: `Verifier::new` is asked wherever none are given.
fn verifier(
    extra: Vec<CertificateDer<'static>>,
    provider: &Arc<rustls::crypto::CryptoProvider>,
) -> std::result::Result<Verifier, rustls::Error> {
    if extra.is_empty() {
        Verifier::new(Arc::clone(provider))
    } else {
        Verifier::new_with_extra_roots(extra, Arc::clone(provider))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let doing = || format!("read the certificates in {}", path.display());
    let pem =
        fs::read(path).map_err(|error| Error::new(ErrorKind::Local, doing()).caused_by(error))?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::new(ErrorKind::Local, doing()).caused_by(error.to_string()))?;
    if found.is_empty() {
        return Err(Error::new(ErrorKind::Local, format!("{}: none is there", doing()))
            .hint("`ca` names a file in PEM format"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_authority_is_read_and_a_file_without_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let good = dir.path().join("ca.pem");
        let key = rcgen::generate_simple_self_signed(vec!["crm.example.org".into()]).unwrap();
        fs::write(&good, key.cert.pem()).unwrap();
        assert!(client_config(&Trust::Authority(good.clone())).is_ok());
        for bad in
            ["", "no certificate", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"]
        {
            let file = dir.path().join("bad.pem");
            fs::write(&file, bad).unwrap();
            assert_eq!(
                client_config(&Trust::Authority(file.clone())).unwrap_err().kind,
                ErrorKind::Local,
                "{bad:?}"
            );
        }
        assert_eq!(
            client_config(&Trust::Authority(dir.path().join("none"))).unwrap_err().kind,
            ErrorKind::Local
        );
        assert!(client_config(&Trust::Platform).is_ok());
    }

    #[test]
    fn a_fingerprint_reads_as_it_is_printed() {
        let digits = "00ff".repeat(16);
        let pin = Fingerprint::parse(&digits).unwrap();
        assert_eq!(pin.to_string(), digits);
        let colons = "00:FF:".repeat(16);
        assert_eq!(Fingerprint::parse(colons.trim_end_matches(':')), Some(pin));
        let odd = digits.strip_prefix('0').unwrap();
        for bad in ["", "00", odd, &format!("{digits}0"), &format!("{digits}00"), "zz"] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
    }
}
