//! How much is under way to the terminal while frames follow each other, as when a key repeats.
//!
//! A slow line takes everything at once and shows it seconds later: that a frame was written says
//! nothing. The answer to a request for the device's status (DSR, ECMA-48 8.3.35) does: the terminal
//! has displayed all before it.
//!
//! 1. Single frames are drawn at once; no answer is asked for.
//! 2. In a burst a frame asks for an answer, and only [`WINDOW`] bytes more are written before it.
//! 3. A terminal that has not answered gets [`BYTES_PER_SECOND`] in a burst.

use crate::clock::MonoTime;

/// Asks for the device's status.
pub(crate) const REQUEST: &[u8] = b"\x1b[5n";

/// The longest time between two frames of a burst, from when the second one was allowed.
const BURST_GAP_MS: u64 = 150;
/// The bytes of a burst that are written at once, besides its first frame.
const FREE_BYTES: usize = 1_024;
/// Bytes that may be written before an answer that is due.
const WINDOW: usize = 512;
/// The rate in a burst to a terminal that does not answer: that of 19,200 baud.
const BYTES_PER_SECOND: u64 = 1_920;
/// The longest pause between two of its frames: a key is not left without an effect.
const MAX_PACE_MS: u64 = 350;
/// How long to wait for the first answer, and for others, which come late on a slow line.
const FIRST_ANSWER_MS: u64 = 2_000;
const ANSWER_MS: u64 = 10_000;

/// Whether a terminal answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum AnswerMode {
    /// It was not asked, or has not answered yet.
    #[default]
    Unknown,
    Answers,
    Silent,
}

/// Decides when the next frame may be written. Time is an argument.
#[derive(Debug, Default)]
pub(crate) struct FlowControl {
    /// Bytes of the frames that followed each other.
    burst_bytes: usize,
    mode: AnswerMode,
    /// When the answer that is due was asked for.
    asked_at: Option<MonoTime>,
    bytes_since_asked: usize,
    /// When the next frame of a burst is or was allowed.
    open_at: MonoTime,
}

impl FlowControl {
    /// Returns how long to wait before the next frame, in ms; 0 when it may be written.
    pub(crate) fn wait_ms(&self, now: MonoTime) -> u64 {
        match (self.mode, self.asked_at) {
            _ if self.burst_bytes < FREE_BYTES => 0,
            (AnswerMode::Answers, Some(asked_at)) if self.bytes_since_asked >= WINDOW => {
                asked_at.plus_ms(ANSWER_MS).since(now)
            }
            (AnswerMode::Answers, _) => 0,
            (AnswerMode::Unknown | AnswerMode::Silent, _) => self.open_at.since(now),
        }
    }

    /// Records a frame that is written now. Returns the request that is to be written behind it.
    pub(crate) fn record_frame(&mut self, bytes: usize, now: MonoTime) -> &'static [u8] {
        self.give_up_late_answer(now);
        let follows = now.since(self.open_at) <= BURST_GAP_MS;
        self.burst_bytes = if follows { self.burst_bytes.saturating_add(bytes) } else { 0 };
        let duration_ms = u64::try_from(bytes).unwrap_or(u64::MAX) * 1_000 / BYTES_PER_SECOND;
        let is_paced = self.burst_bytes >= FREE_BYTES && self.mode != AnswerMode::Answers;
        self.open_at = if is_paced { now.plus_ms(duration_ms.min(MAX_PACE_MS)) } else { now };
        if self.burst_bytes < FREE_BYTES || self.mode == AnswerMode::Silent {
            return &[];
        }
        if self.asked_at.is_some() {
            self.bytes_since_asked += bytes;
            return &[];
        }
        (self.asked_at, self.bytes_since_asked) = (Some(now), 0);
        REQUEST
    }

    /// Records that the terminal answered.
    pub(crate) fn record_answer(&mut self, now: MonoTime) {
        self.mode = AnswerMode::Answers;
        self.asked_at = None;
        self.open_at = now;
    }

    /// Returns whether an answer is still to come, which the next program would take for keys.
    pub(crate) fn is_answer_due(&self) -> bool {
        self.asked_at.is_some()
    }

    fn give_up_late_answer(&mut self, now: MonoTime) {
        let limit_ms = match self.mode {
            AnswerMode::Answers => ANSWER_MS,
            AnswerMode::Unknown | AnswerMode::Silent => FIRST_ANSWER_MS,
        };
        if self.asked_at.is_some_and(|asked_at| now.since(asked_at) >= limit_ms) {
            self.mode = AnswerMode::Silent;
            self.asked_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A line to a terminal.
    #[derive(Clone, Copy)]
    struct Line {
        bytes_per_second: usize,
        latency_ms: u64,
        /// The bytes of a frame for one key.
        frame: usize,
        answers: bool,
    }

    /// Presses a key 30 times a second for 4 s. Returns the frames that were drawn, and the bytes that
    /// were under way at the end.
    fn repeat_key(line: Line) -> (usize, usize) {
        let mut flow = FlowControl::default();
        let (mut frames, mut queued) = (0, 0_usize);
        // Bytes behind each request, and answers on their way back.
        let mut requests: VecDeque<usize> = VecDeque::new();
        let mut answers: VecDeque<u64> = VecDeque::new();
        let mut is_dirty = false;
        for ms in 0..4_000 {
            let now = MonoTime::from_ms(10_000 + ms);
            is_dirty |= ms % 33 == 0;
            if is_dirty && flow.wait_ms(now) == 0 {
                is_dirty = false;
                frames += 1;
                let request = flow.record_frame(line.frame, now);
                queued += line.frame + request.len();
                if !request.is_empty() && line.answers {
                    requests.push_back(queued);
                }
            }
            let shown = queued.min(line.bytes_per_second / 1_000);
            queued -= shown;
            requests.iter_mut().for_each(|left| *left = left.saturating_sub(shown));
            while requests.front() == Some(&0) {
                requests.pop_front();
                answers.push_back(ms + line.latency_ms);
            }
            while answers.front().is_some_and(|at| *at <= ms) {
                answers.pop_front();
                flow.record_answer(now);
            }
        }
        (frames, queued)
    }

    #[test]
    fn a_slow_line_is_less_than_a_second_behind_the_keys() {
        for answers in [true, false] {
            for frame in [110, 600] {
                let line = Line { bytes_per_second: 2_000, latency_ms: 50, frame, answers };
                let (frames, behind) = repeat_key(line);
                assert!(behind < 2_000, "{behind} bytes behind, frames of {frame}, {answers}");
                assert!(frames > 10, "only {frames} frames of {frame}, {answers}");
            }
        }
    }

    #[test]
    fn a_fast_line_gets_a_frame_for_nearly_every_key() {
        for (latency_ms, least) in [(0, 115), (30, 100), (100, 60)] {
            let line = Line { bytes_per_second: 1_000_000, latency_ms, frame: 110, answers: true };
            let (frames, _) = repeat_key(line);
            assert!(frames >= least, "{frames} frames in 4 s at {latency_ms} ms");
        }
    }

    #[test]
    fn single_frames_are_drawn_at_once_and_ask_for_nothing() {
        let mut flow = FlowControl::default();
        for n in 0..100 {
            let now = MonoTime::from_ms(10_000 + n * 200);
            assert_eq!(flow.wait_ms(now), 0);
            assert_eq!(flow.record_frame(20_000, now), b"");
        }
        assert!(!flow.is_answer_due());
    }

    #[test]
    fn a_terminal_that_stops_to_answer_is_not_waited_for_forever() {
        let mut flow = FlowControl::default();
        let at = |ms: u64| MonoTime::from_ms(10_000 + ms);
        for n in 0..6 {
            flow.record_frame(600, at(n * 20));
        }
        flow.record_answer(at(130));
        for n in 0..4 {
            flow.record_frame(600, at(140 + n * 20));
        }
        assert!(flow.is_answer_due() && flow.wait_ms(at(300)) > 0);
        assert_eq!(flow.wait_ms(at(11_000)), 0);
        flow.record_frame(600, at(11_000));
        assert!(!flow.is_answer_due());
    }
}
