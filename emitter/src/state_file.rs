//! The file in which a kill outlives the process.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use heartline_engine::AppliedStates;
use heartline_protocol::limits::GENERATION_MAX;
use heartline_protocol::{AgentName, ControlId, DesiredState};

use crate::problem::EmitterProblem;

/// File of one agent's desired states: a line for each control id,
/// `heartline 2 control 7d1c5b0392e64fa8 generation 4 killed`.
#[derive(Clone, Debug)]
pub(crate) struct DesiredStateFile {
    path: PathBuf,
}

const PREFIX: &str = "heartline 2 control ";
/// Longer than any file that this version writes.
const LEN_MAX: u64 = 4_096;

impl DesiredStateFile {
    pub(crate) fn new(state_dir: &Path, agent: &AgentName) -> Self {
        // Two agents never share a file: no id has a slash or an upper-case letter.
        Self { path: state_dir.join(format!("{agent}.desired")) }
    }

    /// Reads the states; none if there is no file.
    pub(crate) fn read(&self) -> Result<AppliedStates, EmitterProblem> {
        let unreadable =
            |reason: String| EmitterProblem::StateUnreadable { path: self.path.clone(), reason };
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(AppliedStates::default());
            }
            Err(error) => return Err(unreadable(error.to_string())),
            Ok(meta) if !meta.is_file() || meta.len() > LEN_MAX => {
                return Err(unreadable("it is not a state file".to_owned()));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&self.path).map_err(|error| unreadable(error.to_string()))?;
        parse(&text).ok_or_else(|| unreadable("it is damaged".to_owned()))
    }

    /// Writes the states; once this returns, the file is on disk, whole.
    pub(crate) fn write(&self, applied: &AppliedStates) -> Result<(), EmitterProblem> {
        self.try_write(applied).map_err(|error| EmitterProblem::StateUnwritable {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn try_write(&self, applied: &AppliedStates) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = File::create(&temporary)?;
        file.write_all(format(applied).as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        File::open(dir)?.sync_all()
    }
}

fn format(applied: &AppliedStates) -> String {
    let line = |state: &DesiredState| {
        let DesiredState { control, generation, killed } = *state;
        let word = if killed { "killed" } else { "running" };
        control.map(|control| format!("{PREFIX}{control} generation {generation} {word}\n"))
    };
    applied.as_slice().iter().filter_map(line).collect()
}

/// Parses a file; `None` when it is not whole.
fn parse(text: &str) -> Option<AppliedStates> {
    let whole = text.strip_suffix('\n')?;
    let states: Option<Vec<DesiredState>> = whole.split('\n').map(parse_line).collect();
    Some(AppliedStates::restored(states?))
}

fn parse_line(line: &str) -> Option<DesiredState> {
    let (control, rest) = line.strip_prefix(PREFIX)?.split_once(" generation ")?;
    let (generation, word) = rest.split_once(' ')?;
    let killed = match word {
        "killed" => true,
        "running" => false,
        _ => return None,
    };
    let generation = generation.parse().ok().filter(|&generation| generation <= GENERATION_MAX)?;
    Some(DesiredState { control: Some(ControlId::parse(control)?), generation, killed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(states: &[(u64, u64, bool)]) -> AppliedStates {
        AppliedStates::restored(states.iter().map(|&(control, generation, killed)| DesiredState {
            control: ControlId::new(control),
            generation,
            killed,
        }))
    }

    fn killed() -> AppliedStates {
        states(&[(0xabc, 42, true)])
    }

    fn file(dir: &Path) -> DesiredStateFile {
        DesiredStateFile::new(&dir.join("agents"), &AgentName::new("mail.3").unwrap())
    }

    #[test]
    fn a_written_state_is_read_back_and_no_other_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        assert_eq!(file.read(), Ok(AppliedStates::default()));
        for applied in [killed(), states(&[(0xabc, 43, false), (7, GENERATION_MAX, true)])] {
            file.write(&applied).unwrap();
            assert_eq!(file.read(), Ok(applied));
        }
        assert_eq!(fs::read_dir(dir.path().join("agents")).unwrap().count(), 1);
    }

    #[test]
    fn a_file_cut_anywhere_is_rejected() {
        let whole = format(&killed());
        assert_eq!(parse(&whole), Some(killed()));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "cut at {end}");
        }
        let above = "heartline 2 control 0000000000000abc generation 9223372036854775808 killed\n";
        assert_eq!(parse(above), None);
        let dir = tempfile::tempdir().unwrap();
        let file = file(dir.path());
        file.write(&killed()).unwrap();
        fs::write(&file.path, [0xff; 4]).unwrap();
        assert!(matches!(file.read(), Err(EmitterProblem::StateUnreadable { .. })));
    }

    #[test]
    fn a_directory_that_cannot_be_created_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("agents"), "a file in its place").unwrap();
        assert!(matches!(
            file(dir.path()).write(&killed()),
            Err(EmitterProblem::StateUnwritable { .. })
        ));
    }
}
