//! What is listed, written to a file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use crate::event::{Export, ExportFormat};

/// Names tried before giving up.
const MOST_NAMES: u32 = 1_000;

/// Writes a new file in a directory (empty: the working directory), never over an old one. Says
/// what was written, or why not.
pub(super) fn write(dir: &Path, export: &Export) -> Result<String, String> {
    let extension = match export.format {
        ExportFormat::Json => "json",
        ExportFormat::JsonLines => "jsonl",
    };
    let name_of = |n| format!("heartline-{}-{n}.{extension}", export.stem);
    for n in 1..=MOST_NAMES {
        let name = name_of(n);
        let cannot = |error| format!("can't write {name} here: {error}");
        let file = OpenOptions::new().write(true).create_new(true).open(dir.join(&name));
        let mut file = match file {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(cannot(error)),
        };
        file.write_all(export.text.as_bytes()).map_err(cannot)?;
        return Ok(format!("wrote {} to {name}", export.what));
    }
    Err(format!("{} to -{MOST_NAMES} are all there already", name_of(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_what_is_in_it_and_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let (stem, what) = ("fleet", "2 agents".to_owned());
        let export = Export { stem, format: ExportFormat::Json, text: "{}\n".to_owned(), what };
        let said = write(dir.path(), &export);
        assert_eq!(said, Ok("wrote 2 agents to heartline-fleet-1.json".to_owned()));
        let lines = Export { format: ExportFormat::JsonLines, ..export.clone() };
        let said = write(dir.path(), &lines);
        assert_eq!(said, Ok("wrote 2 agents to heartline-fleet-1.jsonl".to_owned()));
        let again = Export { text: "[]\n".to_owned(), ..export };
        assert!(write(dir.path(), &again).unwrap().ends_with("fleet-2.json"));
        let first = std::fs::read_to_string(dir.path().join("heartline-fleet-1.json")).unwrap();
        assert_eq!(first, "{}\n");
        let error = write(&dir.path().join("none"), &again).unwrap_err();
        assert!(error.contains("can't write heartline-fleet-1.json here: No such"), "{error}");
    }
}
