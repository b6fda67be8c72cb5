//! Agents, commands, tokens.

use heartline_fleet::ControlDbRow;

use heartline_vocabulary::{Action, AgentRowId, Identity, Reason, SharedIdentity};

use super::*;
use crate::store::{TokenChange, TokenChangeError, TokenChangeKind, TokenRevocation};

#[test]
fn agents_are_restored() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    assert_eq!(opened.restored.next_id, AgentRowId(1));
    for (id, name) in [(1, "agent-1"), (2, "agent-2"), (3, "agent-3")] {
        register(&opened, id, name);
    }
    let shared = SharedIdentity {
        host: Some("machine-3".into()),
        labels: vec![("tag".into(), "prod".into())],
        ..SharedIdentity::default()
    };
    let identity = Identity { pid: Some(4_411), shared: shared.into() };
    opened.persist([
        ControlDbRow::Profile {
            id: AgentRowId(2),
            interval_ms: 500,
            identity: Some(identity.clone()),
        },
        ControlDbRow::Forgotten { id: AgentRowId(3), at: at(9_000), by: "root@host".into() },
    ]);
    let opened = opened.again(&dir);
    let ids: Vec<i64> = opened.restored.agents.iter().map(|agent| agent.id.0).collect();
    assert_eq!(ids, [1, 2], "3 was forgotten");
    assert_eq!(opened.restored.next_id, AgentRowId(4), "and its id is not used again");
    assert_eq!(opened.agent(2).identity.as_ref(), Some(&identity));
    assert_eq!((opened.agent(2).interval_ms, opened.agent(1).interval_ms), (500, 30_000));

    let control = rusqlite::Connection::open(path(&dir, "control.db")).unwrap();
    let sql = "SELECT forgotten_ms, forgotten_by FROM agents WHERE name = 'agent-3'";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let forgotten: (i64, String) = control.query_row(sql, [], read).unwrap();
    assert_eq!(forgotten, (ZERO_MS + 9_000, "root@host".to_owned()));
}

#[test]
fn a_kill_is_restored_with_its_audit_and_its_progress() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    register(&opened, 2, "agent-2");
    opened.persist([command(1, u64::MAX, Action::Kill, &[(1, 1), (2, 1)])]);
    opened.wait_persisted(1);
    opened.persist([
        command(2, 8, Action::Resume, &[(2, 2)]),
        ControlDbRow::Progress {
            id: AgentRowId(1),
            generation: 1,
            delivered_ms: 3,
            obeyed_ms: Some(8),
        },
        // Of a command that another one has replaced.
        ControlDbRow::Progress {
            id: AgentRowId(2),
            generation: 1,
            delivered_ms: 3,
            obeyed_ms: None,
        },
    ]);
    let opened = opened.again(&dir);
    let killed = opened.agent(1).desired.as_deref().unwrap();
    assert_eq!((killed.generation, killed.killed, killed.cause), (1, true, Reason::Operator));
    assert_eq!((&*killed.by, &*killed.reason), ("root@host", "burns money"));
    assert_eq!((killed.at, killed.delivered_ms, killed.obeyed_ms), (at(5_000), Some(3), Some(8)));
    let resumed = opened.agent(2).desired.as_deref().unwrap();
    assert_eq!((resumed.generation, resumed.killed, resumed.delivered_ms), (2, false, None));
}

#[test]
fn a_repeated_request_id_gets_the_first_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    opened.persist([command(1, 77, Action::Kill, &[(1, 1)])]);
    opened.wait_persisted(1);
    opened.persist([command(2, 77, Action::Kill, &[(1, 2)])]);
    let outcome = opened.wait_for(|event| match event {
        StoreEvent::Duplicate { ticket: WriteTicket(2), outcome } => Some(outcome),
        other => panic!("{other:?}"),
    });
    assert_eq!((outcome.request_id, outcome.at_ms), (77, ZERO_MS + 5_000));
    assert_eq!((&*outcome.targets[0].agent, outcome.targets[0].generation), ("agent-1", 1));
    assert_eq!(reader(&dir).command(77).unwrap(), Some(outcome));
    assert_eq!(reader(&dir).command(78).unwrap(), None);
    let opened = opened.again(&dir);
    assert_eq!(opened.agent(1).desired.as_deref().unwrap().generation, 1, "it was not repeated");
}

#[test]
fn a_generation_never_falls_and_an_unchanged_target_keeps_its_desired_state() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    register(&opened, 2, "agent-2");
    opened.persist([command(1, 1, Action::Kill, &[(1, 5)])]);
    opened.persist([command(2, 2, Action::Resume, &[(1, 4)])]);
    let mut unchanging = command(3, 3, Action::Resume, &[(2, 0)]);
    if let ControlDbRow::Command(row) = &mut unchanging {
        row.targets[0].target.changed = false;
    }
    opened.persist([unchanging]);
    let opened = opened.again(&dir);
    let desired = opened.agent(1).desired.as_deref().unwrap();
    assert_eq!((desired.generation, desired.killed), (5, true));
    assert_eq!(opened.agent(2).desired, None);
}

#[test]
fn tokens_are_listed_and_revocations_are_restored() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let handle = opened.store.handle();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let change = |kind, scope: &str, at_ms| {
        let (scope, by) = (scope.to_owned(), "root@host".to_owned());
        let change = TokenChange { kind, scope, epoch: 1, at_ms, by };
        runtime.block_on(handle.change_token(change)).unwrap();
    };
    let revoked = || TokenChangeKind::Revoked { reason: "leaked".into() };
    change(TokenChangeKind::Made, "mail.", 1_000);
    change(TokenChangeKind::Made, "mail.", 2_000);
    change(revoked(), "mail.", 3_000);
    change(revoked(), "web", 4_000);
    change(TokenChangeKind::Reinstated, "web", 5_000);
    let tokens = reader(&dir).tokens().unwrap();
    assert_eq!(tokens.len(), 2);
    assert_eq!((tokens[0].made_ms, tokens[0].revoked_ms), (Some(1_000), Some(3_000)));
    assert_eq!(tokens[0].revoked_reason.as_deref(), Some("leaked"));
    assert_eq!((tokens[1].made_ms, tokens[1].revoked_ms), (None, None));
    let opened = opened.again(&dir);
    let late = TokenChange {
        kind: TokenChangeKind::Reinstated,
        scope: "mail.".into(),
        epoch: 1,
        at_ms: 6_000,
        by: "root@host".into(),
    };
    let refused = runtime.block_on(handle.change_token(late)).unwrap_err();
    assert!(matches!(refused, TokenChangeError::Closed), "the store of the handle is closed");
    let expected = TokenRevocation { scope: "mail.".into(), epoch: 1 };
    assert_eq!(opened.restored.revocations, [expected]);
}

#[test]
fn a_kill_passes_the_rows_of_many_agents_and_none_of_them_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let registered = |id: i64| {
        let agent = format!("agent-{id}").into();
        ControlDbRow::Registered { id: AgentRowId(id), agent, at: at(0) }
    };
    opened.persist((1..=20_000).map(registered).collect::<Vec<_>>());
    for n in 0..1_000 {
        let interval_ms = 1_000 + n % 2;
        opened.persist([ControlDbRow::Profile {
            id: AgentRowId(20_000),
            interval_ms,
            identity: None,
        }]);
    }
    assert!(opened.store.unwritten_rows() <= 1_000, "{}", opened.store.unwritten_rows());
    opened.persist([command(1, 1, Action::Kill, &[(20_000, 1)])]);
    opened.wait_persisted(1);
    let opened = opened.again(&dir);
    assert_eq!(opened.restored.agents.len(), 20_000);
    let killed = opened.agent(20_000);
    assert!(killed.desired.as_deref().unwrap().killed);
    assert_eq!(killed.interval_ms, 1_001);
}
