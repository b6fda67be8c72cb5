//! Random numbers for ids.

use std::fs::File;
use std::io::{self, Read as _};

/// Returns a random number from the system.
///
/// # Errors
/// When `/dev/urandom` can't be read.
pub(crate) fn number() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}
