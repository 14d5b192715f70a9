//! What became of the frames, by reason.

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use ptp_common::abi::Counter;

#[map(name = "PTP_COUNTERS")]
static COUNTERS: PerCpuArray<u64> = PerCpuArray::with_max_entries(Counter::ALL.len() as u32, 0);

#[inline(always)]
pub(crate) fn count(outcome: Counter) {
    if let Some(value) = COUNTERS.get_ptr_mut(outcome as u32) {
        // SAFETY: the slot belongs to this CPU, and XDP programs on one CPU do not interrupt each other.
        unsafe { *value += 1 }
    }
}

/// True until this CPU has counted that outcome: for what is worth a message once.
#[inline(always)]
pub(crate) fn is_first(outcome: Counter) -> bool {
    COUNTERS.get(outcome as u32).is_some_and(|value| *value == 0)
}
