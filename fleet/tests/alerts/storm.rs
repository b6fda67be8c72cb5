//! A ceiling on what one sink is told.

use heartline_vocabulary::NoticeKind;

use crate::world::{TestAgent, World};

const NAMES: [&str; 60] = [
    "s00", "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12",
    "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25",
    "s26", "s27", "s28", "s29", "s30", "s31", "s32", "s33", "s34", "s35", "s36", "s37", "s38",
    "s39", "s40", "s41", "s42", "s43", "s44", "s45", "s46", "s47", "s48", "s49", "s50", "s51",
    "s52", "s53", "s54", "s55", "s56", "s57", "s58", "s59",
];

#[test]
fn what_is_beyond_the_ceiling_is_told_in_lists_and_their_end_as_well() {
    let mut world = World::new();
    world.add(&NAMES, &TestAgent::every_s(10));
    // One every 20 s: too far apart to be one cause.
    for agent in &NAMES[..15] {
        world.lose(&[agent]);
        world.run_s(20);
    }
    world.run_s(600);
    let notices = world.raw_notices();
    let opened = notices.iter().filter(|it| it.kind == NoticeKind::Opened).count();
    let lists: Vec<_> = notices.iter().filter(|it| it.kind == NoticeKind::Digest).collect();
    assert_eq!((opened, lists.len()), (10, 1));
    assert_eq!(lists[0].listed.len(), 5);
    world.heal(&NAMES[..15]);
    world.run_s(600);
    let notices = world.raw_notices();
    assert_eq!(notices.len(), 11, "ten by themselves, and the list");
    let last = notices.last().unwrap();
    assert_eq!((last.kind, last.listed.len()), (NoticeKind::Digest, 5));
    assert_eq!(last.id.incident, lists[0].id.incident);
    assert!(last.listed.iter().all(|it| it.incident.ended.is_some()));
}
