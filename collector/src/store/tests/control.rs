//! Roster, commands, tokens.

use heartline_fleet::ControlDbRow;

use heartline_vocabulary::{Action, AgentRowId, Identity, Reason, SharedIdentity};

use rusqlite::Connection;

use super::*;
use crate::store::file::CONTROL_FILE;
use crate::store::{Revocation, TokenChange, TokenChangeKind};

#[test]
fn the_roster_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    assert_eq!(opened.restored.next_id, AgentRowId(1));
    for (id, name) in [(1, "agent-1"), (2, "agent-2"), (3, "agent-3")] {
        register(&opened, id, name);
    }
    let about = SharedIdentity {
        host: Some("machine-3".into()),
        labels: vec![("tag".into(), "prod".into())],
        ..SharedIdentity::default()
    };
    let identity = Identity { pid: Some(4_411), shared: about.into() };
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

    let sql = "SELECT forgotten_ms, forgotten_by FROM agents WHERE name = 'agent-3'";
    let control = Connection::open(path(&dir, CONTROL_FILE)).unwrap();
    let forgotten = control.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(
        forgotten,
        (ZERO_MS + 9_000, "root@host".to_owned()),
        "its row says when and by whom"
    );
}

#[test]
fn a_kill_is_stored_with_who_and_why_and_comes_back_with_its_progress() {
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
fn a_command_that_is_repeated_is_answered_as_before() {
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
fn a_generation_never_falls_and_nothing_changes_what_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    register(&opened, 1, "agent-1");
    register(&opened, 2, "agent-2");
    opened.persist([command(1, 1, Action::Kill, &[(1, 5)])]);
    opened.persist([command(2, 2, Action::Resume, &[(1, 4)])]);
    let mut unchanging = command(3, 3, Action::Resume, &[(2, 0)]);
    if let ControlDbRow::Command { targets, .. } = &mut unchanging {
        targets[0].1.changed = false;
    }
    opened.persist([unchanging]);
    let opened = opened.again(&dir);
    let desired = opened.agent(1).desired.as_deref().unwrap();
    assert_eq!((desired.generation, desired.killed), (5, true));
    assert_eq!(opened.agent(2).desired, None);
}

#[test]
fn tokens_are_listed_and_revocations_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path());
    let change = |kind, scope: &str, at_ms| {
        let (done, result) = mpsc::channel();
        let (scope, by) = (scope.to_owned(), "root@host".to_owned());
        let change = TokenChange { kind, scope, epoch: 1, at_ms, by };
        opened.store.change_token(change, Box::new(move |stored| drop(done.send(stored))));
        result.recv_timeout(PATIENCE).unwrap().unwrap();
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
    let expected = Revocation { scope: "mail.".into(), epoch: 1 };
    assert_eq!(opened.restored.revocations, [expected]);
}
