use std::path::Path;

use tokio::io::AsyncWriteExt as _;

use super::*;

#[tokio::test]
async fn a_collector_is_reached_through_ssh() {
    let fixture = ClientFixture::new();
    let pipe = |name| {
        assert!(Command::new("mkfifo").arg(fixture.path(name)).status().unwrap().success());
        fixture.path(name)
    };
    let (up, down) = (pipe("up"), pipe("down"));
    let mut options = tokio::net::unix::pipe::OpenOptions::new();
    let to_collector = options.read_write(true).open_receiver(up).unwrap();
    let from_collector = options.open_sender(down).unwrap();
    let collector = tokio::spawn(answer(to_collector, from_collector, VERSION, true));

    let body = r#"#!/bin/sh
cd "$(dirname "$0")" && echo "$$" > pid && echo "$@" > arguments
cat < down & cat > up"#;
    let ssh = SshEndpoint { data_dir: Some("/srv/h".into()), ..fixture.ssh(body) };
    let client = connect(&Endpoint::Ssh(ssh)).await.unwrap();
    assert_eq!(client.snapshot(AgentSelector::All).await.unwrap().0.len(), 2);
    assert_eq!(
        std::fs::read_to_string(fixture.path("arguments")).unwrap(),
        "-T m3 heartline --data-dir /srv/h dial-stdio\n"
    );

    let pid = std::fs::read_to_string(fixture.path("pid")).unwrap();
    let process = Path::new("/proc").join(pid.trim());
    assert!(process.exists());
    drop(client);
    let gone = async {
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, gone).await.expect("ssh outlived its connection");
    collector.abort();
}

#[tokio::test]
async fn what_ssh_says_is_the_error() {
    let fixture = ClientFixture::new();
    let ssh = fixture.ssh("#!/bin/sh\necho 'ops@m3: Permission denied (publickey).' >&2; exit 255");
    let error = failure(connect(&Endpoint::Ssh(ssh)).await);
    assert!(error.is_no_collector());
    assert!(error.to_string().ends_with("ssh says: ops@m3: Permission denied (publickey)."));

    let missing = SshEndpoint { program: fixture.path("none"), ..SshEndpoint::new("m3") };
    assert!(matches!(failure(connect(&Endpoint::Ssh(missing)).await), ClientError::NoSsh { .. }));
    let option = Endpoint::Ssh(SshEndpoint::new("-oProxyCommand=rm"));
    assert!(matches!(failure(connect(&option).await), ClientError::BadHost { .. }));
}

#[tokio::test]
async fn an_ssh_that_says_nothing_is_not_waited_for_for_ever() {
    let fixture = ClientFixture::new();
    let ssh = Endpoint::Ssh(fixture.ssh("#!/bin/sh\necho 'Last login: today' >&2; exec sleep 60"));
    let options = ClientOptions { greeting_timeout: Duration::from_secs(1), ..Default::default() };
    let connecting = timeout(DEADLINE, Client::connect(&ssh, &options));
    let error = failure(connecting.await.expect("it must give up"));
    assert!(error.is_no_collector());
    let error = error.to_string();
    assert!(error.starts_with("nothing came through ssh from m3 within 1 s"), "{error}");
    assert!(error.contains("ssh says: Last login: today") && error.contains("`ssh m3`"), "{error}");
}

#[tokio::test]
async fn dialled_bytes_pass_both_ways_until_one_side_closes() {
    let fixture = ClientFixture::new();
    let _collector = fixture.serve(crate::CONTROL_SOCKET, VERSION);
    let (mut near_in, far_in) = tokio::io::duplex(64);
    let (far_out, near_out) = tokio::io::duplex(64);
    let directories = fixture.directories.clone();
    let dial = tokio::spawn(async move {
        transport::proxy(&directories, AccessMode::Control, far_in, far_out).await
    });
    let ping = encode(&ClientFrame { id: 9, request: Request::Ping }).unwrap();
    near_in.write_all(&ping).await.unwrap();
    let pong = FrameReader::new(near_out).next::<ServerFrame>().await.unwrap().unwrap();
    assert_eq!(pong, ServerFrame { id: 9, reply: Reply::Pong { at_ms: sample::NOW_MS } });
    near_in.shutdown().await.unwrap();
    drop(near_in);
    timeout(DEADLINE, dial).await.expect("it must end").unwrap().unwrap();
}

#[tokio::test]
async fn only_the_first_attempt_of_a_link_may_ask_for_a_passphrase() {
    let fixture = ClientFixture::new();
    let ssh = fixture.ssh("#!/bin/sh\necho \"$@\" >> \"$(dirname \"$0\")/attempts\"; exit 255");
    let mut link = Link::open(Endpoint::Ssh(ssh), ClientOptions::default());
    let mut lost = 0;
    while lost < 2 {
        let event = timeout(DEADLINE, link.next()).await.expect("it must try again");
        lost += usize::from(matches!(event, LinkEvent::State(LinkState::Lost { .. })));
    }
    assert_eq!(
        std::fs::read_to_string(fixture.path("attempts")).unwrap(),
        "-T m3 heartline dial-stdio\n-T -o BatchMode=yes m3 heartline dial-stdio\n"
    );
}
