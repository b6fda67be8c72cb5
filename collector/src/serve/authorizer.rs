//! Looks up who a peer is, without holding up others: name services may be slow.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heartline_fleet::MonoTime;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::access::{AccessPolicy, PeerCredentials, PeerRights};
use crate::clock;

/// Longest wait for the name service.
const LOOKUP_WITHIN: Duration = Duration::from_secs(2);
/// Longest wait for the name of root or the collector's own user, whose rights are known.
const OWNER_LOOKUP_WITHIN: Duration = Duration::from_millis(250);
/// Most users that are looked up at once.
const LOOKUPS_MAX: usize = 16;
/// How long an answer is believed, and the age from which on it is looked up again meanwhile.
const KNOWN_FOR: Duration = Duration::from_secs(60);
const REFRESH_AFTER: Duration = Duration::from_secs(30);
/// Most answers that are kept.
const KNOWN_MAX: usize = 1_024;

type LookUp = dyn Fn(&AccessPolicy, PeerCredentials) -> PeerRights + Send + Sync;

/// Finds out what peers may do. Cheap to clone.
#[derive(Clone)]
pub struct PeerAuthorizer {
    state: Arc<Mutex<AuthorizerState>>,
    look_up: Arc<LookUp>,
}

struct AuthorizerState {
    policy: watch::Receiver<AccessPolicy>,
    /// Counts the policies, so that an answer to an older one is not kept.
    policy_number: u64,
    known: BTreeMap<PeerCredentials, (PeerRights, MonoTime)>,
    pending: BTreeMap<PeerCredentials, watch::Receiver<Option<PeerRights>>>,
}

impl AuthorizerState {
    /// Returns what a peer is known by: all groups of root and the collector's own user are one.
    fn key(&self, peer: PeerCredentials) -> PeerCredentials {
        let is_owner = self.policy.borrow().is_owner(peer.uid);
        PeerCredentials { gid: if is_owner { 0 } else { peer.gid }, ..peer }
    }
}

/// The name service gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("the name service of this machine did not say who uid {uid} is: try again")]
pub struct LookupError {
    uid: u32,
}

impl PeerAuthorizer {
    /// Creates an authorizer for a policy that may change.
    pub fn new(policy: watch::Receiver<AccessPolicy>) -> Self {
        Self::with_lookup(policy, Arc::new(AccessPolicy::rights_of))
    }

    fn with_lookup(policy: watch::Receiver<AccessPolicy>, look_up: Arc<LookUp>) -> Self {
        let state = AuthorizerState {
            policy,
            policy_number: 0,
            known: BTreeMap::new(),
            pending: BTreeMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)), look_up }
    }

    /// Returns true for root and the collector's own user.
    pub fn is_owner(&self, uid: u32) -> bool {
        self.lock().policy.borrow().is_owner(uid)
    }

    /// Looks up the users that are most likely to come, so that they are known when they do. Must run
    /// in a tokio runtime.
    pub fn prefetch(&self) {
        let own_uid = self.lock().policy.borrow().own_uid();
        for uid in [0, own_uid] {
            self.start_lookup(PeerCredentials { uid, gid: 0 });
        }
    }

    /// Returns what a peer may do, if it was looked up lately; root and the collector's own user keep
    /// their rights and names.
    pub fn known(&self, peer: PeerCredentials) -> Option<PeerRights> {
        let (rights, age) = {
            let state = self.lock();
            let peer = state.key(peer);
            let (rights, at) = state.known.get(&peer)?;
            let age = clock::now().since(*at);
            let is_believed = age < KNOWN_FOR || state.policy.borrow().is_owner(peer.uid);
            (is_believed.then(|| rights.clone())?, age)
        };
        if age >= REFRESH_AFTER {
            self.start_lookup(peer);
        }
        Some(rights)
    }

    /// Returns what a peer may do.
    ///
    /// # Errors
    /// An error when there is no answer in time. Root and the collector's own user need none.
    pub async fn rights_of(&self, peer: PeerCredentials) -> Result<PeerRights, LookupError> {
        if let Some(rights) = self.known(peer) {
            return Ok(rights);
        }
        let owner = self.lock().policy.borrow().rights_of_owner(peer);
        let within = if owner.is_some() { OWNER_LOOKUP_WITHIN } else { LOOKUP_WITHIN };
        let found = match self.start_lookup(peer) {
            Some(mut answer) => {
                let answered = timeout(within, answer.wait_for(Option::is_some)).await;
                answered.ok().and_then(|answer| answer.ok()?.clone())
            }
            None => None,
        };
        found.or(owner).ok_or(LookupError { uid: peer.uid })
    }

    /// Returns where the answer will be; `None` when too many others are looked up.
    fn start_lookup(&self, peer: PeerCredentials) -> Option<watch::Receiver<Option<PeerRights>>> {
        let mut state = self.lock();
        let peer = state.key(peer);
        if let Some(pending) = state.pending.get(&peer) {
            return Some(pending.clone());
        }
        if state.pending.len() >= LOOKUPS_MAX {
            return None;
        }
        let (answer, pending) = watch::channel(None);
        state.pending.insert(peer, pending.clone());
        let (policy, number) = (state.policy.borrow().clone(), state.policy_number);
        let (this, look_up) = (self.clone(), Arc::clone(&self.look_up));
        tokio::spawn(async move {
            let found = spawn_blocking(move || look_up(&policy, peer)).await.ok();
            this.finish_lookup(peer, number, found.as_ref());
            answer.send_replace(found);
        });
        Some(pending)
    }

    fn finish_lookup(&self, peer: PeerCredentials, number: u64, found: Option<&PeerRights>) {
        let mut state = self.lock();
        if state.policy_number != number {
            return;
        }
        state.pending.remove(&peer);
        if state.known.len() >= KNOWN_MAX {
            state.known.clear();
        }
        if let Some(rights) = found {
            state.known.insert(peer, (rights.clone(), clock::now()));
        }
    }

    /// Locks the state, and forgets all answers when the policy has changed.
    fn lock(&self) -> MutexGuard<'_, AuthorizerState> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.policy.has_changed().unwrap_or(false) {
            state.policy.mark_unchanged();
            state.policy_number += 1;
            state.known.clear();
            state.pending.clear();
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;
    use crate::serve::access::SocketRole;
    use crate::serve::access::tests::policy;

    const STRANGER: PeerCredentials = PeerCredentials { uid: 77, gid: 77 };
    const ROOT: PeerCredentials = PeerCredentials { uid: 0, gid: 0 };

    fn rights(name: &str, role: Option<SocketRole>) -> PeerRights {
        PeerRights { name: name.into(), role }
    }

    #[tokio::test]
    async fn a_name_service_that_hangs_holds_up_neither_the_runtime_nor_the_owner() {
        let (_policy, policies) = watch::channel(policy(&[], &[]));
        let (release, hanging) = mpsc::channel::<()>();
        let hanging = Mutex::new(hanging);
        let authorizer = PeerAuthorizer::with_lookup(
            policies,
            Arc::new(move |_, _| {
                let _ = hanging.lock().unwrap().recv();
                rights("late", Some(SocketRole::View))
            }),
        );
        // Both run on the one thread of this runtime.
        let (stranger, root) =
            tokio::join!(authorizer.rights_of(STRANGER), authorizer.rights_of(ROOT));
        assert_eq!(root.unwrap(), rights("uid 0", Some(SocketRole::Control)));
        assert!(stranger.unwrap_err().to_string().contains("uid 77"));
        drop(release);
        let late = authorizer.rights_of(STRANGER).await.unwrap();
        assert_eq!(late, rights("late", Some(SocketRole::View)), "the answer was only late");
    }

    #[tokio::test]
    async fn a_user_is_looked_up_once_for_each_policy() {
        let (policies_in, policies) = watch::channel(policy(&[], &[]));
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let authorizer = PeerAuthorizer::with_lookup(
            policies,
            Arc::new(move |_, _| {
                counted.fetch_add(1, Ordering::SeqCst);
                rights("dev", None)
            }),
        );
        let (first, second) =
            tokio::join!(authorizer.rights_of(STRANGER), authorizer.rights_of(STRANGER));
        assert_eq!((first.unwrap(), second.unwrap().role), (rights("dev", None), None));
        assert_eq!(authorizer.known(STRANGER), Some(rights("dev", None)));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        policies_in.send_replace(policy(&["dev"], &[]));
        assert_eq!(authorizer.known(STRANGER), None, "the lists have changed");
        authorizer.rights_of(STRANGER).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }
}
