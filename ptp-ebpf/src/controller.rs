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
    controller: &'static Controller,
    /// CLOCK_MONOTONIC in ns.
    now: u64,
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
pub(crate) fn state(config: &'static Config, controller: &'static Controller, now: u64) -> State {
    let serves = read(&controller.answers_until_ns) != 0;
    State { controller, now, serving: if serves { serving(controller) } else { None }, config }
}

impl State {
    /// A controller reads the ring.
    #[inline(always)]
    pub(crate) fn alive(&self) -> bool {
        let last = read(&self.controller.alive_ns);
        last != 0 && self.now.saturating_sub(last) < HEARTBEAT_TIMEOUT_NS
    }

    /// A server answers, with or without a controller.
    #[inline(always)]
    pub(crate) fn answers(&self) -> bool {
        self.now < read(&self.controller.answers_until_ns)
    }
}

/// What the controller, which writes meanwhile, has there now; 0 is "never".
///
/// Read again wherever it is asked for, not remembered as a bool: BPF has no register for one but two ways through all
/// that follows, and the verifier walks them all, the look-up of a client with its many steps on each.
#[inline(always)]
pub(crate) fn read<T: Copy>(field: &T) -> T {
    // SAFETY: a reference is readable.
    unsafe { core::ptr::from_ref(field).read_volatile() }
}

/// What a server answers and sends.
#[inline(always)]
pub(crate) fn serving(controller: &Controller) -> Option<&'static Serving> {
    SERVING.get(controller.serving & 1)
}
