//! Test harness for the whole system: collectors and agents as processes in a directory of their
//! own, a lossy network between them, and a client for operators.
//!
//! Everything ends with the value that stands for it, also when a test panics. [`wait_until`] waits
//! for a condition, up to a deadline; nothing waits for a fixed time. These helpers panic with what
//! they were about, as their failure is the test's.

mod collector;
mod environment;
mod http;
mod operator;
mod ping_server;
mod process;
mod program;
mod proxy;
mod rollup;
mod scripted_agent;
mod unix_user;
mod wait;
mod webhook;
mod worker_agent;

pub use collector::CollectorProcess;
pub use environment::TestEnvironment;
pub use operator::TestOperator;
pub use ping_server::{PING_SECRET, PingAnswer, PingServer, ReceivedPing};
pub use process::TestProcess;
pub use program::TestedProgram;
pub use proxy::{AckDelivery, NetworkConditions, ProxyCounters, UdpProxy};
pub use rollup::{rollup_latencies, rollup_totals};
pub use scripted_agent::{RawUdpClient, ScriptedAgent};
pub use unix_user::UnixUser;
pub use wait::{WAIT_TIMEOUT, poll_for, wait_for, wait_until};
pub use webhook::{ReceivedWebhook, WebhookServer};
pub use worker_agent::{WorkerAgent, task_count};
