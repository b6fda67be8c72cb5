//! The Alerts screen, how agents are marked, and acknowledgements.

use heartline_operator::SubscriptionUpdate;
use heartline_operator::client::{AccessMode, LinkEvent};
use heartline_operator::message::{
    Acknowledgement, AlertQuery, AlertReport, AlertSummary, BellRing, FleetDelta, Silence,
};
use heartline_operator::sample::{self, NOW_MS};
use heartline_vocabulary::{Identity, SharedIdentity};
use insta::assert_snapshot;

use super::harness::AppHarness;
use crate::options::TuiConfig;
use crate::state::Screen;
use crate::update::{AppEffect, AppEvent};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 36);

/// Returns the sample of alerts, whose lost host has three agents of the sample fleet in it, one of them affected.
fn report(app: &AppHarness) -> AlertReport {
    let id = |name: &str| app.agents.iter().find(|it| it.agent == name).unwrap().id;
    let mut report = sample::alert_report();
    let lost = &mut report.incidents[0];
    let names = ["report-generator", "mail.1", "mail.2"];
    for (member, name) in lost.incident.members.iter_mut().zip(names) {
        member.agent = name.to_owned();
    }
    lost.incident.members[3].agent = "inventory-sync".to_owned();
    lost.agents = vec![id("report-generator"), id("inventory-sync"), id("payment-matcher")];
    lost.affected = vec![id("inventory-sync"), id("payment-matcher")];
    report.incidents[1].agents = vec![id("email-responder")];
    report.silences[0].filter = "agent:edge-worker*".to_owned();
    report
}

/// Makes an agent of the sample need others.
fn depends(app: &mut AppHarness, agent: &str, needs: &[&str]) {
    let entry = app.agents.iter_mut().find(|entry| entry.agent == agent).unwrap();
    let depends = needs.iter().map(|name| (*name).into()).collect();
    let shared = SharedIdentity { depends, ..(*entry.identity.shared).clone() };
    entry.identity = Identity { shared: shared.into(), ..entry.identity.clone() };
}

/// Returns a connected app that knows of alerts.
fn with_alerts(size: (u16, u16), config: &TuiConfig) -> AppHarness {
    let mut app = AppHarness::unconnected(size, config);
    depends(&mut app, "payment-matcher", &["mail.3", "inventory-sync"]);
    depends(&mut app, "inventory-sync", &["report-generator"]);
    app.connect(AccessMode::Control);
    let report = report(&app);
    receive(&mut app, report);
    app
}

fn alerts(size: (u16, u16)) -> AppHarness {
    with_alerts(size, &TuiConfig::default())
}

fn receive(app: &mut AppHarness, report: AlertReport) -> Vec<AppEffect> {
    let (query, result) = (AlertQuery::Since(0), Ok(Box::new(report)));
    app.send(AppEvent::AlertsReceived { query, result })
}

/// Leaves out the questions for alerts.
fn done(effects: Vec<AppEffect>) -> Vec<AppEffect> {
    let is_question = |effect: &AppEffect| matches!(effect, AppEffect::RequestAlerts(_));
    effects.into_iter().filter(|effect| !is_question(effect)).collect()
}

#[test]
fn incidents_sinks_and_silences() {
    for (name, size) in [("alerts_80x24", SMALL), ("alerts_120x36", LARGE)] {
        let mut app = alerts(size);
        app.keys("5");
        assert_snapshot!(name, app.screen());
        app.keys("Enter");
        assert_snapshot!(name.replace("alerts", "incident"), app.screen());
    }
    let mut compact = alerts((40, 10));
    compact.keys("5");
    assert_snapshot!("alerts_40x10", compact.screen());
}

#[test]
fn in_ascii_and_without_colour_everything_is_told_apart() {
    let ascii = TuiConfig { ascii: true, ..TuiConfig::default() };
    let mut app = with_alerts(SMALL, &ascii);
    app.keys("5");
    let screen = app.screen();
    assert!(screen.is_ascii());
    assert_snapshot!("alerts_ascii_80x24", screen);
    app.keys("1");
    let screen = app.screen();
    assert!(screen.is_ascii());
    assert_snapshot!("marks_ascii_80x24", screen);
}

#[test]
fn agents_are_marked_on_the_fleet_screen() {
    for (name, size) in [("marks_80x24", SMALL), ("marks_120x36", LARGE)] {
        assert_snapshot!(name, alerts(size).screen());
    }
}

#[test]
fn an_agent_tells_its_incident_and_what_it_needs_in_the_end() {
    let mut app = alerts(LARGE);
    app.keys("/");
    app.type_text("agent=payment-matcher");
    app.keys("Enter 2");
    let line = app.line("│ alert");
    for part in ["incident tp53gg", "of host machine-3", "nobody takes care of it"] {
        assert!(line.contains(part), "{line}");
    }
    let chain = "affected: needs inventory-sync → report-generator (✖ UNREACH)";
    assert!(app.screen().contains(chain), "{}", app.screen());
}

#[test]
fn an_agent_tells_until_when_and_why_nobody_is_told_of_it() {
    let mut app = alerts(LARGE);
    app.keys("/");
    app.type_text("agent=edge-worker.1");
    app.keys("Enter");
    let line = app.line("│ alert");
    let silenced = "silenced until 12:44:31Z by ann@bastion: new model is tried";
    assert!(line.contains(silenced), "{line}");
}

#[test]
fn agents_that_need_each_other_in_a_circle_have_a_chain_that_ends() {
    let mut app = AppHarness::unconnected(LARGE, &TuiConfig::default());
    depends(&mut app, "payment-matcher", &["inventory-sync"]);
    depends(&mut app, "inventory-sync", &["payment-matcher"]);
    app.connect(AccessMode::Control);
    let report = report(&app);
    receive(&mut app, report);
    let entry = app.state.live.agent("payment-matcher").unwrap();
    let chain = app.state.dependency_chain(entry);
    assert_eq!(chain.iter().map(|it| &*it.agent).collect::<Vec<_>>(), ["inventory-sync"]);
}

#[test]
fn enter_on_a_member_shows_that_agent_and_back_leads_to_the_incident() {
    let mut app = alerts(SMALL);
    app.keys("5 Enter");
    assert_eq!(app.state.current_agent(), Some("report-generator"), "the first member");
    let effects = app.keys("j j Enter");
    assert!(effects.contains(&AppEffect::RequestAgent("mail.1".to_owned())), "{effects:?}");
    assert_eq!(app.state.screen, Screen::Agent);
    app.keys("q");
    assert_eq!(app.state.screen, Screen::Alerts);
    assert!(app.line("tp53gg").contains("─ tp53gg host machine-3"));
    app.keys("Esc");
    assert!(app.line("tp53gg").starts_with(">!"), "{}", app.line("tp53gg"));
}

#[test]
fn the_selection_follows_its_incident() {
    let mut app = alerts(SMALL);
    app.keys("5 j");
    let selected = app.state.alerts.selected;
    let mut newer = report(&app);
    let mut first = newer.incidents[0].clone();
    first.incident.id.0 += 1;
    newer.incidents.insert(0, first);
    receive(&mut app, newer);
    assert_eq!((app.state.alerts.selected, app.state.alerts.at), (selected, 2));
}

#[test]
fn an_incident_is_acknowledged_after_a_question() {
    let mut app = alerts(SMALL);
    app.keys("5 a");
    assert!(app.screen().contains("Acknowledge incident tp53gg?"), "{}", app.screen());
    app.type_text("quit");
    assert_eq!(app.keys("Esc a Enter"), [AppEffect::SendAcknowledgement(sample::incident_id())]);
    let answered = AppEvent::AcknowledgementAnswered(Ok((vec![sample::incident_id()], true)));
    let effects = app.send(answered);
    assert!(matches!(effects[..], [AppEffect::RequestAlerts(AlertQuery::Since(_))]), "{effects:?}");
    assert!(app.screen().contains("acknowledged: incident tp53gg"));
}

#[test]
fn what_is_acknowledged_or_over_is_not_acknowledged_again() {
    let mut app = alerts(SMALL);
    assert_eq!(done(app.keys("5 j j a")), []);
    assert!(app.screen().contains("ann@bastion took care of incident"), "{}", app.screen());
    assert_eq!(app.keys("G a"), []);
    assert!(app.line("is over").contains("incident"), "{}", app.screen());
    app.keys("1");
    app.keys("/");
    app.type_text("agent=order-processor.1");
    app.keys("Enter a");
    assert!(app.screen().contains("order-processor.1 is in no incident that goes on"));
}

#[test]
fn the_incident_of_an_agent_is_acknowledged_on_its_screen() {
    let mut app = alerts(LARGE);
    app.keys("/");
    app.type_text("agent=report-generator");
    let effects = app.keys("Enter a Enter");
    assert_eq!(effects, [AppEffect::SendAcknowledgement(sample::incident_id())]);
}

#[test]
fn a_read_only_operator_is_refused_in_words() {
    let mut app = AppHarness::unconnected(SMALL, &TuiConfig::default());
    app.connect(AccessMode::View);
    let report = report(&app);
    receive(&mut app, report);
    assert_eq!(done(app.keys("5 a")), []);
    assert!(app.state.overlay.is_none());
    assert!(app.screen().contains("read-only connection: it can't"), "{}", app.screen());
    assert!(!app.screen().lines().last().unwrap().contains(" ack"));
}

#[test]
fn alerts_are_asked_for_when_others_are_counted_and_more_often_while_they_are_shown() {
    let mut app = AppHarness::unconnected(SMALL, &TuiConfig::default());
    let asked = |effects: Vec<AppEffect>| {
        let queries = effects.into_iter().filter_map(|effect| match effect {
            AppEffect::RequestAlerts(query) => Some(query),
            _ => None,
        });
        queries.collect::<Vec<_>>()
    };
    assert_eq!(asked(app.connect(AccessMode::Control)), [AlertQuery::Open]);
    assert_eq!(asked(app.wait(90_000)), [], "the question is under way");
    let effects = receive(&mut app, AlertReport::default());
    assert_eq!(asked(effects), [AlertQuery::Open], "more than a minute is over");
    receive(&mut app, AlertReport::default());
    assert_eq!(asked(app.wait(30_000)), []);
    let mut collector = app.no_changes().collector;
    collector.alerts = AlertSummary { open: 1, unacknowledged: 1, ..AlertSummary::default() };
    let delta = FleetDelta { collector, ..FleetDelta::default() };
    let update = SubscriptionUpdate::Delta(Box::new(delta));
    let effects = app.link(LinkEvent::Update(update));
    assert_eq!(asked(effects), [AlertQuery::Open], "another incident goes on");
    receive(&mut app, AlertReport::default());
    let at_ms = app.state.live_ms();
    let day_ms = 24 * 60 * 60 * 1_000;
    assert_eq!(asked(app.keys("5")), [AlertQuery::Since(at_ms - day_ms)]);
    receive(&mut app, AlertReport::default());
    assert_eq!(asked(app.wait(1_000)), []);
    assert_eq!(asked(app.wait(1_000)).len(), 1);
}

#[test]
fn incidents_that_are_over_stay_listed_when_only_those_that_go_on_were_asked_for() {
    let mut app = alerts(SMALL);
    let mut open = report(&app);
    open.incidents.truncate(1);
    let result = Ok(Box::new(open));
    app.send(AppEvent::AlertsReceived { query: AlertQuery::Open, result });
    let ids = app.state.alerts.report.incidents.iter().map(|it| it.incident.ended_ms.is_some());
    assert_eq!(ids.collect::<Vec<_>>(), [false, true]);
}

#[test]
fn a_silence_marks_only_while_it_lasts_and_no_mark_is_shown_of_the_past() {
    let mut app = alerts(SMALL);
    let mark = |app: &AppHarness, name: &str| {
        let entry = app.state.live.agent(name).unwrap();
        app.state.alert_mark(entry).map(|mark| app.state.glyphs.alert_mark(mark).1)
    };
    let marks = ["edge-worker.1", "report-generator", "email-responder", "mail.3"];
    assert_eq!(marks.map(|name| mark(&app, name)), [Some("z"), Some("!"), Some("✓"), None]);
    let mut report = report(&app);
    report.silences = vec![Silence { from_ms: NOW_MS + 1_000, ..report.silences[0].clone() }];
    let by = "ann@bastion".to_owned();
    report.incidents[0].incident.acknowledged = Some(Acknowledgement { by, at_ms: NOW_MS });
    receive(&mut app, report);
    assert_eq!(marks.map(|name| mark(&app, name)), [None, Some("✓"), Some("✓"), None]);
    app.wait(2_000);
    assert_eq!(mark(&app, "edge-worker.1"), Some("z"));
    app.keys("f");
    assert_eq!(mark(&app, "report-generator"), None, "what is known is of now");
    assert_eq!(done(app.keys("a")), []);
    assert!(app.screen().contains("HISTORY: what was can't be changed"), "{}", app.screen());
    app.keys("5");
    assert!(app.screen().contains("are as of now, not of the moment above"), "{}", app.screen());
}

#[test]
fn a_report_that_does_not_come_is_said() {
    let mut app = AppHarness::connected(SMALL);
    app.keys("5");
    assert!(app.screen().contains("Loading incidents."));
    let result = Err("history can't be read: disk error".to_owned());
    app.send(AppEvent::AlertsReceived { query: AlertQuery::Open, result });
    assert!(app.screen().contains("history can't be read: disk error"), "{}", app.screen());
    receive(&mut app, AlertReport::default());
    let screen = app.screen();
    assert!(screen.contains("No incident goes on"), "{screen}");
    assert!(screen.contains("nobody is told: there is no [[route]]"), "{screen}");
}

#[test]
fn a_notice_for_a_bell_rings_and_is_shown_and_more_of_them_ring_once_a_second() {
    let mut app = AppHarness::connected(SMALL);
    let ring = |app: &mut AppHarness, text: &str| {
        let ring = BellRing { text: text.to_owned() };
        done(app.link(LinkEvent::Update(SubscriptionUpdate::Bell(ring))))
    };
    let effects = ring(&mut app, "mail.7 on m3: UNREACHABLE\u{1b}[2J since 14:02:31 UTC");
    let text = "mail.7 on m3: UNREACHABLE[2J since 14:02:31 UTC";
    assert_eq!(effects, [AppEffect::Ring(text.to_owned())]);
    assert!(app.screen().contains(text), "{}", app.screen());
    assert_eq!(ring(&mut app, "a"), []);
    assert_eq!(ring(&mut app, "b"), []);
    let due = app.state.wake_at().expect("a ring waits");
    app.now_ms += due.since(app.state.now);
    assert_eq!(done(app.send(AppEvent::Wake)), [AppEffect::Ring("b (and 1 more)".to_owned())]);
    assert_eq!(app.state.wake_at(), None);
}
