//! The client: one connection to a collector, and a link that reconnects whenever it is lost.

mod connection;
mod endpoint;
mod error;
mod link;
mod local;
mod pending;
mod ssh;
mod transport;

pub use connection::{
    Client, ClientOptions, Greeting, ReplyStream, SnapshotPage, SnapshotPages, Subscription,
};
pub use endpoint::{AccessMode, Endpoint, SshEndpoint, SshPrompts};
pub use error::ClientError;
pub use link::{Link, LinkEvent, LinkHandle, LinkState};
pub use local::LocalServer;
pub use transport::dial_stdio;

#[cfg(test)]
mod tests;
