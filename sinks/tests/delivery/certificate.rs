//! Certificates of an authority that only the test trusts.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};

/// A certificate and its key, with the authority that has signed it; in files, too.
pub struct TestCertificate {
    pub certificate: Certificate,
    pub key: KeyPair,
    pub ca_file: PathBuf,
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
    _dir: tempfile::TempDir,
}

impl TestCertificate {
    pub fn for_name(name: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        // Two authorities of one name would be taken for each other.
        authority.distinguished_name.push(DnType::CommonName, format!("authority of {name}"));
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            std::fs::write(&path, text).unwrap();
            path
        };
        let ca_file = write("ca.pem", &authority.pem());
        let certificate_file = write("certificate.pem", &certificate.pem());
        let key_file = write("key.pem", &key.serialize_pem());
        Self { certificate, key, ca_file, certificate_file, key_file, _dir: dir }
    }
}
