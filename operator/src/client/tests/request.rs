use std::os::unix::fs::PermissionsExt as _;

use tokio::io::AsyncReadExt as _;

use super::*;

#[tokio::test]
async fn replies_are_matched_to_requests_by_id() {
    let fixture = ClientFixture::new();
    let _collector = fixture.serve(crate::CONTROL_SOCKET, VERSION);
    let client = connect(&fixture.endpoint()).await.unwrap();
    assert!(client.greeting().may_control);
    assert_eq!(client.greeting().operator, "ops@here");

    let (pong, refused, mute) = tokio::join!(
        client.request(Request::Ping),
        client.request(Request::Agent { agent: "x".into() }),
        client.request(Request::Agent { agent: "mute".into() }),
    );
    assert_eq!(pong.unwrap(), Reply::Pong { at_ms: sample::NOW_MS });
    assert!(matches!(failure(refused),
        ClientError::Refused { code: ErrorCode::NotFound, message } if message == "no agent x"));
    assert!(matches!(failure(mute), ClientError::TimedOut { what: "agent", .. }));
    let (fleet, collector) = client.snapshot(AgentSelector::All).await.unwrap();
    assert_eq!(fleet.iter().map(|entry| &*entry.agent).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(collector, sample::paused_collector());
}

#[tokio::test]
async fn the_reason_of_the_end_reaches_everybody() {
    let fixture = ClientFixture::new();
    let _collector = fixture.serve(crate::CONTROL_SOCKET, VERSION);
    let client = connect(&fixture.endpoint()).await.unwrap();
    let (waiting, asking) = tokio::join!(
        client.request(Request::Agent { agent: "mute".into() }),
        client.request(Request::Token(TokenRequest::List)),
    );
    for error in [failure(waiting), failure(asking), failure(client.request(Request::Ping).await)] {
        assert!(matches!(error, ClientError::Closed { why } if why == "it ends at once"));
    }
}

#[tokio::test]
async fn connecting_without_a_collector_names_the_socket_and_the_remedy() {
    let fixture = ClientFixture::new();
    let error = failure(connect(&fixture.endpoint()).await);
    let text = error.to_string();
    assert!(error.is_no_collector() && matches!(error, ClientError::NoCollector { .. }));
    let path = fixture.path(crate::CONTROL_SOCKET);
    let start = format!("no collector answers on {}: start `heartlined`", path.display());
    assert!(text.starts_with(&start), "{text}");

    // A socket that a dead collector left behind.
    drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    assert!(matches!(failure(connect(&fixture.endpoint()).await), ClientError::NoCollector { .. }));
}

#[tokio::test]
async fn another_version_is_refused_by_name() {
    let fixture = ClientFixture::new();
    let _collector = fixture.serve(crate::CONTROL_SOCKET, VERSION + 1);
    let error = failure(connect(&fixture.endpoint()).await);
    assert!(matches!(error, ClientError::Version { theirs: Some(v) } if v == VERSION + 1));
}

#[tokio::test]
async fn an_unreadable_greeting_is_another_version() {
    let fixture = ClientFixture::new();
    let listener = UnixListener::bind(fixture.path(crate::CONTROL_SOCKET)).unwrap();
    let collector = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&encode(&("hello", 7)).unwrap()).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert!(matches!(
        failure(connect(&fixture.endpoint()).await),
        ClientError::Version { theirs: None }
    ));
    collector.await.unwrap();
}

#[tokio::test]
async fn falls_back_to_the_view_socket_without_control_access() {
    let fixture = ClientFixture::new();
    let _control = fixture.serve(crate::CONTROL_SOCKET, VERSION);
    let _view = fixture.serve(crate::VIEW_SOCKET, VERSION);
    let options = ClientOptions { access: AccessMode::View, ..ClientOptions::default() };
    let client = Client::connect(&fixture.endpoint(), &options).await.unwrap();
    assert!(!client.greeting().may_control);

    let path = fixture.path(crate::CONTROL_SOCKET);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::os::unix::net::UnixStream::connect(&path).is_ok() {
        return; // Root opens everything.
    }
    drop(client);
    assert!(!connect(&fixture.endpoint()).await.unwrap().greeting().may_control);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_loses_its_connection_and_not_the_memory() {
    let fixture = ClientFixture::new();
    let listener = UnixListener::bind(fixture.path(crate::CONTROL_SOCKET)).unwrap();
    let flood = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut frames = FrameReader::new(reader);
        let mut sent = 0_u64;
        while let Ok(Some(ClientFrame { id, request })) = frames.next().await {
            let subscribed = matches!(request, Request::Subscribe { .. });
            let mut next = replies(request, VERSION, true);
            while let Some(reply) = next.pop() {
                if writer.write_all(&encode(&ServerFrame { id, reply }).unwrap()).await.is_err() {
                    return sent;
                }
                sent += 1;
                if subscribed {
                    next = vec![Reply::Update(crate::SubscriptionUpdate::Resync)];
                }
            }
        }
        sent
    });
    let client = connect(&fixture.endpoint()).await.unwrap();
    let mut updates = client.subscribe(Vec::new(), 4).await.unwrap();
    let sent = timeout(DEADLINE, flood).await.expect("the connection must be cut").unwrap();
    let mut taken = 0;
    let error = loop {
        match updates.next().await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("read its updates too slowly"), "{error}");
    assert!(taken < 100 && sent > taken, "{taken} of {sent}");
}
