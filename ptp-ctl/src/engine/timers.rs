//! Timers as a small table indexed by an enum, not a heap of closures.

use super::Instant;
use std::time::Duration;

/// One deadline for each of `N` purposes.
#[derive(Clone, Copy, Debug)]
pub struct TimerTable<const N: usize> {
    deadlines: [Option<Instant>; N],
}

impl<const N: usize> Default for TimerTable<N> {
    fn default() -> Self {
        Self { deadlines: [None; N] }
    }
}

impl<const N: usize> TimerTable<N> {
    /// Arms timer `index` for `at`, or disarms it.
    pub fn set(&mut self, index: usize, at: impl Into<Option<Instant>>) {
        self.deadlines[index] = at.into();
    }

    /// The deadline of timer `index`.
    pub fn get(&self, index: usize) -> Option<Instant> {
        self.deadlines[index]
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Disarms and returns a timer that is due.
    pub fn pop(&mut self, now: Instant) -> Option<usize> {
        let index = self.deadlines.iter().position(|deadline| deadline.is_some_and(|at| at <= now))?;
        self.deadlines[index] = None;
        Some(index)
    }
}

/// The interval that a logMessageInterval stands for: 2^`log` s. Values no message can be sent at (127, "not given",
/// among them) are taken as the nearest sensible one.
pub fn interval(log: i8) -> Duration {
    let log = i32::from(log.clamp(-10, 10));
    if log >= 0 { Duration::from_secs(1 << log) } else { Duration::from_secs(1) / (1 << -log) }
}
