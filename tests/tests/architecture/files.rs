//! The files that rules are about.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of this repository.
pub(crate) struct File {
    /// From the root, such as `fleet/src/time.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Its lines of code with their numbers, without comments.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.map(|(at, line)| (at, line.split("//").next().unwrap_or_default()))
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// All files with one of these endings, outside of folders that tools make.
pub(crate) fn files(endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    walk(&root(), &mut |path| {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if endings.iter().any(|ending| path.ends_with(ending)) {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            found.push(File { path, text });
        }
    });
    assert!(!found.is_empty(), "no files that end in {endings:?}: a rule about nothing");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// All files and folders from the root, folders with a slash at their end.
pub(crate) fn paths() -> Vec<String> {
    let mut found = Vec::new();
    walk(&root(), &mut |path| {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let folders = path.match_indices('/').map(|(at, _)| path[..=at].to_owned());
        found.extend(folders.chain([path.to_owned()]));
    });
    found.sort();
    found.dedup();
    found
}

fn walk(folder: &Path, found: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_made = name.starts_with('.') || ["target", "corpus", "node_modules"].contains(&name);
        if path.is_dir() && !is_made {
            walk(&path, found);
        } else if path.is_file() {
            found(&path);
        }
    }
}

/// Fails with all that breaks a rule.
#[track_caller]
pub(crate) fn assert_none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}
