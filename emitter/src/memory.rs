//! The small file in which a kill outlives the process.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use heartline_protocol::AgentName;
use heartline_protocol::limits::GENERATION_MAX;

use crate::engine::Desired;
use crate::problem::Problem;

/// Where one agent's desired state is remembered: one line, `heartline 1 generation 4 killed`.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    path: PathBuf,
}

const LEAD: &str = "heartline 1 generation ";
/// Longer than any line that this version writes.
const LEN_MAX: u64 = 128;

impl Memory {
    pub(crate) fn new(state_dir: &Path, agent: &AgentName) -> Self {
        // Two agents never share a file: ids have one alphabet, and no slash in it.
        Self { path: state_dir.join(format!("{agent}.desired")) }
    }

    /// What was remembered; nothing if there is no file.
    pub(crate) fn read(&self) -> Result<Desired, Problem> {
        let unreadable =
            |reason: String| Problem::MemoryUnreadable { path: self.path.clone(), reason };
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Desired::default()),
            Err(error) => return Err(unreadable(error.to_string())),
            Ok(meta) if !meta.is_file() || meta.len() > LEN_MAX => {
                return Err(unreadable("it is no file of ours".to_owned()));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&self.path).map_err(|error| unreadable(error.to_string()))?;
        parse(&text).ok_or_else(|| unreadable("it is damaged".to_owned()))
    }

    /// Remembers: once this returns, the file is on disk, whole.
    pub(crate) fn write(&self, desired: Desired) -> Result<(), Problem> {
        self.try_write(desired).map_err(|error| Problem::MemoryUnwritable {
            path: self.path.clone(),
            reason: error.to_string(),
        })
    }

    fn try_write(&self, desired: Desired) -> io::Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir)?;
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = File::create(&temporary)?;
        file.write_all(line(desired).as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &self.path)?;
        File::open(dir)?.sync_all()
    }
}

fn line(desired: Desired) -> String {
    let state = if desired.killed { "killed" } else { "running" };
    format!("{LEAD}{} {state}\n", desired.generation)
}

fn parse(text: &str) -> Option<Desired> {
    let (generation, state) = text.strip_prefix(LEAD)?.strip_suffix('\n')?.split_once(' ')?;
    let killed = match state {
        "killed" => true,
        "running" => false,
        _ => return None,
    };
    let generation = generation.parse().ok().filter(|&generation| generation <= GENERATION_MAX)?;
    Some(Desired { generation, killed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: Desired = Desired { generation: 42, killed: true };

    fn memory(dir: &Path) -> Memory {
        Memory::new(&dir.join("agents"), &AgentName::new("mail.3").unwrap())
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let memory = memory(dir.path());
        assert_eq!(memory.read(), Ok(Desired::default()));
        for desired in [KILLED, Desired { generation: 43, killed: false }] {
            memory.write(desired).unwrap();
            assert_eq!(memory.read(), Ok(desired));
        }
        assert_eq!(fs::read_dir(dir.path().join("agents")).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_is_refused_wherever_it_is_cut() {
        let whole = line(KILLED);
        assert_eq!(parse(&whole), Some(KILLED));
        for end in 0..whole.len() {
            assert_eq!(parse(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(parse("heartline 1 generation 99999999999 killed\n"), None);
        let dir = tempfile::tempdir().unwrap();
        let memory = memory(dir.path());
        memory.write(KILLED).unwrap();
        fs::write(&memory.path, [0xff; 4]).unwrap();
        assert!(matches!(memory.read(), Err(Problem::MemoryUnreadable { .. })));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_said() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("agents"), "a file in its place").unwrap();
        assert!(matches!(memory(dir.path()).write(KILLED), Err(Problem::MemoryUnwritable { .. })));
    }
}
