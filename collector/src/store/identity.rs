//! An agent's identity as `control.db` keeps it: a MessagePack map, which later versions may add to.

use heartline_fleet::IdentityInterner;
use heartline_vocabulary::Identity;

/// Encodes an identity for the database.
pub(super) fn encode(identity: &Identity) -> Vec<u8> {
    rmp_serde::to_vec_named(identity).expect("texts and numbers can always be encoded")
}

/// Decodes an identity; `None` if the bytes are not one: the agent will send it again.
pub(super) fn decode(bytes: &[u8], interner: &mut IdentityInterner) -> Option<Identity> {
    Some(interner.intern(&rmp_serde::from_slice(bytes).ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use heartline_vocabulary::SharedIdentity;

    use super::*;

    #[test]
    fn round_trip_with_everything_shared() {
        let about = SharedIdentity {
            host: Some("machine-3".into()),
            sdk: Some("rust 0.1.0".into()),
            labels: vec![("tag".into(), "prod".into())],
            depends: vec!["mail.1".into()],
            ..SharedIdentity::default()
        };
        let identity = Identity { pid: Some(4_411), shared: about.into() };
        let mut identities = IdentityInterner::default();
        let bytes = encode(&identity);
        let mut decoded = || decode(&bytes, &mut identities).unwrap();
        let (one, two) = (decoded(), decoded());
        assert_eq!(one, identity);
        assert!(Arc::ptr_eq(&one.shared, &two.shared));
    }

    #[test]
    fn garbage_is_no_identity() {
        assert_eq!(decode(&[0xc1, 0, 1], &mut IdentityInterner::default()), None);
    }
}
