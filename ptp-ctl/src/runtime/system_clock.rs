//! `--also-system-clock`: one of PHC and system clock follows the other, in the process that cares for the PHC.
//!
//! A client's system clock follows its PHC, a server's PHC the system clock.

use crate::clock::{Clock, ClockError, CrossStamp, CrossStamps, Leap, SystemClock};
use crate::engine::client::AnnouncedTime;
use crate::report::SystemClockStatus;
use ptp_common::time::{Interval, NANOS_PER_SEC};
use std::time::Duration;

/// How often the clocks are compared.
pub(super) const INTERVAL: Duration = Duration::from_millis(250);
/// Distance above which the clock that follows is stepped, ns.
const STEP_NS: f64 = 20_000.0;
/// The same when its frequency has just been measured: what is left of the start is gone at once.
const FIRST_STEP_NS: f64 = 1_000.0;
/// Of a distance, so much is slewed away in a second.
const PROPORTIONAL: f64 = 1.5;
/// And so much of it goes into the frequency, per second.
const INTEGRAL: f64 = 0.5;
/// The frequency is measured first, over so long, s: the comparisons are not quite free of noise.
const MEASURE: f64 = 1.0;
/// What changes faster than that is no frequency, but a step in between, ppb.
const MOST_PPB: f64 = 1e6;
/// Longest time between two comparisons that the loop takes for one interval, s.
const LONGEST: f64 = 2.0;

/// What is known of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Utc {
    /// PHC minus UTC, s: TAI - UTC, or 0 for a PHC that runs on UTC.
    pub(super) offset: i32,
    /// It is TAI - UTC: the kernel may know it.
    pub(super) is_tai: bool,
    /// What the UTC day ends with.
    pub(super) leap: Leap,
}

impl Utc {
    /// By what a server announces, and where that leaves out TAI - UTC by what the kernel knows, s; `None` where neither does.
    pub(super) fn of(announced: &AnnouncedTime, kernel: Option<i32>) -> Option<Self> {
        let offset = match announced.ptp_timescale {
            true => announced.utc_offset.map(i32::from).or(kernel)?,
            false => 0,
        };
        let leap = match (announced.leap59, announced.leap61) {
            (true, false) => Leap::Second59,
            (false, true) => Leap::Second61,
            _ => Leap::None,
        };
        Some(Self { offset, is_tai: announced.ptp_timescale, leap })
    }
}

/// What was done to the clock that follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Done {
    /// Its frequency was set, ppb.
    Steered(f64),
    /// It was stepped, and its frequency set, ppb.
    Stepped(Interval, f64),
}

/// The comparison of both clocks, and the loop.
#[derive(Debug)]
pub(super) struct SystemSide {
    cross: CrossStamps,
    /// The clock that follows, unless it is the PHC.
    system: Option<SystemClock>,
    pi: Pi,
    /// As the kernel was told.
    utc: Option<Utc>,
    offset_ns: Option<f64>,
    steps: u64,
}

impl SystemSide {
    /// The system clock follows the PHC.
    pub(super) fn system_follows(phc_index: u32) -> Result<Self, ClockError> {
        let system = SystemClock::open(true)?;
        Ok(Self::new(CrossStamps::open(phc_index)?, system.frequency(), Some(system)))
    }

    /// The PHC, which runs at `frequency_ppb`, follows the system clock.
    pub(super) fn phc_follows(phc_index: u32, frequency_ppb: f64) -> Result<Self, ClockError> {
        Ok(Self::new(CrossStamps::open(phc_index)?, frequency_ppb, None))
    }

    fn new(cross: CrossStamps, frequency_ppb: f64, system: Option<SystemClock>) -> Self {
        Self { cross, system, pi: Pi::new(frequency_ppb), utc: None, offset_ns: None, steps: 0 }
    }

    /// Compares and steers; `phc` is the PHC that follows, where it does. `now`: CLOCK_MONOTONIC, s.
    pub(super) fn turn(&mut self, now: f64, utc: Utc, phc: &mut dyn Clock) -> Result<Done, ClockError> {
        let CrossStamp { phc_ns, system_ns, .. } = self.cross.read()?;
        let ahead = system_ns - (phc_ns - i64::from(utc.offset) * i64::from(NANOS_PER_SEC));
        let (follower, offset): (&mut dyn Clock, i64) = match &mut self.system {
            Some(system) => (system, ahead),
            None => (phc, -ahead),
        };
        self.offset_ns = Some(offset as f64);
        let done = match self.pi.update(now, offset as f64) {
            Action::Step(ppb) => {
                let by = Interval::from_nanos((-offset).into());
                follower.step(by)?;
                self.steps += 1;
                Done::Stepped(by, follower.set_frequency(ppb)?)
            }
            Action::Steer(ppb) => Done::Steered(follower.set_frequency(ppb)?),
        };
        if let Some(system) = &mut self.system
            && utc.is_tai
            && self.utc != Some(utc)
        {
            system.set_utc(utc.offset, utc.leap)?;
            self.utc = Some(utc);
        }
        Ok(done)
    }

    /// The reference is not to be followed for now: the follower runs on at the frequency that it needs.
    pub(super) fn pause(&mut self, phc: &mut dyn Clock) -> Result<(), ClockError> {
        if self.pi.last.take().is_none() {
            return Ok(());
        }
        let ppb = self.pi.integral_ppb;
        match &mut self.system {
            Some(system) => system.set_frequency(ppb)?,
            None => phc.set_frequency(ppb)?,
        };
        Ok(())
    }

    pub(super) fn status(&self) -> SystemClockStatus {
        SystemClockStatus {
            follower: if self.system.is_some() { "system" } else { "phc" },
            cross_stamps: self.cross.method(),
            offset_ns: self.offset_ns,
            frequency_ppb: self.pi.output_ppb,
            steps: self.steps,
        }
    }
}

/// What the loop wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Action {
    /// Remove the offset at once, then run at this frequency, ppb.
    Step(f64),
    /// Run at this frequency, ppb.
    Steer(f64),
}

/// A loop for comparisons that are nearly free of noise.
#[derive(Debug)]
pub(super) struct Pi {
    /// What the follower needs, ppb.
    integral_ppb: f64,
    pub(super) output_ppb: f64,
    /// When clocks were compared last, s.
    last: Option<f64>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The follower runs as it did, since then (s), with that offset (ns).
    Measure { since: f64, offset_ns: f64 },
    /// The frequency is known.
    Closed,
}

impl Pi {
    pub(super) const fn new(frequency_ppb: f64) -> Self {
        let stage = Stage::Measure { since: 0.0, offset_ns: 0.0 };
        Self { integral_ppb: frequency_ppb, output_ppb: frequency_ppb, last: None, stage }
    }

    /// What it follows was stepped: what was compared before says nothing of the frequency.
    pub(super) const fn reference_stepped(&mut self) {
        self.last = None;
    }

    /// `now` in s; how far the follower is ahead.
    pub(super) fn update(&mut self, now: f64, offset_ns: f64) -> Action {
        let last = self.last.replace(now).filter(|at| now > *at && now - at < LONGEST);
        let mut step_ns = STEP_NS;
        match (self.stage, last) {
            (Stage::Measure { since, offset_ns: before }, Some(_)) => {
                if now - since < MEASURE {
                    return Action::Steer(self.output_ppb);
                }
                // Nothing was slewed meanwhile: all that the offset changed is frequency.
                let ppb = (offset_ns - before) / (now - since);
                if ppb.abs() > MOST_PPB {
                    return self.begin(now, offset_ns);
                }
                self.integral_ppb -= ppb;
                self.stage = Stage::Closed;
                step_ns = FIRST_STEP_NS;
            }
            (Stage::Measure { .. }, None) => return self.begin(now, offset_ns),
            // One of the two was set, or has another frequency: that is for the measurement to tell, not for the integral.
            (Stage::Closed, _) if offset_ns.abs() > STEP_NS => return self.begin(now, offset_ns),
            (Stage::Closed, Some(at)) => self.integral_ppb -= INTEGRAL * offset_ns * (now - at),
            (Stage::Closed, None) => {}
        }
        self.output_ppb = self.integral_ppb;
        if offset_ns.abs() > step_ns {
            return Action::Step(self.output_ppb);
        }
        self.output_ppb -= PROPORTIONAL * offset_ns;
        Action::Steer(self.output_ppb)
    }

    /// Begins to measure the frequency, without an offset that is too far to be slewed away.
    fn begin(&mut self, now: f64, offset_ns: f64) -> Action {
        self.output_ppb = self.integral_ppb;
        let stepped = offset_ns.abs() > STEP_NS;
        self.stage = Stage::Measure { since: now, offset_ns: if stepped { 0.0 } else { offset_ns } };
        let action = if stepped { Action::Step } else { Action::Steer };
        action(self.output_ppb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A follower that is `offset` ns off and runs `drift` ppb fast, and what it follows is stepped by so many ns at a time (s): the
    /// largest offset in the last quarter of `seconds`, and the follower's steps.
    fn run(offset: f64, drift: f64, reference: &[(f64, f64)], seconds: f64) -> (f64, u32) {
        let mut pi = Pi::new(0.0);
        let (mut offset, mut worst, mut steps) = (offset, 0.0_f64, 0);
        let interval = INTERVAL.as_secs_f64();
        let mut now = 0.0;
        while now < seconds {
            for (_, by) in reference.iter().filter(|(at, _)| (now..now + interval).contains(at)) {
                offset -= by;
            }
            let frequency = match pi.update(now, offset) {
                Action::Step(ppb) => {
                    offset = 0.0;
                    steps += 1;
                    ppb
                }
                Action::Steer(ppb) => ppb,
            };
            offset += (drift + frequency) * interval;
            now += interval;
            if now > seconds * 0.75 {
                worst = worst.max(offset.abs());
            }
        }
        (worst, steps)
    }

    #[test]
    fn it_settles_from_near_and_far() {
        for (offset, drift) in
            [(0.0, 0.0), (500.0, 3_000.0), (1e9, -80_000.0), (-3e6, 40_000.0), (19_000.0, 0.0)]
        {
            let (worst, steps) = run(offset, drift, &[], 40.0);
            assert!(worst < 1.0, "{offset} ns, {drift} ppb: {worst} ns");
            assert!(steps <= 2, "{offset} ns, {drift} ppb: {steps} steps");
        }
    }

    #[test]
    fn a_step_of_what_it_follows_is_no_frequency() {
        for by in [10e6, -300e6, 1.5e6] {
            for at in [0.3, 1.1, 20.0] {
                let (worst, steps) = run(-7e6, 15_000.0, &[(at, by)], at + 8.0);
                assert!(worst < 1.0, "{by} ns after {at} s: {worst} ns");
                assert!(steps <= 5, "{by} ns after {at} s: {steps} steps");
            }
        }
    }

    #[test]
    fn with_a_step_the_frequency_is_right_at_once() {
        for drift in [-80_000.0, 15_000.0] {
            let (worst, _) = run(1e9, drift, &[], 4.0);
            assert!(worst < 1.0, "{drift} ppb: {worst} ns");
        }
    }
}
