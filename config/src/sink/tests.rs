use std::path::Path;

use super::*;
use crate::ConfigFile;
use crate::value::StringSetting as _;

fn parse(text: &str) -> Result<ConfigFile, ConfigError> {
    ConfigFile::parse(&ConfigText::new(Path::new("heartline.toml"), text.to_owned()))
}

fn read(text: &str) -> Vec<SinkConfig> {
    let variable = |name: &str| Some(OsString::from(format!("https://value.of/{name}")));
    let file = parse(text).unwrap();
    file.sink.iter().map(|it| it.read(variable).unwrap()).collect()
}

#[test]
fn each_type_takes_its_settings_and_no_others() {
    let many: String =
        (0..33).map(|it| format!("[[sink]]\nname = \"s{it}\"\ntype = \"bell\"\n")).collect();
    let table = [
        (
            "[[sink]]\nname = \"a b\"\ntype = \"bell\"",
            "line 2, column 8: invalid value: string \"a b\", expected a name of 1 to 64",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"irc\"",
            "line 3, column 8: invalid value: string \"irc\", expected one of webhook, slack",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"slack\"\nurl_fil = \"x\"",
            "line 4, column 1: unknown field `url_fil`, expected one of",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"slack\"\nkey_file = \"/k\"",
            "line 4, column 12: key_file is no setting of a sink of type \"slack\"",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"slack\"\nurl_file = \"/k\"\nurl_env = \"K\"",
            "line 5, column 11: expected either url_file or url_env, found both",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"slack\"",
            "line 3, column 8: expected url or url_file or url_env for a sink of type \"slack\"",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"slack\"\nurl = \"hooks.slack.com/T0\"",
            "line 4, column 7: expected a URL that begins with https:// or http://",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"command\"\ncommand = []",
            "line 4, column 11: expected 1 to 64 items, found 0",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"bell\"\ntimeout = \"2m\"",
            "line 4, column 11: expected at most \"1m\"",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"mail\"\nserver = \"mail.x\"\nfrom = \"a@x\"\nto = [\"b@x\"]\ntls = \"none\"",
            "line 4, column 10: expected a server on this machine where tls = \"none\"",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"mail\"\nserver = \"mail.x:smtp\"\nfrom = \"a@x\"\nto = [\"b@x\"]",
            "line 4, column 10: expected HOST or HOST:PORT",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"mail\"\nserver = \"m\"\nfrom = \"a@x\"\nto = [\"b@x\"]\nuser = \"u\"",
            "line 7, column 8: expected password_file or password_env, too",
        ),
        (
            "[[sink]]\nname = \"a\"\ntype = \"bell\"\n[[sink]]\nname = \"a\"\ntype = \"bell\"",
            "line 5, column 8: there is another sink with the name \"a\"",
        ),
        (&many, "line 98, column 8: expected at most 32 tables [[sink]]"),
    ];
    for (text, said) in table {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("heartline.toml, {said}")), "{error}");
    }
}

#[test]
fn a_url_that_may_be_a_secret_is_never_repeated() {
    let text = "[[sink]]\nname = \"a\"\ntype = \"slack\"\nurl = \"htps://hooks/SECRET-SECRET\"";
    assert!(!parse(text).unwrap_err().to_string().contains("SECRET"));
    let text = "[[sink]]\nname = \"a\"\ntype = \"slack\"\nurl = \"https://hooks.slack.com/services/SECRET\"";
    let file = parse(text).unwrap();
    let shown = file.to_toml();
    assert!(shown.contains("url = \"https://hooks.slack.com/…CRET\""), "{shown}");
    assert!(!format!("{file:?}{:?}", read(text)).contains("SECRET"));
}

#[test]
fn what_is_not_set_has_the_defaults_of_its_service() {
    let sinks = read(
        "[[sink]]\nname = \"p\"\ntype = \"pagerduty\"\nkey_env = \"PD\"\nregion = \"eu\"\n\
         [[sink]]\nname = \"o\"\ntype = \"opsgenie\"\nkey_env = \"OG\"\nurl = \"https://api.atlassian.com/jsm/ops/integration/v2/alerts\"\n\
         [[sink]]\nname = \"m\"\ntype = \"mail\"\nserver = \"mail.x\"\nfrom = \"a@x\"\nto = [\"b@x\"]\ntimeout = \"30s\"",
    );
    let SinkTarget::PagerDuty { events_url, api_url, key, token } = &sinks[0].target else {
        panic!("{:?}", sinks[0])
    };
    assert_eq!(events_url.expose(), "https://events.eu.pagerduty.com");
    assert_eq!(api_url.expose(), "https://api.eu.pagerduty.com");
    assert_eq!((key.expose(), token), ("https://value.of/PD", &None));
    assert_eq!(sinks[0].timeout, Duration::from_secs(10));
    let SinkTarget::Opsgenie { url, .. } = &sinks[1].target else { panic!("{:?}", sinks[1]) };
    assert!(url.expose().starts_with("https://api.atlassian.com/jsm"));
    let SinkTarget::Mail(mail) = &sinks[2].target else { panic!("{:?}", sinks[2]) };
    assert_eq!((mail.host.as_str(), mail.port, mail.tls), ("mail.x", 587, MailTls::StartTls));
    assert_eq!(sinks[2].timeout, Duration::from_secs(30));
}

#[test]
fn a_secret_that_can_not_be_read_is_named_at_start() {
    let file = parse("[[sink]]\nname = \"a\"\ntype = \"slack\"\nurl_env = \"HOOK\"").unwrap();
    let directories =
        heartline_operator::CollectorDirectories { data: "/d".into(), sockets: "/s".into() };
    let config = file.resolve(&[], directories);
    let error = config.alerts.read_sinks(|_| None).unwrap_err().to_string();
    assert_eq!(error, "the environment variable HOOK, the url of sink \"a\", is not set");
    let error = file.sink[0].read(|_| Some("SECRET".into())).unwrap_err().to_string();
    assert!(
        error.starts_with("the environment variable HOOK, the url of sink \"a\": expected a URL")
    );
    assert!(!error.contains("SECRET"));
}

#[test]
fn the_guide_has_a_valid_sink_of_every_type() {
    let guide = include_str!("../../../docs/alerting.md");
    let examples: String = guide.split("```").filter_map(|it| it.strip_prefix("toml\n")).collect();
    let types: Vec<_> =
        parse(&examples).unwrap().sink.iter().map(|it| it.kind.get_ref().0.name()).collect();
    let listed = SinkType::EXPECTED.strip_prefix("one of ").unwrap();
    assert_eq!(types, listed.split(", ").collect::<Vec<_>>());
}

#[test]
fn the_template_has_every_setting_of_a_sink() {
    let template = include_str!("../template.toml");
    let examples = template.lines().filter_map(|it| it.strip_prefix("#  "));
    let text = examples.collect::<Vec<_>>().join("\n");
    let file = parse(&text).unwrap();
    let mut set: Vec<_> = file.sink.iter().flat_map(SinkSection::set).map(|it| it.0).collect();
    // The others of a group are named beside it.
    for other in ["url_file", "url_env", "key_env", "secret_env", "token_file", "password_env"] {
        assert!(template.contains(&format!("or {other}")), "{other}");
        set.push(other);
    }
    let all = [URL, KEY, SECRET, TOKEN, PASSWORD].concat();
    let rest = [
        "urls", "api_url", "region", "topic", "server", "tls", "user", "from", "to", "command",
        "title", "body",
    ];
    for setting in all.into_iter().chain(rest) {
        assert!(set.contains(&setting), "{setting}");
    }
}

#[test]
fn a_bell_is_never_the_only_sink_of_a_route() {
    let sinks = "[[sink]]\nname = \"desk\"\ntype = \"bell\"\n[[sink]]\nname = \"hall\"\ntype = \"bell\"\n\
                 [[sink]]\nname = \"file\"\ntype = \"command\"\ncommand = [\"tee\"]\n";
    let check = |route: &str| parse(&format!("{sinks}[[route]]\n{route}\n"));
    for bells in ["to = [\"desk\"]", "to = [\"desk\", \"hall\"]"] {
        let error = check(bells).unwrap_err().to_string();
        assert!(error.contains("line 12, column 6: expected a sink beside those of"), "{error}");
    }
    check("to = [\"desk\", \"file\"]").unwrap();
    check("to = [\"file\"]\nescalate = { after = \"5m\", to = [\"desk\"] }").unwrap();
}

/// A sink whose settings follow from line 4 on.
fn chat(settings: &str) -> String {
    format!("[[sink]]\nname = \"chat\"\ntype = \"slack\"\n{settings}\nurl_env = \"CHAT\"\n")
}

#[test]
fn a_mistake_in_a_template_has_its_place_in_the_file() {
    for (settings, said) in [
        (
            "title = \"{{ foo }}\"",
            "line 4, column 13: there is no foo; expected one of about, acknowledged_at,",
        ),
        ("title = '{{ foo }}'", "line 4, column 13: there is no foo"),
        ("title = \"\\u00fc\\t{{ foo }}\"", "line 4, column 21: there is no foo"),
        ("body = \"\"\"\n{{ title }}\n  {{ foo }}\n\"\"\"", "line 6, column 6: there is no foo"),
        ("body = '''\n{{ title }}\n  {{ foo }}\n'''", "line 6, column 6: there is no foo"),
        ("body = '''\r\n{{ title }}\r\n  {{ foo }}\r\n'''", "line 6, column 6: there is no foo"),
        ("body = \"\"\"a \\\n   {{ foo }}\"\"\"", "line 5, column 7: there is no foo"),
        ("body = \"\"\"\n{{ title }\n\"\"\"", "line 5, column "),
        ("title = \"{{ foo }} {{ foo }}\"", "line 4, column 13: there is no foo"),
        // Written twice, and nothing comes to either.
        (
            "title = \"{% if kind == 'x' %}{{ foo }}{{ foo }}{% endif %}\"",
            "line 4, column 9: line 1 of the text: there is no foo",
        ),
        ("title = 3", "line 4, column 9: invalid type: integer `3`, expected a text"),
    ] {
        let error = parse(&chat(settings)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("heartline.toml, {said}")), "{settings}: {error}");
    }
    let long = chat(&format!("title = \"{}\"", "x".repeat(1 << 19)));
    let error = parse(&long).unwrap_err().to_string();
    assert_eq!(
        error,
        "heartline.toml, line 4, column 10: expected at most 16384 bytes, found 524288"
    );
}

#[test]
fn templates_are_settings_of_some_types_and_printed_as_they_are() {
    for (settings, said) in [
        ("type = \"bell\"\ntitle = \"x\"", "title is no setting of a sink of type \"bell\""),
        (
            "type = \"webhook\"\nurl_env = \"U\"\nbody = \"x\"",
            "body is no setting of a sink of type",
        ),
        (
            "type = \"command\"\ncommand = [\"tee\"]\ntitle = \"x\"",
            "title is no setting of a sink of",
        ),
        (
            "type = \"mail\"\nserver = \"m\"\nfrom = \"a@x\"\nto = [\"b@x\"]\ntitle = \"x\"",
            "line 7, column 9: title is no setting of a sink of type \"mail\"",
        ),
    ] {
        let error = parse(&format!("[[sink]]\nname = \"a\"\n{settings}")).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let text = chat("title = \"{{ kind }}\\n\"\nbody = '''\n- {{ body }} \"\"\" \\\n'''");
    let (sink, shown) = (&read(&text)[0], parse(&text).unwrap().to_toml());
    assert!(sink.templates.title.is_some() && sink.templates.body.is_some());
    assert_eq!(read(&shown)[0].templates, sink.templates, "{shown}");
}

#[test]
fn the_templates_of_the_guide_are_valid() {
    let guide = include_str!("../../../docs/alerting.md");
    let examples = guide.split("```").filter_map(|it| it.strip_prefix("toml texts\n"));
    let read = examples.map(|it| parse(it).unwrap_or_else(|error| panic!("{error}\n{it}")));
    assert!(read.count() > 0);
}
