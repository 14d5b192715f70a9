//! Whether a controller is there to read what is taken, and what it wants.

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use ptp_common::abi::{ABI_VERSION, Config, Controller, HEARTBEAT_TIMEOUT_NS};

#[map(name = "PTP_CONFIG")]
static CONFIG: Array<Config> = Array::with_max_entries(1, 0);

#[map(name = "PTP_CONTROLLER")]
static CONTROLLER: Array<Controller> = Array::with_max_entries(1, 0);

/// `now` is CLOCK_MONOTONIC in ns.
#[inline(always)]
pub(crate) fn is_alive(now: u64) -> bool {
    let configured = CONFIG.get(0).is_some_and(|config| config.abi_version == ABI_VERSION);
    // Read once: the controller writes it meanwhile. 0 is "never".
    let last = CONTROLLER.get(0).map_or(0, |controller| controller.alive_ns);
    configured && last != 0 && now.saturating_sub(last) < HEARTBEAT_TIMEOUT_NS
}

/// The kind of stamp that it wants: one of the `STAMP_` constants.
#[inline(always)]
pub(crate) fn wanted_stamp() -> u32 {
    CONTROLLER.get(0).map_or(0, |controller| controller.stamp_source)
}
