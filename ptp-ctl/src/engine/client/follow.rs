//! From complete exchanges to the choice of a server and the steering of the clock.

use super::association::{Announced, Association, Condition, Timer};
use super::exchange::Exchange;
use super::{Client, MAX_SERVERS, Sample, State};
use crate::engine::event::{Kind, Reason};
use crate::engine::select::{Candidate, Rank, choose};
use crate::engine::servo::{Decision, Measurement};
use crate::engine::{Instant, Output};
use ptp_common::wire::MessageType;

impl Client {
    /// All four stamps of an exchange are there.
    pub(super) fn complete(&mut self, now: Instant, index: usize, exchange: &Exchange) {
        let surroundings = self.surroundings();
        let rate_error_ppb = self.servo.as_ref().map_or(0.0, |servo| servo.rate_error_ppb());
        let association = &mut self.associations[index];
        // Which timescale t1 and t4 belong to is known from Announce only.
        let announced = association.announced.is_some();
        let Some(local_to_server) = association.local_to_server(&surroundings).ok().filter(|_| announced)
        else {
            return;
        };
        let (offset_ns, path_delay_ns) = exchange.offset_and_delay(local_to_server, rate_error_ppb);
        let offset_ns = offset_ns - self.config.delay_asymmetry_ns as f64;
        association.measured = Some((offset_ns, path_delay_ns));
        association.complete += 1;
        let undisturbed = association.filter.accept(path_delay_ns);
        let noise_ns = association.filter.noise_ns();
        if association.prove() && !self.config.wait_to_restore.is_zero() {
            association.set_timer(Timer::Restore, now + self.config.wait_to_restore);
        }
        if !association.has_timer(Timer::Announce) {
            self.await_next(now, index, MessageType::Announce);
        }
        self.reselect();

        let selected = self.selected == Some(index);
        let mut decision = Decision::Hold;
        if let Some(servo) = self.servo.as_mut().filter(|_| selected && undisturbed) {
            let (at, end) = (exchange.t1 + (exchange.t4 - exchange.t1) / 2, exchange.t4);
            decision = servo.update(Measurement { at, end, offset_ns, delay_ns: path_delay_ns, noise_ns });
        }
        self.apply(now, decision);
        self.outputs.push_back(Output::Sample(Sample {
            server: self.associations[index].entry.address,
            selected,
            used: decision != Decision::Hold,
            offset_ns,
            path_delay_ns,
            frequency_ppb: self.frequency_ppb(),
            state: self.state,
        }));
    }

    fn apply(&mut self, now: Instant, decision: Decision) {
        match decision {
            Decision::Hold => return,
            Decision::Slew { .. } => self.outputs.push_back(Output::Steer(decision)),
            Decision::Step { offset_ns, .. } => {
                self.outputs.push_back(Output::Steer(decision));
                self.void_exchanges(now);
                let address = self.selected.map(|index| self.associations[index].entry.address);
                let detail = Some(format!("by {} ns", -offset_ns));
                self.event(address, Kind::Step, Some(Reason::OffsetAboveThreshold), detail);
            }
        }
        self.update_state();
    }

    /// Follows the best server there is now.
    pub(super) fn reselect(&mut self) {
        let surroundings = self.surroundings();
        let mut candidates = arrayvec::ArrayVec::<Candidate, MAX_SERVERS>::new();
        for index in 0..self.associations.len() {
            let association = &mut self.associations[index];
            let condition = association.condition(&surroundings);
            if let (Condition::Usable, Some(announced)) = (condition, &association.announced) {
                let rank = Rank::new(&announced.announce, association.entry.local_priority);
                candidates.push(Candidate { index, rank, restoring: association.is_restoring() });
                association.mark_served();
            }
            self.report_condition(index, condition);
        }
        let chosen = choose(candidates.iter().copied(), self.selected);
        if chosen == self.selected {
            return;
        }
        let previous = std::mem::replace(&mut self.selected, chosen);
        match chosen {
            Some(index) => {
                let left_usable = candidates.iter().any(|candidate| Some(candidate.index) == previous);
                let reason = match previous {
                    Some(_) if !left_usable => Reason::ServerLost,
                    _ if self.associations[index].was_restored() => Reason::WaitToRestore,
                    _ => Reason::BetterServer,
                };
                self.follow(index, reason);
            }
            None => self.update_state(),
        }
    }

    /// The server at `index` steers the clock from now on.
    fn follow(&mut self, index: usize, reason: Reason) {
        let association = &self.associations[index];
        let ptp_timescale = association.announced.as_ref().is_some_and(Announced::ptp_timescale);
        let address = association.entry.address;
        if self.followed_timescale.replace(ptp_timescale).is_some_and(|before| before != ptp_timescale)
            && let Some(servo) = &mut self.servo
        {
            servo.restart();
        }
        self.event(Some(address), Kind::Selected, Some(reason), None);
        self.update_state();
    }

    fn report_condition(&mut self, index: usize, condition: Condition) {
        let association: &mut Association = &mut self.associations[index];
        let before = std::mem::replace(&mut association.reported, condition);
        if before == condition {
            return;
        }
        let address = Some(association.entry.address);
        match condition {
            Condition::Usable => self.event(address, Kind::Usable, None, None),
            Condition::Unusable(reason) => self.event(address, Kind::Unusable, Some(reason), None),
            Condition::Negotiating => {}
        }
    }

    fn update_state(&mut self) {
        let locked = self.servo.as_ref().is_some_and(|servo| servo.is_locked());
        let (state, reason) = match (self.selected, &self.servo) {
            (_, None) => (State::FreeRunning, None),
            (Some(_), Some(_)) if locked => (State::Locked, Some(Reason::ServoLocked)),
            (Some(_), Some(_)) => (State::Acquiring, Some(Reason::ServoStarted)),
            (None, Some(_)) if matches!(self.state, State::Locked | State::Holdover) => {
                (State::Holdover, Some(Reason::MasterSynchronizationFault))
            }
            (None, Some(_)) => (State::FreeRunning, Some(Reason::MasterSynchronizationFault)),
        };
        if std::mem::replace(&mut self.state, state) != state {
            self.event(None, Kind::State, reason, Some(state.name().to_owned()));
        }
    }

    pub(super) fn tai_offset(&mut self, now: Instant, seconds: Option<i16>) {
        let Some(before) = self.kernel_tai_offset.replace(seconds) else {
            return;
        };
        if before != seconds {
            let detail = Some(format!("{before:?} s to {seconds:?} s"));
            self.event(None, Kind::TaiOffset, None, detail);
            self.void_exchanges(now);
            self.reselect();
        }
    }
}
