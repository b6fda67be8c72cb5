//! What the messages say (`SPEC.md`, "Bodies"): each body is one array of fields in fixed order,
//! which grows only at its end.

use crate::bucket::Packed;
use crate::envelope::{Kind, Refusal, Verified};
use crate::limits::{
    AGENT_MAX, DATAGRAM_MAX, DEPENDS_MAX, GENERATION_MAX, INTERVAL_MS, LABEL_KEY_MAX, LABELS_MAX,
    STEP_MAX, TEXT_MAX,
};
use crate::name;
use crate::wire::{Fault, Fields, Reader, Text, put};

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    /// [`Kind::Beat`]
    Beat(Beat<'a>),
    /// [`Kind::Goodbye`]
    Goodbye(Goodbye<'a>),
    /// [`Kind::ExitReport`]
    ExitReport(ExitReport<'a>),
    /// [`Kind::Ack`]
    Ack(Ack),
    /// [`Kind::Push`]
    Push(Push),
}

/// What an agent is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// It has not begun to work.
    Starting = 0,
    /// It works, or could.
    #[default]
    Running = 1,
    /// It waits for something outside itself, such as a person's approval.
    Waiting = 2,
    /// It is about to end.
    Stopping = 3,
}

/// The everyday message: alive, and what was done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beat<'a> {
    /// Declared time between beats, in ms; 100 to 3,600,000. Field 0, required.
    pub interval_ms: u32,
    /// Time since the emitter started, in ms. Field 1, required.
    pub uptime_ms: u64,
    /// Field 2.
    pub phase: Phase,
    /// Tasks begun and not ended. Field 3.
    pub in_flight: u32,
    /// Age of the oldest of them, in ms. Field 4.
    pub oldest_in_flight_ms: Option<u64>,
    /// Time since anything was last begun, ended or stepped, in ms; `None`: never. Field 5.
    pub progress_age_ms: Option<u64>,
    /// Length of the agent's backlog, if it reports one. Field 6.
    pub queue: Option<u32>,
    /// Name of the current step, or of what is waited for. Field 7.
    pub step: Option<Text<'a>>,
    /// Generation of the desired state that this agent has applied; 0: none. Field 8.
    pub applied_generation: u64,
    /// Observations that this session's emitter could not count. Field 9.
    pub lost_observations: u64,
    /// The pending segment of work, if there is one. Field 10.
    pub segment: Option<SegmentView<'a>>,
    /// Who it is: on the first beats of a session and when asked for. Field 11.
    pub identity: Option<IdentityView<'a>>,
}

/// Work done since the segment before, to be counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentView<'a> {
    /// Number in its session, from 1. Field 0, required.
    pub number: u64,
    /// Tasks that succeeded. Field 1, required.
    pub ok: u64,
    /// Tasks that failed. Field 2, required.
    pub failed: u64,
    /// Cost, in nano-dollars. Field 3.
    pub cost_nano_usd: u64,
    /// Tokens read. Field 4.
    pub tokens_in: u64,
    /// Tokens written. Field 5.
    pub tokens_out: u64,
    /// Latencies, as packed `(bucket, count)` pairs. Field 6.
    pub latency: Packed<'a>,
}

/// Most that one field of a segment may count: sums of them then never overflow in practice, and
/// they fit SQLite's signed integers.
pub const COUNT_MAX: u64 = 1 << 53;

/// Who an agent is. A map, because it is rare; keys that are unknown are skipped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdentityView<'a> {
    /// `host`
    pub host: Option<Text<'a>>,
    /// `pid`
    pub pid: Option<u32>,
    /// `group`
    pub group: Option<Text<'a>>,
    /// `version`: of the agent's program
    pub version: Option<Text<'a>>,
    /// `framework`: name and version
    pub framework: Option<Text<'a>>,
    /// `sdk`: name and version of the emitter
    pub sdk: Option<Text<'a>>,
    /// `labels`: at most 16
    pub labels: Vec<(Text<'a>, Text<'a>)>,
    /// `depends`: ids of at most 16 agents that this one needs
    pub depends: Vec<&'a str>,
}

/// The last message of a session that ends as it should.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Goodbye<'a> {
    /// Time since the emitter started, in ms. Field 0, required.
    pub uptime_ms: u64,
    /// What is left to count. Field 1.
    pub segment: Option<SegmentView<'a>>,
}

/// A supervisor's word that its process has ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExitReport<'a> {
    /// Time since the emitter started, in ms. Field 0, required.
    pub uptime_ms: u64,
    /// Exit code, if it ended by itself. Field 1.
    pub code: Option<u32>,
    /// Signal number, if one ended it. Field 2.
    pub signal: Option<u32>,
    /// Whether the kernel killed it for want of memory. Field 3.
    pub oom_killed: bool,
    /// What is left to count. Field 4.
    pub segment: Option<SegmentView<'a>>,
}

/// The collector's answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack {
    /// Highest segment of this session that is on disk. Field 0, required.
    pub durable_segment: u64,
    /// Generation of the desired state; 0: none was ever set. Field 1.
    pub generation: u64,
    /// The desired state: true: do not work. Field 2.
    pub killed: bool,
    /// The message answered was not live: send the next one at once. Field 3, bit 0.
    pub unconfirmed: bool,
    /// Send the identity with the next beat. Field 3, bit 1.
    pub wants_identity: bool,
}

/// The collector's unasked word that the desired state has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// Generation of the desired state. Field 0, required.
    pub generation: u64,
    /// The desired state: true: do not work. Field 1, required.
    pub killed: bool,
}

/// Longest body of an ack: so long must a question at least be.
pub const ACK_BODY_MAX: usize = 1 + 9 + 5 + 1 + 1;

impl<'a> Verified<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Refusal::BadBody`] with the first fault found.
    pub fn decode(&self) -> Result<Body<'a>, Refusal> {
        let reader = Reader::new(self.body());
        match self.header.kind {
            Kind::Beat => reader.body(Beat::read).map(Body::Beat),
            Kind::Goodbye => reader.body(Goodbye::read).map(Body::Goodbye),
            Kind::ExitReport => reader.body(ExitReport::read).map(Body::ExitReport),
            Kind::Ack => reader.body(Ack::read).map(Body::Ack),
            Kind::Push => reader.body(Push::read).map(Body::Push),
        }
        .map_err(Refusal::BadBody)
    }
}

impl Phase {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        match reader.u64()? {
            0 => Ok(Self::Starting),
            1 => Ok(Self::Running),
            2 => Ok(Self::Waiting),
            3 => Ok(Self::Stopping),
            _ => Err(Fault::OutOfRange),
        }
    }
}

impl<'a> Beat<'a> {
    fn read(fields: &mut Fields<'_, 'a>) -> Result<Self, Fault> {
        let interval_ms = fields.required(Reader::u32)?;
        if !INTERVAL_MS.contains(&interval_ms) {
            return Err(Fault::OutOfRange);
        }
        Ok(Self {
            interval_ms,
            uptime_ms: fields.required(Reader::u64)?,
            phase: fields.optional(Phase::read)?.unwrap_or_default(),
            in_flight: fields.optional(Reader::u32)?.unwrap_or(0),
            oldest_in_flight_ms: fields.optional(Reader::u64)?,
            progress_age_ms: fields.optional(Reader::u64)?,
            queue: fields.optional(Reader::u32)?,
            step: fields.optional(|reader| reader.text(STEP_MAX))?,
            applied_generation: fields
                .optional(|reader| reader.u64_up_to(GENERATION_MAX))?
                .unwrap_or(0),
            lost_observations: fields.optional(Reader::u64)?.unwrap_or(0),
            segment: fields.optional(SegmentView::read)?,
            identity: fields.optional(IdentityView::read)?,
        })
    }

    /// Appends the body. `uptime_ms` takes nine bytes whatever its value, so that no answer is
    /// longer than its question.
    pub fn write(&self, out: &mut Vec<u8>) {
        let len = if self.identity.is_some() { 12 } else { 11 };
        put::array(out, len);
        put::uint(out, u64::from(self.interval_ms));
        put::wide_uint(out, self.uptime_ms);
        put::uint(out, self.phase as u64);
        put::uint(out, u64::from(self.in_flight));
        put::optional(out, self.oldest_in_flight_ms, put::uint);
        put::optional(out, self.progress_age_ms, put::uint);
        put::optional(out, self.queue.map(u64::from), put::uint);
        put::optional(out, self.step, |out, step| put::str(out, &step.scrubbed()));
        put::uint(out, self.applied_generation);
        put::uint(out, self.lost_observations);
        put::optional(out, self.segment, |out, segment| segment.write(out));
        if let Some(identity) = &self.identity {
            identity.write(out);
        }
    }
}

impl<'a> SegmentView<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        reader.array(32, |fields| {
            let number = fields.required(|reader| reader.u64_up_to(COUNT_MAX))?;
            if number == 0 {
                return Err(Fault::OutOfRange);
            }
            let mut count = |required: bool| {
                let count = |reader: &mut Reader<'a>| reader.u64_up_to(COUNT_MAX);
                if required {
                    fields.required(count)
                } else {
                    Ok(fields.optional(count)?.unwrap_or(0))
                }
            };
            Ok(Self {
                number,
                ok: count(true)?,
                failed: count(true)?,
                cost_nano_usd: count(false)?,
                tokens_in: count(false)?,
                tokens_out: count(false)?,
                latency: fields
                    .optional(|reader| reader.bin(DATAGRAM_MAX))?
                    .map(|bytes| Packed::new(bytes).map_err(|_| Fault::BadHistogram))
                    .transpose()?
                    .unwrap_or_default(),
            })
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put::array(out, 7);
        let counts = [
            self.number,
            self.ok,
            self.failed,
            self.cost_nano_usd,
            self.tokens_in,
            self.tokens_out,
        ];
        for count in counts {
            put::uint(out, count);
        }
        put::bin(out, self.latency.as_bytes());
    }
}

impl<'a> IdentityView<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
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
                        return Err(Fault::TooLong);
                    }
                    identity.labels.push((Text::new(key), reader.text(TEXT_MAX)?));
                    Ok(())
                })?,
                "depends" => {
                    identity.depends = reader.array(DEPENDS_MAX as u32, |fields| {
                        let mut agents = Vec::new();
                        while fields.left() > 0 {
                            let agent = fields.required(|reader| reader.str(AGENT_MAX))?;
                            agents.push(
                                name::check(agent.as_bytes()).map_err(|_| Fault::OutOfRange)?,
                            );
                        }
                        Ok(agents)
                    })?
                }
                _ => reader.skip()?,
            }
            Ok(())
        })?;
        Ok(identity)
    }

    fn write(&self, out: &mut Vec<u8>) {
        let texts = [
            ("host", self.host),
            ("group", self.group),
            ("version", self.version),
            ("framework", self.framework),
            ("sdk", self.sdk),
        ];
        let lists = usize::from(!self.labels.is_empty()) + usize::from(!self.depends.is_empty());
        let given = texts.iter().filter(|(_, text)| text.is_some()).count();
        put::map(out, given + lists + usize::from(self.pid.is_some()));
        for (key, text) in texts {
            if let Some(text) = text {
                put::str(out, key);
                put::str(out, &text.scrubbed());
            }
        }
        if let Some(pid) = self.pid {
            put::str(out, "pid");
            put::uint(out, u64::from(pid));
        }
        if !self.labels.is_empty() {
            put::str(out, "labels");
            put::map(out, self.labels.len());
            for (key, value) in &self.labels {
                put::str(out, &key.scrubbed());
                put::str(out, &value.scrubbed());
            }
        }
        if !self.depends.is_empty() {
            put::str(out, "depends");
            put::array(out, self.depends.len());
            for agent in &self.depends {
                put::str(out, agent);
            }
        }
    }
}

impl<'a> Goodbye<'a> {
    fn read(fields: &mut Fields<'_, 'a>) -> Result<Self, Fault> {
        Ok(Self {
            uptime_ms: fields.required(Reader::u64)?,
            segment: fields.optional(SegmentView::read)?,
        })
    }

    /// Appends the body, padded so that no answer is longer than its question.
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        put::array(out, PADDED);
        put::wide_uint(out, self.uptime_ms);
        put::optional(out, self.segment, |out, segment| segment.write(out));
        pad(out, from, PADDED - 2);
    }
}

impl<'a> ExitReport<'a> {
    fn read(fields: &mut Fields<'_, 'a>) -> Result<Self, Fault> {
        Ok(Self {
            uptime_ms: fields.required(Reader::u64)?,
            code: fields.optional(Reader::u32)?,
            signal: fields.optional(Reader::u32)?,
            oom_killed: fields.optional(Reader::bool)?.unwrap_or(false),
            segment: fields.optional(SegmentView::read)?,
        })
    }

    /// Appends the body, padded so that no answer is longer than its question.
    pub fn write(&self, out: &mut Vec<u8>) {
        let from = out.len();
        put::array(out, PADDED);
        put::wide_uint(out, self.uptime_ms);
        put::optional(out, self.code.map(u64::from), put::uint);
        put::optional(out, self.signal.map(u64::from), put::uint);
        put::bool(out, self.oom_killed);
        put::optional(out, self.segment, |out, segment| segment.write(out));
        pad(out, from, PADDED - 5);
    }
}

/// Fields of a goodbye or exit report, the nil ones at its end included.
const PADDED: usize = 10;

fn pad(out: &mut Vec<u8>, from: usize, nils: usize) {
    for _ in 0..nils {
        put::nil(out);
    }
    debug_assert!(out.len() - from >= ACK_BODY_MAX);
}

impl Ack {
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Fault> {
        let durable_segment = fields.required(Reader::u64)?;
        let generation = fields.optional(|reader| reader.u64_up_to(GENERATION_MAX))?.unwrap_or(0);
        let killed = fields.optional(read_desired)?.unwrap_or(false);
        let flags = fields.optional(Reader::u64)?.unwrap_or(0);
        Ok(Self {
            durable_segment,
            generation,
            killed,
            unconfirmed: flags & 1 != 0,
            wants_identity: flags & 2 != 0,
        })
    }

    /// Appends the body: at most [`ACK_BODY_MAX`] bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        put::array(out, 4);
        put::uint(out, self.durable_segment);
        put::uint(out, self.generation);
        put::uint(out, u64::from(self.killed));
        put::uint(out, u64::from(self.unconfirmed) | u64::from(self.wants_identity) << 1);
    }
}

impl Push {
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Fault> {
        Ok(Self {
            generation: fields.required(|reader| reader.u64_up_to(GENERATION_MAX))?,
            killed: fields.required(read_desired)?,
        })
    }

    /// Appends the body.
    pub fn write(&self, out: &mut Vec<u8>) {
        put::array(out, 2);
        put::uint(out, self.generation);
        put::uint(out, u64::from(self.killed));
    }
}

/// The desired state: 0 run, 1 killed.
fn read_desired(reader: &mut Reader<'_>) -> Result<bool, Fault> {
    Ok(reader.u64_up_to(1)? == 1)
}
