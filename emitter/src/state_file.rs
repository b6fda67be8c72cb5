//! The file in which a kill outlives the process.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use heartline_engine::DesiredState;
use heartline_protocol::AgentName;
use heartline_protocol::limits::GENERATION_MAX;

use crate::problem::EmitterProblem;

/// File of one agent's desired state: one line, `heartline 1 generation 4 killed`.
#[derive(Clone, Debug)]
pub(crate) struct DesiredStateFile {
    path: PathBuf,
}

const PREFIX: &str = "heartline 1 generation ";
/// Longer than any line that this version writes.
const LEN_MAX: u64 = 128;

impl DesiredStateFile {
    pub(crate) fn new(state_dir: &Path, agent: &AgentName) -> Self {
        // Two agents never share a file: no id has a slash or an upper-case letter.
        Self { path: state_dir.join(format!("{agent}.desired")) }
    }

    /// Reads the state; the default if there is no file.
    pub(crate) fn read(&self) -> Result<DesiredState, EmitterProblem> {
        let unreadable =
            |reason: String| EmitterProblem::StateUnreadable { path: self.path.clone(), reason };
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(DesiredState::default());
            }
            Err(error) => return Err(unreadable(error.to_string())),
            Ok(meta) if !meta.is_file() || meta.len() > LEN_MAX => {
                return Err(unreadable("it is not a state file".to_owned()));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&self.path).map_err(|error| unreadable(error.to_string()))?;
        parse_line(&text).ok_or_else(|| unreadable("it is damaged".to_owned()))
    }

    /// Writes the state; once this returns, the file is on disk, whole.
    pub(crate) fn write(&self, desired: DesiredState) -> Result<(), EmitterProblem> {
        self.try_write(desired).map_err(|error| EmitterProblem::StateUnwritable {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn try_write(&self, desired: DesiredState) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = File::create(&temporary)?;
        file.write_all(format_line(desired).as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        File::open(dir)?.sync_all()
    }
}

fn format_line(desired: DesiredState) -> String {
    let state = if desired.killed { "killed" } else { "running" };
    format!("{PREFIX}{} {state}\n", desired.generation)
}

fn parse_line(text: &str) -> Option<DesiredState> {
    let (generation, state) = text.strip_prefix(PREFIX)?.strip_suffix('\n')?.split_once(' ')?;
    let killed = match state {
        "killed" => true,
        "running" => false,
        _ => return None,
    };
    let generation = generation.parse().ok().filter(|&generation| generation <= GENERATION_MAX)?;
    Some(DesiredState { generation, killed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: DesiredState = DesiredState { generation: 42, killed: true };

    fn file(dir: &Path) -> DesiredStateFile {
        DesiredStateFile::new(&dir.join("agents"), &AgentName::new("mail.3").unwrap())
    }

    #[test]
    fn a_written_state_is_read_back_and_no_other_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        assert_eq!(file.read(), Ok(DesiredState::default()));
        for desired in [KILLED, DesiredState { generation: 43, killed: false }] {
            file.write(desired).unwrap();
            assert_eq!(file.read(), Ok(desired));
        }
        assert_eq!(fs::read_dir(dir.path().join("agents")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_cut_anywhere_is_rejected() {
        let whole = format_line(KILLED);
        assert_eq!(parse_line(&whole), Some(KILLED));
        for end in 0..whole.len() {
            assert_eq!(parse_line(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(parse_line("heartline 1 generation 99999999999 killed\n"), None);
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        file.write(KILLED).unwrap();
        fs::write(&file.path, [0xff; 4]).unwrap();
        assert!(matches!(file.read(), Err(EmitterProblem::StateUnreadable { .. })));
    }

    #[test]
    fn a_directory_that_cannot_be_created_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("agents"), "a file in its place").unwrap();
        assert!(matches!(
            file(dir.path()).write(KILLED),
            Err(EmitterProblem::StateUnwritable { .. })
        ));
    }
}
