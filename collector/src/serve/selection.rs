//! Finds the agents of names, patterns and filters, page by page: the fleet is never held whole.

use std::collections::{BTreeMap, BTreeSet};

use heartline_operator::message::{
    AgentEntry, AgentSelector, CollectorStatus, ErrorCode, SelectionPreview, UnknownName,
    is_pattern, is_similar, selection_fingerprint,
};
use heartline_operator::{Filter, PreviewBuilder};
use heartline_vocabulary::Reason;
use heartline_vocabulary::text::glob_matches;
use tokio::sync::oneshot;

use super::ServerContext;
use super::answer::{RequestError, ending, scrubbed};
use super::recent_work::PageWork;
use crate::driver::{DriverRequest, FleetPage, PageRequest};

/// Most agents in one request to the driver: it must not be held up.
pub const PAGE_AGENTS: usize = 1_000;
/// Most patterns in one request: every agent is compared with each.
const PATTERNS_MAX: usize = 100;
/// Most agents that a preview lists.
const LIST_MAX: u32 = 100;
/// Most unknown names that are reported, and ids that are suggested for one of them.
const UNKNOWN_MAX: usize = 100;
const SIMILAR_MAX: usize = 3;
/// Longest pattern, and longest name in a report, in characters: longer ones are no ids.
const NAME_MAX: usize = 128;
/// An agent whose last beat is younger than this many intervals still beats.
const BEATING_INTERVALS: u64 = 10;

/// The agents that a selector has found.
#[derive(Debug, Default)]
pub struct Selection {
    pub agents: Vec<String>,
    /// The names and patterns that found nothing, at most 100.
    pub unknown: Vec<String>,
    /// See [`selection_fingerprint`].
    pub fingerprint: u64,
    /// Number of agents of the fleet.
    pub fleet_size: usize,
    /// Those that would be back at once if they were forgotten: their number, and one of them with
    /// the age of its last beat.
    pub beating: usize,
    pub first_beating: Option<(String, u64)>,
}

/// Reads agents page by page, with their work of the last hour as far as it is computed. The driver
/// makes the next page while this one is used.
pub struct FleetPages<'a> {
    context: &'a ServerContext,
    work: PageWork,
    /// The page under way.
    requested: Option<oneshot::Receiver<FleetPage>>,
    pages: RemainingPages,
}

enum RemainingPages {
    From(u32),
    Names(std::vec::IntoIter<String>),
    None,
}

impl<'a> FleetPages<'a> {
    /// Reads the pages in which the agents of a selector are: of exact ids only their own.
    pub fn new(context: &'a ServerContext, selector: &AgentSelector) -> Self {
        match selector.is_exact() {
            true => Self::named(context, selector.names().to_vec()),
            false => Self::all(context),
        }
    }

    /// Reads the whole fleet.
    pub fn all(context: &'a ServerContext) -> Self {
        Self::start(context, RemainingPages::From(0))
    }

    /// Reads the agents of these ids.
    pub fn named(context: &'a ServerContext, names: Vec<String>) -> Self {
        Self::start(context, RemainingPages::Names(names.into_iter()))
    }

    fn start(context: &'a ServerContext, pages: RemainingPages) -> Self {
        let work = context.publisher.recent_work().known();
        Self { context, work, requested: None, pages }
    }

    /// Has work computed again, unless that was just done, and waits for it.
    pub fn with_refreshed_work(self) -> Self {
        Self { work: self.context.publisher.recent_work().refreshed(), ..self }
    }

    /// The same where a filter may read work.
    fn with_work_for(self, matcher: &AgentMatcher) -> Self {
        match matcher {
            AgentMatcher::Filter(_) => self.with_refreshed_work(),
            AgentMatcher::All | AgentMatcher::Names { .. } => self,
        }
    }

    /// Reads the next page; `None` after the last one, which may be empty.
    pub async fn next(&mut self) -> Result<Option<FleetPage>, RequestError> {
        let Some(requested) = self.requested.take().or_else(|| self.request_page()) else {
            return Ok(None);
        };
        let mut page = requested.await.map_err(|_| ending())?;
        if let RemainingPages::From(_) = self.pages {
            self.pages = page.next.map_or(RemainingPages::None, RemainingPages::From);
        }
        self.requested = self.request_page();
        self.work.add_to(&mut page.entries).await;
        Ok(Some(page))
    }

    fn request_page(&mut self) -> Option<oneshot::Receiver<FleetPage>> {
        let request = match &mut self.pages {
            RemainingPages::From(start) => PageRequest::Range { start: *start, limit: u32::MAX },
            RemainingPages::Names(names) => {
                let page = PageRequest::Named(names.by_ref().take(PAGE_AGENTS).collect());
                if names.len() == 0 {
                    self.pages = RemainingPages::None;
                }
                page
            }
            RemainingPages::None => return None,
        };
        Some(self.context.driver.send_request(|to| DriverRequest::Page(request, to)))
    }

    /// Returns true when no page follows.
    pub fn is_done(&self) -> bool {
        self.requested.is_none()
    }
}

/// A parsed selector.
pub enum AgentMatcher {
    All,
    Names {
        /// Ids, and whether they were found.
        ids: BTreeMap<String, bool>,
        /// Patterns, and whether they have found anything.
        patterns: Vec<(String, bool)>,
    },
    Filter(Filter),
}

impl AgentMatcher {
    /// Parses a selector.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`], with what is wrong in it.
    pub fn new(selector: &AgentSelector) -> Result<Self, RequestError> {
        let bad_request = |message: String| (ErrorCode::BadRequest, message);
        match selector {
            AgentSelector::All => Ok(Self::All),
            AgentSelector::Filter(text) => {
                let filter = Filter::parse(text).map_err(|error| bad_request(error.to_string()))?;
                Ok(Self::Filter(filter))
            }
            AgentSelector::Names(names) => {
                let (patterns, ids): (Vec<_>, Vec<_>) =
                    names.iter().cloned().partition(|name| is_pattern(name));
                if patterns.len() > PATTERNS_MAX {
                    let message = format!(
                        "{} patterns: at most {PATTERNS_MAX} are taken at once; use a filter",
                        patterns.len()
                    );
                    return Err(bad_request(message));
                }
                for pattern in &patterns {
                    check_pattern(pattern).map_err(bad_request)?;
                }
                let ids = ids.into_iter().map(|id| (id, false)).collect();
                let patterns = patterns.into_iter().map(|pattern| (pattern, false)).collect();
                Ok(Self::Names { ids, patterns })
            }
        }
    }

    /// Returns true when an agent is one of those, at the collector's time `now_ms`.
    pub fn matches(&mut self, entry: &AgentEntry, now_ms: i64) -> bool {
        match self {
            Self::All => true,
            Self::Filter(filter) => filter.matches(entry, now_ms),
            Self::Names { ids, patterns } => {
                let is_named = ids.get_mut(&entry.agent).is_some_and(|found| {
                    *found = true;
                    true
                });
                let mut is_matched = false;
                for (pattern, found) in patterns {
                    if glob_matches(pattern, &entry.agent) {
                        (*found, is_matched) = (true, true);
                    }
                }
                is_named || is_matched
            }
        }
    }

    /// Returns the names and patterns that have found nothing, at most 100.
    fn unknown(self) -> Vec<String> {
        let Self::Names { ids, patterns } = self else { return Vec::new() };
        let missing = ids.into_iter().chain(patterns).filter(|(_, found)| !found);
        let short = |name: String| name.chars().take(NAME_MAX).collect();
        missing.map(|(name, _)| short(name)).take(UNKNOWN_MAX).collect()
    }
}

/// Checks that a pattern has only characters of ids, `*` and `?`: others would make it a filter.
fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.len() > NAME_MAX {
        return Err(format!("a pattern has at most {NAME_MAX} characters"));
    }
    let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-' | '*' | '?');
    match pattern.chars().find(|c| !fits(*c)) {
        None => Ok(()),
        Some(c) => Err(format!(
            "\"{}\": {c:?} is in no agent's id; for more than names use --filter",
            scrubbed(pattern)
        )),
    }
}

/// Finds the agents of a selector.
///
/// # Errors
/// [`ErrorCode::BadRequest`] when it can't be parsed.
pub async fn resolve(
    selector: &AgentSelector,
    context: &ServerContext,
) -> Result<Selection, RequestError> {
    let mut matcher = AgentMatcher::new(selector)?;
    let (mut selection, mut ids) = (Selection::default(), BTreeSet::new());
    let mut pages = FleetPages::new(context, selector).with_work_for(&matcher);
    while let Some(FleetPage { entries, status, .. }) = pages.next().await? {
        selection.fleet_size = status.summary.total as usize;
        for entry in entries {
            if !matcher.matches(&entry, status.at_ms) || !ids.insert(entry.id) {
                continue;
            }
            if let Some(age_ms) = beating_age_ms(&entry, status.at_ms) {
                selection.beating += 1;
                selection.first_beating.get_or_insert((entry.agent.clone(), age_ms));
            }
            selection.agents.push(entry.agent);
        }
    }
    selection.fingerprint = selection_fingerprint(&ids);
    selection.unknown = matcher.unknown();
    Ok(selection)
}

/// Returns what a command for a selector would hit.
///
/// # Errors
/// As [`resolve`].
pub async fn preview(
    selector: &AgentSelector,
    list: u32,
    context: &ServerContext,
) -> Result<SelectionPreview, RequestError> {
    let mut matcher = AgentMatcher::new(selector)?;
    let mut builder = PreviewBuilder::new(list.min(LIST_MAX) as usize);
    let mut collector = CollectorStatus::default();
    // One agent is no whole host; whether more of them are takes a look at all others.
    let is_one = selector.is_exact() && selector.names().len() == 1;
    let pages = if is_one { FleetPages::new(context, selector) } else { FleetPages::all(context) };
    let mut pages = pages.with_work_for(&matcher);
    while let Some(FleetPage { entries, status, .. }) = pages.next().await? {
        for entry in entries {
            builder.count(&entry);
            if matcher.matches(&entry, status.at_ms) {
                builder.add(entry, status.at_ms);
            }
        }
        collector = status;
    }
    let unknown = with_similar(matcher.unknown(), context).await?;
    Ok(builder.build(unknown, collector))
}

/// Finds ids that could have been meant by names that are not known.
///
/// # Errors
/// [`ErrorCode::Unavailable`] during shutdown.
pub async fn with_similar(
    names: Vec<String>,
    context: &ServerContext,
) -> Result<Vec<UnknownName>, RequestError> {
    let mut unknown: Vec<UnknownName> = names
        .into_iter()
        .map(|name| UnknownName { name: scrubbed(&name), similar: Vec::new() })
        .collect();
    if unknown.is_empty() {
        return Ok(unknown);
    }
    let mut pages = FleetPages::all(context);
    while let Some(page) = pages.next().await? {
        for entry in &page.entries {
            for UnknownName { name, similar } in &mut unknown {
                if similar.len() < SIMILAR_MAX && is_similar(&entry.agent, name) {
                    similar.push(entry.agent.clone());
                }
            }
        }
    }
    Ok(unknown)
}

/// Returns the age of the last beat of an agent that would be back at once if it were forgotten.
fn beating_age_ms(entry: &AgentEntry, now_ms: i64) -> Option<u64> {
    let has_ended = matches!(entry.vitals.reason, Some(Reason::Shutdown | Reason::Crashed));
    let alive_ms = u64::from(entry.vitals.interval_ms) * BEATING_INTERVALS;
    entry.vitals.beat_age_ms(now_ms).filter(|age_ms| !has_ended && *age_ms < alive_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_operator::sample::{self, NOW_MS};
    use heartline_vocabulary::State;

    fn names(words: &[&str]) -> AgentSelector {
        AgentSelector::Names(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_and_patterns_find_agents_and_report_those_that_found_nothing() {
        let mut matcher =
            AgentMatcher::new(&names(&["web-1", "mail.*", "gone", "no*"])).ok().unwrap();
        let agents = ["web-1", "web-2", "mail.1", "mail.2"].map(|it| sample::healthy_agent(1, it));
        let found = agents.map(|entry| matcher.matches(&entry, NOW_MS));
        assert_eq!(found, [true, false, true, true]);
        assert_eq!(matcher.unknown(), ["gone", "no*"]);
    }

    #[test]
    fn a_pattern_is_no_filter_and_a_filter_is_parsed() {
        let error = |selector| AgentMatcher::new(&selector).err().expect("it is wrong").1;
        assert!(error(names(&["* or state:healthy"])).contains("--filter"));
        assert!(error(AgentSelector::Filter("p95>soon".into())).contains("duration"));
        assert!(error(names(&[&"*".repeat(129)])).contains("at most 128"));
        let many: Vec<String> = (0..101).map(|at| format!("a{at}*")).collect();
        assert!(error(AgentSelector::Names(many)).contains("use a filter"));
    }

    #[test]
    fn only_agents_that_ended_or_are_silent_can_be_forgotten() {
        assert_eq!(beating_age_ms(&sample::healthy_agent(1, "a"), NOW_MS), Some(3_000));
        assert_eq!(beating_age_ms(&sample::silent_agent(2, "a"), NOW_MS), None);
        let mut stopped = sample::healthy_agent(1, "a");
        stopped.vitals.state = State::Killed;
        stopped.vitals.reason = Some(Reason::Shutdown);
        assert_eq!(beating_age_ms(&stopped, NOW_MS), None);
    }
}
