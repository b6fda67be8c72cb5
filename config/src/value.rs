//! The values of a config file. Each type takes exactly what its setting may be.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use heartline_fleet::LatencyLimit;
use heartline_operator::text::{format_duration, parse_duration};
use serde::de::{self, Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Longest duration: a hundred years.
const DURATION_MAX: Duration = Duration::from_secs(36_500 * 86_400);

/// A value that is written as a string.
pub trait StringSetting: Sized {
    /// Completes "expected …" in an error.
    const EXPECTED: &'static str;

    /// Writes [`Self::EXPECTED`], and the range where there is one.
    ///
    /// # Errors
    /// Those of the formatter.
    fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::EXPECTED)
    }

    /// Parses the string; `None`: it is not what is expected.
    fn parse(text: &str) -> Option<Self>;

    /// Prints the string that is parsed to the same value.
    fn print(&self) -> String;
}

/// Reads and writes a [`StringSetting`].
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigString<T>(pub T);

impl<'de, T: StringSetting> Deserialize<'de> for ConfigString<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(StringVisitor(PhantomData)).map(Self)
    }
}

impl<T: StringSetting> Serialize for ConfigString<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.print())
    }
}

struct StringVisitor<T>(PhantomData<T>);

impl<T: StringSetting> Visitor<'_> for StringVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::expecting(f)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Parses an address to listen on, for a flag.
///
/// # Errors
/// Says what was expected.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("expected {}", SocketAddr::EXPECTED))
}

impl StringSetting for SocketAddr {
    const EXPECTED: &'static str = "ADDRESS:PORT such as 127.0.0.1:4327 or [::]:4327";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl StringSetting for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn print(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

/// A unix user, or a group with an `@` before it.
#[derive(Clone, Debug, PartialEq)]
pub struct UserOrGroup(pub String);

impl StringSetting for UserOrGroup {
    const EXPECTED: &'static str = "a unix user, or a group such as \"@ops\"";

    fn parse(text: &str) -> Option<Self> {
        let name = text.trim_start_matches('@').trim();
        (!name.is_empty()).then(|| Self(text.to_owned()))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

/// A glob over agent ids.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentPattern(pub String);

impl StringSetting for AgentPattern {
    const EXPECTED: &'static str =
        "a pattern of agent ids: a-z 0-9 . _ - and the wildcards * and ?";

    fn parse(text: &str) -> Option<Self> {
        let may_match =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-*?".contains(c);
        (!text.is_empty() && text.chars().all(may_match)).then(|| Self(text.to_owned()))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

/// A duration of at least `MIN_S` seconds and at most a hundred years.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DurationSetting<const MIN_S: u64>(pub Duration);

impl<const MIN_S: u64> StringSetting for DurationSetting<MIN_S> {
    const EXPECTED: &'static str = "a duration such as \"90s\", \"5m\" or \"48h\"";

    fn expecting(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [min, max] = [Duration::from_secs(MIN_S), DURATION_MAX].map(format_duration);
        write!(f, "{}, from \"{min}\" to \"{max}\"", Self::EXPECTED)
    }

    fn parse(text: &str) -> Option<Self> {
        let duration = parse_duration(text).ok()?;
        (Duration::from_secs(MIN_S)..=DURATION_MAX).contains(&duration).then_some(Self(duration))
    }

    fn print(&self) -> String {
        format_duration(self.0)
    }
}

/// Reads a whole number of which not every one is allowed.
pub(crate) struct CountVisitor {
    expected: &'static str,
    allows: fn(u32) -> bool,
}

impl CountVisitor {
    /// Reads a number that `allows` holds for; `expected` says which these are.
    pub(crate) fn read<'de, D: Deserializer<'de>>(
        from: D,
        expected: &'static str,
        allows: fn(u32) -> bool,
    ) -> Result<u32, D::Error> {
        from.deserialize_i64(Self { expected, allows })
    }
}

impl Visitor<'_> for CountVisitor {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<u32, E> {
        let count = u32::try_from(number).ok().filter(|&it| (self.allows)(it));
        count.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

/// A number of restarts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RestartCount(pub u32);

impl<'de> Deserialize<'de> for RestartCount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        CountVisitor::read(from, "a whole number from 2 to 100, or 0 for never", |it| {
            matches!(it, 0 | 2..=100)
        })
        .map(Self)
    }
}

/// A number of intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct IntervalFactor(pub f64);

impl<'de> Deserialize<'de> for IntervalFactor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_f64(IntervalFactorVisitor)
    }
}

struct IntervalFactorVisitor;

impl Visitor<'_> for IntervalFactorVisitor {
    type Value = IntervalFactor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, 1 <= late_factor < unreachable_factor <= 10000")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<IntervalFactor, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<IntervalFactor, E> {
        let is_factor = (1.0..=10_000.0).contains(&number);
        let wrong = || E::invalid_value(Unexpected::Float(number), &self);
        is_factor.then_some(IntervalFactor(number)).ok_or_else(wrong)
    }
}

/// A share of failed tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FailingRate(pub f64);

impl<'de> Deserialize<'de> for FailingRate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_f64(FailingRateVisitor)
    }
}

struct FailingRateVisitor;

impl Visitor<'_> for FailingRateVisitor {
    type Value = FailingRate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a share from 0.01 to 0.95, or 0 for never")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<FailingRate, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<FailingRate, E> {
        let is_share = number == 0.0 || (0.01..=0.95).contains(&number);
        let wrong = || E::invalid_value(Unexpected::Float(number), &self);
        is_share.then_some(FailingRate(number)).ok_or_else(wrong)
    }
}

/// A number of failed tasks in a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FailureCount(pub u32);

impl<'de> Deserialize<'de> for FailureCount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        CountVisitor::read(
            from,
            "a whole number from 2 to 100, or 0 where only the rate counts",
            |it| matches!(it, 0 | 2..=100),
        )
        .map(Self)
    }
}

impl StringSetting for LatencyLimit {
    const EXPECTED: &'static str =
        "\"own-past\", \"off\", or a latency such as \"20s\" or \"250ms\", up to \"24h\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "own-past" => Some(Self::OwnPast),
            "off" => Some(Self::Off),
            _ => {
                let limit = parse_duration(text).ok()?;
                let range = Duration::from_millis(1)..=Duration::from_secs(86_400);
                range.contains(&limit).then_some(Self::Fixed(limit))
            }
        }
    }

    fn print(&self) -> String {
        match self {
            Self::OwnPast => "own-past".to_owned(),
            Self::Off => "off".to_owned(),
            Self::Fixed(limit) => format_duration(*limit),
        }
    }
}
