//! `--open FILE`: an incident file in the place of a collector.

use heartline_operator::client::LocalServer;

use crate::args::GlobalArgs;
use crate::error::CliError;

/// An incident file, which is opened when it is first needed.
#[cfg(feature = "open")]
#[derive(Debug)]
pub(crate) struct IncidentSource {
    path: std::path::PathBuf,
    server: std::cell::OnceCell<LocalServer>,
}

#[cfg(feature = "open")]
impl IncidentSource {
    /// Returns the file that the flags name.
    pub(crate) fn of(global: &GlobalArgs) -> Option<Self> {
        let path = global.open.clone()?;
        Some(Self { path, server: std::cell::OnceCell::new() })
    }

    /// Opens and checks the file, and returns its server.
    ///
    /// # Errors
    /// [`CliError::NotDone`] says what is wrong with it.
    pub(crate) fn server(&self) -> Result<LocalServer, CliError> {
        if let Some(server) = self.server.get() {
            return Ok(server.clone());
        }
        let opened = heartline_incident::open(&self.path);
        let server = opened.map_err(|error| CliError::NotDone(error.to_string()))?;
        Ok(self.server.get_or_init(|| server).clone())
    }
}

/// This program was built without what opens incident files.
#[cfg(not(feature = "open"))]
#[derive(Debug)]
pub(crate) enum IncidentSource {}

#[cfg(not(feature = "open"))]
impl IncidentSource {
    pub(crate) fn of(_global: &GlobalArgs) -> Option<Self> {
        None
    }

    pub(crate) fn server(&self) -> Result<LocalServer, CliError> {
        match *self {}
    }
}
