//! How much is under way to the terminal while frames follow each other, as when a key repeats.
//!
//! A slow line takes everything at once and shows it seconds later: that a frame was written says
//! nothing. The answer to a request for the device's status (DSR, ECMA-48 8.3.35) does: the terminal
//! has displayed all before it.
//!
//! 1. Single frames are drawn at once; no answer is asked for.
//! 2. In a burst each frame asks for an answer, and none is written while [`WINDOW`] bytes are
//!    unanswered: so large ones go one by one.
//! 3. The first answer is waited for once. A terminal that does not answer gets
//!    [`BYTES_PER_SECOND`] in a burst, as far as [`MAX_PACE_MS`] allows.
//!
//! Nothing tells how much is under way to a terminal that does not answer: of a pseudo-terminal's
//! queue the kernel counts no byte (TIOCOUTQ is 0), and a write waits only when the queue is full, with
//! 20 kB, which a line of 2 kB/s shows in 10 s. Terminals that do not answer are fast as a rule, so
//! large frames are not held back to what a slow line would show.

use std::collections::VecDeque;

use crate::clock::MonoTime;

/// Asks for the device's status.
pub(crate) const REQUEST: &[u8] = b"\x1b[5n";

/// The longest time between two frames of a burst, from when the second one was allowed.
const BURST_GAP_MS: u64 = 150;
/// The bytes of a burst that are written at once, besides its first frame.
const FREE_BYTES: usize = 1_024;
/// Bytes without an answer at which the next frame waits.
const WINDOW: usize = 512;
/// The rate in a burst to a terminal that does not answer: that of 19,200 baud.
const BYTES_PER_SECOND: u64 = 1_920;
/// The longest pause between two of its frames: a key is not left without an effect. A frame in which
/// the selection moves at 120×36, with the details below the list, takes no longer.
const MAX_PACE_MS: u64 = 500;
/// How long to wait for the first answer, besides the time that [`BYTES_PER_SECOND`] gives to what is
/// unanswered; and for others, which come late on a slow line.
const FIRST_ANSWER_MS: u64 = 1_500;
const ANSWER_MS: u64 = 10_000;

/// Whether a terminal answers. One that does not is not asked again, until an answer comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum AnswerMode {
    /// It was not asked, or has not answered yet.
    #[default]
    Unknown,
    Answers,
    Silent,
}

/// A frame that asked for an answer.
#[derive(Clone, Copy, Debug)]
struct UnansweredFrame {
    bytes: usize,
    asked_at: MonoTime,
}

/// Decides when the next frame may be written. Time is an argument.
#[derive(Debug, Default)]
pub(crate) struct FlowControl {
    /// Bytes of the frames that followed each other.
    burst_bytes: usize,
    mode: AnswerMode,
    /// Oldest first, as the answers come.
    unanswered: VecDeque<UnansweredFrame>,
    /// When the pace allows the next frame of a burst.
    open_at: MonoTime,
}

impl FlowControl {
    /// Returns how long to wait before the next frame, in ms; 0 when it may be written.
    pub(crate) fn wait_ms(&self, now: MonoTime) -> u64 {
        if self.burst_bytes < FREE_BYTES { 0 } else { self.next_at().since(now) }
    }

    /// Returns when the next frame of a burst is or was allowed.
    fn next_at(&self) -> MonoTime {
        match self.unanswered.front() {
            Some(oldest) if self.is_answer_due() && self.unanswered_bytes() >= WINDOW => {
                oldest.asked_at.plus_ms(self.answer_limit_ms())
            }
            _ => self.open_at,
        }
    }

    fn unanswered_bytes(&self) -> usize {
        self.unanswered.iter().map(|frame| frame.bytes).sum()
    }

    /// Returns how long the oldest answer is waited for.
    fn answer_limit_ms(&self) -> u64 {
        match self.mode {
            AnswerMode::Answers => ANSWER_MS,
            AnswerMode::Unknown | AnswerMode::Silent => {
                FIRST_ANSWER_MS + slow_line_ms(self.unanswered_bytes())
            }
        }
    }

    /// Records a frame that is written now. Returns the request that is to be written behind it.
    pub(crate) fn record_frame(&mut self, bytes: usize, now: MonoTime) -> &'static [u8] {
        let follows = now.since(self.next_at()) <= BURST_GAP_MS;
        self.give_up_late_answers(now);
        self.burst_bytes = if follows { self.burst_bytes.saturating_add(bytes) } else { 0 };
        let is_free = self.burst_bytes < FREE_BYTES;
        self.open_at = now.plus_ms(match self.mode {
            _ if is_free => 0,
            AnswerMode::Answers => 0,
            AnswerMode::Unknown | AnswerMode::Silent => slow_line_ms(bytes).min(MAX_PACE_MS),
        });
        if is_free || self.mode == AnswerMode::Silent {
            return &[];
        }
        self.unanswered.push_back(UnansweredFrame { bytes, asked_at: now });
        REQUEST
    }

    /// Records that the terminal answered.
    pub(crate) fn record_answer(&mut self, now: MonoTime) {
        self.mode = AnswerMode::Answers;
        self.unanswered.pop_front();
        self.open_at = now;
    }

    /// Returns whether an answer is still to come, which the next program would take for keys.
    pub(crate) fn is_answer_due(&self) -> bool {
        self.mode != AnswerMode::Silent && !self.unanswered.is_empty()
    }

    fn give_up_late_answers(&mut self, now: MonoTime) {
        let limit_ms = self.answer_limit_ms();
        let is_late = |frame: &UnansweredFrame| now.since(frame.asked_at) >= limit_ms;
        if self.mode != AnswerMode::Silent && self.unanswered.front().is_some_and(is_late) {
            // They stay in their order: they may come yet.
            self.mode = AnswerMode::Silent;
        }
    }
}

/// Returns the time that a line of [`BYTES_PER_SECOND`] needs.
fn slow_line_ms(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000) / BYTES_PER_SECOND
}

#[cfg(test)]
mod tests {
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

    /// Presses a key 30 times a second. Returns the frames that were drawn, and the most bytes that were
    /// under way in the last second.
    fn repeat_key(line: Line, seconds: u64) -> (usize, usize) {
        let mut flow = FlowControl::default();
        let (mut frames, mut queued, mut most) = (0, 0_usize, 0);
        // Bytes behind each request, and answers on their way back.
        let mut requests: VecDeque<usize> = VecDeque::new();
        let mut answers: VecDeque<u64> = VecDeque::new();
        let mut is_dirty = false;
        for ms in 0..seconds * 1_000 {
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
            most = if ms < (seconds - 1) * 1_000 { 0 } else { queued.max(most) };
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
        (frames, most)
    }

    #[test]
    fn a_slow_line_is_less_than_a_second_behind_the_keys() {
        for answers in [true, false] {
            for frame in [110, 600, 950] {
                let line = Line { bytes_per_second: 2_000, latency_ms: 50, frame, answers };
                let (frames, behind) = repeat_key(line, 8);
                assert!(behind < 2_000, "{behind} bytes behind, frames of {frame}, {answers}");
                assert!(frames * frame > 5 * 1_920, "only {frames} frames of {frame}, {answers}");
            }
        }
    }

    #[test]
    fn one_large_frame_at_a_time_is_under_way_to_a_slow_terminal_that_answers() {
        for frame in [1_500, 2_000, 5_000] {
            let line = Line { bytes_per_second: 2_000, latency_ms: 50, frame, answers: true };
            let (frames, behind) = repeat_key(line, 20);
            assert!(behind <= frame + REQUEST.len(), "{behind} bytes behind, frames of {frame}");
            assert!(frames * frame > 18 * 2_000, "only {frames} frames of {frame}");
        }
    }

    #[test]
    fn a_terminal_that_never_answers_is_waited_for_once() {
        let mut flow = FlowControl::default();
        let at = |ms: u64| MonoTime::from_ms(10_000 + ms);
        flow.record_frame(2_000, at(0));
        assert_eq!(flow.record_frame(2_000, at(20)), REQUEST);
        assert!(flow.wait_ms(at(2_500)) > 0);
        assert_eq!(flow.wait_ms(at(2_600)), 0);
        for n in 0..10 {
            assert_eq!(flow.record_frame(2_000, at(2_600 + n * MAX_PACE_MS)), b"");
            assert_eq!(flow.wait_ms(at(2_600 + (n + 1) * MAX_PACE_MS)), 0);
        }
        assert!(!flow.is_answer_due());
    }

    #[test]
    fn a_fast_line_gets_a_frame_for_nearly_every_key() {
        for (latency_ms, least) in [(0, 115), (30, 100), (100, 60)] {
            let line = Line { bytes_per_second: 1_000_000, latency_ms, frame: 110, answers: true };
            let (frames, _) = repeat_key(line, 4);
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
