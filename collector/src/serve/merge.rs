//! Pieces of news, made one or made smaller.

use std::collections::BTreeSet;

use heartline_operator::message::{FleetDelta, Reply};

/// Adds later news to earlier ones, so that applying the sum (removed, then entries, then changed,
/// then work) comes to the same as applying both.
pub fn merge(earlier: &mut FleetDelta, later: FleetDelta) {
    let FleetDelta { collector, entries, changed, work, removed, events } = later;
    let replaced: BTreeSet<u32> =
        removed.iter().copied().chain(entries.iter().map(|entry| entry.key)).collect();
    let updated: BTreeSet<u32> = changed.iter().map(|change| change.key).collect();
    let reworked: BTreeSet<u32> = work.iter().map(|(key, ..)| *key).collect();
    earlier.entries.retain(|entry| !replaced.contains(&entry.key));
    earlier.changed.retain(|it| !replaced.contains(&it.key) && !updated.contains(&it.key));
    earlier.work.retain(|(key, ..)| !replaced.contains(key) && !reworked.contains(key));
    earlier.removed.extend(removed);
    earlier.entries.extend(entries);
    earlier.changed.extend(changed);
    earlier.work.extend(work);
    earlier.events.extend(events);
    earlier.collector = collector;
}

/// Makes two of an answer that is too long for one frame; `None`: it can't be split.
pub fn split(reply: Reply) -> Option<(Reply, Reply)> {
    match reply {
        Reply::Page { mut entries, collector, last } if entries.len() > 1 => {
            let rest = entries.split_off(entries.len() / 2);
            let first = Reply::Page { entries, collector: collector.clone(), last: false };
            Some((first, Reply::Page { entries: rest, collector, last }))
        }
        Reply::Changes(changes) => split_changes(changes),
        _ => None,
    }
}

/// The lists are applied in the order removed, entries, changed, work, events, so any cut of that
/// sequence gives two pieces that come to the same.
fn split_changes(mut first: FleetDelta) -> Option<(Reply, Reply)> {
    let total = first.removed.len()
        + first.entries.len()
        + first.changed.len()
        + first.work.len()
        + first.events.len();
    if total < 2 {
        return None;
    }
    let mut room = total / 2;
    let rest = FleetDelta {
        collector: first.collector.clone(),
        removed: cut(&mut first.removed, &mut room),
        entries: cut(&mut first.entries, &mut room),
        changed: cut(&mut first.changed, &mut room),
        work: cut(&mut first.work, &mut room),
        events: cut(&mut first.events, &mut room),
    };
    Some((Reply::Changes(first), Reply::Changes(rest)))
}

/// Leaves as much of a list as there is room for, and gives the rest.
fn cut<T>(list: &mut Vec<T>, room: &mut usize) -> Vec<T> {
    let rest = list.split_off(list.len().min(*room));
    *room -= list.len();
    rest
}

#[cfg(test)]
mod tests {
    use heartline_operator::message::{CollectorStatus, WorkWindow};
    use heartline_vocabulary::WorkTotals;

    use super::*;

    fn news(removed: &[u32], work: &[(u32, u64)]) -> FleetDelta {
        let work = work.iter().map(|&(key, ok)| {
            (key, WorkWindow { ok, ..WorkWindow::default() }, WorkTotals::default())
        });
        FleetDelta {
            collector: CollectorStatus::default(),
            entries: Vec::new(),
            changed: Vec::new(),
            work: work.collect(),
            removed: removed.to_vec(),
            events: Vec::new(),
        }
    }

    #[test]
    fn the_later_word_wins() {
        let mut sum = news(&[], &[(1, 10), (2, 20), (3, 30)]);
        merge(&mut sum, news(&[2], &[(1, 11)]));
        let left: Vec<(u32, u64)> = sum.work.iter().map(|(key, work, _)| (*key, work.ok)).collect();
        assert_eq!(left, [(3, 30), (1, 11)]);
        assert_eq!(sum.removed, [2]);
    }

    #[test]
    fn halves_come_to_the_whole_and_end_with_one() {
        let whole = news(&[7], &[(1, 10), (2, 20), (3, 30)]);
        let Some((Reply::Changes(first), Reply::Changes(rest))) =
            split(Reply::Changes(whole.clone()))
        else {
            panic!("four things make two halves");
        };
        assert_eq!((first.removed.len() + first.work.len(), rest.work.len()), (2, 2));
        assert_eq!([first.work, rest.work].concat(), whole.work);
        assert!(split(Reply::Changes(news(&[7], &[]))).is_none());
    }
}
