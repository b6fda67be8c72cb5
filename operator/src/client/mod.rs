//! The client: one connection to a collector, and a link that is made anew whenever it is lost.

mod backoff;
mod connection;
mod dial;
mod endpoint;
mod error;
mod greet;
mod link;
mod route;
mod subscription;
mod transport;

pub use connection::{Client, ClientOptions, Greeting};
pub use dial::dial_stdio;
pub use endpoint::{AccessMode, Endpoint, SshEndpoint, SshPrompts};
pub use error::ClientError;
pub use link::{Link, LinkEvent, LinkHandle, LinkState};
pub use subscription::Subscription;

#[cfg(test)]
mod tests;
