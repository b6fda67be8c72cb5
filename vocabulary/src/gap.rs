//! Time that was not observed.

use crate::named::named;

named! {
    /// The reason why time was not observed.
    GapCause {
        /// No collector ran.
        Down = "down",
        /// The collector was frozen or starved, or the machine suspended.
        Frozen = "frozen",
        /// The kernel dropped datagrams.
        KernelDrops = "kernel_drops",
    }
}
