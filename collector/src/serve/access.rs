//! Access control of operators: file modes and peer credentials decide, nothing else.

use heartline_config::AccessLists;
use heartline_operator::{CONTROL_SOCKET, VIEW_SOCKET};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// The rights of a socket's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketRole {
    /// Read.
    View,
    /// Read, kill, resume, forget, change tokens.
    Control,
}

impl SocketRole {
    /// Returns the name of the socket's file.
    pub fn socket_name(self) -> &'static str {
        match self {
            Self::View => VIEW_SOCKET,
            Self::Control => CONTROL_SOCKET,
        }
    }
}

/// The users that may connect to each socket.
#[derive(Clone, Debug)]
pub struct AccessPolicy {
    lists: AccessLists,
    own_uid: u32,
}

impl AccessPolicy {
    /// Creates the policy of the configured lists, for a collector of this user.
    pub fn new(lists: AccessLists) -> Self {
        Self { lists, own_uid: Uid::effective().as_raw() }
    }

    /// Returns the permission bits of a socket: closed to others unless the config names some.
    pub fn mode(&self, role: SocketRole) -> u32 {
        if self.listed(role).next().is_some() { 0o666 } else { 0o600 }
    }

    /// Authorizes a peer by its credentials; returns its user name, or `uid 1234` where it has none.
    ///
    /// # Errors
    /// A sentence for the peer: who it is, and what to do.
    pub fn authorize(&self, role: SocketRole, uid: u32, gid: u32) -> Result<String, String> {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let name = user.as_ref().map_or_else(|| format!("uid {uid}"), |user| user.name.clone());
        if uid == 0 || uid == self.own_uid {
            return Ok(name);
        }
        let is_listed = |name: &str| match name.strip_prefix('@') {
            Some(group) => is_member(user.as_ref(), gid, group),
            None => user.as_ref().is_some_and(|user| user.name == name),
        };
        if self.listed(role).any(is_listed) {
            return Ok(name);
        }
        let (what, key) = match role {
            SocketRole::View => ("view this fleet", "view"),
            SocketRole::Control => ("control this fleet", "control"),
        };
        Err(format!("{name} may not {what}: ask for an entry in [access] {key} of its config"))
    }

    fn listed(&self, role: SocketRole) -> impl Iterator<Item = &str> {
        let AccessLists { view, control } = &self.lists;
        // Control includes view.
        let view = if role == SocketRole::View { &**view } else { &[] };
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

    fn access(view: &[&str], control: &[&str]) -> AccessPolicy {
        let owned = |list: &[&str]| {
            list.iter().map(|name| ConfigString(UserOrGroup(name.to_string()))).collect()
        };
        let rules = AccessLists { view: owned(view), control: owned(control) };
        AccessPolicy { lists: rules, own_uid: 4_000_000 }
    }

    #[test]
    fn only_listed_users_are_authorized() {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
        let group = Group::from_gid(nobody.gid).unwrap().unwrap().name;
        let shut = access(&[], &[]);
        assert_eq!((shut.mode(SocketRole::View), shut.mode(SocketRole::Control)), (0o600, 0o600));
        assert!(shut.authorize(SocketRole::View, uid, gid).unwrap_err().contains("nobody"));
        assert!(shut.authorize(SocketRole::Control, 0, 0).is_ok(), "root always may");
        assert!(
            shut.authorize(SocketRole::Control, 4_000_000, 1).is_ok(),
            "its own user always may"
        );
        let by_name = access(&["nobody"], &[]);
        assert!(by_name.authorize(SocketRole::View, uid, gid).is_ok());
        assert!(by_name.authorize(SocketRole::Control, uid, gid).is_err());
        let by_group = access(&[], &[&format!("@{group}")]);
        assert!(by_group.authorize(SocketRole::Control, uid, gid).is_ok());
        assert!(by_group.authorize(SocketRole::View, uid, gid).is_ok(), "control includes view");
        assert_eq!(by_group.mode(SocketRole::View), 0o666);
    }
}
