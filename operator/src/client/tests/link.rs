use super::*;
use crate::{FleetMirror, SubscriptionUpdate};

async fn next(link: &mut Link) -> LinkEvent {
    timeout(DEADLINE, link.next()).await.expect("the link fell silent")
}

/// Passes events on until the mirror has the whole fleet and its first changes.
async fn until_live(link: &mut Link, mirror: &mut FleetMirror) {
    let mut live = false;
    loop {
        match next(link).await {
            LinkEvent::State(LinkState::Live(_)) => {
                mirror.begin();
                live = true;
            }
            LinkEvent::Update(update) => {
                assert!(live, "an update came before the link was live");
                let changes = matches!(update, SubscriptionUpdate::Delta(_));
                mirror.apply(update, Duration::ZERO);
                if changes {
                    return;
                }
            }
            _ => {}
        }
    }
}

async fn until_lost(link: &mut Link) -> String {
    loop {
        if let LinkEvent::State(LinkState::Lost { why, .. }) = next(link).await {
            return why;
        }
    }
}

#[tokio::test]
async fn a_lost_link_comes_back_by_itself() {
    let fixture = ClientFixture::new();
    let collector = fixture.serve(crate::CONTROL_SOCKET, VERSION);
    let mut link = Link::open(fixture.endpoint(), ClientOptions::default());
    let handle = link.handle();
    let mut mirror = FleetMirror::default();
    until_live(&mut link, &mut mirror).await;
    assert_eq!(mirror.entries().map(|entry| &*entry.agent).collect::<Vec<_>>(), ["b", "c"]);
    assert!(handle.request(Request::Ping).await.is_ok());

    drop(collector);
    assert!(until_lost(&mut link).await.contains("hung up"));
    assert!(matches!(failure(handle.request(Request::Ping).await), ClientError::Closed { .. }));
    assert!(until_lost(&mut link).await.starts_with("no collector answers on"));
    assert_eq!(mirror.len(), 2, "what was known stays");

    let _collector = fixture.serve(crate::CONTROL_SOCKET, VERSION);
    handle.reconnect();
    until_live(&mut link, &mut mirror).await;
    assert!(mirror.is_whole());
    assert!(handle.request(Request::Ping).await.is_ok());
}

#[tokio::test]
async fn a_link_measures_its_round_trip() {
    let fixture = ClientFixture::new();
    let _collector = fixture.serve(crate::CONTROL_SOCKET, VERSION);
    let mut link = Link::open(fixture.endpoint(), ClientOptions::default());
    loop {
        if let LinkEvent::RoundTrip(trip) = next(&mut link).await {
            assert!(trip < DEADLINE);
            return;
        }
    }
}
