//! The places of operators' connections: how many there may be, of whom, and which is closed for a
//! newer one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::access::{PeerCredentials, PeerRights, SocketRole};

/// Limits on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections that have not greeted yet.
    pub greeting: usize,
    /// Connections that have.
    pub total: usize,
    /// Part of `total` that only root and the collector's own user may take, on the control socket.
    pub reserved: usize,
    /// Part of `total` that one user may take.
    pub per_user: usize,
}

/// Descriptors that are kept for everything but connections: sockets, databases, their readers, and
/// connections that are about to be closed.
const DESCRIPTORS_KEPT: u64 = 256;
const TOTAL_MAX: u64 = 256;
const GREETING_MAX: u64 = 4_096;
const CONNECTIONS_MIN: u64 = 16;

impl ConnectionLimits {
    /// Returns the limits of a process that may have so many open descriptors.
    pub fn for_descriptors(limit: u64) -> Self {
        let spare = limit.saturating_sub(DESCRIPTORS_KEPT);
        let total = (spare / 2).clamp(CONNECTIONS_MIN, TOTAL_MAX);
        let greeting = spare.saturating_sub(total).clamp(CONNECTIONS_MIN, GREETING_MAX) as usize;
        let total = total as usize;
        Self { greeting, total, reserved: total / 8, per_user: total / 4 }
    }
}

/// The places that a connection may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceClass {
    General,
    /// Those of root and the collector's own user, too.
    Reserved,
}

/// What a connection that has greeted does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It has no request under way.
    Idle,
    /// It is being answered, or is subscribed.
    Busy,
}

/// Why a connection loses its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// A newer connection needs it.
    Replaced,
    /// Its user has other rights now.
    AccessChanged,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    #[error("{0} connections of this user have requests under way: close some, or try again later")]
    User(usize),
    #[error("{0} operators have requests under way: try again later")]
    Total(usize),
}

/// The places of both sockets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConnectionPlaces {
    limits: ConnectionLimits,
    table: Arc<Mutex<PlaceTable>>,
}

#[derive(Debug, Default)]
struct PlaceTable {
    /// Connections that have not greeted yet, by user, oldest first.
    greeting: BTreeMap<u32, BTreeMap<u64, PlaceEntry>>,
    greeting_count: usize,
    greeted: BTreeMap<u64, PlaceEntry>,
    /// Counts everything that connections do: the lowest number was idle for the longest time.
    clock: u64,
}

#[derive(Debug)]
struct PlaceEntry {
    peer: PeerCredentials,
    socket: SocketRole,
    class: PlaceClass,
    /// The rights of the connection, once its user was looked up.
    role: Option<SocketRole>,
    activity: Activity,
    active_at: u64,
    eviction: watch::Sender<Option<Eviction>>,
}

/// The place of one connection, given back when this is dropped, also by a panic.
#[derive(Debug)]
pub struct ConnectionPlace {
    places: ConnectionPlaces,
    id: u64,
    uid: u32,
    eviction: watch::Receiver<Option<Eviction>>,
}

impl ConnectionPlaces {
    pub fn new(limits: ConnectionLimits) -> Self {
        Self { limits, table: Arc::default() }
    }

    /// Returns how many connections have greeted and are open, and how many may be.
    pub fn count(&self) -> (u32, u32) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (count(self.lock().greeted.len()), count(self.limits.total))
    }

    /// Takes a place for a connection that has not greeted yet. Where all are taken, the oldest
    /// connection of the user that has the most of them is closed.
    pub fn take(
        &self,
        peer: PeerCredentials,
        socket: SocketRole,
        class: PlaceClass,
    ) -> ConnectionPlace {
        let mut table = self.lock();
        if table.greeting_count >= self.limits.greeting {
            table.evict_greeting();
        }
        let (id, (evict, eviction)) = (table.tick(), watch::channel(None));
        let entry = PlaceEntry {
            peer,
            socket,
            class,
            role: None,
            activity: Activity::Idle,
            active_at: id,
            eviction: evict,
        };
        table.greeting.entry(peer.uid).or_default().insert(id, entry);
        table.greeting_count += 1;
        ConnectionPlace { places: self.clone(), id, uid: peer.uid, eviction }
    }

    /// Returns all users that have a connection, each once.
    pub fn peers(&self) -> BTreeSet<PeerCredentials> {
        let table = self.lock();
        let greeting = table.greeting.values().flat_map(BTreeMap::values);
        greeting.chain(table.greeted.values()).map(|place| place.peer).collect()
    }

    /// Closes the connections of a user that have other rights than these, or none yet.
    pub fn evict_changed(&self, peer: PeerCredentials, rights: &PeerRights) {
        let table = self.lock();
        let greeting = table.greeting.values().flat_map(BTreeMap::values);
        for place in greeting.chain(table.greeted.values()).filter(|place| place.peer == peer) {
            // One whose user is being looked up may be given rights that are out of date.
            if place.role.is_none() || place.role != rights.over(place.socket).ok() {
                place.eviction.send_replace(Some(Eviction::AccessChanged));
            }
        }
    }

    /// A poisoned lock is used all the same: every change under it is one step.
    fn lock(&self) -> MutexGuard<'_, PlaceTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlaceTable {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn remove_greeting(&mut self, uid: u32, id: u64) -> Option<PlaceEntry> {
        let of_user = self.greeting.get_mut(&uid)?;
        let removed = of_user.remove(&id)?;
        if of_user.is_empty() {
            self.greeting.remove(&uid);
        }
        self.greeting_count -= 1;
        Some(removed)
    }

    /// Closes the oldest connection without a greeting of the user that has the most of them.
    fn evict_greeting(&mut self) {
        let most = self.greeting.iter().max_by_key(|(_, of_user)| of_user.len());
        let oldest = most.and_then(|(uid, of_user)| Some((*uid, *of_user.first_key_value()?.0)));
        let evicted = oldest.and_then(|(uid, id)| self.remove_greeting(uid, id));
        if let Some(place) = evicted {
            place.eviction.send_replace(Some(Eviction::Replaced));
        }
    }

    /// Closes that one of these connections which is idle for the longest time, if one is idle.
    fn evict_idle(&mut self, is_evictable: impl Fn(&PlaceEntry) -> bool) -> bool {
        let candidates = self.greeted.iter().filter(|(_, it)| is_evictable(it));
        let idle = candidates.filter(|(_, it)| it.activity == Activity::Idle);
        let Some(id) = idle.min_by_key(|(_, it)| it.active_at).map(|(id, _)| *id) else {
            return false;
        };
        if let Some(place) = self.greeted.remove(&id) {
            place.eviction.send_replace(Some(Eviction::Replaced));
        }
        true
    }
}

impl ConnectionPlace {
    /// Takes a place for a connection that has greeted. Where a user has too many, its connection
    /// that is idle for the longest time is closed; where all places are taken, root and the
    /// collector's own user have that of another user.
    ///
    /// # Errors
    /// [`NoPlace`] when none of them is idle.
    pub fn greet(&self) -> Result<(), NoPlace> {
        let ConnectionLimits { total, reserved, per_user, .. } = self.places.limits;
        let mut table = self.places.lock();
        // Closed meanwhile: there is nothing to move.
        let Some(mut place) = table.remove_greeting(self.uid, self.id) else { return Ok(()) };
        let is_same = |it: &PlaceEntry| it.peer.uid == self.uid;
        let of_user = table.greeted.values().filter(|it| is_same(it)).count();
        if of_user >= per_user && !table.evict_idle(is_same) {
            return Err(NoPlace::User(of_user));
        }
        let taken = table.greeted.len();
        let is_full = match place.class {
            PlaceClass::General => taken >= total - reserved,
            PlaceClass::Reserved => {
                taken >= total && !table.evict_idle(|it| it.class == PlaceClass::General)
            }
        };
        if is_full {
            return Err(NoPlace::Total(taken));
        }
        place.active_at = table.tick();
        table.greeted.insert(self.id, place);
        Ok(())
    }

    /// Records what the connection does.
    pub fn set_activity(&self, activity: Activity) {
        let mut table = self.places.lock();
        let active_at = table.tick();
        if let Some(place) = table.greeted.get_mut(&self.id) {
            (place.activity, place.active_at) = (activity, active_at);
        }
    }

    /// Records what the connection may do. Returns `false` when access has changed meanwhile: its user
    /// must be looked up again.
    pub fn try_set_role(&self, role: SocketRole) -> bool {
        let mut table = self.places.lock();
        let of_user = table.greeting.get_mut(&self.uid);
        let Some(place) = of_user.and_then(|of_user| of_user.get_mut(&self.id)) else {
            return true;
        };
        let mut is_current = true;
        place.eviction.send_if_modified(|eviction| {
            is_current = *eviction != Some(Eviction::AccessChanged);
            if !is_current {
                *eviction = None;
            }
            false
        });
        if is_current {
            place.role = Some(role);
        }
        is_current
    }

    /// Returns when the connection has to make room for a newer one.
    pub async fn replaced(&self) {
        let mut eviction = self.eviction.clone();
        // An error says that the place is gone.
        let _ = eviction.wait_for(|it| *it == Some(Eviction::Replaced)).await;
    }

    /// Returns when the connection loses its place, with the reason.
    pub async fn evicted(&self) -> Eviction {
        let mut eviction = self.eviction.clone();
        let evicted = eviction.wait_for(Option::is_some).await;
        // Its sender is gone with a place that was taken away.
        evicted.ok().and_then(|eviction| *eviction).unwrap_or(Eviction::Replaced)
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut table = self.places.lock();
        table.remove_greeting(self.uid, self.id);
        table.greeted.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ConnectionLimits =
        ConnectionLimits { greeting: 6, total: 8, reserved: 2, per_user: 4 };

    fn is_evicted(place: &ConnectionPlace) -> bool {
        place.eviction.borrow().is_some()
    }

    fn take(places: &ConnectionPlaces, uid: u32) -> ConnectionPlace {
        let class = if uid == 0 { PlaceClass::Reserved } else { PlaceClass::General };
        places.take(PeerCredentials { uid, gid: uid }, SocketRole::Control, class)
    }

    fn greeted(places: &ConnectionPlaces, uid: u32) -> Result<ConnectionPlace, NoPlace> {
        let place = take(places, uid);
        place.greet().map(|()| place)
    }

    #[test]
    fn connections_without_a_greeting_are_closed_for_newer_ones_of_the_same_user() {
        let places = ConnectionPlaces::new(LIMITS);
        let owner = take(&places, 0);
        let strangers: Vec<_> = (0..9).map(|_| take(&places, 7)).collect();
        let evicted: Vec<bool> = strangers.iter().map(is_evicted).collect();
        assert_eq!(evicted, [true, true, true, true, false, false, false, false, false]);
        assert!(!is_evicted(&owner), "who has the most makes room");
        owner.greet().unwrap();
        assert_eq!(places.lock().greeted.len(), 1);
    }

    #[test]
    fn the_connection_of_a_user_that_is_idle_for_longest_is_closed_for_its_next() {
        let places = ConnectionPlaces::new(LIMITS);
        let mine: Vec<_> = (0..4).map(|_| greeted(&places, 7).unwrap()).collect();
        mine[0].set_activity(Activity::Busy);
        mine[1].set_activity(Activity::Idle);
        let fifth = greeted(&places, 7).unwrap();
        assert!(is_evicted(&mine[2]), "it was never asked anything");
        for place in [&mine[1], &mine[3], &fifth] {
            place.set_activity(Activity::Busy);
        }
        assert_eq!(greeted(&places, 7).unwrap_err(), NoPlace::User(4));
        assert!(greeted(&places, 8).is_ok(), "others have places of their own");
    }

    #[test]
    fn places_are_kept_for_the_owner() {
        let places = ConnectionPlaces::new(LIMITS);
        let others: Vec<_> = (0..6).map(|at| greeted(&places, 10 + at / 3).unwrap()).collect();
        others.iter().for_each(|place| place.set_activity(Activity::Busy));
        assert_eq!(greeted(&places, 20).unwrap_err(), NoPlace::Total(6));
        let own: Vec<_> = (0..2).map(|_| greeted(&places, 0).unwrap()).collect();
        assert_eq!(greeted(&places, 0).unwrap_err(), NoPlace::Total(8));
        others[4].set_activity(Activity::Idle);
        let third = greeted(&places, 0).unwrap();
        assert!(is_evicted(&others[4]), "an idle operator is closed for the owner");
        drop((own, third));
    }

    #[test]
    fn a_task_that_panics_gives_its_place_back() {
        let places = ConnectionPlaces::new(LIMITS);
        let (one, two) = (take(&places, 7), greeted(&places, 7).unwrap());
        let panicked = std::thread::spawn(move || {
            let _places = (one, two);
            panic!("as a bug would");
        });
        assert!(panicked.join().is_err());
        let table = places.lock();
        assert_eq!((table.greeting_count, table.greeted.len()), (0, 0));
        assert!(table.greeting.is_empty());
    }

    #[test]
    fn a_user_whose_rights_have_changed_loses_the_connections_with_the_old_ones() {
        let places = ConnectionPlaces::new(LIMITS);
        let with_role = |uid, role| {
            let place = take(&places, uid);
            assert!(place.try_set_role(role));
            place.greet().unwrap();
            place
        };
        let controls = with_role(7, SocketRole::Control);
        let views = with_role(7, SocketRole::View);
        let other = with_role(8, SocketRole::Control);
        let peer = PeerCredentials { uid: 7, gid: 7 };
        let rights = PeerRights { name: "ann".into(), role: Some(SocketRole::View) };
        places.evict_changed(peer, &rights);
        assert!(is_evicted(&controls) && !is_evicted(&views) && !is_evicted(&other));
        places.evict_changed(peer, &PeerRights { role: None, ..rights });
        assert!(is_evicted(&views));
    }

    #[test]
    fn descriptors_are_kept_back_for_everything_else() {
        let limits = |limit| {
            let limits = ConnectionLimits::for_descriptors(limit);
            (limits.greeting, limits.total)
        };
        assert_eq!(limits(u64::MAX), (4_096, 256));
        assert_eq!(limits(1_024), (512, 256));
        assert_eq!(limits(300), (22, 22));
        assert_eq!(limits(64), (16, 16));
    }
}
