//! Templates of texts, with a real collector: a mistake in one is told by its place, and changes nothing.

use heartline_operator::message::{AlertQuery, Reply, Request};
use heartline_tests::harness::{TestEnvironment, TestOperator, wait_until};
use rustix::process::Signal;

fn config(sink: &str, body: &str) -> String {
    format!(
        "[[sink]]\nname = \"{sink}\"\ntype = \"ntfy\"\nurl = \"http://127.0.0.1:9/\"\ntopic = \"ops\"\n\
         body = \"\"\"\n{body}\"\"\"\n[[route]]\nto = [\"{sink}\"]\n"
    )
}

fn sinks(operator: &TestOperator) -> Vec<String> {
    match operator.request(&Request::Alerts(AlertQuery::Open)) {
        Ok(Reply::Alerts(report)) => report.sinks.into_iter().map(|it| it.name).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_template_with_a_mistake_is_refused_before_anything_changes() {
    let env = TestEnvironment::new();
    env.configure(&config("first", "{{ title }}\n"));
    let mut collector = env.start_collector();
    let operator = env.operator();
    assert_eq!(sinks(&operator), ["first"]);
    let mistake = "line 8, column 26: `m.nam` is undefined";
    env.configure(&config(
        "second",
        "{{ title }}\n{% for m in members %}{{ m.nam }}{% endfor %}\n",
    ));
    let checked = env.heartline("--config heartline.toml config check");
    let said = String::from_utf8([checked.stdout, checked.stderr].concat()).unwrap();
    assert!(checked.status.code() == Some(2) && said.contains(mistake), "{said}");
    collector.process().signal(Signal::HUP);
    wait_until("it is refused", || collector.log().contains(mistake));
    assert!(collector.log().contains("configuration not reloaded: "), "{}", collector.log());
    assert_eq!(sinks(&operator), ["first"]);

    env.configure(&config("second", "{% for m in members %}{{ m.agent }}{% endfor %}\n"));
    collector.process().signal(Signal::HUP);
    wait_until("the other is taken over", || sinks(&operator) == ["second"]);
}
