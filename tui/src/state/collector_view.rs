//! The collector's own health, as an overlay shows it.

use heartline_operator::message::CollectorHealth;

/// What is shown of the collector. It is asked again every second while it is open.
#[derive(Debug, Default)]
pub(crate) struct CollectorView {
    pub scroll: usize,
    /// The last answer, or why there was none; `None`: not yet.
    pub answer: Option<Result<Box<CollectorHealth>, String>>,
    /// A question is under way.
    pub is_asked: bool,
}
