//! The clock of a boundary clock's second NIC: it follows the first one's, which the client steers.
//!
//! Both are compared with the system clock, one right after the other: what the system clock is off by cancels out.

use super::system_clock::{Action, Done, Pi};
use crate::clock::{Clock, ClockError, CrossStamp, CrossStamps};
use crate::report::SystemClockStatus;
use ptp_common::time::Interval;

/// Comparisons of the first clock before and after that of the second differ by more only if the system clock was set
/// in between, ns.
const SAME: i64 = 1_000;

/// The second clock, which stamps what comes from and goes to the clients.
pub(super) struct SecondClock {
    pub(super) clock: Box<dyn Clock>,
    first: CrossStamps,
    second: CrossStamps,
    pi: Pi,
    offset_ns: Option<f64>,
    steps: u64,
}

/// The clock of the stamps at the port that faces the clients: the second one, where there are two.
pub(super) fn facing_clients<'a>(first: &'a dyn Clock, second: &'a Option<SecondClock>) -> &'a dyn Clock {
    second.as_ref().map_or(first, |second| &*second.clock)
}

impl SecondClock {
    /// `clock` is /dev/ptp`second` and follows /dev/ptp`first`.
    pub(super) fn new(clock: Box<dyn Clock>, first: u32, second: u32) -> Result<Self, ClockError> {
        let pi = Pi::new(clock.frequency());
        let (first, second) = (CrossStamps::open(first)?, CrossStamps::open(second)?);
        Ok(Self { clock, first, second, pi, offset_ns: None, steps: 0 })
    }

    /// The first clock was stepped.
    pub(super) const fn first_stepped(&mut self) {
        self.pi.reference_stepped();
    }

    /// Compares and steers; `None` if the comparison was disturbed. `now`: CLOCK_MONOTONIC, s.
    pub(super) fn turn(&mut self, now: f64) -> Result<Option<Done>, ClockError> {
        let ahead = |CrossStamp { phc_ns, system_ns, .. }| phc_ns - system_ns;
        let before = ahead(self.first.read()?);
        let second = ahead(self.second.read()?);
        let after = ahead(self.first.read()?);
        if before.abs_diff(after) > SAME.unsigned_abs() {
            return Ok(None);
        }
        let offset = second - (before + (after - before) / 2);
        self.offset_ns = Some(offset as f64);
        Ok(Some(match self.pi.update(now, offset as f64) {
            Action::Step(ppb) => {
                let by = Interval::from_nanos((-offset).into());
                self.clock.step(by)?;
                self.steps += 1;
                Done::Stepped(by, self.clock.set_frequency(ppb)?)
            }
            Action::Steer(ppb) => Done::Steered(self.clock.set_frequency(ppb)?),
        }))
    }

    /// How far it is from the first one, ns; `None` before it was looked at.
    pub(super) const fn error_ns(&self) -> Option<f64> {
        self.offset_ns
    }

    pub(super) fn status(&self) -> SystemClockStatus {
        SystemClockStatus {
            follower: "second",
            cross_stamps: self.second.method(),
            offset_ns: self.offset_ns,
            frequency_ppb: self.pi.output_ppb,
            steps: self.steps,
        }
    }
}
