//! From complete exchanges to the choice of a server and the steering of the clock.

use super::announced::Announced;
use super::association::{Association, Condition, Timer};
use super::exchange::{Complete, Exchange, Passage};
use super::holdover::Reference;
use super::recovery::Recovery;
use super::{Client, MAX_SERVERS, Sample, Stamps, State};
use crate::engine::estimator::{Change, Estimate};
use crate::engine::event::{Kind, Reason};
use crate::engine::select::{Candidate, Rank, choose};
use crate::engine::servo::{Decision, Measurement, Tracking};
use crate::engine::{Instant, Output};
use ptp_common::time::Interval;
use ptp_common::wire::MessageType;

/// How well the frequency of a clock that nobody steers is taken to be known, ppb.
const MEASURED_ONLY_PPB: f64 = 100_000.0;

impl Client {
    /// A part of an exchange came in; `complete` is what that completed.
    pub(super) fn finish(&mut self, now: Instant, index: usize, complete: Complete) {
        // Which timescale the server's stamps belong to is known from Announce only.
        let surroundings = self.surroundings();
        let association = &self.associations[index];
        let announced = association.announced.is_some();
        if !announced {
            return self.keep_unannounced(now, index, complete);
        }
        let local_to_server = association.local_to_server(&surroundings).ok();
        let Some(local_to_server) = local_to_server else { return };
        if let Some(passage) = &complete.passage {
            self.recover(now, index, passage, local_to_server);
        }
        let sample = complete.exchange.map(|exchange| self.complete(now, index, &exchange, local_to_server));
        let steered = complete.passage.is_some() && self.steer(now, index, local_to_server);
        if let Some(sample) = sample {
            let estimate = self.estimate(now, index, local_to_server).map(|(_, estimate)| estimate);
            self.outputs.push_back(Output::Sample(Sample {
                used: sample.used || steered,
                estimated_offset_ns: estimate.map(|estimate| estimate.offset_ns),
                bound_ns: estimate.map(|estimate| estimate.bound_ns),
                frequency_ppb: self.frequency_ppb(),
                state: self.state,
                ..sample
            }));
        }
    }

    /// Gives a packet's stamps to the estimator of its server.
    fn recover(&mut self, now: Instant, index: usize, passage: &Passage, local_to_server: Interval) {
        let deviation = self.config.servo.map_or(MEASURED_ONLY_PPB, |servo| servo.initial_deviation_ppb);
        let asymmetry = self.config.delay_asymmetry_ns as f64;
        let timeline = &self.timeline;
        let association = &mut self.associations[index];
        let recovery = association
            .recovery
            .get_or_insert_with(|| Recovery::new(passage, timeline, local_to_server, deviation));
        let Some(change) = recovery.take(passage, timeline, local_to_server, asymmetry) else {
            return;
        };
        let address = Some(association.entry.address);
        match change {
            Change::Route(direction) => {
                self.event(address, Kind::RouteChanged, None, Some(format!("{direction:?}")));
            }
            Change::Routes => self.event(address, Kind::RouteChanged, None, Some("both ways".to_owned())),
            Change::Time(by_ns) => {
                self.event(address, Kind::TimeJumped, None, Some(format!("offset changed by {by_ns:.0} ns")));
                // Before anything is steered by it.
                self.compare(now);
            }
        }
    }

    /// What is known of the clock from one server's packets: the estimator's time, s, and the estimate.
    pub(super) fn estimate(
        &self,
        now: Instant,
        index: usize,
        local_to_server: Interval,
    ) -> Option<(f64, Estimate)> {
        let recovery = self.associations[index].recovery.as_ref()?;
        recovery.estimate(now, &self.timeline, local_to_server)
    }

    /// What unequal shortest delays can add to the error, ns: half of the shortest round trip at the most, beside what is
    /// compensated already.
    pub(super) fn asymmetry_bound_ns(&self, estimate: &Estimate) -> f64 {
        let compensated = self.config.delay_asymmetry_ns.unsigned_abs() as f64;
        let most = estimate.delay_ns.max(0.0) + compensated;
        self.config.max_asymmetry_ns.map_or(most, |known| most.min(known as f64))
    }

    /// Steers by the estimate if this is the server in use and the servo takes estimates; whether it is so.
    fn steer(&mut self, now: Instant, index: usize, local_to_server: Interval) -> bool {
        if self.selected != Some(index) || self.associations[index].suspected.is_some() {
            return false;
        }
        self.reference = Some(Reference { index, local_to_server });
        let estimate = self.estimate(now, index, local_to_server);
        estimate.is_some_and(|(at, estimate)| self.steer_by(now, at, &estimate))
    }

    /// Steers by an estimate of the time `at` (s) if the servo takes estimates; whether it does.
    pub(super) fn steer_by(&mut self, now: Instant, at: f64, estimate: &Estimate) -> bool {
        let offset_ns = estimate.offset_ns - self.bridge.left(now);
        let tracking = Tracking {
            at,
            offset_ns,
            bound_ns: estimate.bound_ns,
            frequency_ppb: estimate.frequency_ppb,
            frequency_bound_ppb: estimate.frequency_bound_ppb,
        };
        let decision = self.servo.as_mut().and_then(|servo| servo.estimate(tracking));
        self.apply(now, decision.unwrap_or(Decision::Hold));
        decision.is_some()
    }

    /// All four stamps of an exchange are there.
    fn complete(
        &mut self,
        now: Instant,
        index: usize,
        exchange: &Exchange,
        local_to_server: Interval,
    ) -> Sample {
        let rate_error_ppb = self.servo.as_ref().map_or(0.0, |servo| servo.rate_error_ppb());
        let (offset_ns, path_delay_ns) = exchange.offset_and_delay(local_to_server, rate_error_ppb);
        let offset_ns = offset_ns - self.config.delay_asymmetry_ns as f64;
        let association = &mut self.associations[index];
        association.measured = Some((offset_ns, path_delay_ns));
        association.ingress = Some(exchange.t2);
        association.variation.take(path_delay_ns);
        association.complete += 1;
        if association.prove() && !self.config.wait_to_restore.is_zero() {
            association.set_timer(Timer::Restore, now + self.config.wait_to_restore);
        }
        if !association.has_timer(Timer::Announce) {
            self.await_next(now, index, MessageType::Announce, None);
        }
        self.reselect(now);

        let selected = self.selected == Some(index);
        let (at, end) = (exchange.t1 + (exchange.t4 - exchange.t1) / 2, exchange.t4);
        let given_ns = offset_ns - self.bridge.left(now);
        let measurement = Measurement { at, end, offset_ns: given_ns, delay_ns: path_delay_ns };
        let trusted = selected && self.associations[index].suspected.is_none();
        let servo = self.servo.as_mut().filter(|_| trusted);
        let decision = servo.and_then(|servo| servo.exchange(measurement));
        self.apply(now, decision.unwrap_or(Decision::Hold));
        Sample {
            server: self.associations[index].entry.address,
            selected,
            used: decision.is_some(),
            offset_ns,
            path_delay_ns,
            estimated_offset_ns: None,
            bound_ns: None,
            frequency_ppb: 0.0,
            state: self.state,
            stamps: Stamps::new(exchange, local_to_server),
        }
    }

    fn apply(&mut self, now: Instant, decision: Decision) {
        match decision {
            Decision::Hold => return,
            Decision::Slew { frequency_ppb } => {
                self.outputs.push_back(Output::Steer(decision));
                self.timeline.adjust(now, frequency_ppb);
            }
            Decision::Step { offset_ns, frequency_ppb } => {
                self.outputs.push_back(Output::Steer(decision));
                self.timeline.step(now, Interval::from_nanos(-i128::from(offset_ns)));
                self.timeline.adjust(now, frequency_ppb);
                self.void_exchanges(now);
                let address = self.selected.map(|index| self.associations[index].entry.address);
                let detail = Some(format!("by {} ns", -offset_ns));
                self.event(address, Kind::Step, Some(Reason::OffsetAboveThreshold), detail);
            }
        }
        self.update_state();
    }

    /// Follows the best server there is now.
    pub(super) fn reselect(&mut self, now: Instant) {
        let surroundings = self.surroundings();
        let mut candidates = arrayvec::ArrayVec::<Candidate, MAX_SERVERS>::new();
        for index in 0..self.configured {
            let association = &mut self.associations[index];
            let condition = association.condition(&surroundings);
            if let (Condition::Usable, Some(announced)) = (condition, &association.announced) {
                let rank =
                    Rank::new(&announced.announce, association.entry.local_priority, self.config.select);
                candidates.push(Candidate { index, rank, restoring: association.is_restoring() });
                association.mark_served();
            }
            self.report_condition(index, condition);
        }
        let chosen = choose(candidates.iter().copied(), self.selected);
        if chosen == self.selected {
            self.demand(now);
            return;
        }
        let previous = std::mem::replace(&mut self.selected, chosen);
        match chosen {
            Some(index) => {
                let left_usable = candidates.iter().any(|candidate| Some(candidate.index) == previous);
                let reason = match previous {
                    Some(previous) if previous >= self.configured => Reason::ServerRemoved,
                    Some(_) if !left_usable => Reason::ServerLost,
                    _ if self.associations[index].was_restored() => Reason::WaitToRestore,
                    _ => Reason::BetterServer,
                };
                self.follow(now, index, reason);
            }
            None => {
                self.hasten(now);
                let decision = self.servo.as_mut().map_or(Decision::Hold, |servo| servo.hold());
                self.apply(now, decision);
                self.update_state();
                self.begin_holdover(now);
            }
        }
        self.demand(now);
    }

    /// The server at `index` steers the clock from now on.
    fn follow(&mut self, now: Instant, index: usize, reason: Reason) {
        self.build_bridge(now, index);
        let association = &self.associations[index];
        let ptp_timescale = association.announced.as_ref().is_some_and(Announced::ptp_timescale);
        let address = association.entry.address;
        if self.followed_timescale.replace(ptp_timescale).is_some_and(|before| before != ptp_timescale)
            && let Some(servo) = &mut self.servo
        {
            servo.restart();
            self.bridge.begin(now, 0.0);
        }
        self.event(Some(address), Kind::Selected, Some(reason), None);
        self.update_state();
    }

    /// The time of another server is approached from where the clock is. One that comes back after nobody served has the same
    /// time as before: what the clock has drifted meanwhile is the servo's.
    fn build_bridge(&mut self, now: Instant, index: usize) {
        let surroundings = self.surroundings();
        let Ok(to_server) = self.associations[index].local_to_server(&surroundings) else {
            return;
        };
        let Some(Reference { index: before, local_to_server: to_before }) = self.reference else {
            return;
        };
        // Before the clock has settled there is no time to keep.
        let kept = before != index && self.has_settled();
        let Some((_, estimate)) = self.estimate(now, index, to_server).filter(|_| kept) else {
            return;
        };
        // What the servo had not yet corrected. To the time of a server that was found wrong it did not correct.
        let trusted = self.associations[before].suspected.is_none();
        let old = self.estimate(now, before, to_before).filter(|_| trusted);
        let left_ns = old.map_or(0.0, |(_, old)| old.offset_ns - self.bridge.left(now));
        self.bridge.begin(now, estimate.offset_ns - left_ns);
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
            Condition::Negotiating | Condition::Waiting => {}
        }
    }

    pub(super) fn update_state(&mut self) {
        let locked = self.servo.as_ref().is_some_and(|servo| servo.is_locked());
        let surroundings = self.surroundings();
        let refused = self.servers().iter().any(|association| association.is_refused(&surroundings));
        let fault = if refused { Reason::BmcFailed } else { Reason::MasterSynchronizationFault };
        let (state, reason) = match (self.selected, &self.servo) {
            (_, None) => (State::FreeRunning, None),
            (Some(_), Some(_)) if locked => (State::Locked, Some(Reason::ServoLocked)),
            (Some(_), Some(_)) => (State::Acquiring, Some(Reason::ServoStarted)),
            (None, Some(_)) if matches!(self.state, State::Locked | State::Holdover) => {
                (State::Holdover, Some(fault))
            }
            (None, Some(_)) => (State::FreeRunning, Some(fault)),
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
            self.forget_estimates();
            self.reselect(now);
        }
    }
}
