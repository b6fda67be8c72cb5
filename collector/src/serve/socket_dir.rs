//! The directory of the operators' sockets, which those that `[access]` names must be able to enter.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::unistd::Uid;

use super::access::AccessPolicy;

/// Makes the directory of the sockets passable for those that the policy names; nobody can list it.
/// Returns a sentence for everything on the way that keeps them out.
pub fn open_to_operators(dir: &Path, policy: &AccessPolicy) -> Vec<String> {
    if !policy.names_others() {
        return Vec::new();
    }
    // Whoever gave it to a group has decided who may enter.
    if is_closed(dir)
        && fs::metadata(dir).is_ok_and(|found| found.uid() == Uid::effective().as_raw())
        && let Err(error) = fs::set_permissions(dir, fs::Permissions::from_mode(0o711))
    {
        tracing::warn!("can't open {} to operators: {error}", dir.display());
    }
    let closed = dir.ancestors().filter(|dir| !dir.as_os_str().is_empty() && is_closed(dir));
    closed.map(closed_sentence).collect()
}

/// Returns true for a directory that only its owner can enter.
fn is_closed(dir: &Path) -> bool {
    fs::metadata(dir).is_ok_and(|found| found.permissions().mode() & 0o011 == 0)
}

fn closed_sentence(dir: &Path) -> String {
    format!(
        "those that [access] names can't reach the operators' sockets, because only its owner can \
         enter {}: set socket_dir to a directory that they can enter, such as /run/heartline",
        dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::access::tests::policy;

    fn mode(dir: &Path) -> u32 {
        fs::metadata(dir).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_directory_is_passable_only_where_others_are_named() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let dir = root.path().join("sockets");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(open_to_operators(&dir, &policy(&[], &[])), [""; 0]);
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(open_to_operators(&dir, &policy(&["ann"], &[])), [""; 0]);
        assert_eq!(mode(&dir), 0o711, "entered, not listed");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o750)).unwrap();
        open_to_operators(&dir, &policy(&[], &["@ops"]));
        assert_eq!(mode(&dir), 0o750, "its owner has given it to a group");
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let dir = root.path().join("sockets");
        fs::create_dir(&dir).unwrap();
        let said = open_to_operators(&dir, &policy(&["ann"], &[])).join("\n");
        let path = root.path().display().to_string();
        assert!(said.contains(&format!("enter {path}:")) && said.contains("socket_dir"), "{said}");
    }
}
