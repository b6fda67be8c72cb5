//! HTTP: one request with one deadline, and what the answer means.

mod answer;
mod client;
mod retry_after;
mod trust;

pub(crate) use answer::{HttpAnswer, classify};
pub(crate) use client::{HttpClient, HttpFailure, HttpRequest};
pub use trust::TrustError;
pub(crate) use trust::TrustedRoots;
