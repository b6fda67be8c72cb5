//! The counters of datagrams, declared once: JSON, texts, screens and metrics read this table.

use std::ops::Add;

/// The name, help text, loss and label of each counter, in the order of the JSON.
macro_rules! datagram_counters {
    ($($name:ident: $loss:expr, $label:literal, $help:literal;)+) => {
        /// Datagrams since the collector's start, by what became of them. Each one is in exactly one
        /// count, except those that the kernel dropped before the collector could read them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct DatagramCounters {
            $(#[doc = $help] pub $name: u64,)+
        }

        impl Add for DatagramCounters {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self { $($name: self.$name + other.$name,)+ }
            }
        }

        /// Every counter of [`DatagramCounters`], in the order of its fields.
        pub const DATAGRAM_COUNTERS: &[DatagramCounter] = &[$(DatagramCounter {
            name: stringify!($name),
            label: $label,
            help: $help,
            loss: $loss,
            read: |counters| counters.$name,
        },)+];
    };
}

datagram_counters! {
    live: None, "live",
        "Datagrams that were proven fresh and applied.";
    unconfirmed: None, "unconfirmed",
        "Datagrams with a valid tag that were not proven fresh, and answered with a challenge.";
    bad_tag: Some(DatagramLoss::BadSignature), "bad signature",
        "Datagrams with a wrong tag: signed with another key, or changed on their way.";
    unknown_epoch: Some(DatagramLoss::BadSignature), "unknown key epoch",
        "Datagrams whose key epoch has no master key here.";
    bad_scope: Some(DatagramLoss::BadSignature), "wrong scope",
        "Datagrams whose scope does not cover their agent.";
    bad_length: Some(DatagramLoss::Dropped), "wrong length",
        "Datagrams that are shorter or longer than any message.";
    bad_magic: Some(DatagramLoss::Dropped), "another protocol",
        "Datagrams of another protocol, or of another version of this one.";
    bad_kind: Some(DatagramLoss::Dropped), "unknown type",
        "Datagrams of an unknown type, or of one that is not sent to a collector.";
    bad_agent: Some(DatagramLoss::Dropped), "invalid id",
        "Datagrams whose agent id breaks the rules.";
    bad_body_length: Some(DatagramLoss::Dropped), "wrong body length",
        "Datagrams whose body is not as long as they say.";
    bad_sequence: Some(DatagramLoss::Dropped), "sequence 0",
        "Datagrams with the sequence number 0.";
    bad_body: Some(DatagramLoss::Dropped), "malformed body",
        "Datagrams with a right tag and a body that breaks the rules.";
    replayed: Some(DatagramLoss::Replayed), "replayed",
        "Datagrams with a valid tag whose sequence number was seen before.";
    revoked: Some(DatagramLoss::Dropped), "revoked",
        "Datagrams that were signed with a revoked key.";
    kernel_dropped: Some(DatagramLoss::Kernel), "dropped by the kernel",
        "Datagrams that the kernel dropped because the receive buffer was full.";
    over_limit: Some(DatagramLoss::Dropped), "over the limit",
        "Datagrams of new agents that were dropped for lack of room.";
    over_budget: Some(DatagramLoss::Dropped), "over the budget",
        "Live datagrams beyond what an agent of that interval may send, taken as a sign of life alone.";
    answers_withheld: Some(DatagramLoss::Unanswered), "answers withheld",
        "Answers that were not sent because one agent asked too often or too late, or the socket was full.";
}

/// One counter of [`DatagramCounters`].
#[derive(Clone, Copy, Debug)]
pub struct DatagramCounter {
    /// Its key in JSON, and its part in the name of a metric.
    pub name: &'static str,
    /// Its name in texts for operators.
    pub label: &'static str,
    /// What it counts, in one sentence.
    pub help: &'static str,
    /// The loss that it is evidence of, if it is of one.
    pub loss: Option<DatagramLoss>,
    read: fn(&DatagramCounters) -> u64,
}

impl DatagramCounter {
    /// Returns the value of this counter.
    pub fn read(&self, counters: &DatagramCounters) -> u64 {
        (self.read)(counters)
    }
}

/// Why a datagram or its answer was lost, where there is no room for every counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramLoss {
    /// Refused with a right signature, or without a readable one.
    Dropped,
    /// Refused for its signature.
    BadSignature,
    /// Seen before.
    Replayed,
    /// Dropped by the kernel.
    Kernel,
    /// Its answer was not sent.
    Unanswered,
}

impl DatagramCounters {
    /// Returns the sum of all counters of this loss.
    pub fn lost(&self, loss: DatagramLoss) -> u64 {
        let counters = DATAGRAM_COUNTERS.iter().filter(|counter| counter.loss == Some(loss));
        counters.map(|counter| counter.read(self)).sum()
    }
}

/// The name, help text and label of each counter, in the order of the JSON.
macro_rules! connection_counters {
    ($($name:ident: $label:literal, $help:literal;)+) => {
        /// Connections of operators since the collector's start, by what became of them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct ConnectionCounters {
            $(#[doc = $help] pub $name: u64,)+
        }

        /// Every counter of [`ConnectionCounters`], in the order of its fields.
        pub const CONNECTION_COUNTERS: &[ConnectionCounter] = &[$(ConnectionCounter {
            name: stringify!($name),
            label: $label,
            help: $help,
            read: |counters| counters.$name,
        },)+];
    };
}

connection_counters! {
    served: "operators served",
        "Connections of operators that were greeted.";
    unidentified: "operators whose user is not known",
        "Connections that were closed because the name service did not say who their user is.";
    not_allowed: "operators without access",
        "Connections that were closed because no list of the config names their user.";
    no_place: "operators without a place",
        "Connections that were closed because too many others were open, or no descriptor was left.";
    no_greeting: "operators without a greeting",
        "Connections that were closed because they did not greet in time.";
    evicted: "operators that were idle",
        "Connections without a request that were closed for newer ones.";
}

/// One counter of [`ConnectionCounters`].
#[derive(Clone, Copy, Debug)]
pub struct ConnectionCounter {
    /// Its key in JSON, and its part in the name of a metric.
    pub name: &'static str,
    /// Its name in texts for operators.
    pub label: &'static str,
    /// What it counts, in one sentence.
    pub help: &'static str,
    read: fn(&ConnectionCounters) -> u64,
}

impl ConnectionCounter {
    /// Returns the value of this counter.
    pub fn read(&self, counters: &ConnectionCounters) -> u64 {
        (self.read)(counters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "serde")]
    #[test]
    fn json_has_exactly_the_names_of_the_table_and_their_values() {
        let json = r#"{"live":1,"unconfirmed":2,"bad_tag":3,"unknown_epoch":10,"bad_scope":11,
            "bad_length":12,"bad_magic":13,"bad_kind":14,"bad_agent":15,"bad_body_length":16,
            "bad_sequence":17,"bad_body":18,"replayed":5,"revoked":6,"kernel_dropped":7,
            "over_limit":8,"over_budget":19,"answers_withheld":9}"#;
        let counters: DatagramCounters = serde_json::from_str(json).unwrap();
        let pairs = DATAGRAM_COUNTERS.iter().map(|one| (one.name, one.read(&counters)));
        let written: Vec<_> = pairs.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let table = format!("{{{}}}", written.join(","));
        assert_eq!(serde_json::to_string(&counters).unwrap(), table);
        assert_eq!(counters.lost(DatagramLoss::BadSignature), 3 + 10 + 11);
        assert_eq!(counters.lost(DatagramLoss::Dropped), (12..=18).sum::<u64>() + 6 + 8 + 19);
    }

    #[test]
    fn each_help_is_a_sentence() {
        let datagrams = DATAGRAM_COUNTERS.iter().map(|it| (it.name, it.help));
        let connections = CONNECTION_COUNTERS.iter().map(|it| (it.name, it.help));
        for (name, help) in datagrams.chain(connections) {
            assert!(help.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
            assert!(help.ends_with('.') && help.matches('.').count() == 1, "{name}");
        }
    }
}
