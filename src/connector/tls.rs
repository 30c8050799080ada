//! The one TLS configuration, for every protocol: rustls with ring, TLS 1.2 or newer, the platform's trust. It must not know
//! who connects to what.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use super::{Error, ErrorKind, Result};

/// Trust as the platform has it, plus the certificates in a PEM file: the authority of a self-hosted server.
///
/// # Errors
/// [`ErrorKind::Local`] when the file cannot be read, holds no certificate, or the platform's trust cannot be loaded.
pub fn client_config(extra_ca: Option<&Path>) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let extra = extra_ca.map(certificates).transpose()?.unwrap_or_default();
    let verifier = verifier(extra, &provider).map_err(|error| {
        Error::new(ErrorKind::Local, "load the certificates to trust").caused_by(error)
    })?;
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
            .hint("extra_ca names a file in PEM format"));
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
        assert!(client_config(Some(&good)).is_ok());
        for bad in
            ["", "no certificate", "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n"]
        {
            let file = dir.path().join("bad.pem");
            fs::write(&file, bad).unwrap();
            assert_eq!(client_config(Some(&file)).unwrap_err().kind, ErrorKind::Local, "{bad:?}");
        }
        assert_eq!(
            client_config(Some(&dir.path().join("none"))).unwrap_err().kind,
            ErrorKind::Local
        );
        assert!(client_config(None).is_ok());
    }
}
