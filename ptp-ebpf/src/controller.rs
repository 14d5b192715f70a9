//! Whether a controller is there to read what is taken, what it wants, and what it serves.

use aya_ebpf::macros::map;
use aya_ebpf::maps::Array;
use ptp_common::abi::{ABI_VERSION, Config, Controller, HEARTBEAT_TIMEOUT_NS, Serving};

#[map(name = "PTP_CONFIG")]
static CONFIG: Array<Config> = Array::with_max_entries(1, 0);

#[map(name = "PTP_CONTROLLER")]
static CONTROLLER: Array<Controller> = Array::with_max_entries(1, 0);

#[map(name = "PTP_SERVING")]
static SERVING: Array<Serving> = Array::with_max_entries(2, 0);

/// What may be done now.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// A controller reads the ring.
    pub(crate) alive: bool,
    /// A server answers, with or without a controller.
    pub(crate) answers: bool,
    /// This is a server, and that is what it answers and sends.
    pub(crate) serving: Option<&'static Serving>,
    /// What the loader said.
    pub(crate) config: &'static Config,
}

/// What the loader said, and what the controller said last; `None` while there is no map of ours.
#[inline(always)]
pub(crate) fn get() -> Option<(&'static Config, &'static Controller)> {
    let config = CONFIG.get(0).filter(|config| config.abi_version == ABI_VERSION)?;
    Some((config, CONTROLLER.get(0)?))
}

/// `now` is CLOCK_MONOTONIC in ns.
#[inline(always)]
pub(crate) fn state((config, controller): (&'static Config, &Controller), now: u64) -> State {
    // Each is read once: the controller writes them meanwhile. 0 is "never".
    let last = controller.alive_ns;
    let until = controller.answers_until_ns;
    State {
        alive: last != 0 && now.saturating_sub(last) < HEARTBEAT_TIMEOUT_NS,
        answers: now < until,
        serving: if until != 0 { serving(controller) } else { None },
        config,
    }
}

/// What a server answers and sends.
#[inline(always)]
pub(crate) fn serving(controller: &Controller) -> Option<&'static Serving> {
    SERVING.get(controller.serving & 1)
}
