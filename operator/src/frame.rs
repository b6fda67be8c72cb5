//! Frames: the encoding of messages on a byte stream.
//!
//! ```text
//! length (4, big-endian) │ MessagePack (length bytes, at most 1 MiB)
//! ```
//! Structs are arrays of their fields in order, an enum is the name of its variant (with its value,
//! a map of one). Both sides are of one [`VERSION`](crate::message::VERSION), so nothing in it is
//! optional, and whatever does not decode whole is refused.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Most bytes of a frame, without its length.
pub const MAX_FRAME: usize = 1 << 20;

/// Deepest nesting that is decoded; the messages use about half of it.
const MAX_DEPTH: usize = 24;

const PREFIX: usize = 4;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the connection ended in the middle of a frame, after {got} of {wanted} bytes")]
    Truncated { got: usize, wanted: usize },
    #[error("a frame of {len} bytes is over the limit of {MAX_FRAME}")]
    TooLong { len: usize },
    #[error("a frame does not decode: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error("{0} bytes follow the message in a frame")]
    Trailing(usize),
    #[error("a message does not encode: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

/// Encodes a message as a whole frame, length included.
///
/// # Errors
/// [`FrameError::TooLong`] when it exceeds [`MAX_FRAME`]; the message must be split.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; PREFIX];
    message.serialize(&mut rmp_serde::Serializer::new(&mut frame))?;
    let len = frame.len() - PREFIX;
    let prefix =
        u32::try_from(len).ok().filter(|_| len <= MAX_FRAME).ok_or(FrameError::TooLong { len })?;
    frame[..PREFIX].copy_from_slice(&prefix.to_be_bytes());
    Ok(frame)
}

/// Decodes the message in the body of one frame, without its length.
///
/// # Errors
/// [`FrameError`] when it is too long, nested too deep, no `T`, or more than one.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    if body.len() > MAX_FRAME {
        return Err(FrameError::TooLong { len: body.len() });
    }
    let mut rest = body;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(MAX_DEPTH);
    let message = T::deserialize(&mut deserializer)?;
    if rest.is_empty() { Ok(message) } else { Err(FrameError::Trailing(rest.len())) }
}

/// Reads the messages of a byte stream. [`next`](Self::next) is cancel-safe.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    /// The partial frame, its length included. Grows with the bytes that came, not with the length.
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Creates a reader at the start of a frame. It never reads past the end of a frame, so that
    /// the stream can be handed on.
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new() }
    }

    /// Reads the next message; `None` when the stream ended between two.
    ///
    /// # Errors
    /// [`FrameError`] when the stream breaks or what it carries is no `T`. After a
    /// [`FrameError::Decode`] or [`FrameError::Trailing`] the next frame can still be read; after
    /// any other error the stream is of no more use.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        if !self.fill(PREFIX).await? {
            return Ok(None);
        }
        let prefix = self.buffer[..PREFIX].try_into().expect("the prefix was filled");
        let len = u32::from_be_bytes(prefix) as usize;
        if len > MAX_FRAME {
            return Err(FrameError::TooLong { len });
        }
        self.fill(PREFIX + len).await?;
        let message = decode(&self.buffer[PREFIX..]);
        self.buffer.clear();
        message.map(Some)
    }

    /// Reads until the buffer has `wanted` bytes; false when the stream ended before the first.
    async fn fill(&mut self, wanted: usize) -> Result<bool, FrameError> {
        while let missing @ 1.. = wanted.saturating_sub(self.buffer.len()) {
            let mut limited = (&mut self.reader).take(missing as u64);
            if limited.read_buf(&mut self.buffer).await? == 0 {
                if self.buffer.is_empty() {
                    return Ok(false);
                }
                return Err(FrameError::Truncated { got: self.buffer.len(), wanted });
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
