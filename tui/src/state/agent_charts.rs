//! What the charts of the Agent screen show, and the question for it.

use heartline_operator::message::{AgentChart, AgentChartQuery, AgentHistory, AgentHistoryQuery};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// How much older than the moment shown an answer may be, if a step is shorter.
const ANSWER_AGE_MAX_MS: i64 = MINUTE_MS;

/// The time that is charted: up to the moment that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChartWindow {
    FiveMinutes,
    #[default]
    Hour,
    Day,
    Week,
}

/// The kind of chart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChartKind {
    /// Shares of tasks by latency over time.
    #[default]
    HeatMap,
    /// Tasks by latency, of the whole window.
    Histogram,
    /// Quantiles over time.
    Percentiles,
}

/// The charts of one agent.
#[derive(Debug, Default)]
pub(crate) struct AgentCharts {
    pub window: ChartWindow,
    pub kind: ChartKind,
    answer: Option<ChartAnswer>,
    /// Why the newest question has no answer.
    failure: Option<String>,
    /// The newest question, and whether it is of the past.
    asked: Option<(AgentHistoryQuery, ShownTime)>,
}

/// Whether the moment that is shown is now, or stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShownTime {
    Live,
    Still,
}

#[derive(Debug)]
struct ChartAnswer {
    query: AgentHistoryQuery,
    time: ShownTime,
    history: Box<AgentHistory>,
}

impl ChartWindow {
    pub(crate) const ALL: [Self; 4] = [Self::FiveMinutes, Self::Hour, Self::Day, Self::Week];

    pub(crate) const fn length_ms(self) -> i64 {
        match self {
            Self::FiveMinutes => 5 * MINUTE_MS,
            Self::Hour => HOUR_MS,
            Self::Day => 24 * HOUR_MS,
            Self::Week => 7 * 24 * HOUR_MS,
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// Returns its words behind "in the last".
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5 minutes",
            Self::Hour => "hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
        }
    }

    pub(crate) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|window| *window == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }

    /// Returns after how long it is asked for again.
    const fn refresh_ms(self) -> i64 {
        match self {
            Self::FiveMinutes | Self::Hour => 5_000,
            Self::Day => 15_000,
            Self::Week => 60_000,
        }
    }
}

impl ChartKind {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::HeatMap => "latency heat map",
            Self::Histogram => "latency histogram",
            Self::Percentiles => "latency percentiles",
        }
    }

    pub(crate) const fn next(self) -> Self {
        match self {
            Self::HeatMap => Self::Histogram,
            Self::Histogram => Self::Percentiles,
            Self::Percentiles => Self::HeatMap,
        }
    }
}

impl AgentCharts {
    /// Returns the charts of another agent, as these were chosen.
    pub(crate) fn of_other_agent(&self) -> Self {
        Self { window: self.window, kind: self.kind, ..Self::default() }
    }

    /// Returns the question to be asked now, and notes that it is; `None` where none is due:
    ///
    /// 1. at once, when the agent, the window, or the room is another one, or nothing was asked;
    /// 2. of a moment that stands still, when it is another moment;
    /// 3. live, every few seconds.
    pub(crate) fn next_question(
        &mut self,
        agent: &str,
        room: AgentChartQuery,
        now_ms: i64,
        time: ShownTime,
    ) -> Option<AgentHistoryQuery> {
        let wanted = AgentHistoryQuery {
            agent: agent.to_owned(),
            since_ms: Some(now_ms - self.window.length_ms()),
            until_ms: now_ms,
            step_ms: None,
            chart: Some(room),
        };
        let is_other = self.asked.as_ref().is_none_or(|(asked, _)| {
            asked.agent != wanted.agent || window_ms(asked) != window_ms(&wanted)
        });
        if is_other {
            self.failure = None;
        }
        let is_due = self.asked.as_ref().is_none_or(|(asked, asked_time)| {
            let moved_ms = (now_ms - asked.until_ms).abs();
            is_other
                || asked.chart != wanted.chart
                || match time {
                    ShownTime::Still => moved_ms != 0,
                    ShownTime::Live => {
                        *asked_time == ShownTime::Still || moved_ms >= self.window.refresh_ms()
                    }
                }
        });
        is_due.then(|| {
            self.asked = Some((wanted.clone(), time));
            wanted
        })
    }

    /// Takes the answer to the newest question; any other is too late.
    pub(crate) fn receive(
        &mut self,
        query: &AgentHistoryQuery,
        result: Result<Box<AgentHistory>, String>,
    ) {
        let Some((asked, time)) = self.asked.as_ref().filter(|(asked, _)| asked == query) else {
            return;
        };
        match result {
            Ok(history) => {
                self.answer = Some(ChartAnswer { query: asked.clone(), time: *time, history });
                self.failure = None;
            }
            Err(why) => self.failure = Some(why),
        }
    }

    /// Forgets what was asked: the connection is another one.
    pub(crate) fn ask_again(&mut self) {
        self.asked = None;
    }

    /// Returns the answer for the moment that is shown, if there is one: of the agent and of the window,
    /// with nothing that came later. While the connection is lost the last one stays.
    pub(crate) fn answer(
        &self,
        agent: &str,
        now_ms: i64,
        time: ShownTime,
    ) -> Option<(&AgentHistory, &AgentChart)> {
        let ChartAnswer { query, time: asked_time, history } = self.answer.as_ref()?;
        let age_ms = now_ms - query.until_ms;
        let is_of_now = (time, *asked_time) == (ShownTime::Live, ShownTime::Live);
        let is_shown = query.agent == agent
            && window_ms(query) == Some(self.window.length_ms())
            && age_ms >= 0
            && (is_of_now || age_ms <= ANSWER_AGE_MAX_MS.max(history.step_ms));
        is_shown.then_some((&**history, history.chart.as_ref()?))
    }

    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

fn window_ms(query: &AgentHistoryQuery) -> Option<i64> {
    query.since_ms.map(|since_ms| query.until_ms - since_ms)
}
