//! News of a fleet, as they come.

use tokio::sync::mpsc;

use super::connection::Client;
use super::error::ClientError;
use crate::message::Reply;
use crate::mirror::SubscriptionUpdate;

/// A running subscription. It keeps its connection open, and ends when dropped.
pub struct Subscription {
    client: Client,
    id: u32,
    replies: mpsc::Receiver<Reply>,
}

impl Subscription {
    pub(super) fn new(client: Client, id: u32, replies: mpsc::Receiver<Reply>) -> Self {
        Self { client, id, replies }
    }

    /// The next piece of news; may be cancelled. Whoever leaves news lying for longer than
    /// [`request_timeout`](super::ClientOptions::request_timeout) loses the connection.
    ///
    /// # Errors
    /// [`ClientError::Closed`] at the end of the connection, [`ClientError::Refused`] when the
    /// collector would not subscribe.
    pub async fn next(&mut self) -> Result<SubscriptionUpdate, ClientError> {
        let reply = self.next_reply().await?;
        SubscriptionUpdate::from_reply(reply)
            .map_err(|_| ClientError::Unexpected { what: "subscribe" })
    }

    pub(super) async fn next_reply(&mut self) -> Result<Reply, ClientError> {
        match self.replies.recv().await {
            Some(Reply::Error { code, message }) => Err(ClientError::Refused { code, message }),
            Some(reply) => Ok(reply),
            None => {
                let why = self.client.closed().unwrap_or_else(|| "it was cut".into());
                Err(ClientError::Closed { why })
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.client.forget(self.id);
    }
}
