//! Heartline's config file, which `heartlined` and `heartline` share.
//!
//! [`ConfigFile`] is the file as it stands, [`Config`] the settings that come of it with flags and
//! defaults. A [`Config`] is printed as the file that would bring it about.
//!
//! Each value is checked by the type that it is read into, so that every error has its line and
//! column. `[tui]` and `[keys]` are read into types of the program that uses them.

// The settings have names; words about them stand in the template.

mod alert_filter;
mod alerts;
mod budget;
mod budget_value;
mod config;
mod expectation;
mod expected;
mod file;
mod health;
mod local_hours;
mod notice_template;
mod replicas;
mod route;
mod secret;
mod sink;
mod sink_value;
mod text;
mod value;
mod watchdog;
mod window;
mod working_hours;

pub use alert_filter::AlertFilter;
pub use alerts::{AlertsConfig, AlertsSection};
pub use budget::{BudgetSection, BudgetSetting};
pub use budget_value::{BudgetCost, BudgetName, GroupName};
pub use config::{Config, Retention};
pub use expectation::{ExpectSection, TaskCount};
pub use expected::ExpectedSection;
pub use file::{AccessLists, ConfigFile, LISTEN_MAX, RetentionSection, template};
pub use health::{AgentSection, HealthSection};
pub use local_hours::HoursSpan;
pub use notice_template::{
    IncidentFacts, MemberFacts, NoticeFacts, RenderedText, TemplateError, TemplateFacts,
    TextSegment, TextTemplate,
};
pub use replicas::{GroupSection, ReplicaCount};
pub use route::{AlertState, EscalationSection, RouteSection};
pub use secret::{Secret, SecretError, SecretSource};
pub use sink::{MailTarget, SINKS_MAX, SinkConfig, SinkSection, SinkTarget, SinkTemplates};
pub use sink_value::{MailTls, PlainText, Region, SinkName, SinkType, TemplateText, UrlText};
pub use text::{ConfigError, ConfigText};
pub use value::{
    AgentPattern, ConfigString, DurationSetting, FailingRate, FailureCount, IntervalFactor,
    RestartCount, StringSetting, UserOrGroup, parse_address,
};
pub use watchdog::{WatchdogConfig, WatchdogSection};
pub use window::{TimeOfDay, WindowDay, WindowSection, ZoneName};
pub use working_hours::WorkingHours;
