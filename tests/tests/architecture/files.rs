//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that tools make, in the tree.
const MADE_BY_TOOLS: &[&str] =
    &["target", "corpus", "node_modules", "dist", "build", "__pycache__"];

pub(crate) struct RepositoryFile {
    /// Relative to the root, such as `fleet/src/time.rs`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl RepositoryFile {
    /// Returns the numbered lines without comments.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines.map(|(at, line)| (at, line.split("//").next().unwrap_or_default()))
    }

    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// Returns the root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Returns all files with one of these endings, except in folders that tools make.
pub(crate) fn files(endings: &[&str]) -> Vec<RepositoryFile> {
    let mut found = Vec::new();
    walk(&root(), &mut |path| {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if endings.iter().any(|ending| path.ends_with(ending)) {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            found.push(RepositoryFile { path, text });
        }
    });
    assert!(!found.is_empty(), "no files that end in {endings:?}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Returns the paths of all files and folders, folders with a slash at their end.
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
        let is_made = name.starts_with('.') || MADE_BY_TOOLS.contains(&name);
        if path.is_dir() && !is_made {
            walk(&path, found);
        } else if path.is_file() {
            found(&path);
        }
    }
}

/// Panics with all violations of a rule.
#[track_caller]
pub(crate) fn assert_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n  {}", violations.join("\n  "));
}
