//! The watchdog as the config file has it.

use heartline_config::WatchdogSection;
use heartline_sinks::{Pinger, PingerError};

/// Why the watchdog can't be pinged as the config file says.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogSetupError {
    #[error(transparent)]
    Secret(#[from] heartline_config::SecretError),
    #[error(transparent)]
    Pinger(#[from] PingerError),
}

impl WatchdogSetupError {
    /// Returns the exit code: 2 config, 3 no thread.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Secret(_) | Self::Pinger(PingerError::Trust(_)) => 2,
            Self::Pinger(PingerError::Thread(_)) => 3,
        }
    }
}

/// Reads the URL and makes what pings it; nothing is sent before the driver grants it. `None`: there is no watchdog.
///
/// # Errors
/// [`WatchdogSetupError`] names the file or variable.
pub fn watchdog_pinger(
    section: &WatchdogSection,
) -> Result<Option<Box<Pinger>>, WatchdogSetupError> {
    let config = section.read(|name| std::env::var_os(name))?;
    Ok(config.map(Pinger::start).transpose()?.map(Box::new))
}
