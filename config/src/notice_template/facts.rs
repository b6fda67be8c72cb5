//! What a template sees of a notice: names with a stable meaning, all of them always there.
//!
//! `None` is `none` in a template, which prints nothing. Texts are cleaned, and escaped where they are printed.

use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;

/// What a template sees. Times are texts such as `14:02:31 UTC`, and milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoticeFacts {
    /// The built-in texts, so that they can be wrapped.
    pub title: String,
    pub body: String,
    /// `opened`, `updated`, …
    pub kind: &'static str,
    /// What it tells of; of a digest, what its list is of.
    #[serde(flatten)]
    pub incident: IncidentFacts,
    /// Of what is about one agent, host or group.
    pub agent: Option<String>,
    pub host: Option<String>,
    pub group: Option<String>,
    /// When the notice was decided.
    pub at: String,
    pub at_ms: i64,
    /// The lines of the built-in text without their labels: `Why`, `Last`, `Scope`, `Note`.
    pub why: Option<String>,
    pub last: Option<String>,
    pub reach: Option<String>,
    pub remark: Option<String>,
    pub acknowledged_by: Option<String>,
    pub acknowledged_at: Option<String>,
    pub affected: u32,
    pub outages: u32,
    pub members: Vec<MemberFacts>,
    /// Of a list of incidents; otherwise empty.
    pub incidents: Vec<IncidentFacts>,
    /// Members or incidents that are not in the list.
    pub left_off: u32,
    pub merged_into: Option<String>,
    /// Commands that show it, and quiet it.
    pub see: Option<String>,
    pub quiet: Option<String>,
    /// The collector's host, and the sink.
    pub collector: String,
    pub sink: String,
    /// It could not be sent before the next notice of its incident came.
    pub late: bool,
    pub may_be_repeat: bool,
    pub stored: bool,
}

/// A member of an incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemberFacts {
    pub agent: String,
    pub host: Option<String>,
    pub state: &'static str,
    pub reason: Option<&'static str>,
    pub since: String,
    pub since_ms: i64,
    /// Of one that is well again.
    pub lasted: Option<String>,
    pub lasted_ms: Option<u64>,
    pub cause: Option<String>,
    pub step: Option<String>,
    pub last_beat: Option<String>,
    pub last_beat_ms: Option<i64>,
    pub interval_ms: u32,
    pub in_flight: u32,
    pub affected: bool,
}

/// An incident, of a notice or of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentFacts {
    pub id: String,
    pub severity: &'static str,
    /// The worst state that any member was in, and its reason.
    pub state: &'static str,
    pub reason: Option<&'static str>,
    /// The kind of what it is about: `agent`, `host`, …
    pub scope: &'static str,
    pub name: String,
    /// Kind and name in words: `host m3`.
    pub about: String,
    /// What is wrong, in words; `None` when it is over.
    pub trouble: Option<String>,
    pub since: String,
    pub since_ms: i64,
    pub ended: Option<String>,
    pub ended_ms: Option<i64>,
    /// Until its end, or until now.
    pub lasted: String,
    pub lasted_ms: i64,
    pub in_trouble: u32,
    pub total: u32,
    pub of: u32,
}

/// Facts as templates take them; made once for all texts of a message.
#[derive(Clone, Debug)]
pub struct TemplateFacts(pub(super) Value);

impl From<&NoticeFacts> for TemplateFacts {
    fn from(facts: &NoticeFacts) -> Self {
        Self(Value::from(Serde(facts)))
    }
}
