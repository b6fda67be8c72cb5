//! The client: one request at a time, with one deadline for all of it.

use std::error::Error as _;
use std::io::{self, ErrorKind, Read as _};
use std::sync::Arc;
use std::time::Duration;

use heartline_config::Secret;
use ureq::http::{HeaderMap, Request};
use ureq::tls::{RootCerts, TlsConfig};

use super::{HttpAnswer, TrustedRoots};
use crate::Arrival;
use crate::text::clean_to;

/// Bytes of an answer that are read where all that counts is whether it was yes.
const ANSWER_MAX: u64 = 4 << 10;

/// Bytes of an answer to a question.
const REPLY_MAX: u64 = 256 << 10;

/// Most bytes of the head of an answer.
const HEAD_MAX: usize = 32 << 10;

/// Characters of an error of a library that are repeated.
const DETAIL_MAX: usize = 200;

/// A request. What it is made of may be a credential, so it is not printed.
pub(crate) struct HttpRequest {
    pub(crate) method: HttpMethod,
    pub(crate) url: Secret,
    pub(crate) headers: Vec<(&'static str, Secret)>,
    pub(crate) body: Vec<u8>,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HttpMethod {
    Get,
    Post,
}

/// Why there is no answer. No message has a URL.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum HttpFailure {
    #[error("no answer from {host} within {timeout_s} s")]
    Timeout { host: String, timeout_s: f64 },
    #[error(
        "the certificate of {host} does not verify: {detail}; if its authority is your own, set ca_file"
    )]
    Certificate { host: String, detail: String },
    #[error(
        "the certificate of {host} can't be verified: this machine has no root certificates; install \
         ca-certificates, or set ca_file"
    )]
    NoRoots { host: String },
    #[error("{host} could not be reached: {detail}")]
    Unreachable { host: String, detail: String },
    #[error("{host} gave no answer: {detail}")]
    Network { host: String, detail: String },
}

impl HttpFailure {
    /// Returns whether somebody has to repair something before it can work.
    pub(crate) fn is_configuration(&self) -> bool {
        matches!(self, Self::Certificate { .. } | Self::NoRoots { .. })
    }

    /// Returns whether the request may have arrived nevertheless.
    pub(crate) fn arrival(&self) -> Arrival {
        match self {
            Self::Timeout { .. } | Self::Network { .. } => Arrival::Unknown,
            Self::Certificate { .. } | Self::NoRoots { .. } | Self::Unreachable { .. } => {
                Arrival::No
            }
        }
    }
}

/// A client with its roots and its deadline.
pub(crate) struct HttpClient {
    agent: ureq::Agent,
    timeout: Duration,
    has_roots: bool,
}

impl HttpRequest {
    /// Returns a request that posts JSON.
    pub(crate) fn post_json(url: Secret, body: &serde_json::Value) -> Self {
        Self::post_bytes(url, body.to_string().into_bytes())
    }

    /// As [`Self::post_json`], of bytes that were serialised and perhaps signed.
    pub(crate) fn post_bytes(url: Secret, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", Secret::new("application/json"))];
        Self { method: HttpMethod::Post, url, headers, body }
    }

    pub(crate) fn get(url: Secret) -> Self {
        Self { method: HttpMethod::Get, url, headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Secret::new(value)));
        self
    }
}

impl HttpClient {
    /// Returns a client whose requests take this long at most, from the look-up of a host to the end of
    /// the answer. It follows no redirect, and keeps no connection: notices are rare, and an idle one
    /// that the server has closed would cost the next of them an attempt.
    pub(crate) fn new(timeout: Duration, roots: &TrustedRoots) -> Self {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(roots.certificates()))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_response_header_size(HEAD_MAX)
            .max_idle_connections(0)
            .user_agent(concat!("heartline/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.new_agent(), timeout, has_roots: !roots.is_empty() }
    }

    /// Sends a request and reads the begin of the answer. A body that is cut short or comes too slowly
    /// is answered with what there was of it: the status has said what counts.
    ///
    /// # Errors
    /// [`HttpFailure`] where no status came.
    pub(crate) fn send(&self, request: &HttpRequest) -> Result<HttpAnswer, HttpFailure> {
        let host = request.url.redacted_url();
        let host = host.split("://").nth(1).and_then(|it| it.split('/').next());
        let host = host.unwrap_or("the server").to_owned();
        let is_plain = request.url.expose().starts_with("http://");
        if !is_plain && !self.has_roots {
            return Err(HttpFailure::NoRoots { host });
        }
        let mut builder =
            Request::builder().uri(request.url.expose()).method(match request.method {
                HttpMethod::Get => "GET",
                HttpMethod::Post => "POST",
            });
        for (name, value) in &request.headers {
            builder = builder.header(*name, value.expose());
        }
        let failed =
            |detail: &str| HttpFailure::Network { host: host.clone(), detail: detail.into() };
        let answer = match request.method {
            HttpMethod::Get => {
                let request =
                    builder.body(()).map_err(|_| failed("its URL or a header is malformed"))?;
                self.agent.run(request)
            }
            HttpMethod::Post => {
                let request = builder.body(&request.body[..]);
                self.agent.run(request.map_err(|_| failed("its URL or a header is malformed"))?)
            }
        };
        let answer = answer.map_err(|error| self.failure(host, &error))?;
        let (head, mut body) = answer.into_parts();
        let mut bytes = Vec::new();
        let limit = if request.method == HttpMethod::Get { REPLY_MAX } else { ANSWER_MAX };
        let _cut_short = body.as_reader().take(limit).read_to_end(&mut bytes);
        Ok(HttpAnswer {
            status: head.status.as_u16(),
            retry_after: header(&head.headers, "retry-after"),
            location: header(&head.headers, "location"),
            date: header(&head.headers, "date"),
            rate_limit_remaining: header(&head.headers, "x-ratelimit-remaining"),
            rate_limit_reset_after: header(&head.headers, "x-ratelimit-reset-after"),
            body: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    fn failure(&self, host: String, error: &ureq::Error) -> HttpFailure {
        let detail = match error {
            ureq::Error::Timeout(_) => {
                return HttpFailure::Timeout { host, timeout_s: self.timeout.as_secs_f64() };
            }
            ureq::Error::Rustls(error) => return tls_failure(host, error),
            ureq::Error::Io(error) => {
                let inner = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
                match inner {
                    Some(error) => return tls_failure(host, error),
                    None if never_connected(error) => {
                        let detail = clean_to(&error.to_string(), DETAIL_MAX);
                        return HttpFailure::Unreachable { host, detail };
                    }
                    None => error.to_string(),
                }
            }
            ureq::Error::HostNotFound => {
                return HttpFailure::Unreachable {
                    host,
                    detail: "there is no such host".to_owned(),
                };
            }
            ureq::Error::LargeResponseHeader(..) => "the head of its answer is too long".to_owned(),
            ureq::Error::Protocol(error) => format!("its answer is no HTTP: {error}"),
            ureq::Error::ConnectProxyFailed(_) => "the proxy refused the connection".to_owned(),
            // These may have the URL in them.
            ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_) | ureq::Error::Http(_) => {
                "its URL or a header is malformed".to_owned()
            }
            other => other
                .source()
                .map_or_else(|| "the connection failed".to_owned(), ToString::to_string),
        };
        HttpFailure::Network { host, detail: clean_to(&detail, DETAIL_MAX) }
    }
}

/// Returns whether there was never a connection.
fn never_connected(error: &io::Error) -> bool {
    let kinds = [
        ErrorKind::ConnectionRefused,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        ErrorKind::AddrNotAvailable,
    ];
    // What a resolver says has no kind.
    kinds.contains(&error.kind()) || error.to_string().starts_with("failed to lookup address")
}

fn tls_failure(host: String, error: &rustls::Error) -> HttpFailure {
    let detail = clean_to(&error.to_string(), DETAIL_MAX);
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            HttpFailure::Certificate { host, detail }
        }
        _ => HttpFailure::Network { host, detail: format!("TLS: {detail}") },
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_root_certificates_is_told_in_words() {
        let client = HttpClient::new(Duration::from_secs(1), &TrustedRoots::none());
        let url = Secret::new("https://sink.invalid/SECRETSECRETSECRET");
        let failure = client.send(&HttpRequest::get(url)).unwrap_err();
        assert_eq!((failure.is_configuration(), failure.arrival()), (true, Arrival::No));
        let said = failure.to_string();
        assert!(said.starts_with("the certificate of sink.invalid can't be verified"), "{said}");
        assert!(
            said.contains("install ca-certificates, or set ca_file") && !said.contains("SECRET")
        );
    }
}
