//! CLOCK_MONOTONIC as the engine sees it, and a timer on it: tokio's own timers count whole milliseconds.

use super::watch::watch;
use crate::engine::Instant;
use anyhow::Context;
use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::read;
use ptp_common::time::NANOS_PER_SEC;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// One reading of the monotonic clock, in both forms that the rooms ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// For the engine.
    pub(super) instant: Instant,
    /// For the sockets.
    pub(super) std: std::time::Instant,
}

/// Brings the two forms together: on Linux both count CLOCK_MONOTONIC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Monotonic {
    base: Now,
}

impl Monotonic {
    pub(super) fn new() -> Self {
        let std = std::time::Instant::now();
        Self { base: Now { instant: Instant::from_nanos(crate::clock::monotonic_nanos()), std } }
    }

    pub(super) fn now(&self) -> Now {
        let std = std::time::Instant::now();
        Now { instant: self.instant(std), std }
    }

    /// The same point for the engine.
    pub(super) fn instant(&self, std: std::time::Instant) -> Instant {
        self.base.instant + std.saturating_duration_since(self.base.std)
    }
}

/// Wakes the loop at a point of CLOCK_MONOTONIC, to the microsecond.
pub(super) struct Timer {
    timer: TimerFd,
    watched: AsyncFd<OwnedFd>,
    set: Option<Instant>,
}

impl Timer {
    pub(super) fn new() -> anyhow::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).context("cannot make a timer")?;
        let watched = watch(timer.as_fd()).context("cannot watch the timer")?;
        Ok(Self { timer, watched, set: None })
    }

    /// [`Timer::expired`] resolves at `at`, or at once if that has passed. Replaces what was set before.
    pub(super) fn set(&mut self, at: Instant) -> anyhow::Result<()> {
        if self.set == Some(at) {
            return Ok(());
        }
        // A zero would switch it off.
        let nanos = at.as_nanos().max(1);
        let per_second = u64::from(NANOS_PER_SEC);
        let spec = TimeSpec::new((nanos / per_second) as i64, (nanos % per_second) as i64);
        self.timer
            .set(Expiration::OneShot(spec), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
            .context("cannot set the timer")?;
        self.set = Some(at);
        Ok(())
    }

    /// Waits for the time that was set.
    pub(super) async fn expired(&mut self) -> anyhow::Result<()> {
        loop {
            let mut guard = self.watched.readable().await.context("cannot wait for the timer")?;
            guard.clear_ready();
            match read(self.watched.get_ref(), &mut [0; 8]) {
                Ok(_) => {
                    self.set = None;
                    return Ok(());
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(error) => return Err(error).context("cannot read the timer"),
            }
        }
    }
}

/// Something that is due again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Periodic {
    next: Instant,
    every: Duration,
}

impl Periodic {
    /// Due at once, then every so often.
    pub(super) const fn new(now: Instant, every: Duration) -> Self {
        Self { next: now, every }
    }

    /// When it is due next.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// It is due: true once per period. What was missed is not caught up with.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.next = self.next + self.every;
        if self.next <= now {
            self.next = now + self.every;
        }
        true
    }
}
