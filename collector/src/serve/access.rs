//! Who may look and who may act: file modes and peer credentials decide, nothing else.

use heartline_config::AccessLists;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketRole {
    /// Looking.
    View,
    /// Acting, and looking.
    Control,
}

/// Who may come in by which door.
#[derive(Clone, Debug)]
pub struct Access {
    rules: AccessLists,
    own_uid: u32,
}

/// A peer that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user's name, or `uid 1234` where it has none.
    pub user: String,
}

impl Access {
    /// The configured rules, for a collector of this user.
    #[must_use]
    pub fn new(rules: AccessLists) -> Self {
        Self { rules, own_uid: Uid::effective().as_raw() }
    }

    /// Permission bits of a door's socket: closed to others unless the config names some.
    #[must_use]
    pub fn mode(&self, door: SocketRole) -> u32 {
        if self.named(door).next().is_some() { 0o666 } else { 0o600 }
    }

    /// Whether the peer with these credentials may come in.
    ///
    /// # Errors
    /// A sentence for the peer: who it is, and who may.
    pub fn admit(&self, door: SocketRole, uid: u32, gid: u32) -> Result<Peer, String> {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let name = user.as_ref().map_or_else(|| format!("uid {uid}"), |user| user.name.clone());
        let peer = Peer { user: name.clone() };
        if uid == 0 || uid == self.own_uid {
            return Ok(peer);
        }
        let is_named = |who: &str| match who.strip_prefix('@') {
            Some(group) => is_member(user.as_ref(), gid, group),
            None => user.as_ref().is_some_and(|user| user.name == who),
        };
        if self.named(door).any(is_named) {
            return Ok(peer);
        }
        let (what, key) = match door {
            SocketRole::View => ("look at this fleet", "view"),
            SocketRole::Control => ("act on this fleet", "control"),
        };
        Err(format!("{name} may not {what}: ask for an entry in [access] {key} of its config"))
    }

    fn named(&self, door: SocketRole) -> impl Iterator<Item = &str> {
        let AccessLists { view, control } = &self.rules;
        // Whoever may act may look.
        let view = if door == SocketRole::View { &**view } else { &[] };
        view.iter().chain(control).map(|name| name.0.0.as_str())
    }
}

fn is_member(user: Option<&User>, gid: u32, group: &str) -> bool {
    let Ok(Some(group)) = Group::from_name(group) else { return false };
    if group.gid == Gid::from_raw(gid) {
        return true;
    }
    let Some(user) = user else { return false };
    let Ok(name) = std::ffi::CString::new(user.name.as_str()) else { return false };
    getgrouplist(&name, user.gid).is_ok_and(|groups| groups.contains(&group.gid))
}

#[cfg(test)]
mod tests {
    use heartline_config::{ConfigString, UserOrGroup};

    use super::*;

    fn access(view: &[&str], control: &[&str]) -> Access {
        let owned = |list: &[&str]| {
            list.iter().map(|name| ConfigString(UserOrGroup(name.to_string()))).collect()
        };
        let rules = AccessLists { view: owned(view), control: owned(control) };
        Access { rules, own_uid: 4_000_000 }
    }

    #[test]
    fn only_those_who_are_named_come_in() {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
        let group = Group::from_gid(nobody.gid).unwrap().unwrap().name;
        let shut = access(&[], &[]);
        assert_eq!((shut.mode(SocketRole::View), shut.mode(SocketRole::Control)), (0o600, 0o600));
        assert!(shut.admit(SocketRole::View, uid, gid).unwrap_err().contains("nobody"));
        assert!(shut.admit(SocketRole::Control, 0, 0).is_ok(), "root always may");
        assert!(shut.admit(SocketRole::Control, 4_000_000, 1).is_ok(), "its own user always may");
        let by_name = access(&["nobody"], &[]);
        assert!(by_name.admit(SocketRole::View, uid, gid).is_ok());
        assert!(by_name.admit(SocketRole::Control, uid, gid).is_err());
        let by_group = access(&[], &[&format!("@{group}")]);
        assert!(by_group.admit(SocketRole::Control, uid, gid).is_ok());
        assert!(by_group.admit(SocketRole::View, uid, gid).is_ok(), "whoever may act may look");
        assert_eq!(by_group.mode(SocketRole::View), 0o666);
    }
}
