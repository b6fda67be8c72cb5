//! Sinks and their workers against real servers on loopback, which record, fail, stall and lie.

mod alertmanager;
mod certificate;
mod http;
mod mail;
mod own_text;
mod ping;
mod python;
mod server;
mod support;
mod tls;
mod webhook;
mod worker;
