//! Every screen as text.

use insta::assert_snapshot;

use crate::event::{Answer, Event};
use crate::options::TuiConfig;
use crate::sample::Driver;
use heartline_operator::sample::agent_detail;

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (120, 36);

fn agent(size: (u16, u16), id: &str) -> Driver {
    let mut driver = Driver::live(size);
    driver.keys("/");
    driver.types(&format!("agent={id}"));
    driver.keys("Enter 2");
    let result = Ok(Box::new(agent_detail(id)));
    driver.send(Event::Answer(Answer::Agent { id: id.to_owned(), result }));
    driver
}

#[test]
fn fleet() {
    for (name, size) in [
        ("fleet_80x24", SMALL),
        ("fleet_100x30", (100, 30)),
        ("fleet_120x36", LARGE),
        ("fleet_160x40", (160, 40)),
        ("fleet_200x60", (200, 60)),
    ] {
        assert_snapshot!(name, Driver::live(size).screen());
    }
}

#[test]
fn agent_screen() {
    assert_snapshot!("agent_80x24", agent(SMALL, "scraper-eu").screen());
    assert_snapshot!("agent_120x36", agent(LARGE, "report-generator").screen());
}

#[test]
fn transitions() {
    for (name, size) in [("transitions_80x24", SMALL), ("transitions_120x36", LARGE)] {
        let mut driver = Driver::live(size);
        driver.keys("3 k");
        assert_snapshot!(name, driver.screen());
    }
}

#[test]
fn dialogs() {
    for (name, size) in [("kill_80x24", SMALL), ("kill_120x36", LARGE)] {
        let mut driver = Driver::live(size);
        driver.keys("Space Space K");
        driver.keys("Tab");
        driver.types("INC-482 stuck on invoices");
        assert_snapshot!(name, driver.screen());
    }
    let mut driver = Driver::live(SMALL);
    driver.keys("/");
    driver.types("scraper");
    driver.keys("Enter R");
    assert_snapshot!("resume_80x24", driver.screen());
}

#[test]
fn overlays() {
    let mut small = Driver::live(SMALL);
    small.keys("?");
    assert_snapshot!("help_80x24", small.screen());
    let mut large = Driver::live(LARGE);
    large.keys("?");
    assert_snapshot!("help_120x36", large.screen());
    let mut picker = Driver::live(SMALL);
    picker.keys("s");
    assert_snapshot!("sort_80x24", picker.screen());
    let mut palette = Driver::live(SMALL);
    palette.keys(":");
    palette.types("mar");
    assert_snapshot!("palette_80x24", palette.screen());
}

#[test]
fn a_lost_link() {
    let mut driver = Driver::live(SMALL);
    driver.lose();
    driver.wait(43_000);
    assert_snapshot!("lost_80x24", driver.screen());
}

#[test]
fn before_the_first_connection() {
    let mut driver = Driver::unconnected(SMALL, &TuiConfig::default());
    driver.lose();
    assert_snapshot!("connecting_80x24", driver.screen());
}

#[test]
fn ascii_mono_and_tiny() {
    let ascii = TuiConfig { ascii: true, ..TuiConfig::default() };
    let screen = Driver::with(LARGE, &ascii).screen();
    assert!(screen.is_ascii());
    assert_snapshot!("fleet_ascii_120x36", screen);
    assert_snapshot!("tiny_59x14", Driver::live((59, 14)).screen());
}
