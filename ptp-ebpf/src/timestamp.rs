//! Clocks, and the RX stamp.

use aya_ebpf::helpers::generated::{bpf_ktime_get_ns, bpf_ktime_get_tai_ns};
use ptp_common::abi::STAMP_XDP_SOFTWARE;

/// When a frame came in, as [`ptp_common::abi::EventRecord`] has it.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    /// In ns, of the clock that the source names.
    pub(crate) nanos: u64,
    /// One of the `STAMP_` constants of the ABI.
    pub(crate) source: u8,
}

/// The best stamp there is for the frame at hand.
#[inline(always)]
pub(crate) fn rx_stamp() -> Stamp {
    // SAFETY: reads a clock.
    Stamp { nanos: unsafe { bpf_ktime_get_tai_ns() }, source: STAMP_XDP_SOFTWARE }
}

/// CLOCK_MONOTONIC in ns.
#[inline(always)]
pub(crate) fn monotonic() -> u64 {
    // SAFETY: reads a clock.
    unsafe { bpf_ktime_get_ns() }
}
