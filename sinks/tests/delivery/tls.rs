//! Servers whose certificates verify, and servers whose do not.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use heartline_sinks::{Outcome, Permanence, sample};
use heartline_vocabulary::NoticeKind;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::certificate::TestCertificate;
use crate::server::{Reply, TestServer};
use crate::support::{TIMEOUT, delivery, sink_that_trusts, told, webhook};

/// A server of HTTPS that answers 200, and the authority of its certificate.
struct TlsServer {
    address: SocketAddr,
    certificate: TestCertificate,
}

impl TlsServer {
    /// Starts a server with a certificate for this name.
    fn start(name: &str) -> Self {
        let certificate = TestCertificate::for_name(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth();
        let key = PrivateKeyDer::try_from(certificate.key.serialize_der()).unwrap();
        let chain = vec![certificate.certificate.der().clone()];
        let config = config.with_single_cert(chain, key).unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut socket = stream.unwrap();
                let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut tls = Stream::new(&mut connection, &mut socket);
                let mut bytes = [0; 4_096];
                // Where the certificate is refused, there is nothing to read.
                if tls.read(&mut bytes).is_ok_and(|it| it > 0) {
                    let _closed = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
                }
            }
        });
        Self { address, certificate }
    }

    fn send(&self, host: &str, ca_file: Option<&PathBuf>) -> Outcome {
        let url = format!("https://{host}:{}/hook/SECRETSECRETSECRET", self.address.port());
        let mut sink = sink_that_trusts(webhook(&url), TIMEOUT, ca_file.map(PathBuf::as_path));
        sink.send(&delivery(&[sample::notice(NoticeKind::Opened)]))
    }
}

#[test]
fn a_certificate_of_an_own_authority_verifies_where_that_is_trusted() {
    let server = TlsServer::start("localhost");
    assert_eq!(told(&server.send("localhost", Some(&server.certificate.ca_file))), "delivered: ");
}

#[test]
fn a_certificate_that_does_not_verify_breaks_the_sink() {
    let server = TlsServer::start("localhost");
    let other = TlsServer::start("other.example");
    let refused = [
        (server.send("localhost", None), "UnknownIssuer"),
        (server.send("localhost", Some(&other.certificate.ca_file)), "UnknownIssuer"),
        (other.send("localhost", Some(&other.certificate.ca_file)), "not valid for name"),
    ];
    for (outcome, said) in refused {
        let Outcome::SinkRefused { why, permanence } = &outcome else { panic!("{outcome:?}") };
        assert_eq!(*permanence, Permanence::UntilRepaired);
        assert!(why.starts_with("the certificate of localhost:"), "{why}");
        assert!(why.contains(said) && why.contains("set ca_file"), "{why}");
        assert!(!why.contains("SECRET"), "{why}");
    }
}

#[test]
fn a_server_that_speaks_no_tls_or_cuts_it_is_tried_again() {
    for reply in [Reply::Nonsense, Reply::Cut] {
        let server = TestServer::start(vec![reply]);
        let url = server.url().replace("http://", "https://");
        let mut sink = sink_that_trusts(webhook(&url), std::time::Duration::from_secs(1), None);
        let outcome = told(&sink.send(&delivery(&[sample::notice(NoticeKind::Opened)])));
        assert!(outcome.starts_with("retry: ") && !outcome.contains("SECRET"), "{outcome}");
    }
}
