//! A certificate for servers on this machine, and the authority that signed it.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A certificate for this machine in `server.pem`, its key in `server.key`, and the authority that signed it, whose file is
/// returned.
pub(super) fn make(folder: &Path) -> PathBuf {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    // A name of its own: with the name of the server's certificate that one would count as self-signed.
    authority.distinguished_name.push(DnType::CommonName, "Authority of a test");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let signed = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(folder.join("server.pem"), signed.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    let path = folder.join("authority.pem");
    fs::write(&path, certificate.pem()).unwrap();
    path
}
