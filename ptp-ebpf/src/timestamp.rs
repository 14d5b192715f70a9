//! Clocks, and the RX stamp.

use aya_ebpf::bindings::xdp_md;
use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_ktime_get_tai_ns};
use aya_ebpf::programs::XdpContext;
use ptp_common::abi::{RX_TIMESTAMP_CALL, STAMP_NONE, STAMP_XDP_HARDWARE, STAMP_XDP_SOFTWARE};

/// When a frame came in, as [`ptp_common::abi::EventRecord`] has it.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    /// In ns, of the clock that the source names; 0 without a stamp.
    pub(crate) nanos: u64,
    /// One of the `STAMP_` constants of the ABI.
    pub(crate) source: u8,
}

/// The stamp of the kind that is wanted for the frame at hand, or none: never one of another kind.
#[inline(always)]
pub(crate) fn rx_stamp(context: &XdpContext, wanted: u32) -> Stamp {
    if wanted == u32::from(STAMP_XDP_HARDWARE) {
        return hardware(context);
    }
    Stamp { nanos: tai(), source: STAMP_XDP_SOFTWARE }
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

/// The NIC's stamp: its PHC when the frame came in.
#[inline(always)]
fn hardware(context: &XdpContext) -> Stamp {
    let mut nanos = 0;
    // SAFETY: never called as what it says: the loader replaces this instruction by a call of the kernel's function,
    // which has this signature and writes one word, or by its answer for "not supported".
    let answer = unsafe {
        let read = core::mem::transmute::<usize, unsafe extern "C" fn(*mut xdp_md, *mut u64) -> i32>(
            RX_TIMESTAMP_CALL as usize,
        );
        read(context.ctx, &raw mut nanos)
    };
    // Without a stamp some drivers (veth) answer that all is well, and write zero.
    if answer == 0 && nanos != 0 {
        Stamp { nanos, source: STAMP_XDP_HARDWARE }
    } else {
        Stamp { nanos: 0, source: STAMP_NONE }
    }
}
