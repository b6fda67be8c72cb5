//! The charts of the Agent screen: what is asked, when, and what is drawn of the answer.

use heartline_operator::client::AccessMode;
use heartline_operator::message::{
    AgentChart, AgentHistory, AgentHistoryQuery, HistoryStep, OutageFigures, PastAgent, Reply,
    Request, StateTimes,
};
use heartline_operator::sample::{NOW_MS, agent_charts, agent_detail, past_fleet};
use insta::assert_snapshot;

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::state::{HistoryPurpose, HistoryRequest};
use crate::update::{AppEffect, AppEvent};

const HOUR_MS: i64 = 3_600_000;

/// Opens the screen of an agent, with its details.
fn opened(size: (u16, u16), id: &str, config: &TuiConfig) -> (AppHarness, Vec<AppEffect>) {
    let mut app = AppHarness::with(size, config);
    app.keys("/");
    app.type_text(&format!("agent={id}"));
    app.keys("Enter");
    let effects = app.keys("2");
    let result = Ok(Box::new(agent_detail(id)));
    app.send(AppEvent::AgentReceived { id: id.to_owned(), result });
    (app, effects)
}

fn questions(effects: Vec<AppEffect>) -> Vec<AgentHistoryQuery> {
    let of_history = effects.into_iter().filter_map(|effect| match effect {
        AppEffect::RequestHistory(HistoryRequest {
            purpose: HistoryPurpose::AgentCharts(query),
            ..
        }) => Some(query),
        _ => None,
    });
    of_history.collect()
}

/// Returns the only question among effects.
fn question(effects: Vec<AppEffect>) -> AgentHistoryQuery {
    let mut all = questions(effects);
    assert_eq!(all.len(), 1, "one question");
    all.remove(0)
}

fn answer(app: &mut AppHarness, query: AgentHistoryQuery, history: AgentHistory) -> Vec<AppEffect> {
    let purpose = HistoryPurpose::AgentCharts(query);
    let result = Ok(Reply::AgentHistory(Box::new(history)));
    app.send(AppEvent::HistoryAnswered { purpose, result })
}

fn refuse(app: &mut AppHarness, query: AgentHistoryQuery, why: &str) -> Vec<AppEffect> {
    let purpose = HistoryPurpose::AgentCharts(query);
    app.send(AppEvent::HistoryAnswered { purpose, result: Err(why.to_owned()) })
}

/// Answers all questions, as the collector would.
fn answer_all(app: &mut AppHarness, mut effects: Vec<AppEffect>) {
    while let Some(effect) = effects.pop() {
        let AppEffect::RequestHistory(HistoryRequest { purpose, request }) = effect else {
            continue;
        };
        let reply = match request {
            Request::AgentHistory(query) => Reply::AgentHistory(agent_charts(&query).into()),
            _ => Reply::Events { events: Vec::new(), next: None },
        };
        effects.extend(app.send(AppEvent::HistoryAnswered { purpose, result: Ok(reply) }));
    }
}

/// Opens the screen of an agent, with its details and charts.
fn charted(size: (u16, u16), id: &str, config: &TuiConfig) -> AppHarness {
    let (mut app, effects) = opened(size, id, config);
    answer_all(&mut app, effects);
    app
}

fn press(app: &mut AppHarness, keys: &str) {
    let effects = app.keys(keys);
    answer_all(app, effects);
}

const AGENT: &str = "order-processor.1";

#[test]
fn charts_at_every_size() {
    let config = TuiConfig::default();
    for (name, size) in
        [("charts_80x24", (80, 24)), ("charts_120x36", (120, 36)), ("charts_200x60", (200, 60))]
    {
        assert_snapshot!(name, charted(size, AGENT, &config).screen());
    }
    let mut small = charted((40, 12), AGENT, &config);
    press(&mut small, "x x x");
    assert_snapshot!("charts_40x12", small.screen());
    let mut least = charted((60, 15), AGENT, &config);
    press(&mut least, "Tab Tab");
    assert_snapshot!("charts_60x15", least.screen());
    press(&mut least, "Tab");
    assert!(least.screen().contains("> order-processor.1"), "{}", least.screen());
}

#[test]
fn every_kind_of_chart_in_every_window() {
    let mut app = charted((120, 36), AGENT, &TuiConfig::default());
    press(&mut app, "x");
    assert_snapshot!("histogram_120x36", app.screen());
    press(&mut app, "x");
    assert_snapshot!("percentiles_120x36", app.screen());
    let mut small = charted((80, 24), AGENT, &TuiConfig::default());
    press(&mut small, "x");
    assert_snapshot!("histogram_80x24", small.screen());
    press(&mut small, "x w");
    assert_snapshot!("percentiles_24h_80x24", small.screen());
    press(&mut small, "w x");
    assert_snapshot!("heat_map_7d_80x24", small.screen());
    press(&mut small, "w e Tab Tab");
    assert_snapshot!("heat_map_5m_expanded_80x24", small.screen());
}

#[test]
fn in_ascii_and_without_colour_everything_can_still_be_told_apart() {
    let ascii = TuiConfig { ascii: true, ..TuiConfig::default() };
    let mut app = charted((120, 36), AGENT, &ascii);
    assert!(app.screen().is_ascii());
    assert_snapshot!("charts_ascii_120x36", app.screen());
    press(&mut app, "x x");
    assert!(app.screen().is_ascii());
    let mut small = charted((80, 24), AGENT, &ascii);
    press(&mut small, "x");
    assert_snapshot!("histogram_ascii_80x24", small.screen());
}

/// An answer of an agent that did nothing.
fn idle(query: &AgentHistoryQuery) -> AgentHistory {
    let mut history = agent_charts(query);
    for step in history.steps.iter_mut().chain([&mut history.total]) {
        *step = HistoryStep { at_ms: step.at_ms, state_ms: step.state_ms, ..Default::default() };
    }
    let chart = history.chart.as_mut().unwrap();
    chart.step_bands.iter_mut().for_each(Vec::clear);
    (chart.total_bands, chart.band_edges_us) = (Vec::new(), Vec::new());
    history
}

#[test]
fn without_a_task_there_are_no_latencies_of_0() {
    for (name, size) in [("idle_80x24", (80, 24)), ("idle_120x36", (120, 36))] {
        let (mut app, effects) = opened(size, AGENT, &TuiConfig::default());
        let query = question(effects);
        let history = idle(&query);
        answer(&mut app, query, history);
        let screen = app.screen();
        assert!(
            screen.contains("no tasks in the last hour") && !screen.contains("0ms"),
            "{screen}"
        );
        assert_snapshot!(name, screen);
    }
}

#[test]
fn of_an_agent_without_a_history_nothing_is_claimed() {
    let (mut app, effects) = opened((80, 24), AGENT, &TuiConfig::default());
    let query = question(effects);
    let mut history = idle(&query);
    history.total.state_ms = StateTimes::default();
    let chart = history.chart.as_mut().unwrap();
    chart.cells.iter_mut().for_each(|cell| *cell = StateTimes::default());
    chart.outages = OutageFigures::default();
    answer(&mut app, query, history);
    let screen = app.screen();
    assert!(screen.contains("nothing is known of this time"), "{screen}");
    assert!(!screen.contains("up ") && !screen.contains("0.0"), "{screen}");
    assert_snapshot!("no_history_80x24", screen);
}

#[test]
fn why_there_is_no_history_stands_in_the_place_of_the_chart() {
    let (mut app, effects) = opened((80, 24), AGENT, &TuiConfig::default());
    assert!(app.screen().contains("loading the last hour"), "{}", app.screen());
    let query = question(effects);
    let why = "can't read an agent's history from /var/lib/heartline/history.db: disk I/O error";
    assert!(questions(refuse(&mut app, query, why)).is_empty(), "it is not asked again at once");
    let screen = app.screen();
    assert!(screen.contains("no history: can't read an agent's history from"), "{screen}");
    assert_snapshot!("history_unavailable_80x24", screen);
    // Of another window it may be otherwise, once something is asked again.
    app.keys("w");
    let other = question(app.wait(2_000));
    assert!(app.screen().contains("loading the last 24 hours"), "{}", app.screen());
    refuse(&mut app, other, why);
    app.keys("w w w");
    // Everything else goes on, and so does this.
    app.keys("Tab");
    assert!(app.screen().contains("> sessions"));
    let effects = app.wait(5_000);
    answer_all(&mut app, effects);
    assert!(app.screen().contains("p50 210ms"), "{}", app.screen());
}

#[test]
fn where_minutes_are_not_kept_it_is_said_from_when_on_they_are() {
    let (mut app, effects) = opened((80, 24), AGENT, &TuiConfig::default());
    let query = question(effects);
    let mut history = idle(&query);
    history.steps.clear();
    let chart = history.chart.as_mut().unwrap();
    chart.step_bands.clear();
    chart.work_kept_from_ms = Some(NOW_MS - 48 * HOUR_MS);
    answer(&mut app, query, history);
    let screen = app.screen();
    let words = screen.replace('│', " ");
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!words.contains("tasks/m") && !words.contains("p50"), "that is not known: {screen}");
    assert!(words.contains("kept from 03-30 12:04Z on: w charts a longer"), "{screen}");
    assert!(screen.contains("up 89.83 %"), "states are known longer: {screen}");
}

#[test]
fn an_answer_of_a_hostile_collector_draws_without_a_panic() {
    let wide = "エージェント".repeat(20);
    for size in [(30, 4), (40, 12), (60, 15), (80, 24), (120, 36), (300, 90)] {
        for kind in 0..3 {
            let (mut app, effects) = opened(size, AGENT, &TuiConfig::default());
            let mut effects = effects;
            for _ in 0..kind {
                effects.extend(app.keys("x"));
            }
            let Some(query) = questions(effects).into_iter().next() else { continue };
            let full = StateTimes { healthy: u64::MAX / 16, unobserved: 1, ..Default::default() };
            let step = HistoryStep { ok: u64::MAX / 2, state_ms: full, ..Default::default() };
            let history = AgentHistory {
                agent: wide.clone(),
                from_ms: i64::MIN / 2,
                to_ms: i64::MAX / 2,
                step_ms: 1,
                steps: vec![step.clone(); 700],
                total: step,
                chart: Some(AgentChart {
                    band_edges_us: (0..40).map(|n| 1_u64 << n).collect(),
                    step_bands: vec![vec![u64::MAX / 64; 39]; 3],
                    total_bands: vec![u64::MAX / 64; 39],
                    cells: vec![full; 700],
                    ..AgentChart::default()
                }),
            };
            answer(&mut app, query, history);
            assert!(!app.screen().is_empty());
        }
    }
}

#[test]
fn one_question_is_under_way_and_the_newest_wins() {
    let (mut app, effects) = opened((120, 36), AGENT, &TuiConfig::default());
    let first = question(effects);
    assert_eq!((first.agent.as_str(), first.until_ms), (AGENT, NOW_MS));
    assert_eq!(first.since_ms, Some(NOW_MS - HOUR_MS));
    assert!(questions(app.keys("w w x")).is_empty(), "one at a time");
    assert!(questions(app.wait(60_000)).is_empty(), "it is still under way");
    assert!(app.screen().contains("loading the last 7 days"), "{}", app.screen());
    let history = agent_charts(&first);
    let second = question(answer(&mut app, first.clone(), history.clone()));
    assert_eq!(second.until_ms - second.since_ms.unwrap(), 7 * 24 * HOUR_MS);
    assert!(app.screen().contains("loading the last 7 days"), "that was of an hour");
    // What nobody waits for any more changes nothing.
    assert!(questions(answer(&mut app, first, history)).is_empty());
    assert!(app.screen().contains("loading the last 7 days"));
    let history = agent_charts(&second);
    answer(&mut app, second, history);
    assert!(!app.screen().contains("loading"), "{}", app.screen());
}

#[test]
fn it_is_asked_again_after_seconds_and_when_the_agent_changes() {
    let mut app = charted((120, 36), AGENT, &TuiConfig::default());
    assert!(questions(app.wait(2_000)).is_empty());
    let again = question(app.wait(3_000));
    assert_eq!(again.until_ms, NOW_MS + 5_000);
    let history = agent_charts(&again);
    answer(&mut app, again, history);
    // On other screens nothing is asked.
    assert!(questions(app.keys("1")).is_empty() && questions(app.wait(60_000)).is_empty());
    app.keys("Esc /");
    app.type_text("agent=scraper-eu");
    let other = question(app.keys("Enter 2"));
    assert_eq!(other.agent, "scraper-eu");
    assert!(app.screen().contains("loading the last hour"), "{}", app.screen());
}

#[test]
fn the_window_is_kept_from_agent_to_agent() {
    let mut app = charted((120, 36), AGENT, &TuiConfig::default());
    press(&mut app, "w x");
    app.keys("1 Esc /");
    app.type_text("agent=scraper-eu");
    let other = question(app.keys("Enter 2"));
    assert_eq!(other.until_ms - other.since_ms.unwrap(), 24 * HOUR_MS);
    assert!(app.screen().contains("latency histogram"), "{}", app.screen());
}

#[test]
fn a_moment_that_stands_still_is_asked_for_once() {
    let mut app = charted((120, 36), AGENT, &TuiConfig::default());
    app.wait(3_000);
    let frozen = question(app.keys("f"));
    assert_eq!(frozen.until_ms, NOW_MS + 3_000);
    assert!(app.screen().contains("p50"), "what was there stays: it is as old as the screen");
    let history = agent_charts(&frozen);
    let effects = answer(&mut app, frozen, history);
    answer_all(&mut app, effects);
    assert!(questions(app.wait(3_600_000)).is_empty());
    // Another window of the same moment.
    let day = question(app.keys("w"));
    assert_eq!(day.until_ms, NOW_MS + 3_000);
    let history = agent_charts(&day);
    answer(&mut app, day, history);
    let live = question(app.keys("f"));
    assert_eq!(live.until_ms, NOW_MS + 3_603_000, "now again");
    assert!(app.screen().contains("loading the last 24 hours"), "an hour old is not now");
}

#[test]
fn nothing_later_than_a_moment_that_stands_still_is_listed() {
    let mut app = charted((80, 24), "report-generator", &TuiConfig::default());
    app.keys("f");
    let mut detail = agent_detail("report-generator");
    let mut later = detail.events[0].clone();
    (later.cursor, later.at_ms) = (999, NOW_MS + 1);
    detail.events.insert(0, later);
    let mut new = detail.sessions[0].clone();
    (new.started_ms, new.session) = (NOW_MS + 1, 0xbeef << 48);
    detail.sessions.insert(0, new);
    detail.sessions[1].ended = Some("crashed".to_owned());
    detail.sessions[1].last_beat_ms = Some(NOW_MS + 1);
    let shown = |app: &mut AppHarness| {
        let events = app.line("events, newest first");
        app.keys("Tab");
        let (sessions, screen) = (app.line("sessions"), app.screen());
        app.keys("Tab Tab Tab");
        (events, sessions, screen.matches("running").count(), screen.contains("beef"))
    };
    let result = Ok(Box::new(detail.clone()));
    app.send(AppEvent::AgentReceived { id: "report-generator".to_owned(), result });
    let (events, sessions, running, is_new_shown) = shown(&mut app);
    assert!(events.contains("first 3") && sessions.contains("sessions 3"), "{events}{sessions}");
    assert!(running == 2 && !is_new_shown, "it was running then, and its tasks are");
    app.keys("f");
    let (events, sessions, _, is_new_shown) = shown(&mut app);
    assert!(events.contains("first 4") && sessions.contains("sessions 4"), "{events}{sessions}");
    assert!(is_new_shown);
}

#[test]
fn of_the_past_an_agent_has_the_events_until_then() {
    let mut app = charted((80, 24), "report-generator", &TuiConfig::default());
    let mut effects = app.keys("f");
    let mut asked = Vec::new();
    while let Some(AppEffect::RequestHistory(HistoryRequest { purpose, request })) = effects.pop() {
        let reply = match (&purpose, request) {
            (HistoryPurpose::AgentEvents { .. }, Request::Events(query)) => {
                let mut events = agent_detail("report-generator").events;
                events[0].at_ms = query.until_ms.unwrap() - 1;
                asked.push(query);
                events.reverse();
                Reply::Events { events, next: None }
            }
            (_, Request::AgentHistory(query)) => Reply::AgentHistory(agent_charts(&query).into()),
            (_, request) => panic!("{request:?}"),
        };
        effects = app.send(AppEvent::HistoryAnswered { purpose, result: Ok(reply) });
    }
    let [query] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(query.agent.as_deref(), Some("report-generator"));
    assert_eq!(query.until_ms, Some(NOW_MS + 1), "what happened then did happen");
    assert!(app.line("LATE → UNREACH").contains("12:04:31Z"), "{}", app.screen());
    assert!(app.wait(60_000).is_empty(), "once");
}

#[test]
fn what_is_not_kept_of_the_past_is_not_shown_as_0() {
    let mut app = AppHarness::unconnected((120, 36), &TuiConfig::default());
    app.agents = past_fleet().agents.iter().map(PastAgent::to_entry).collect();
    app.connect(AccessMode::Control);
    app.keys("2");
    let screen = app.screen();
    assert!(screen.contains("─ > events") && screen.contains("│ state "), "{screen}");
    for unknown in ["every", "since collector start", "not heard", "ever"] {
        assert!(!screen.contains(unknown), "{unknown} is not known: {screen}");
    }
}

#[test]
fn a_lost_connection_leaves_the_last_charts_and_a_new_one_asks_again() {
    let mut app = charted((120, 36), AGENT, &TuiConfig::default());
    let query = question(app.wait(5_000));
    app.disconnect();
    let effects = refuse(&mut app, query, "the connection to the collector ended");
    assert!(questions(effects).is_empty());
    assert!(questions(app.wait(600_000)).is_empty());
    assert!(app.screen().contains("LOST") && app.screen().contains("210ms"), "{}", app.screen());
    let effects = app.connect(AccessMode::Control);
    assert_eq!(questions(effects).len(), 1);
}

#[test]
fn banners_do_not_take_the_charts_away() {
    let mut app = charted((80, 24), AGENT, &TuiConfig::default());
    app.lose(
        "no collector answers on /run/heartline/ctl.sock: start `heartlined`, or pass --socket-dir",
    );
    let screen = app.screen();
    assert!(screen.contains("  --socket-dir") && screen.contains("p50 210ms"), "{screen}");
    assert!(screen.contains("up 89.83 %") && screen.contains("> events"), "{screen}");
}

#[test]
fn with_a_connection_lost_before_the_first_answer_it_is_said() {
    let (mut app, effects) = opened((80, 24), AGENT, &TuiConfig::default());
    question(effects);
    app.disconnect();
    assert!(app.screen().contains("no history: not connected"), "{}", app.screen());
}

#[test]
fn another_size_asks_for_as_much_as_there_is_room_for() {
    let mut app = charted((200, 60), AGENT, &TuiConfig::default());
    let large = question(app.wait(5_000)).chart.unwrap();
    let history = |query: &AgentHistoryQuery| agent_charts(query);
    let (mut app, effects) = opened((200, 60), AGENT, &TuiConfig::default());
    let query = question(effects);
    let answered = history(&query);
    answer(&mut app, query, answered);
    let small = question(app.send(AppEvent::Resize(80, 24)));
    let room = small.chart.unwrap();
    assert!(room.steps < large.steps && room.bands < large.bands && room.cells < large.cells);
    // Meanwhile the newest of the old ones are drawn, as far as there is room.
    assert!(app.screen().lines().all(|line| line.chars().count() <= 80));
    assert!(app.screen().contains("p50"), "{}", app.screen());
    let answered = history(&small);
    let steps = answered.steps.len();
    assert!(steps <= room.steps as usize, "{steps}");
    assert!(questions(answer(&mut app, small, answered)).is_empty());
}

#[test]
fn long_names_and_wide_characters_break_no_column() {
    let name = "エージェント・請求書を作る係の名前はとても長い・".repeat(4);
    for size in [(80, 24), (120, 36), (60, 15)] {
        let mut app = AppHarness::unconnected(size, &TuiConfig::default());
        let mut entry = agent_detail("mail.1").entry;
        entry.id = heartline_vocabulary::AgentRowId(77);
        entry.agent.clone_from(&name);
        app.agents = vec![entry.clone()];
        app.connect(AccessMode::Control);
        let effects = app.keys("2");
        let mut detail = agent_detail("mail.1");
        detail.entry = entry;
        let result = Ok(Box::new(detail));
        app.send(AppEvent::AgentReceived { id: name.clone(), result });
        answer_all(&mut app, effects);
        let screen = app.screen();
        for line in screen.lines().filter(|line| line.starts_with('│')) {
            assert_eq!(crate::text::width(line), usize::from(size.0), "{line}");
        }
        if size == (80, 24) {
            assert_snapshot!("wide_name_80x24", screen);
        }
    }
}

#[test]
fn local_times_are_on_the_axis() {
    let mut app = charted((120, 36), AGENT, &TuiConfig::default());
    assert!(app.screen().contains("11:10"), "{}", app.screen());
    let zone = jiff::tz::Offset::from_seconds(5 * 3_600 + 1_800).unwrap().to_time_zone();
    app.state.local_zone = Some(zone);
    app.keys("U");
    assert!(app.screen().contains("16:40"), "{}", app.screen());
}
