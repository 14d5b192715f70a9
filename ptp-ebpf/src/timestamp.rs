//! Clocks, and the RX stamp.

use crate::controller;
use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_ktime_get_tai_ns};
use aya_ebpf::programs::XdpContext;
use ptp_common::abi::{Controller, RX_TIMESTAMP_CALL, STAMP_NONE, STAMP_XDP_HARDWARE};

/// When a frame came in.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    /// In ns, of the clock that the source names; 0 without a stamp.
    pub(crate) nanos: u64,
    /// Which kind was wanted.
    pub(crate) source: u8,
}

impl Stamp {
    /// The source as [`ptp_common::abi::EventRecord`] has it.
    #[inline(always)]
    pub(crate) fn record_source(self) -> u8 {
        if self.nanos == 0 { STAMP_NONE } else { self.source }
    }
}

/// The stamp of the kind that is wanted for the frame at hand, or none: never one of another kind.
#[inline(always)]
pub(crate) fn rx_stamp(context: &XdpContext, controller: &Controller) -> Stamp {
    let hardware = controller.stamp_source == u32::from(STAMP_XDP_HARDWARE);
    let nanos = if hardware { self::hardware(context) } else { tai() };
    // Not what it was just compared with, see `controller::read`.
    Stamp { nanos, source: controller::read(&controller.stamp_source) as u8 }
}

/// CLOCK_TAI in ns.
#[inline(always)]
pub(crate) fn tai() -> u64 {
    // SAFETY: reads a clock.
    unsafe { bpf_ktime_get_tai_ns() }
}

/// CLOCK_MONOTONIC in ns, as of the kernel's last tick, at most 10 ms ago: enough for grants and rates, and cheaper.
#[inline(always)]
pub(crate) fn monotonic() -> u64 {
    // SAFETY: reads a clock.
    unsafe { bpf_ktime_get_coarse_ns() }
}

/// The NIC's stamp: its PHC when the frame came in, in ns; 0 if there is none.
#[inline(always)]
fn hardware(context: &XdpContext) -> u64 {
    let mut nanos = 0;
    // SAFETY: never called as what it says: the loader replaces this instruction by a call of the kernel's function,
    // which has this signature and writes one word, or by its answer for "not supported".
    let answer = unsafe {
        let read = core::mem::transmute::<usize, unsafe extern "C" fn(*mut xdp_md, *mut u64) -> i32>(
            RX_TIMESTAMP_CALL as usize,
        );
        read(context.ctx, &raw mut nanos)
    };
    // The answer is zero or a negative error; without a stamp some drivers (veth) answer that all is well, and write zero.
    // No branch, see `controller::read`.
    nanos & controller::read(&!(i64::from(answer >> 31) as u64))
}
