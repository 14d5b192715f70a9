//! Notices when the clock was moved by something else: another program, or a reset of the NIC.

use crate::clock::{Clock, ClockError, monotonic_nanos};
use ptp_common::time::{Interval, Timestamp};

/// How much faster or slower than CLOCK_MONOTONIC a clock may run beyond what it was steered, ppb: two oscillators, and
/// what CLOCK_MONOTONIC itself is steered.
const DRIFT_PPB: f64 = 500_000.0;
/// What is not worth a word whatever the time between two looks, ns: the servo takes care of it.
const LEAST_JUMP_NS: f64 = 20_000.0;

/// Compares a clock with CLOCK_MONOTONIC from look to look.
#[derive(Debug, Default)]
pub(super) struct ClockGuard {
    last: Option<Look>,
    /// What we moved the clock ourselves since.
    stepped: Interval,
    /// Largest frequency that was in force since, ppb without sign.
    fastest_ppb: f64,
}

/// Both clocks at about one time.
#[derive(Clone, Copy, Debug)]
struct Look {
    clock: Timestamp,
    monotonic_ns: u64,
    /// They were read within so many ns.
    window_ns: u64,
}

impl ClockGuard {
    /// We stepped the clock.
    pub(super) fn stepped(&mut self, by: Interval) {
        self.stepped += by;
    }

    /// We set the frequency.
    pub(super) fn steered(&mut self, ppb: f64) {
        self.fastest_ppb = self.fastest_ppb.max(ppb.abs());
    }

    /// Looks: how far somebody else moved the clock since the last time, if somebody did.
    ///
    /// # Errors
    /// The clock cannot be read: a PHC that is gone.
    pub(super) fn look(&mut self, clock: &dyn Clock) -> Result<Option<Interval>, ClockError> {
        let before = monotonic_nanos();
        let reading = clock.now()?;
        let window_ns = monotonic_nanos() - before;
        let look = Look { clock: reading, monotonic_ns: before + window_ns / 2, window_ns };
        Ok(self.judge(look, clock.frequency()))
    }

    fn judge(&mut self, look: Look, frequency_ppb: f64) -> Option<Interval> {
        let fastest_ppb = self.fastest_ppb.max(frequency_ppb.abs());
        let stepped = std::mem::replace(&mut self.stepped, Interval::ZERO);
        self.fastest_ppb = frequency_ppb.abs();
        let last = self.last.replace(look)?;
        let elapsed_ns = look.monotonic_ns - last.monotonic_ns;
        let jump = (look.clock - last.clock) - stepped - Interval::from_nanos(elapsed_ns.into());
        let tolerance = elapsed_ns as f64 * (DRIFT_PPB + fastest_ppb) * 1e-9
            + (look.window_ns + last.window_ns) as f64
            + LEAST_JUMP_NS;
        (jump.round_nanos().unsigned_abs() as f64 > tolerance).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn look(clock_ns: u64, monotonic_ns: u64) -> Look {
        Look { clock: Timestamp::from_nanos(clock_ns), monotonic_ns, window_ns: 100 }
    }

    #[test]
    fn only_what_others_do_is_noticed() {
        let mut guard = ClockGuard::default();
        assert_eq!(guard.judge(look(5 * SECOND, 0), 0.0), None);
        // An oscillator that is 100 ppm fast.
        assert_eq!(guard.judge(look(6 * SECOND + 100_000, SECOND), 0.0), None);
        // Steered by 2 % in between, and stepped, by ourselves.
        guard.steered(20_000_000.0);
        guard.stepped(Interval::from_nanos(-3_000_000_000));
        assert_eq!(guard.judge(look(4 * SECOND + 19_000_000, 2 * SECOND), 0.0), None);
        // By somebody else.
        let jump = guard.judge(look(5 * SECOND + 20_000_000, 3 * SECOND), 0.0);
        assert_eq!(jump.map(|jump| jump.round_nanos()), Some(1_000_000));
        // Once.
        assert_eq!(guard.judge(look(6 * SECOND + 20_000_000, 4 * SECOND), 0.0), None);
        // A NIC that was reset to a time long past.
        assert!(guard.judge(look(1, 5 * SECOND), 0.0).is_some());
    }
}
