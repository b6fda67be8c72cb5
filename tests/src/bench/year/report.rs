//! The tables of the year.

use heartline_vocabulary::Reason;

use super::site::{DAY_MS, HOUR_MS, SECOND_MS, agent_name};
use super::truth::{Attention, Fault, FaultId, FaultKind, Truth};
use super::watch::{Message, TELLERS, Teller, Told, Watch};
use crate::result_table::ResultTable;

/// Selects faults.
type FaultFilter = fn(&Fault) -> bool;

impl Teller {
    const fn title(self) -> &'static str {
        match self {
            Self::Heartline => "Heartline",
            Self::Alertmanager => "Alertmanager's defaults",
            Self::EachTransition => "a message a transition",
        }
    }
}

/// Prints what people got, what was false of it, and what was missed.
pub(super) fn print(watch: &Watch, days: u64) {
    messages(watch, days).print();
    println!();
    faults(watch).print();
    println!();
    alarms(watch).print();
}

/// Prints the faults of which the chat heard nothing.
pub(super) fn print_missed(watch: &Watch) {
    let told = &watch.told[Teller::Heartline as usize];
    for id in needed(&watch.truth, |_| true) {
        if !told.first_word_ms.contains_key(&id) {
            let Fault { kind, members, begin_ms, end_ms, .. } = &watch.truth.faults[id];
            let names: Vec<String> = members.iter().map(|&agent| agent_name(agent)).collect();
            let (begin, end) = (begin_ms / HOUR_MS, end_ms / HOUR_MS);
            println!("missed: {kind:?} of {}, from hour {begin} to {end}", names.join(", "));
        }
    }
}

fn messages(watch: &Watch, days: u64) -> ResultTable {
    let mut table = ResultTable::new(&[
        "messages to a person",
        "chat",
        "of it reminders",
        "a day, median",
        "worst day",
        "false",
        "missed faults",
        "first word s, median",
        "p95",
        "pager",
        "a day, median",
        "worst day",
        "false",
    ]);
    for teller in TELLERS {
        let told = &watch.told[teller as usize];
        let (chat_median, chat_worst) = a_day(&told.chat, days);
        let (pager_median, pager_worst) = a_day(&told.pager, days);
        let reminders = told.chat.iter().filter(|message| message.is_reminder).count();
        let needed: Vec<FaultId> = needed(&watch.truth, |_| true);
        let delays = delays(told, &watch.truth, &needed);
        table.row(&[
            teller.title().to_owned(),
            told.chat.len().to_string(),
            reminders.to_string(),
            chat_median.to_string(),
            chat_worst.to_string(),
            count_false(&told.chat, &watch.truth).to_string(),
            (needed.len() - delays.len()).to_string(),
            quantile(&delays, 50),
            quantile(&delays, 95),
            told.pager.len().to_string(),
            pager_median.to_string(),
            pager_worst.to_string(),
            count_false(&told.pager, &watch.truth).to_string(),
        ]);
    }
    table
}

/// Returns how many faults of each kind there were, and how soon they were told.
fn faults(watch: &Watch) -> ResultTable {
    let mut headings = vec!["faults that somebody must be told", "number"];
    for _ in TELLERS {
        headings.extend(["missed", "first word s, median", "p95"]);
    }
    let mut table = ResultTable::new(&headings);
    let kinds: [(&str, FaultFilter); 9] = [
        ("an agent is gone", |it| it.kind == FaultKind::Silence && it.members.len() == 1),
        ("a host is gone", |it| it.kind == FaultKind::Silence && it.members.len() > 1),
        ("the network of one comes and goes", |it| it.kind == FaultKind::Flapping),
        ("crash loop", |it| it.kind == FaultKind::CrashLoop),
        ("a task hangs", |it| it.kind == FaultKind::Hang),
        ("90 % of one's tasks fail", |it| it.kind == FaultKind::Failing && it.members.len() == 1),
        ("a group's upstream is out", |it| it.kind == FaultKind::Failing && it.members.len() > 1),
        ("five times slower", |it| it.kind == FaultKind::Slow),
        ("no work comes", |it| it.kind == FaultKind::NoWork),
    ];
    for (title, is_of_kind) in kinds {
        let needed = needed(&watch.truth, is_of_kind);
        let mut cells = vec![title.to_owned(), needed.len().to_string()];
        for teller in TELLERS {
            let delays = delays(&watch.told[teller as usize], &watch.truth, &needed);
            cells.push((needed.len() - delays.len()).to_string());
            cells.extend([quantile(&delays, 50), quantile(&delays, 95)]);
        }
        table.row(&cells);
    }
    table
}

/// Returns how often agents were judged so, and what that was.
fn alarms(watch: &Watch) -> ResultTable {
    let mut table = ResultTable::new(&[
        "judged as",
        "in all",
        "a fault",
        "over by itself",
        "nothing",
        "false in the chat",
        "on the pager",
    ]);
    let told = &watch.told[Teller::Heartline as usize];
    let falsely = |messages: &[Message], reason: Reason| {
        let of_reason = messages.iter().filter(|it| it.reason == Some(reason));
        of_reason.filter(|it| it.is_false(&watch.truth)).count().to_string()
    };
    for (reason, count) in &watch.alarms {
        table.row(&[
            format!("{reason:?}").to_lowercase(),
            (count.of_faults + count.of_disturbances + count.of_nothing).to_string(),
            count.of_faults.to_string(),
            count.of_disturbances.to_string(),
            count.of_nothing.to_string(),
            falsely(&told.chat, *reason),
            falsely(&told.pager, *reason),
        ]);
    }
    table
}

fn needed(truth: &Truth, is_of_kind: impl Fn(&Fault) -> bool) -> Vec<FaultId> {
    let faults = truth.faults.iter().enumerate();
    let needed = faults.filter(|(_, it)| it.attention() == Attention::Needed && is_of_kind(it));
    needed.map(|(id, _)| id).collect()
}

/// Returns how long after their begin those of `faults` that were told were told, the shortest first.
fn delays(told: &Told, truth: &Truth, faults: &[FaultId]) -> Vec<u64> {
    let first = |id: &FaultId| {
        let at_ms = told.first_word_ms.get(id)?;
        Some(at_ms.saturating_sub(truth.faults[*id].begin_ms))
    };
    let mut delays: Vec<u64> = faults.iter().filter_map(first).collect();
    delays.sort_unstable();
    delays
}

fn quantile(sorted_ms: &[u64], percent: usize) -> String {
    let rank = (sorted_ms.len() * percent).div_ceil(100).saturating_sub(1);
    sorted_ms.get(rank).map_or("-".to_owned(), |ms| (ms / SECOND_MS).to_string())
}

fn count_false(messages: &[Message], truth: &Truth) -> usize {
    messages.iter().filter(|message| message.is_false(truth)).count()
}

/// Returns the median of the messages of a day, and the most.
fn a_day(messages: &[Message], days: u64) -> (usize, usize) {
    let mut by_day = vec![0; days as usize];
    for message in messages {
        let last = by_day.len() - 1;
        by_day[((message.at_ms / DAY_MS) as usize).min(last)] += 1;
    }
    by_day.sort_unstable();
    (by_day[by_day.len() / 2], *by_day.last().expect("there is a day"))
}
