//! The certificates by which servers are verified.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, parse_pem};

/// Most bytes of a file of certificates.
const FILE_MAX: u64 = 4 << 20;

/// The system's root certificates, and those of a file.
#[derive(Clone, Debug)]
pub(crate) struct TrustedRoots {
    certificates: Vec<Certificate<'static>>,
}

/// Certificates that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error("can't read the certificates in {path}: {source}; expected a PEM file")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("there is no certificate in {0}: expected a PEM file with BEGIN CERTIFICATE")]
    NoCertificate(PathBuf),
}

impl TrustedRoots {
    /// Reads the system's roots, which `SSL_CERT_FILE` and `SSL_CERT_DIR` may name, and a file with more.
    ///
    /// # Errors
    /// [`TrustError`] where the file has none; that the system has none is no error.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, TrustError> {
        let native = rustls_native_certs::load_native_certs().certs;
        let mut certificates: Vec<_> =
            native.iter().map(|it| Certificate::from_der(it.as_ref()).to_owned()).collect();
        if let Some(path) = file {
            certificates.extend(read(path)?);
        }
        Ok(Self { certificates })
    }

    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { certificates: Vec::new() }
    }

    /// Returns whether nothing can be verified: a container without `ca-certificates`.
    pub(crate) fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    pub(crate) fn certificates(&self) -> &[Certificate<'static>] {
        &self.certificates
    }
}

fn read(path: &Path) -> Result<Vec<Certificate<'static>>, TrustError> {
    let unreadable = |source| TrustError::Unreadable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > FILE_MAX {
        return Err(unreadable(io::Error::other("longer than 4 MiB")));
    }
    let pem = fs::read(path).map_err(unreadable)?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|it| match it {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match certificates.is_empty() {
        true => Err(TrustError::NoCertificate(path.to_owned())),
        false => Ok(certificates),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let error = || TrustedRoots::load(Some(&path)).unwrap_err().to_string();
        assert!(error().contains("ca.pem: No such file"), "{}", error());
        fs::write(&path, "nothing").unwrap();
        assert!(error().contains("no certificate in") && error().contains("ca.pem"), "{}", error());
    }
}
