//! The timeline and time travel, with a collector whose answers are computed from the sample fleet.

use heartline_operator::client::AccessMode;
use heartline_operator::message::*;
use heartline_operator::sample::{self, NOW_MS};
use heartline_vocabulary::{AgentStatus, GapCause, Reason};
use insta::assert_snapshot;

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::state::{FleetModel, Screen};
use crate::update::{AppEffect, AppEvent};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const FIRST_MS: i64 = NOW_MS - 40 * DAY;
/// The collector did not run then.
const GAP: (i64, i64) = (NOW_MS - 20 * MINUTE, NOW_MS - 17 * MINUTE);

/// The outages of the past, by number: agent, begin, end.
fn outage_times() -> Vec<(i64, &'static str, i64, Option<i64>)> {
    vec![
        (3, "inventory-sync", NOW_MS - 30 * DAY, Some(NOW_MS - 30 * DAY + 90_000)),
        (5, "report-generator", NOW_MS - 2 * HOUR, Some(NOW_MS - 2 * HOUR + 13 * MINUTE)),
        (6, "email-responder", NOW_MS - 35 * MINUTE - 7_200, Some(NOW_MS - 35 * MINUTE - 5_700)),
        (7, "report-generator", NOW_MS - 6 * MINUTE - 12_000, None),
    ]
}

fn outages() -> Vec<Outage> {
    let worst = |id| match id {
        6 => AgentStatus::degraded(Reason::Late),
        3 => AgentStatus::degraded(Reason::Stalled),
        _ => AgentStatus::unreachable(Reason::Silent),
    };
    let of = |(id, agent, start_ms, end_ms): (i64, &str, i64, Option<i64>)| Outage {
        id,
        agent: agent.to_owned(),
        start_ms,
        end_ms,
        worst: worst(id),
        notes: Vec::new(),
        ..sample::outages()[0].clone()
    };
    outage_times().into_iter().map(of).collect()
}

/// Answers as a collector would.
fn answer(agents: &[AgentEntry], now_ms: i64, request: &Request) -> Reply {
    match request {
        Request::Moment { at_ms } => Reply::Moment(MomentInfo {
            at_ms: *at_ms,
            first_ms: Some(FIRST_MS),
            gap: (GAP.0..GAP.1).contains(at_ms).then_some(PastGap {
                from_ms: GAP.0,
                to_ms: GAP.1,
                cause: GapCause::Down,
            }),
            agents: 20,
        }),
        Request::Timeline(query) => Reply::Timeline(Box::new(timeline(agents, now_ms, query))),
        Request::Outages(query) => {
            let mut found: Vec<Outage> = outages();
            found.retain(|it| {
                query.since_ms.is_none_or(|since| it.end_ms.is_none_or(|end| end > since))
                    && query.until_ms.is_none_or(|until| it.start_ms < until)
                    && query.agent.as_ref().is_none_or(|agent| *agent == it.agent)
                    && query.after.is_none_or(|after| it.id > after)
                    && query.before.is_none_or(|before| it.id < before)
            });
            if query.order == EventOrder::NewestFirst {
                found.reverse();
            }
            Reply::Outages { outages: found, next: None }
        }
        Request::Past { at_ms, .. } => {
            let past = |entry: &AgentEntry| PastAgent {
                id: entry.id,
                agent: entry.agent.clone(),
                identity: entry.identity.clone(),
                status: status_at(&entry.agent, *at_ms),
                since_ms: at_ms - HOUR,
                starts: 1,
                work: entry.work.clone(),
                is_work_of_hour: *at_ms < now_ms - 2 * DAY,
            };
            let agents = agents.iter().map(past).collect();
            let Reply::Moment(moment) = answer(&[], now_ms, &Request::Moment { at_ms: *at_ms })
            else {
                unreachable!()
            };
            Reply::Past(PastFleet { at_ms: *at_ms, gap: moment.gap, agents })
        }
        Request::Events(query) => {
            let mut events = sample::events();
            events.retain(|event| query.until_ms.is_none_or(|until| event.at_ms < until));
            Reply::Events { events, next: None }
        }
        Request::AgentHistory(_) => Reply::AgentHistory(Box::new(sample::agent_history())),
        other => panic!("not expected: {other:?}"),
    }
}

fn status_at(agent: &str, at_ms: i64) -> AgentStatus {
    let is_out = |it: &&(i64, &str, i64, Option<i64>)| {
        it.1 == agent && it.2 <= at_ms && it.3.is_none_or(|end_ms| at_ms < end_ms)
    };
    match outage_times().iter().find(is_out) {
        Some(it) => outages().into_iter().find(|outage| outage.id == it.0).unwrap().worst,
        None if agent == "scraper-eu" && at_ms > NOW_MS - 24 * MINUTE => {
            AgentStatus::killed(Reason::Operator)
        }
        None => AgentStatus::HEALTHY,
    }
}

/// Paints cells by looking at every tenth of them, or at each second.
fn timeline(agents: &[AgentEntry], now_ms: i64, query: &TimelineQuery) -> Timeline {
    let step_ms = (query.cell_ms / 60).max(500);
    let cell = |ids: &[heartline_vocabulary::AgentRowId], at: u32| {
        let mut sum = TimelineCell::default();
        let begin_ms = query.from_ms + i64::from(at) * query.cell_ms;
        for entry in agents.iter().filter(|entry| ids.contains(&entry.id)) {
            let mut one = TimelineCell::default();
            let mut at_ms = begin_ms.max(FIRST_MS);
            while at_ms < (begin_ms + query.cell_ms).min(now_ms) {
                let ms = step_ms.cast_unsigned();
                let status = status_at(&entry.agent, at_ms);
                let mut part = TimelineCell::default();
                if (GAP.0..GAP.1).contains(&at_ms) {
                    part.unobserved_ms = ms;
                } else {
                    (part.worst, part.worst_agents) = (Some(status), 1);
                    match precedence(status) {
                        1 => part.up_ms = ms,
                        5 | 6 => part.bad_ms = ms,
                        _ => part.other_ms = ms,
                    }
                }
                one.add(&part);
                one.worst_agents = one.worst_agents.min(1);
                at_ms += step_ms;
            }
            sum.add(&one);
        }
        sum
    };
    let row = |ids: &Vec<heartline_vocabulary::AgentRowId>| {
        let mut row = TimelineRow::default();
        (0..query.cells).for_each(|at| row.push(cell(ids, at)));
        row
    };
    let calm = agents.iter().find(|entry| entry.agent == "ticket-triage").unwrap().id;
    Timeline {
        from_ms: query.from_ms,
        cell_ms: query.cell_ms,
        now_ms,
        first_ms: Some(FIRST_MS),
        rows: query.rows.iter().map(row).collect(),
        collector: row(&vec![calm]),
    }
}

/// The app, whose questions about the past are answered.
struct TimelineHarness(AppHarness);

impl TimelineHarness {
    fn new(size: (u16, u16)) -> Self {
        Self::with(size, &TuiConfig::default())
    }

    fn with(size: (u16, u16), config: &TuiConfig) -> Self {
        let mut app = Self(AppHarness::unconnected(size, config));
        let effects = app.0.connect(AccessMode::Control);
        app.answer_all(effects);
        app
    }

    fn now_ms(&self) -> i64 {
        NOW_MS + i64::try_from(self.0.now_ms).unwrap() - 10_000
    }

    /// Answers every question, until there are no more; returns the other effects, and the number of answers.
    fn answer_all(&mut self, effects: Vec<AppEffect>) -> (Vec<AppEffect>, usize) {
        let (mut rest, mut questions, mut answered) = (Vec::new(), effects, 0);
        while let Some(effect) = questions.pop() {
            match effect {
                AppEffect::RequestHistory(question) => {
                    let reply = answer(&self.0.agents, self.now_ms(), &question.request);
                    let purpose = question.purpose;
                    let event = AppEvent::HistoryAnswered { purpose, result: Ok(reply) };
                    questions.extend(self.0.send(event));
                    answered += 1;
                    assert!(answered < 200, "it asks without end");
                }
                other => rest.push(other),
            }
        }
        (rest, answered)
    }

    fn keys(&mut self, keys: &str) -> (Vec<AppEffect>, usize) {
        let (mut rest, mut count) = (Vec::new(), 0);
        for key in keys.split_whitespace() {
            let effects = self.0.keys(key);
            let (effects, answered) = self.answer_all(effects);
            rest.extend(effects);
            count += answered;
        }
        (rest, count)
    }

    fn type_text(&mut self, text: &str) {
        let effects = self.0.type_text(text);
        self.answer_all(effects);
    }

    fn instant(&self) -> Option<i64> {
        self.0.state.travel.instant_ms()
    }

    fn screen(&self) -> String {
        self.0.screen()
    }
}

#[test]
fn timelines() {
    for (name, size) in [
        ("timeline_80x24", (80, 24)),
        ("timeline_120x36", (120, 36)),
        ("timeline_40x10", (40, 10)),
        ("timeline_200x60", (200, 60)),
    ] {
        let mut app = TimelineHarness::new(size);
        app.keys("4 h h");
        assert_snapshot!(name, app.screen());
    }
    let ascii = TuiConfig { ascii: true, ..TuiConfig::default() };
    let mut app = TimelineHarness::with((100, 30), &ascii);
    app.keys("4 - - -");
    assert!(app.screen().is_ascii());
    assert_snapshot!("timeline_ascii_100x30", app.screen());
}

#[test]
fn history_is_said_on_every_screen_and_at_every_size() {
    for size in [(40, 10), (60, 15), (80, 24), (120, 36), (200, 60)] {
        let mut app = TimelineHarness::new(size);
        app.keys("4 h h h");
        for key in ["1", "2", "3", "4"] {
            app.keys(key);
            let first = app.screen().lines().next().unwrap().to_owned();
            assert!(first.contains("HISTORY"), "{size:?} {key}: {first}");
        }
        app.keys(".");
        assert!(!app.screen().contains("HISTORY"), "{size:?}");
        assert_eq!(app.instant(), None);
    }
}

#[test]
fn enter_shows_the_fleet_as_it_was_at_the_cursor() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4 {");
    let (_, _, start_ms, _) = outage_times()[3];
    assert_eq!(app.instant(), Some(start_ms), "the exact begin, not that of a cell");
    app.keys("{");
    assert_eq!(app.instant(), Some(outage_times()[2].2));
    app.keys("Enter");
    assert_eq!(app.0.state.screen, Screen::Fleet);
    let screen = app.screen();
    let line = screen.lines().find(|line| line.contains("email-responder")).unwrap();
    assert!(line.contains("LATE") && line.contains(" - "), "{line}");
    assert!(!screen.contains("UNREACH"), "what came later is not shown:\n{screen}");
    assert!(screen.contains("drop - badsig -"), "nor what is counted now");
}

#[test]
fn brackets_go_from_outage_to_outage_and_say_where_there_are_none() {
    let mut app = TimelineHarness::new((120, 36));
    app.0.state.list.cursor = Some(crate::state::SelectedRow::Agent("report-generator".into()));
    app.keys("4 [ [");
    assert_eq!(app.instant(), Some(outage_times()[1].2));
    app.keys("[");
    assert_eq!(app.instant(), Some(outage_times()[1].2), "it stays where it is");
    assert!(app.screen().contains("no earlier outage; history begins"), "{}", app.screen());
    app.keys("] }");
    assert_eq!(app.instant(), Some(outage_times()[3].2));
    assert!(app.screen().contains("no later outage"), "{}", app.screen());
    app.keys("ctrl-o");
    assert_eq!(app.instant(), Some(outage_times()[1].2));
    app.keys("ctrl-o ctrl-o ctrl-o");
    assert_eq!(app.instant(), None, "back to live, where it began");
}

#[test]
fn stepping_past_the_end_is_live_again() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("4 h h h");
    assert_eq!(app.instant(), Some(NOW_MS - 3 * MINUTE));
    app.keys("l l");
    assert!(app.instant().is_some());
    app.keys("l");
    assert_eq!(app.instant(), None);
    app.keys("l");
    assert_eq!(app.instant(), None);
}

#[test]
fn a_time_is_echoed_while_it_is_typed_and_refused_out_of_range() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("@");
    app.type_text("-2h");
    let screen = app.screen();
    assert!(screen.contains("2 h ago, 20 agents known"), "{screen}");
    app.keys("Enter");
    assert_eq!(app.instant(), Some(NOW_MS - 2 * HOUR));
    app.keys("@");
    app.type_text("-50d");
    assert!(app.screen().contains("is before the first record"), "{}", app.screen());
    app.keys("Enter");
    assert_eq!(app.instant(), Some(NOW_MS - 2 * HOUR), "not clamped in silence");
    app.keys("Esc @");
    app.type_text("+3h");
    assert!(app.screen().contains("is in the future"), "{}", app.screen());
    app.keys("Esc @");
    app.type_text("#6");
    app.keys("Enter");
    assert_eq!(app.instant(), Some(outage_times()[2].2));
    app.keys("@");
    app.type_text("#99");
    app.keys("Enter");
    assert!(app.screen().contains("there is no outage 99"), "{}", app.screen());
    app.keys(". @");
    app.type_text("-19m");
    assert!(app.screen().contains("not observed until"), "{}", app.screen());
}

#[test]
fn what_is_not_known_of_the_past_is_said() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("@");
    app.type_text("-19m");
    app.keys("Enter");
    let screen = app.screen();
    assert!(screen.contains("was not observed, from 11:44:31.000 to 11:47:31.000 (no collector"));
    app.keys("@");
    app.type_text("-3d");
    app.keys("Enter");
    let screen = app.screen();
    assert!(screen.contains("~ work of the whole hour"), "{screen}");
    assert!(!screen.contains("was not observed"), "{screen}");
    assert!(screen.contains("HISTORY 03-29 "), "the day is said: {screen}");
}

#[test]
fn the_same_distance_is_repeated() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("@");
    app.type_text("-90m");
    app.keys("Enter r r");
    assert_eq!(app.instant(), Some(NOW_MS - 3 * 90 * MINUTE));
}

#[test]
fn the_past_can_not_be_killed() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("f");
    for key in ["K", "R", "F"] {
        app.keys(key);
        assert!(app.0.dialog().is_none());
        assert!(app.screen().contains("HISTORY: what was can't be changed; . returns to live"));
    }
    app.keys(". K");
    assert!(app.0.dialog().is_some());
}

#[test]
fn an_answer_for_another_instant_is_not_shown() {
    let mut app = TimelineHarness::new((80, 24));
    let first = app.0.keys("@ - 1 h Enter");
    let Some(AppEffect::RequestHistory(first)) = first.into_iter().last() else { panic!("asks") };
    // The operator goes on before the answer comes.
    app.0.keys("@ - 1 h Enter");
    let reply = answer(&app.0.agents, app.now_ms(), &first.request);
    let event = AppEvent::HistoryAnswered { purpose: first.purpose, result: Ok(reply) };
    let effects = app.0.send(event);
    app.answer_all(effects);
    let model: &FleetModel = app.0.state.model();
    assert_eq!(model.frozen_at_ms(), app.instant());
}

#[test]
fn only_what_is_missing_is_asked_for_and_next_pages_before_they_are_seen() {
    let mut app = TimelineHarness::new((80, 24));
    let (_, first) = app.keys("4");
    assert!(first >= 4, "the window, its outages, and pages around it: {first}");
    let tiles = app.0.state.timeline.tiles.len();
    // Within the window, and in pages that are there already.
    let (_, more) = app.keys("h h h h h h h h");
    assert!(more <= 8, "the fleet of each instant, no cells: {more}");
    assert_eq!(app.0.state.timeline.tiles.len(), tiles);
    let (_, page) = app.keys("H H H H H H H H H H");
    assert!(app.0.state.timeline.tiles.len() > tiles && page > 0);
    assert!(!app.screen().contains('░'), "nothing is left out:\n{}", app.screen());
}

#[test]
fn the_future_is_blank_and_not_waited_for() {
    let mut app = TimelineHarness::new((80, 24));
    for zoom in ["+", "+", "+", "-", "-", "-", "-", "-", "-", "-", "0"] {
        app.keys("4 {");
        app.keys(zoom);
        let screen = app.screen();
        assert!(!screen.contains('░'), "{zoom}: {screen}");
        app.keys(".");
    }
}

#[test]
fn a_failure_is_said_and_asked_again_later() {
    let mut app = TimelineHarness::new((80, 24));
    let effects = app.0.keys("4");
    let Some(AppEffect::RequestHistory(question)) = effects.into_iter().last() else { panic!() };
    let result = Err("history can't be read: disk I/O error".to_owned());
    let event = AppEvent::HistoryAnswered { purpose: question.purpose, result };
    assert_eq!(app.0.send(event), [], "not at once");
    assert!(app.screen().contains("history can't be read: disk I/O error"), "{}", app.screen());
    let effects = app.0.wait(2_000);
    let (_, answered) = app.answer_all(effects);
    assert!(answered > 0);
    assert!(!app.screen().contains("can't be read"), "{}", app.screen());
}

#[test]
fn two_marks_tell_what_was_between() {
    let mut app = TimelineHarness::new((120, 36));
    app.0.state.list.cursor = Some(crate::state::SelectedRow::Agent("report-generator".into()));
    app.keys("4 h m h h h h h h h h m");
    let screen = app.screen();
    let line = screen.lines().find(|line| line.contains("A 1") && line.contains(" B ")).unwrap();
    assert!(line.contains("report-generator: up ") && line.contains("1 outage,"), "{line}");
    assert!(line.contains("4802 ok 24 failed p50 211ms"), "{line}");
    app.keys("Esc");
    assert!(!app.screen().contains(" B 1"));
}

#[test]
fn notes_and_acknowledgements_are_sent_for_the_selected_outage() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4 Tab j c");
    app.type_text("INC-482");
    let (effects, _) = app.keys("Enter");
    let note = |acknowledges, words: &str| {
        AppEffect::SendNote(NoteCommand { outage: 6, acknowledges, words: words.to_owned() })
    };
    assert_eq!(effects, [note(false, "INC-482")]);
    let effects = app.0.send(AppEvent::NoteAnswered(Ok(())));
    let (_, answered) = app.answer_all(effects);
    assert!(answered > 0, "the outages are asked for again");
    app.keys("a");
    let (effects, _) = app.keys("Enter");
    assert_eq!(effects, [note(true, "")]);
    app.keys("c Enter");
    assert!(app.screen().contains("the note is empty"), "{}", app.screen());
}

#[test]
fn a_read_only_connection_writes_no_notes() {
    let mut app = TimelineHarness(AppHarness::unconnected((120, 36), &TuiConfig::default()));
    let effects = app.0.connect(AccessMode::View);
    app.answer_all(effects);
    app.keys("4 Tab a");
    assert!(app.0.state.overlay.is_none());
    assert!(app.screen().contains("read-only connection"), "{}", app.screen());
}

#[test]
fn the_past_plays_until_a_key_stops_it_or_it_is_now() {
    let mut app = TimelineHarness::new((80, 24));
    app.keys("4 h h p");
    assert_eq!(app.instant(), Some(NOW_MS - 2 * MINUTE));
    for _ in 0..4 {
        app.0.now_ms += 250;
        let effects = app.0.send(AppEvent::PlayStep);
        app.answer_all(effects);
    }
    assert_eq!(app.instant(), Some(NOW_MS - 2 * MINUTE + 60_000), "60 times as fast");
    app.keys("j");
    app.0.now_ms += 1_000;
    let effects = app.0.send(AppEvent::PlayStep);
    app.answer_all(effects);
    assert_eq!(app.instant(), Some(NOW_MS - MINUTE), "a key stops it");
    app.keys("p + +");
    for _ in 0..4 {
        app.0.now_ms += 250;
        let effects = app.0.send(AppEvent::PlayStep);
        app.answer_all(effects);
    }
    assert_eq!(app.instant(), None, "it has come to now");
    assert!(app.screen().contains("this is live"), "{}", app.screen());
}

#[test]
fn only_rows_with_outages_are_kept_where_that_is_wanted() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4 !");
    let screen = app.screen();
    assert!(screen.contains("email-responder") && !screen.contains("ticket-triage"), "{screen}");
    app.keys("1");
    assert_eq!(app.0.state.list.matched, 20, "the fleet has all of them");
}

#[test]
fn a_list_keeps_its_order_while_the_cursor_moves() {
    let mut app = TimelineHarness::new((120, 36));
    app.keys("4");
    let rows = app.0.state.list.rows.clone();
    app.keys("{ { h h H - +");
    assert_eq!(app.0.state.list.rows, rows);
}
