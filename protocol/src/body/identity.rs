//! Identity of an agent.

use crate::limits::{AGENT_MAX, DEPENDS_MAX, LABEL_KEY_MAX, LABELS_MAX, TEXT_MAX};
use crate::name;
use crate::wire::{BodyReader, DecodeError, DecodeResult, UntrustedText, write};

/// Identity of an agent, borrowed from the message. A map, because it is rare; unknown keys are
/// skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdentityView<'a> {
    /// `host`: name of the machine
    pub host: Option<UntrustedText<'a>>,
    /// `pid`: process id
    pub pid: Option<u32>,
    /// `group`: shared by replicas
    pub group: Option<UntrustedText<'a>>,
    /// `version`: of the agent's program
    pub version: Option<UntrustedText<'a>>,
    /// `framework`: name and version
    pub framework: Option<UntrustedText<'a>>,
    /// `sdk`: name and version of the emitter
    pub sdk: Option<UntrustedText<'a>>,
    /// `labels`: at most 16
    pub labels: Vec<(UntrustedText<'a>, UntrustedText<'a>)>,
    /// `depends`: ids of at most 16 agents that this one depends on
    pub depends: Vec<&'a str>,
}

impl<'a> IdentityView<'a> {
    pub(super) fn read(reader: &mut BodyReader<'a>) -> DecodeResult<Self> {
        let mut identity = Self::default();
        reader.map(32, |key, reader| {
            if reader.nil() {
                return Ok(());
            }
            match key {
                "host" => identity.host = Some(reader.text(TEXT_MAX)?),
                "pid" => identity.pid = Some(reader.u32()?),
                "group" => identity.group = Some(reader.text(TEXT_MAX)?),
                "version" => identity.version = Some(reader.text(TEXT_MAX)?),
                "framework" => identity.framework = Some(reader.text(TEXT_MAX)?),
                "sdk" => identity.sdk = Some(reader.text(TEXT_MAX)?),
                "labels" => reader.map(LABELS_MAX as u32, |key, reader| {
                    if key.len() > LABEL_KEY_MAX {
                        return Err(DecodeError::TooLong);
                    }
                    identity.labels.push((UntrustedText::new(key), reader.text(TEXT_MAX)?));
                    Ok(())
                })?,
                "depends" => {
                    identity.depends = reader.array(DEPENDS_MAX as u32, |fields| {
                        let mut agents = Vec::new();
                        while fields.left() > 0 {
                            let agent = fields.required(|reader| reader.str(AGENT_MAX))?;
                            agents.push(
                                name::check(agent.as_bytes())
                                    .map_err(|_| DecodeError::OutOfRange)?,
                            );
                        }
                        Ok(agents)
                    })?;
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(identity)
    }

    /// Appends the map; texts and lists are cut to their limits.
    pub fn write(&self, out: &mut Vec<u8>) {
        let texts = [
            ("host", self.host),
            ("group", self.group),
            ("version", self.version),
            ("framework", self.framework),
            ("sdk", self.sdk),
        ];
        let labels = self.distinct_labels();
        let lists = usize::from(!labels.is_empty()) + usize::from(!self.depends.is_empty());
        let given = texts.iter().filter(|(_, text)| text.is_some()).count();
        write::map(out, given + lists + usize::from(self.pid.is_some()));
        for (key, text) in texts {
            if let Some(text) = text {
                write::str(out, key);
                write::text(out, text, TEXT_MAX);
            }
        }
        if let Some(pid) = self.pid {
            write::str(out, "pid");
            write::uint(out, u64::from(pid));
        }
        if !labels.is_empty() {
            write::str(out, "labels");
            write::map(out, labels.len());
            for (key, value) in labels {
                write::str(out, &key);
                write::text(out, value, TEXT_MAX);
            }
        }
        if !self.depends.is_empty() {
            let depends = &self.depends[..self.depends.len().min(DEPENDS_MAX)];
            write::str(out, "depends");
            write::array(out, depends.len());
            for agent in depends {
                write::str(out, agent);
            }
        }
    }

    /// Returns the labels as they are written. Keys that become equal by scrubbing or cutting are
    /// one key with the last value, because a repeated key would make the message invalid.
    fn distinct_labels(&self) -> Vec<(String, UntrustedText<'a>)> {
        let mut labels: Vec<(String, UntrustedText<'a>)> = Vec::new();
        for &(key, value) in &self.labels {
            let key = key.scrubbed_to(LABEL_KEY_MAX);
            match labels.iter().position(|(known, _)| *known == key) {
                Some(at) => labels[at].1 = value,
                None if labels.len() < LABELS_MAX => labels.push((key, value)),
                None => {}
            }
        }
        labels
    }
}
