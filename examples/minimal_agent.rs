//! A minimal agent: a short task about five times a second. Ctrl-C and SIGTERM end it with a
//! goodbye, which the emitter says by itself.
//!
//! ```text
//! cargo run --example minimal_agent [NAME]
//! ```

use std::thread::sleep;
use std::time::Duration;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_else(|| "minimal-agent".to_owned());
    let hb = heartline::start(&name);
    hb.on_kill(|| println!("killed: no new task until resumed"));
    hb.on_resume(|| println!("resumed"));
    println!("started {name}, process {}", std::process::id());

    let mut last_status = String::new();
    loop {
        let mut task = hb.task(); // counts, times, waits while killed
        sleep(Duration::from_millis(150)); // the work
        task.cost_usd(0.000_2);
        drop(task);

        // Only for this terminal; an agent needs none of it.
        let status = hb.status().to_string();
        if status != last_status {
            println!("{status}");
            last_status = status;
        }
        sleep(Duration::from_millis(50));
    }
}
