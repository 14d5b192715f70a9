//! What the loop looks after besides packets: that clock, link and program are still what they were at start.

use super::driver::Driver;
use super::role::Role;
use super::system_clock::{Done, Utc};
use crate::clock::{ClockError, Leap, kernel_tai_offset, realtime_nanos};
use crate::engine::Input;
use crate::engine::event::{Event, Kind};
use crate::net::link_is_up;
use anyhow::{Context as _, bail};
use ptp_common::time::NANOS_PER_SEC;

impl Driver {
    /// Once a second.
    pub(super) fn supervise(&mut self) -> anyhow::Result<()> {
        self.refresh_tai_offset();
        let interface = &self.start.interface;
        if let Some(plane) = &mut self.plane {
            plane.refresh_addresses(interface);
            plane.refresh_routes(interface);
            if !plane.is_attached() {
                let cause = format!(
                    "the XDP program was taken off {interface} (`ptp-ctl detach`, or the interface was removed)"
                );
                self.tell(Kind::Detached, Some(cause.clone()));
                bail!("{cause}; start again to attach it anew");
            }
        }
        self.look_at_link();
        match self.sockets.restore_hardware_stamps() {
            Ok(false) => {}
            Ok(true) => self.counters.stamps_restored += 1,
            Err(error) => tracing::debug!(%error, "the NIC's timestamping mode cannot be looked at"),
        }
        if self.schedule.store.take(self.turn.instant) {
            self.store_drift();
        }
        Ok(())
    }

    /// Was the clock moved by something else?
    pub(super) fn look_at_clock(&mut self) -> anyhow::Result<()> {
        match self.guard.look(&*self.clock) {
            Ok(None) => Ok(()),
            Ok(Some(jump)) => {
                let seconds = jump.round_nanos() as f64 / f64::from(NANOS_PER_SEC);
                self.disturbed(Some(format!("something else moved the clock by {seconds:+.6} s")));
                Ok(())
            }
            Err(error) => {
                self.tell(Kind::ClockGone, Some(error.to_string()));
                Err(error).context("the clock is gone, and with it all that could be done")
            }
        }
    }

    /// `--also-system-clock`: lets one clock follow the other.
    pub(super) fn turn_system_clock(&mut self) {
        let utc = self.utc();
        let now = self.turn.instant.as_nanos() as f64 * 1e-9;
        let Some(side) = &mut self.system_side else { return };
        let done = match utc {
            Some(utc) => side.turn(now, utc, &mut *self.clock).map(Some),
            None => side.pause(&mut *self.clock).map(|()| None),
        };
        match done {
            Ok(None) => {}
            Ok(Some(Done::Steered(ppb))) => self.guard.steered(ppb),
            Ok(Some(Done::Stepped(by, ppb))) => {
                self.guard.steered(ppb);
                let follower = side.status().follower;
                if follower == "phc" {
                    self.guard.stepped(by);
                    self.engine_handles(Input::ClockDisturbed);
                }
                let seconds = by.round_nanos() as f64 / f64::from(NANOS_PER_SEC);
                let detail = format!("the {follower} clock, which follows the other, by {seconds:+.6} s");
                self.tell(Kind::Step, Some(detail));
            }
            Err(error) => self.not_steered(&error),
        }
    }

    /// A step or an adjustment that the clock refused.
    pub(super) fn not_steered(&mut self, error: &ClockError) {
        // Said once: it comes with every sample.
        if self.counters.steer_errors == 0 {
            tracing::error!("the clock is not steered: {error}");
        }
        self.counters.steer_errors += 1;
    }

    /// Leaves the clock at the frequency that it needs, and remembers it.
    pub(super) fn settle_clock(&mut self) {
        if let Role::Client(client) = &self.role
            && let Some(ppb) = client.settled_frequency_ppb()
            && self.drift.is_some()
        {
            if let Err(error) = self.clock.set_frequency(ppb) {
                self.not_steered(&error);
            }
            self.store_drift();
        }
        if let Some(side) = &mut self.system_side
            && let Err(error) = side.pause(&mut *self.clock)
        {
            self.not_steered(&error);
        }
    }

    /// Tells people, in the history and the log.
    fn tell(&mut self, kind: Kind, detail: Option<String>) {
        self.reporter.event(realtime_nanos(), Event { kind, peer: None, reason: None, detail });
    }

    fn look_at_link(&mut self) {
        let up = match link_is_up(&self.start.interface) {
            Ok(up) => up,
            Err(error) => {
                tracing::debug!(%error);
                return;
            }
        };
        if std::mem::replace(&mut self.link_up, up) == up {
            return;
        }
        self.tell(if up { Kind::LinkUp } else { Kind::LinkDown }, None);
        // Many a NIC was reset in between, and its clock with it.
        if up && self.start.clock == crate::clock::Kind::Phc.name() {
            self.disturbed(Some("the link was down".to_owned()));
        }
    }

    /// Stamps from before and after do not compare, and nobody knows at which rate the clock runs.
    fn disturbed(&mut self, detail: Option<String>) {
        if self.drift.is_some()
            && let Err(error) = self.clock.reapply_frequency()
        {
            self.not_steered(&error);
        }
        self.tell(Kind::ClockDisturbed, detail);
        self.engine_handles(Input::ClockDisturbed);
    }

    fn engine_handles(&mut self, input: Input<'_>) {
        self.role.engine().handle(self.turn.instant, input);
        self.perform();
    }

    fn store_drift(&mut self) {
        if let (Role::Client(client), Some(drift)) = (&self.role, &mut self.drift)
            && let Some(ppb) = client.settled_frequency_ppb()
        {
            drift.store(ppb);
        }
    }

    /// What the clock that is followed counts, if it may be followed now.
    fn utc(&mut self) -> Option<Utc> {
        let kernel = self.tai_offset;
        let Role::Client(client) = &self.role else {
            // A PHC counts TAI: what the kernel does not know cannot be added.
            return kernel.map(|offset| Utc { offset, is_tai: true, leap: Leap::None });
        };
        if !client.has_settled() {
            return None;
        }
        if let Some(announced) = client.announced_utc() {
            let leap = match (announced.leap59, announced.leap61) {
                (true, false) => Leap::Second59,
                (false, true) => Leap::Second61,
                _ => Leap::None,
            };
            let offset = match announced.ptp_timescale {
                true => announced.offset.map(i32::from).or(kernel),
                false => Some(0),
            };
            self.followed_utc = offset.map(|offset| Utc { offset, is_tai: announced.ptp_timescale, leap });
        }
        self.followed_utc
    }

    /// Reads the kernel's TAI offset; a change voids every stamp taken before.
    pub(super) fn refresh_tai_offset(&mut self) {
        match kernel_tai_offset() {
            Ok(offset) if offset != self.tai_offset => {
                self.tell_tai_offset(offset);
                self.perform();
            }
            Ok(_) => {}
            Err(error) => {
                self.counters.tai_errors += 1;
                tracing::debug!(%error, "the kernel's TAI offset could not be read");
            }
        }
    }
}
