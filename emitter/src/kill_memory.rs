//! The file in which a kill outlives the process.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use heartline_engine::AppliedStates;
use heartline_protocol::limits::GENERATION_MAX;
use heartline_protocol::{AgentName, ControlId, DesiredState};

use crate::problem::EmitterProblem;
use crate::token::FleetTag;

/// Memory of the desired states that one agent has applied: a file for each fleet, with a line for
/// each control id, `heartline 2 control 7d1c5b0392e64fa8 generation 4 killed`.
#[derive(Clone, Debug)]
pub(crate) struct KillMemory {
    dir: PathBuf,
    agent: AgentName,
}

const PREFIX: &str = "heartline 2 control ";
/// Prefix of the only line of a file that knows neither its fleet nor its control id.
const PREFIX_UNATTRIBUTED: &str = "heartline 1 generation ";
/// Control id that such a kill is held for: no collector draws it, and every one can lift it.
const UNATTRIBUTED: Option<ControlId> = ControlId::new(1);
/// Longer than any file that this version writes.
const LEN_MAX: u64 = 4_096;
const SUFFIX: &str = ".desired";

impl KillMemory {
    pub(crate) fn new(dir: &Path, agent: &AgentName) -> Self {
        Self { dir: dir.to_owned(), agent: agent.clone() }
    }

    /// Reads the states of a fleet; while the fleet is not known, those of all fleets, so that no
    /// kill is missed. None if there is no file. The problems say what could not be read, and what
    /// is not known to be of this fleet.
    pub(crate) fn read(&self, fleet: Option<FleetTag>) -> (AppliedStates, Vec<EmitterProblem>) {
        let (mut states, mut problems) = (Vec::new(), Vec::new());
        let files = match fleet {
            Some(fleet) => vec![self.path(fleet)],
            None => self.files_of_all_fleets(),
        };
        for path in files {
            match read(&path, parse) {
                Ok(of_fleet) => states.extend(of_fleet),
                Err(problem) => problems.push(problem),
            }
        }
        let unattributed = self.unattributed_path();
        match read(&unattributed, parse_unattributed) {
            Ok(Some(state)) if state.killed => {
                states.push(state);
                problems.push(EmitterProblem::UnattributedKill { path: unattributed });
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
        (AppliedStates::restored(states), problems)
    }

    /// Writes the states of a fleet; once this returns, the file is on disk, whole.
    pub(crate) fn write(
        &self,
        fleet: FleetTag,
        applied: &AppliedStates,
    ) -> Result<(), EmitterProblem> {
        let path = self.path(fleet);
        self.try_write(&path, fleet, applied)
            .map_err(|error| EmitterProblem::StateUnwritable { path, reason: error.to_string() })
    }

    /// Removes the states of a fleet, which says of all that they run; [`Self::write`] says what went wrong. The
    /// file is only renamed: to free its blocks takes ten times as long, and an agent waits.
    pub(crate) fn remove(&self, fleet: FleetTag) {
        let _ = fs::rename(self.path(fleet), self.removed_path(fleet));
        let _ = fs::remove_file(self.unattributed_path());
    }

    /// Returns the path of a fleet's file. Two agents never share one: no id has an `@`.
    fn path(&self, fleet: FleetTag) -> PathBuf {
        self.dir.join(format!("{}@{fleet}{SUFFIX}", self.agent))
    }

    fn removed_path(&self, fleet: FleetTag) -> PathBuf {
        self.dir.join(format!("{}@{fleet}.removed", self.agent))
    }

    /// Returns the path under which a version that knew of no fleets has stored its last order.
    fn unattributed_path(&self) -> PathBuf {
        self.dir.join(format!("{}{SUFFIX}", self.agent))
    }

    fn files_of_all_fleets(&self) -> Vec<PathBuf> {
        let prefix = format!("{}@", self.agent);
        let is_ours = |name: &OsStr| {
            name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(SUFFIX))
        };
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|it| it.file_name().is_some_and(is_ours))
            .collect();
        files.sort();
        files
    }

    fn try_write(&self, path: &Path, fleet: FleetTag, applied: &AppliedStates) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        // A name that nobody can foresee, and a new file: nobody can lead it elsewhere.
        let draft = self.dir.join(format!("{}.{:016x}.tmp", self.agent, fastrand::u64(..)));
        let written = write_draft(&draft, applied).and_then(|()| fs::rename(&draft, path));
        if written.is_err() {
            let _ = fs::remove_file(&draft);
        }
        written?;
        // What they say is in the new file, or in that of another fleet.
        for old in [self.unattributed_path(), self.removed_path(fleet)] {
            match fs::remove_file(old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        File::open(&self.dir)?.sync_all()
    }
}

fn write_draft(draft: &Path, applied: &AppliedStates) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    // A umask may have taken the owner's rights, too.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(format(applied).as_bytes())?;
    file.sync_all()
}

/// Reads and parses a file; returns the default if there is none.
fn read<T: Default>(
    path: &Path,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, EmitterProblem> {
    let unreadable =
        |reason: String| EmitterProblem::StateUnreadable { path: path.to_owned(), reason };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(meta) if !meta.is_file() || meta.len() > LEN_MAX => {
            return Err(unreadable("it is not a state file".to_owned()));
        }
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LEN_MAX).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(error.to_string()))?;
    let text = std::str::from_utf8(&bytes).ok().and_then(parse);
    text.ok_or_else(|| unreadable("it is damaged".to_owned()))
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
fn parse(text: &str) -> Option<Vec<DesiredState>> {
    text.strip_suffix('\n')?.split('\n').map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<DesiredState> {
    let (control, state) = line.strip_prefix(PREFIX)?.split_once(" generation ")?;
    parse_state(state, Some(ControlId::parse(control)?))
}

fn parse_unattributed(text: &str) -> Option<Option<DesiredState>> {
    let state = text.strip_prefix(PREFIX_UNATTRIBUTED)?.strip_suffix('\n')?;
    parse_state(state, UNATTRIBUTED).map(Some)
}

fn parse_state(text: &str, control: Option<ControlId>) -> Option<DesiredState> {
    let (generation, word) = text.split_once(' ')?;
    let killed = match word {
        "killed" => true,
        "running" => false,
        _ => return None,
    };
    let generation = generation.parse().ok().filter(|&generation| generation <= GENERATION_MAX)?;
    Some(DesiredState { control, generation, killed })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: FleetTag = FleetTag([0xe5; 4]);
    const OTHER_FLEET: FleetTag = FleetTag([1; 4]);

    fn memory(dir: &Path) -> KillMemory {
        KillMemory::new(&dir.join("agents"), &AgentName::new("mail.3").unwrap())
    }

    fn states(states: &[(u64, u64, bool)]) -> AppliedStates {
        AppliedStates::restored(states.iter().map(|&(control, generation, killed)| DesiredState {
            control: ControlId::new(control),
            generation,
            killed,
        }))
    }

    fn killed() -> AppliedStates {
        states(&[(0xabc, 42, true), (0xdef, 7, false)])
    }

    fn resumed() -> AppliedStates {
        states(&[(0xabc, 43, false), (0xdef, GENERATION_MAX, false)])
    }

    #[test]
    fn written_states_are_read_back_and_no_other_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let memory = memory(dir.path());
        assert_eq!(memory.read(Some(FLEET)), (AppliedStates::default(), vec![]));
        for applied in [killed(), resumed()] {
            memory.write(FLEET, &applied).unwrap();
            assert_eq!(memory.read(Some(FLEET)), (applied, vec![]));
            memory.remove(OTHER_FLEET);
        }
        let files = || fs::read_dir(dir.path().join("agents")).unwrap().count();
        assert_eq!(files(), 1);
        memory.remove(FLEET);
        assert_eq!(memory.read(Some(FLEET)), (AppliedStates::default(), vec![]));
        memory.write(FLEET, &killed()).unwrap();
        assert_eq!((memory.read(None), files()), ((killed(), vec![]), 1));
    }

    #[test]
    fn a_fleet_reads_its_own_states_and_all_where_it_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let memory = memory(dir.path());
        memory.write(FLEET, &killed()).unwrap();
        memory.write(OTHER_FLEET, &states(&[(0x123, 1, false)])).unwrap();
        assert!(!memory.read(Some(OTHER_FLEET)).0.is_killed());
        assert!(!memory.read(Some(FleetTag([2; 4]))).0.is_killed());
        assert!(memory.read(None).0.is_killed());
        let other_agent = KillMemory::new(&memory.dir, &AgentName::new("mail").unwrap());
        assert!(!other_agent.read(None).0.is_killed());
    }

    #[test]
    fn a_file_is_for_its_owner_alone_whatever_the_permissions_before() {
        let dir = tempfile::tempdir().unwrap();
        let memory = memory(dir.path());
        fs::create_dir(&memory.dir).unwrap();
        let path = memory.path(FLEET);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        memory.write(FLEET, &killed()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_kill_that_names_no_fleet_holds_is_reported_and_ends_with_a_lift() {
        let dir = tempfile::tempdir().unwrap();
        let memory = memory(dir.path());
        memory.write(FLEET, &resumed()).unwrap();
        let path = memory.unattributed_path();
        fs::write(&path, "heartline 1 generation 42 killed\n").unwrap();
        let (mut read, problems) = memory.read(Some(FLEET));
        assert!(read.is_killed());
        assert_eq!(problems, [EmitterProblem::UnattributedKill { path: path.clone() }]);
        let resume = DesiredState { control: ControlId::new(0xabc), generation: 44, killed: false };
        assert!(read.apply(resume, read.blocked_by(resume.control)));
        memory.write(FLEET, &read).unwrap();
        assert!(!path.exists() && !memory.read(Some(FLEET)).0.is_killed());
        fs::write(&path, "heartline 1 generation 42 running\n").unwrap();
        assert_eq!(memory.read(Some(FLEET)).1, []);
        fs::write(&path, "heartline 1 generation 42 killed\n").unwrap();
        memory.remove(FLEET);
        assert!(!memory.read(Some(FLEET)).0.is_killed());
    }

    #[test]
    fn a_file_cut_anywhere_is_rejected() {
        let whole = format(&killed());
        assert_eq!(parse(&whole).map(AppliedStates::restored), Some(killed()));
        let first_line = whole.find('\n').unwrap() + 1;
        for end in (0..whole.len()).filter(|&end| end != first_line) {
            assert_eq!(parse(&whole[..end]), None, "cut at {end}");
        }
        let above = "heartline 2 control 0000000000000abc generation 9223372036854775808 killed\n";
        assert_eq!(parse(above), None);
        let dir = tempfile::tempdir().unwrap();
        let memory = memory(dir.path());
        memory.write(FLEET, &killed()).unwrap();
        for damaged in [&[0xff; 4][..], b"heartline 2 control", &[b'x'; 9_000]] {
            fs::write(memory.path(FLEET), damaged).unwrap();
            let (read, problems) = memory.read(Some(FLEET));
            assert_eq!(read, AppliedStates::default());
            assert!(matches!(problems[..], [EmitterProblem::StateUnreadable { .. }]));
        }
    }

    #[test]
    fn a_directory_that_cannot_be_created_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("agents"), "a file in its place").unwrap();
        let written = memory(dir.path()).write(FLEET, &killed());
        assert!(matches!(written, Err(EmitterProblem::StateUnwritable { .. })));
    }
}
