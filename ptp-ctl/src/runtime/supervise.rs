//! What the loop looks after besides packets: that clock, link and program are still what they were at start.

use super::driver::Driver;
use super::role::Role;
use super::system_clock::{Done, Utc};
use crate::clock::{ClockError, KernelState, Leap, kernel_state, kernel_tai_offset, realtime_nanos};
use crate::engine::boundary::Side;
use crate::engine::event::{Event, Kind};
use crate::engine::{Input, KernelClock};
use anyhow::{Context as _, bail};
use ptp_common::time::NANOS_PER_SEC;
use std::time::Duration;

impl Driver {
    /// Once a second.
    pub(super) fn supervise(&mut self) -> anyhow::Result<()> {
        self.refresh_tai_offset();
        self.refresh_kernel_clock();
        let mut off = None;
        for plane in self.ports().filter_map(|port| port.plane.as_mut()) {
            plane.refresh_addresses();
            plane.refresh_routes();
            if let Some(interface) = plane.taken_off() {
                off = Some(format!(
                    "the XDP program was taken off {interface} (`ptp-ctl detach`, or the interface was removed)"
                ));
            }
        }
        if let Some(cause) = off {
            self.tell(Kind::Detached, Some(cause.clone()));
            bail!("{cause}; start again to attach it anew");
        }
        self.feed_chrony();
        self.look_at_link();
        self.restore_hardware_stamps();
        if self.schedule.store.take(self.turn.instant) {
            self.store_drift();
        }
        Ok(())
    }

    /// Something else may have switched them off.
    fn restore_hardware_stamps(&mut self) {
        let mut restored = 0;
        for port in self.ports() {
            match port.sockets.restore_hardware_stamps() {
                Ok(done) => restored += u64::from(done),
                Err(error) => tracing::debug!(%error, "the NIC's timestamping mode cannot be looked at"),
            }
        }
        self.counters.stamps_restored += restored;
    }

    /// Was the clock moved by something else?
    pub(super) fn look_at_clock(&mut self) -> anyhow::Result<()> {
        if self.chrony.is_some() {
            // Nobody can move the counter that is our clock, and chrony may move CLOCK_MONOTONIC as it likes.
            return Ok(());
        }
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

    /// A boundary clock's second NIC: lets its clock follow the first one's.
    pub(super) fn turn_second_clock(&mut self) {
        let now = self.turn.instant;
        let Some(second) = &mut self.second_clock else { return };
        let done = second.turn(now.as_nanos() as f64 * 1e-9);
        let error_ns = second.error_ns();
        match done {
            Ok(Some(Done::Stepped(by, _))) => {
                let seconds = by.round_nanos() as f64 / f64::from(NANOS_PER_SEC);
                let detail =
                    format!("the clock that faces the clients, which follows the other, by {seconds:+.6} s");
                self.tell(Kind::Step, Some(detail));
                self.role.handle_at(Some(Side::Downstream), now, Input::ClockDisturbed);
            }
            Ok(_) => {}
            Err(error) => self.not_steered(&error),
        }
        if let Role::Boundary(boundary) = &mut self.role {
            boundary.set_second_clock_error(now, error_ns);
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
        if let Some(client) = self.role.client()
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
        // A boundary clock's client is set by what comes in at the other port, if there is one.
        let phc = self.start.clock == crate::clock::Kind::Phc.name();
        let own_is_first = self.second_clock.is_none();
        let own = self.port.links.look();
        let other = self.upstream.as_mut().map(|port| port.links.look()).unwrap_or_default();
        let clock_ran_on = own_is_first && own.one_stayed || other.one_stayed;
        for (interface, up) in own.changes {
            self.link_changed(interface, up, phc && own_is_first, clock_ran_on);
        }
        for (interface, up) in other.changes {
            self.link_changed(interface, up, phc, clock_ran_on);
        }
    }

    /// `clock_is_its_own`: the one that is steered. `clock_ran_on`: another port that has it kept its link.
    fn link_changed(&mut self, interface: String, up: bool, clock_is_its_own: bool, clock_ran_on: bool) {
        self.tell(if up { Kind::LinkUp } else { Kind::LinkDown }, Some(interface));
        if !up || !clock_is_its_own {
            return;
        }
        if clock_ran_on {
            self.reapply_frequency();
        } else {
            // Many a NIC was reset in between, and its clock with it.
            self.disturbed(Some("the link was down".to_owned()));
        }
    }

    /// Stamps from before and after do not compare, and nobody knows at which rate the clock runs.
    fn disturbed(&mut self, detail: Option<String>) {
        self.reapply_frequency();
        self.tell(Kind::ClockDisturbed, detail);
        self.engine_handles(Input::ClockDisturbed);
    }

    fn reapply_frequency(&mut self) {
        if self.drift.is_some()
            && let Err(error) = self.clock.reapply_frequency()
        {
            self.not_steered(&error);
        }
    }

    fn engine_handles(&mut self, input: Input<'_>) {
        self.role.engine().handle(self.turn.instant, input);
        self.perform();
    }

    fn store_drift(&mut self) {
        if let (Some(client), Some(drift)) = (self.role.client(), &mut self.drift)
            && let Some(ppb) = client.settled_frequency_ppb()
        {
            drift.store(ppb);
        }
    }

    /// What the clock that is followed counts, if it may be followed now.
    fn utc(&mut self) -> Option<Utc> {
        let kernel = self.tai_offset;
        let Some(client) = self.role.client() else {
            // A PHC counts TAI: what the kernel does not know cannot be added.
            return kernel.map(|offset| Utc { offset, is_tai: true, leap: Leap::None });
        };
        if !client.has_settled() {
            return None;
        }
        if let Some(announced) = client.announced_time() {
            self.followed_utc = Utc::of(&announced, kernel);
        }
        self.followed_utc
    }

    /// Reads what the kernel says of its clock, if that is the one which a grandmaster serves.
    pub(super) fn refresh_kernel_clock(&mut self) {
        let serves_it = match self.start.clock {
            "system" | "none" => true,
            _ => self.system_side.is_some(),
        };
        if !serves_it || !matches!(self.role, Role::Server(_)) {
            return;
        }
        match kernel_state() {
            Ok(KernelState { synchronised, max_error, leap }) => {
                // A PHC that follows is as far off as it is, too.
                let follower = self.system_side.as_ref().and_then(|side| side.status().offset_ns);
                let max_error = max_error + Duration::from_nanos(follower.unwrap_or(0.0).abs() as u64);
                let (leap59, leap61) = (leap == Leap::Second59, leap == Leap::Second61);
                let clock = KernelClock { synchronised, max_error, leap59, leap61 };
                if self.kernel_clock.replace(clock) != Some(clock) {
                    self.engine_handles(Input::KernelClock(clock));
                }
            }
            Err(error) => {
                self.counters.tai_errors += 1;
                tracing::debug!(%error, "the kernel's clock could not be asked");
            }
        }
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

    /// Tells clock and engine.
    pub(super) fn tell_tai_offset(&mut self, offset: Option<i32>) {
        self.tai_offset = offset;
        self.clock.set_kernel_tai_offset(offset.unwrap_or(0));
        // Any real offset fits: a kernel that says otherwise is as good as one that does not know.
        let told = offset.and_then(|seconds| i16::try_from(seconds).ok());
        self.role.engine().handle(self.turn.instant, Input::TaiOffset(told));
        self.serve();
    }
}
