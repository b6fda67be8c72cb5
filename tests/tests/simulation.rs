//! The invariants of `ARCHITECTURE.md` in 2,000 seeded runs of a whole fleet.

use heartline_tests::sim;

#[test]
fn the_invariants_hold_in_2000_runs() {
    let report = sim::run(1, 2_000, 60);
    for failure in &report.failures {
        println!("{failure}\n  replay: cargo xtask sim --seed {} --seeds 1", failure.seed);
    }
    assert_eq!((report.runs, report.failures.len()), (2_000, 0));
}

#[test]
fn a_run_depends_on_its_seed_alone() {
    let (one, two) = (sim::run(77, 20, 0), sim::run(77, 20, 0));
    assert_eq!((one.steps, one.simulated_time), (two.steps, two.simulated_time));
}
