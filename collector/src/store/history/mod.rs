//! `history.db`: events, sessions, and work.

mod agents;
mod batch;
mod event;
mod fold;
mod level;
mod meta;
mod open;
mod prune;
mod work;
mod writer;

pub(super) use agents::name_all;
pub(super) use fold::Marks;
pub(super) use level::Level;
pub(super) use meta::alive_at;
pub(super) use open::{begin_anew, open};
pub(super) use writer::{Parcel, Writer};
