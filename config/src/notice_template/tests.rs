use heartline_vocabulary::{NoticeKind, ScopeKind};

use super::sample::{bare, full};
use super::*;

fn facts() -> NoticeFacts {
    full(NoticeKind::Opened, ScopeKind::Agent)
}

/// Renders a template; values stand in parentheses.
fn rendered(source: &str, facts: &NoticeFacts) -> String {
    let text = TextTemplate::parse(source).unwrap().render(&facts.into()).unwrap();
    let segment = |it: &TextSegment| match it {
        TextSegment::Literal(text) => text.clone(),
        TextSegment::Value(text) => format!("({text})"),
    };
    text.segments().iter().map(segment).collect()
}

fn error(source: &str) -> (usize, Option<usize>, String) {
    let error = TextTemplate::parse(source).unwrap_err();
    (error.line, error.offset, error.message)
}

#[test]
fn own_text_and_values_are_told_apart() {
    let mut facts = facts();
    facts.incident.name = "<@U1> {{ 7 * 7 }} {% raw %}".to_owned();
    let hostile = "(<@U1> {{ 7 * 7 }} {% raw %})";
    for (source, expected) in [
        ("<!here> {{ name }}", format!("<!here> {hostile}")),
        ("{{ name }}{{ kind }}", format!("{hostile}(opened)")),
        ("{{ '<!here>' }}", "(<!here>)".to_owned()),
        ("{{ '<!here>' ~ kind }}", "(<!here>opened)".to_owned()),
        // What goes through a block becomes a value: it is printed by an expression.
        ("{% set x %}<!here> {{ kind }}{% endset %}{{ x }}", "(<!here> opened)".to_owned()),
        ("{% filter upper %}<!here> {{ kind }}{% endfilter %}", "(<!HERE> OPENED)".to_owned()),
        ("{% autoescape false %}{{ name }}{% endautoescape %}", hostile.to_owned()),
        ("{% autoescape true %}{{ name }}{% endautoescape %}", hostile.to_owned()),
        ("{% raw %}{{ name }}{% endraw %}", "{{ name }}".to_owned()),
        ("{{ name|replace('<', '&lt;') }}", hostile.replace('<', "&lt;")),
        (
            "{{ name|urlencode }}",
            "(%3C%40U1%3E%20%7B%7B%207%20%2A%207%20%7D%7D%20%7B%25%20raw%20%25%7D)".to_owned(),
        ),
        ("{{ '\\u0007\\u202e' }}x", "(\u{fffd}\u{fffd})x".to_owned()),
        (
            "{% for m in members %}\n- {{ m.agent }}\n{% endfor %}\n",
            "- (mail.7)\n- (mail.7)".to_owned(),
        ),
        ("a\r\nb {{ kind }}\r\n", "a\nb (opened)".to_owned()),
        ("  \n {{ merged_into }}{{ trouble or 'x' }} \n", "(tp55kh)(UNREACHABLE)".to_owned()),
    ] {
        assert_eq!(rendered(source, &facts), expected, "{source}");
    }
}

#[test]
fn what_is_missing_prints_nothing_and_may_be_asked_for() {
    let facts = bare(NoticeKind::Resolved, ScopeKind::Host);
    for (source, expected) in [
        ("a {{ why }} b", "a  b"),
        ("{{ why or 'nobody knows' }}", "(nobody knows)"),
        ("{% if why %}{{ why|upper }}{% else %}none{% endif %}", "none"),
        ("{% if why is none %}none{% endif %}", "none"),
        ("{% for m in members %}x{% else %}nobody{% endfor %}", "nobody"),
        ("{{ lasted_ms // 1000 }} s", "(240) s"),
        ("{% if kind == 'opened' %}never{% endif %}", ""),
    ] {
        assert_eq!(rendered(source, &facts), expected, "{source}");
    }
}

#[test]
fn every_mistake_has_its_line_and_its_place() {
    for (source, line, place, said) in [
        ("a\n{{ foo }}", 2, "foo", "there is no foo; expected one of"),
        ("{% if kind == 'never' %}\n{{ foo }}{% endif %}", 2, "foo", "there is no foo;"),
        ("x {{ title.text }}", 1, "title.text", "title has no parts, found title.text"),
        ("{% for m in members %}\n  {{ m.nam }}{% endfor %}", 2, "m.nam", "`m.nam` is undefined"),
        ("ü {{ title | shout }}", 1, "shout", "filter shout is unknown"),
        ("{{ title | safe }}", 1, "safe", "filter safe is unknown"),
        ("{{ debug() }}", 1, "debug", "there is no debug;"),
        ("{{ why + 1 }}", 1, "why + 1", ""),
        ("{{ members }}", 1, "members", "expected a text or a number to print"),
        ("a\u{7}b", 1, "\u{7}b", "expected no control characters"),
    ] {
        let (found_line, offset, message) = error(source);
        let at = offset.map(|at| &source[at..]).unwrap_or_default();
        assert!(at.starts_with(place), "{source}: {at:?}: {message}");
        assert!(
            found_line == line && message.starts_with(said),
            "{source}: {found_line} {message}"
        );
    }
    for source in [
        "{{ title",
        "{% if title %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% macro f() %}{% endmacro %}",
        "{% call f() %}{% endcall %}",
        "{% block x %}{% endblock %}",
        "{{ '\\ud800' }}",
        "{{ title.__class__ }}",
        "{{ title.format(1) }}",
    ] {
        let (line, _, message) = error(source);
        assert!(line == 1 && !message.is_empty() && !message.contains('\n'), "{source}: {message}");
    }
}

#[test]
fn a_template_that_would_run_for_long_is_refused() {
    let doubled = format!("{{% set x = title %}}{}{{{{ x }}}}", "{% set x = x ~ x %}".repeat(40));
    let deep = format!("{}{}", "{% if true %}".repeat(2_000), "{% endif %}".repeat(2_000));
    let brackets = format!("{{{{ {}1{} }}}}", "(".repeat(5_000), ")".repeat(5_000));
    for source in [
        "{% for i in range(1000000000) %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ 'x' * 50000000 }}",
        "{{ title|center(1000000000) }}",
        "{{ title|indent(1000000000) }}",
        "{{ '%1000000000d'|format(1) }}",
        "{{ range(99999)|join(title) }}",
        "{{ [1] * 90000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ ([1] * 90000000)|string }}",
        "{{ ([1] * 90000000)|list }}",
        "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
        &doubled,
        &deep,
        &brackets,
        &"x".repeat(1 << 20),
        &"{{ title }}".repeat(10_000),
    ] {
        let (_, _, message) = error(source);
        assert!(message.len() < 300, "{message}");
    }
    // What a text of every use may take.
    let list =
        "{% for m in members %}- {{ m.agent }} on {{ m.host or '?' }}: {{ m.state }}\n{% endfor %}";
    let member = facts().members[0].clone();
    let many = NoticeFacts { members: vec![member; 200], ..facts() };
    assert_eq!(rendered(list, &many).lines().count(), 200);
}
