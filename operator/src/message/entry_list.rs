//! Lists of agents in a frame. An identity that several of them share is sent, and held, once.
//!
//! ```text
//! [ identities, [ [id, agent, pid, place among the identities, vitals, work], … ] ]
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use heartline_vocabulary::{AgentRowId, Identity, SharedIdentity};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AgentEntry, AgentVitals, RecentWork};

#[derive(Serialize)]
struct EncodedList<'a> {
    identities: Vec<&'a SharedIdentity>,
    entries: Vec<EncodedEntry<'a>>,
}

#[derive(Serialize)]
struct EncodedEntry<'a> {
    id: AgentRowId,
    agent: &'a str,
    pid: Option<u32>,
    identity: usize,
    vitals: &'a AgentVitals,
    work: &'a RecentWork,
}

#[derive(Deserialize)]
struct DecodedList {
    identities: Vec<Arc<SharedIdentity>>,
    entries: Vec<DecodedEntry>,
}

#[derive(Deserialize)]
struct DecodedEntry {
    id: AgentRowId,
    agent: String,
    pid: Option<u32>,
    identity: usize,
    vitals: AgentVitals,
    work: RecentWork,
}

pub(super) fn serialize<S: Serializer>(
    entries: &[AgentEntry],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let (mut identities, mut places) = (Vec::new(), HashMap::new());
    let mut encoded = Vec::with_capacity(entries.len());
    for AgentEntry { id, agent, identity: Identity { pid, shared }, vitals, work } in entries {
        let identity = *places.entry(Arc::as_ptr(shared)).or_insert_with(|| {
            identities.push(&**shared);
            identities.len() - 1
        });
        encoded.push(EncodedEntry { id: *id, agent, pid: *pid, identity, vitals, work });
    }
    EncodedList { identities, entries: encoded }.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<AgentEntry>, D::Error> {
    let DecodedList { identities, entries } = DecodedList::deserialize(deserializer)?;
    let decode = |entry| {
        let DecodedEntry { id, agent, pid, identity, vitals, work } = entry;
        let shared = identities.get(identity).cloned().ok_or_else(|| {
            D::Error::custom(format_args!(
                "agent {agent} has identity {identity} of {}",
                identities.len()
            ))
        })?;
        Ok(AgentEntry { id, agent, identity: Identity { pid, shared }, vitals, work })
    };
    entries.into_iter().map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{CollectorStatus, SubscriptionUpdate};
    use crate::sample;

    fn page(entries: Vec<AgentEntry>) -> SubscriptionUpdate {
        let collector = Box::<CollectorStatus>::default();
        SubscriptionUpdate::Page { entries, collector, last: true }
    }

    #[test]
    fn an_identity_that_agents_share_is_sent_and_held_once() {
        let mut entries = vec![sample::healthy_agent(1, "a"), sample::healthy_agent(2, "b")];
        let separate = rmp_serde::to_vec(&page(entries.clone())).unwrap().len();
        entries[1].identity.shared = Arc::clone(&entries[0].identity.shared);
        let encoded = rmp_serde::to_vec(&page(entries.clone())).unwrap();
        assert!(encoded.len() < separate, "{} bytes, {separate} without sharing", encoded.len());
        let decoded: SubscriptionUpdate = rmp_serde::from_slice(&encoded).unwrap();
        assert_eq!(decoded, page(entries));
        let SubscriptionUpdate::Page { entries, .. } = decoded else { panic!("{decoded:?}") };
        assert!(Arc::ptr_eq(&entries[0].identity.shared, &entries[1].identity.shared));
    }

    #[test]
    fn an_identity_that_is_not_there_is_refused() {
        let entry = sample::healthy_agent(1, "a");
        let AgentEntry { id, agent, identity, vitals, work } = &entry;
        let entry = EncodedEntry { id: *id, agent, pid: None, identity: 1, vitals, work };
        let list = EncodedList { identities: vec![&identity.shared], entries: vec![entry] };
        let encoded = rmp_serde::to_vec(&list).unwrap();
        let error = deserialize(&mut rmp_serde::Deserializer::new(&encoded[..])).unwrap_err();
        assert!(error.to_string().contains("agent a has identity 1 of 1"), "{error}");
    }
}
