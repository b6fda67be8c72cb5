//! One run: an emitter, its collectors, their networks, and the script.

use std::fmt::Write as _;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;
use heartline_vocabulary::{Action, Reason, State};
use tokio::time::Instant;

use super::agent::ConformanceAgent;
use super::difference::{stored_differences, totals_differences};
use super::emitter::TestedEmitter;
use super::fault_plan::{Fault, FaultPlan};
use super::generator;
use super::report::RunReport;
use super::script::WorkScript;
use super::site::Site;
use crate::harness::{NetworkConditions, WAIT_TIMEOUT, poll_for};
use crate::random::RngExt as _;

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct RunPlan {
    pub seed: u64,
    /// Regular beats of the emitter while there are faults.
    pub beats: u32,
    /// 1 or 2.
    pub collectors: usize,
}

/// Longest time without anything new in a collector, while something is missing there.
const QUIET_TIMEOUT: Duration = Duration::from_secs(10);

/// Tasks that are begun while the agent is killed.
const HELD_TASKS: usize = 3;

/// Operations of its last moment: they fit into the first goodbye, because on a busy machine the
/// patience of a goodbye may be over before there is another one.
const LAST_OPERATIONS: u64 = 40;

/// Beats that must arrive from an agent that is killed.
const KILLED_BEATS: u64 = 3;

/// Parts of a run.
struct Run<'a> {
    report: &'a mut RunReport,
    sites: Vec<Site>,
    agent_name: String,
    script: WorkScript,
}

/// Runs an emitter, and puts down in the report what is counted and what differs.
///
/// # Errors
/// When the run could not go on.
pub(super) fn run(
    emitter: &TestedEmitter,
    plan: &RunPlan,
    report: &mut RunReport,
) -> Result<(), String> {
    let mut rng = generator(plan, 0);
    let mut run = Run {
        report,
        sites: start_sites(plan, &mut rng)?,
        agent_name: format!("conformance.{}", rng.u16(..)),
        script: WorkScript::new(generator(plan, 1)),
    };
    let interval_ms = rng.u64(100..=200);
    let mut command = emitter.command(&run.agent_name)?;
    run.set_environment(&mut command, interval_ms, &mut rng)?;
    let mut agent = ConformanceAgent::start(&mut command)?;
    let outcome = run.go_through(&mut agent, emitter, plan, interval_ms);
    run.count();
    outcome?;
    run.end(agent)
}

fn start_sites(plan: &RunPlan, rng: &mut Rng) -> Result<Vec<Site>, String> {
    let mut sites = vec![Site::start(rng.u64(..))];
    while sites.len() < plan.collectors {
        let sibling = sites[0].start_sibling(rng.u64(..))?;
        sites.push(sibling);
    }
    Ok(sites)
}

impl Run<'_> {
    /// Sets what the contract says an agent is told, with a token of any kind of scope.
    fn set_environment(
        &self,
        command: &mut Command,
        interval_ms: u64,
        rng: &mut Rng,
    ) -> Result<(), String> {
        let scope = rng.pick(&["", "conformance.", &self.agent_name]);
        let addresses: Vec<String> =
            self.sites.iter().map(|site| site.proxy.address().to_string()).collect();
        let directory = self.sites[0].env().path();
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HEARTLINE_") {
                command.env_remove(name);
            }
        }
        command.env("HEARTLINE_COLLECTOR", addresses.join(","));
        command.env("HEARTLINE_TOKEN", self.sites[0].make_token(scope)?);
        command.env("HEARTLINE_INTERVAL", format!("{interval_ms}ms"));
        command.env("HEARTLINE_STATE_DIR", directory.join("agents"));
        command.env("XDG_STATE_HOME", directory.join("agent-state"));
        command.env("XDG_RUNTIME_DIR", directory.join("run"));
        Ok(())
    }

    /// All but the end: the faults, and a kill.
    fn go_through(
        &mut self,
        agent: &mut ConformanceAgent,
        emitter: &TestedEmitter,
        plan: &RunPlan,
        interval_ms: u64,
    ) -> Result<(), String> {
        self.await_live(agent)?;
        self.work_under_faults(agent, plan, interval_ms)?;
        self.set_conditions(&NetworkConditions::LOSSY);
        if self.await_stored() && emitter.has_waiting_tasks() {
            self.kill_and_resume(agent, plan)?;
            self.await_stored();
        }
        agent.check_running()
    }

    fn await_live(&self, agent: &mut ConformanceAgent) -> Result<(), String> {
        let name = &self.agent_name;
        let is_live = |site: &Site| site.vitals(name).is_some_and(|it| it.state == State::Healthy);
        let outcome = poll_for(WAIT_TIMEOUT, || match agent.check_running() {
            Err(message) => Some(Err(message)),
            Ok(()) => self.sites.iter().all(is_live).then_some(Ok(())),
        });
        outcome.unwrap_or_else(|| Err(format!("the agent {name} is not seen as healthy")))
    }

    fn work_under_faults(
        &mut self,
        agent: &mut ConformanceAgent,
        plan: &RunPlan,
        interval_ms: u64,
    ) -> Result<(), String> {
        let mut rng = generator(plan, 2);
        let mut faults = FaultPlan::draw(&mut rng, self.sites.len(), plan.beats, interval_ms);
        let duration_ms = u64::from(plan.beats) * interval_ms;
        let began = Instant::now();
        let mut burst_at_ms = 0;
        while burst_at_ms < duration_ms {
            sleep(Duration::from_millis(burst_at_ms).saturating_sub(began.elapsed()));
            while let Some(fault) = faults.next(burst_at_ms) {
                self.begin_fault(fault);
            }
            agent.write(&self.script.burst())?;
            burst_at_ms += rng.u64(5..=60);
        }
        self.sites.iter_mut().for_each(Site::restart);
        Ok(())
    }

    fn begin_fault(&mut self, fault: Fault) {
        match fault {
            Fault::Conditions { site, conditions } => {
                self.sites[site].proxy.set_conditions(conditions);
            }
            Fault::Crash { site } => self.sites[site].crash(),
            Fault::Restart { site } => self.sites[site].restart(),
        }
    }

    fn set_conditions(&self, conditions: &NetworkConditions) {
        self.sites.iter().for_each(|site| site.proxy.set_conditions(conditions.clone()));
    }

    /// Kills the agent at one of its collectors: its tasks wait, its beats go on, and after the resume
    /// all that waited is done.
    fn kill_and_resume(
        &mut self,
        agent: &mut ConformanceAgent,
        plan: &RunPlan,
    ) -> Result<(), String> {
        let before = self.script.work().clone();
        let site = generator(plan, 3).usize(..self.sites.len());
        let (site, name) = (&self.sites[site], &self.agent_name);
        site.command(Action::Kill, name, 1);
        let is_obeyed = || {
            let obeyed = site.vitals(name)?.command?.obeyed_ms;
            obeyed.is_some().then_some(())
        };
        poll_for(WAIT_TIMEOUT, is_obeyed).ok_or("the agent does not obey a kill")?;
        let tasks: String = (0..HELD_TASKS).map(|_| self.script.task()).collect();
        agent.write(&tasks)?;
        let beats = || site.vitals(name).map_or(0, |it| it.beats);
        let enough = beats() + KILLED_BEATS;
        poll_for(WAIT_TIMEOUT, || (beats() >= enough).then_some(()))
            .ok_or("no beats arrive while the agent is killed")?;
        for (at, site) in self.sites.iter().enumerate() {
            let whose = format!("collector {} while the agent is killed", at + 1);
            let found = stored_differences(&whose, &before, &site.stored(name));
            self.report.failures.extend(found);
        }
        site.command(Action::Resume, name, 2);
        Ok(())
    }

    /// Waits until each collector has stored as much as the script has; returns false if one stores
    /// nothing new for too long.
    fn await_stored(&self) -> bool {
        let scripted = self.script.work();
        self.sites.iter().all(|site| {
            let mut stored = site.stored(&self.agent_name);
            while !stored.is_complete(scripted) {
                let more = || Some(site.stored(&self.agent_name)).filter(|it| *it != stored);
                match poll_for(QUIET_TIMEOUT, more) {
                    Some(more) => stored = more,
                    None => return false,
                }
            }
            true
        })
    }

    /// Lets the agent end, with work that only its goodbye can bring, and compares all sums.
    fn end(mut self, mut agent: ConformanceAgent) -> Result<(), String> {
        let is_stored = |site: &Site| site.stored(&self.agent_name).is_complete(self.script.work());
        let was_stored = self.sites.iter().all(is_stored);
        self.set_conditions(&NetworkConditions::RELIABLE);
        agent.write(&self.script.small_burst(LAST_OPERATIONS))?;
        let counts = agent.finish()?;
        self.count();
        if was_stored {
            self.await_stored();
        }
        let scripted = self.script.work().clone();
        let name = self.agent_name.clone();
        let mut failures = totals_differences("the emitter", &scripted.totals, &counts.totals);
        if counts.lost_observations != 0 {
            failures.push(format!("the emitter lost {} observations", counts.lost_observations));
        }
        for (at, site) in self.sites.iter_mut().enumerate() {
            let whose = format!("collector {}", at + 1);
            failures.extend(said_goodbye(&whose, site, &name));
            // What counts is what is there after the worst end.
            site.crash();
            site.restart();
            failures.extend(stored_differences(&whose, &scripted, &site.stored(&name)));
            let shown = site.shown_totals(&name)?;
            failures.extend(totals_differences(
                &format!("{whose} shows"),
                &scripted.totals,
                &shown,
            ));
        }
        self.count();
        self.report.failures.extend(failures);
        Ok(())
    }

    /// Puts down what has gone by so far.
    fn count(&mut self) {
        self.report.tasks = self.script.work().count();
        self.report.restarts = self.sites.iter().map(|site| site.restarts).sum();
        self.report.network = Default::default();
        for site in &self.sites {
            let (sum, more) = (&mut self.report.network, site.counters());
            sum.datagrams += more.datagrams;
            sum.lost += more.lost;
            sum.duplicated += more.duplicated;
            sum.reordered += more.reordered;
        }
    }
}

/// Describes how an agent is shown that has ended, unless it has said goodbye.
fn said_goodbye(whose: &str, site: &Site, agent: &str) -> Option<String> {
    let stopped = poll_for(QUIET_TIMEOUT, || {
        site.vitals(agent).filter(|it| it.reason == Some(Reason::Shutdown))
    });
    if stopped.is_some() {
        return None;
    }
    let mut text = format!("{whose}: the agent has ended, and is shown as ");
    match site.vitals(agent) {
        Some(vitals) => write!(text, "{:?}", vitals.status()),
        None => write!(text, "unknown"),
    }
    .expect("a string takes all");
    Some(text)
}
