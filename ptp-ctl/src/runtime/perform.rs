//! What the engine asks for, done: packets, steering, grants, reports.

use super::driver::Driver;
use super::port::Port;
use super::second_clock::facing_clients;
use crate::clock::{ClockError, realtime_nanos};
use crate::engine::boundary::Side;
use crate::engine::servo::Decision;
use crate::engine::{Input, Output, Packet, TxToken};
use ptp_common::net::Channel;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::set_origin_timestamp;
use std::net::IpAddr;

impl Driver {
    /// Does everything that the engine asks for.
    pub(super) fn perform(&mut self) {
        let mut measured = false;
        while let Some((side, output)) = self.role.poll_output() {
            match output {
                // Nothing in it depends on when it leaves: it may wait for the rest of the batch.
                Output::Send { to, channel: Channel::General, packet, token: None, origin: None } => {
                    self.port_of(side).sockets.send_later(to, packet.as_bytes());
                }
                Output::Send { to, channel, packet, token, origin } => {
                    self.send(side, to, channel, packet, token, origin);
                }
                Output::Steer(decision) => self.steer(decision),
                Output::Grant { client, port_identity, message_type, log_interval, expires } => {
                    if let Some(plane) = &mut self.port.plane {
                        plane.grant(client, port_identity, message_type, log_interval, expires);
                    }
                }
                Output::Revoke { client, port_identity, message_type } => {
                    if let Some(plane) = &mut self.port.plane {
                        plane.revoke(client, port_identity, message_type);
                    }
                }
                Output::Sample(sample) => {
                    measured |= sample.selected;
                    self.reporter.sample(realtime_nanos(), &sample);
                }
                Output::Event(event) => self.reporter.event(realtime_nanos(), event),
            }
        }
        if measured {
            self.tell_time();
        }
        for port in self.ports() {
            port.sockets.flush();
        }
    }

    /// The one that faces that way.
    fn port_of(&mut self, side: Side) -> &mut Port {
        match &mut self.upstream {
            Some(port) if side == Side::Upstream => port,
            _ => &mut self.port,
        }
    }

    fn send(
        &mut self,
        side: Side,
        to: IpAddr,
        channel: Channel,
        mut packet: Packet,
        token: Option<TxToken>,
        origin: Option<Interval>,
    ) {
        let unsent = match self.stamp_origin(side, &mut packet, origin) {
            Ok(()) => {
                let now = self.monotonic.now().std;
                match self.port_of(side).sockets.send(to, channel, packet.as_bytes(), token, now) {
                    Ok(()) => None,
                    Err((error, token)) => {
                        tracing::debug!(%error);
                        if error.is_unreachable() {
                            self.role.engine().handle(self.turn.instant, Input::Unreachable { to });
                        }
                        token
                    }
                }
            }
            Err(error) => {
                self.counters.origin_unreadable += 1;
                tracing::debug!(%error);
                token
            }
        };
        if let Some(token) = unsent {
            self.role.engine().handle(self.turn.instant, Input::Sent { token, tx: None });
        }
    }

    fn stamp_origin(&self, side: Side, packet: &mut Packet, origin: Option<Interval>) -> anyhow::Result<()> {
        if let Some(ahead) = origin {
            let clock = match side {
                Side::Upstream => &*self.clock,
                Side::Downstream => facing_clients(&*self.clock, &self.second_clock),
            };
            set_origin_timestamp(packet.as_bytes_mut(), clock.now()? + ahead)?;
        }
        Ok(())
    }

    fn steer(&mut self, decision: Decision) {
        match self.steered(decision) {
            Ok(None) => {}
            Ok(Some(at)) => {
                self.role.engine().handle(self.turn.instant, Input::Steered { at });
                if matches!(decision, Decision::Step { .. }) {
                    if let Some(second) = &mut self.second_clock {
                        second.first_stepped();
                    }
                    self.turn_second_clock();
                }
                self.serve();
            }
            Err(error) => self.not_steered(&error),
        }
    }

    /// Does what was decided; what the clock read when its new frequency took effect.
    fn steered(&mut self, decision: Decision) -> Result<Option<Timestamp>, ClockError> {
        let frequency_ppb = match decision {
            Decision::Hold => return Ok(None),
            Decision::Slew { frequency_ppb } => frequency_ppb,
            Decision::Step { offset_ns, frequency_ppb } => {
                let by = -Interval::from_nanos(i128::from(offset_ns));
                self.clock.step(by)?;
                self.guard.stepped(by);
                frequency_ppb
            }
        };
        let before = self.clock.now()?;
        let set = self.clock.set_frequency(frequency_ppb)?;
        let after = self.clock.now()?;
        self.guard.steered(set);
        tracing::trace!(?decision, set);
        Ok(Some(before + (after - before) / 2))
    }
}
