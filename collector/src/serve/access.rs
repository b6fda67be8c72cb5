//! Access control of operators: file modes and peer credentials decide, nothing else.

use heartline_config::AccessLists;
use heartline_operator::{CONTROL_SOCKET, VIEW_SOCKET};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

/// One of the two sockets, and the rights of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// The user behind a connection, as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerCredentials {
    pub uid: u32,
    pub gid: u32,
}

/// What a user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRights {
    /// Its name, or `uid 1234` where it has none.
    pub name: String,
    /// `None` for a user that no list names.
    pub role: Option<SocketRole>,
}

impl PeerRights {
    /// Returns the rights of a connection over a socket. Who may only view is served read-only over
    /// the control socket, too.
    ///
    /// # Errors
    /// A sentence for the peer: who it is, and what to do.
    pub fn over(&self, socket: SocketRole) -> Result<SocketRole, String> {
        self.role.map(|role| role.min(socket)).ok_or_else(|| {
            format!(
                "{} may not view this fleet: ask for an entry in [access] of its config",
                self.name
            )
        })
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

    /// Returns the user of the collector.
    pub fn own_uid(&self) -> u32 {
        self.own_uid
    }

    /// Returns true for root and the collector's own user, who may do everything.
    pub fn is_owner(&self, uid: u32) -> bool {
        uid == 0 || uid == self.own_uid
    }

    /// Returns true when the lists name anybody.
    pub fn names_others(&self) -> bool {
        self.listed(SocketRole::View).next().is_some()
    }

    /// Returns the permission bits of a socket: closed to others unless the config names some.
    pub fn mode(&self, socket: SocketRole) -> u32 {
        if self.listed(socket).next().is_some() { 0o666 } else { 0o600 }
    }

    /// Looks a user up. Asks the system's name service, which may take long.
    pub fn rights_of(&self, peer: PeerCredentials) -> PeerRights {
        let user = User::from_uid(Uid::from_raw(peer.uid)).ok().flatten();
        let is_listed = |name: &str| match name.strip_prefix('@') {
            Some(group) => is_member(user.as_ref(), peer.gid, group),
            None => user.as_ref().is_some_and(|user| user.name == name),
        };
        let role = [SocketRole::Control, SocketRole::View]
            .into_iter()
            .find(|role| self.is_owner(peer.uid) || self.listed(*role).any(is_listed));
        let name = user.map_or_else(|| nameless(peer.uid), |user| user.name);
        PeerRights { name, role }
    }

    /// Returns the rights of root and the collector's own user without their name; `None` for others.
    pub fn rights_of_owner(&self, peer: PeerCredentials) -> Option<PeerRights> {
        let role = Some(SocketRole::Control);
        self.is_owner(peer.uid).then(|| PeerRights { name: nameless(peer.uid), role })
    }

    fn listed(&self, role: SocketRole) -> impl Iterator<Item = &str> {
        let AccessLists { view, control } = &self.lists;
        // Control includes view.
        let view = if role == SocketRole::View { &**view } else { &[] };
        view.iter().chain(control).map(|name| name.0.0.as_str())
    }
}

fn nameless(uid: u32) -> String {
    format!("uid {uid}")
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
pub(super) mod tests {
    use heartline_config::{ConfigString, UserOrGroup};

    use super::*;

    pub(crate) fn policy(view: &[&str], control: &[&str]) -> AccessPolicy {
        let owned = |list: &[&str]| {
            list.iter().map(|name| ConfigString(UserOrGroup(name.to_string()))).collect()
        };
        let lists = AccessLists { view: owned(view), control: owned(control) };
        AccessPolicy { lists, own_uid: 4_000_000 }
    }

    fn nobody() -> (PeerCredentials, String) {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        let group = Group::from_gid(nobody.gid).unwrap().unwrap().name;
        (PeerCredentials { uid: nobody.uid.as_raw(), gid: nobody.gid.as_raw() }, group)
    }

    #[test]
    fn only_listed_users_have_rights() {
        let (peer, group) = nobody();
        let shut = policy(&[], &[]);
        assert_eq!((shut.mode(SocketRole::View), shut.mode(SocketRole::Control)), (0o600, 0o600));
        let refused = shut.rights_of(peer).over(SocketRole::View).unwrap_err();
        assert!(refused.contains("nobody") && refused.contains("[access]"), "{refused}");
        for uid in [0, 4_000_000] {
            let owner = PeerCredentials { uid, gid: 1 };
            assert_eq!(shut.rights_of(owner).role, Some(SocketRole::Control));
            assert_eq!(shut.rights_of_owner(owner).unwrap().role, Some(SocketRole::Control));
        }
        assert_eq!(shut.rights_of_owner(peer), None);
        let by_group = policy(&[], &[&format!("@{group}")]);
        assert_eq!(by_group.rights_of(peer).role, Some(SocketRole::Control));
        assert_eq!(by_group.mode(SocketRole::View), 0o666, "control includes view");
    }

    #[test]
    fn who_may_only_view_is_read_only_over_both_sockets() {
        let (peer, _) = nobody();
        let by_name = policy(&["nobody"], &["root"]);
        let rights = by_name.rights_of(peer);
        for socket in [SocketRole::View, SocketRole::Control] {
            assert_eq!(rights.over(socket), Ok(SocketRole::View));
        }
        assert_eq!(by_name.mode(SocketRole::Control), 0o666, "so it gets as far as the greeting");
        let control = PeerRights { name: "ann".into(), role: Some(SocketRole::Control) };
        assert_eq!(control.over(SocketRole::View), Ok(SocketRole::View));
        assert_eq!(control.over(SocketRole::Control), Ok(SocketRole::Control));
    }
}
