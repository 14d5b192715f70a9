//! Servers against each other, and against the limits that the user has set.

use super::association::{Association, Condition, Timer};
use super::{Client, MAX_SERVERS};
use crate::engine::Instant;
use crate::engine::estimator::Estimate;
use crate::engine::event::{Kind, Reason};
use crate::engine::select::{Span, majority};
use crate::engine::timers::interval;
use arrayvec::ArrayVec;
use ptp_common::wire::MessageType;
use std::time::Duration;

/// A server that disagrees with the majority is not used at once, and counts as a falseticker after this time, or this many
/// Sync intervals if that is longer: when the local clock was set by somebody, not every estimator notices at the same time.
const SUSPICION: Duration = Duration::from_secs(2);
const SUSPICION_SYNCS: u32 = 16;
/// A variation or asymmetry that was over its limit must fall below this share of it.
const BACK_BELOW: f64 = 0.8;

impl Client {
    /// Looks for servers whose time cannot be right, or whose packets say too little.
    pub(super) fn compare(&mut self, now: Instant) {
        let mut compared = ArrayVec::<(usize, Estimate, Span), MAX_SERVERS>::new();
        let surroundings = self.surroundings();
        for (index, association) in self.servers().iter().enumerate() {
            let served = matches!(
                association.condition(&surroundings),
                Condition::Usable | Condition::Unusable(Reason::Falseticker)
            );
            let Some(to_server) = association.local_to_server(&surroundings).ok().filter(|_| served) else {
                continue;
            };
            if let Some((_, estimate)) = self.estimate(now, index, to_server) {
                let half_width = estimate.bound_ns + self.asymmetry_bound_ns(&estimate);
                compared.push((index, estimate, Span::around(estimate.offset_ns, half_width)));
            }
        }
        let spans: ArrayVec<Span, MAX_SERVERS> = compared.iter().map(|&(_, _, span)| span).collect();
        let agreed = majority(&spans);
        self.report_disagreement(&compared, agreed.is_none() && compared.len() > 1);
        if let Some(agreed) = agreed {
            for &(index, _, span) in &compared {
                self.associations[index].suspect(now, !span.meets(&agreed));
            }
        }
        self.judge_faults(now);
    }

    fn report_disagreement(&mut self, compared: &[(usize, Estimate, Span)], disagree: bool) {
        if std::mem::replace(&mut self.disagree, disagree) || !disagree {
            return;
        }
        let server = |&(index, estimate, span): &(usize, Estimate, Span)| {
            let address = self.associations[index].entry.address;
            format!("{address}: {:.0} ns within {:.0} ns", estimate.offset_ns, (span.high - span.low) / 2.0)
        };
        let detail = compared.iter().map(server).collect::<Vec<_>>().join("; ");
        self.event(None, Kind::Disagreement, Some(Reason::Falseticker), Some(detail));
    }

    fn judge_faults(&mut self, now: Instant) {
        let surroundings = self.surroundings();
        for index in 0..self.configured {
            let association = &self.associations[index];
            let to_server = association.local_to_server(&surroundings).ok();
            let estimate = to_server.and_then(|to_server| self.estimate(now, index, to_server));
            let (variation, asymmetry) = (self.config.max_variation_ns, self.config.max_asymmetry_ns);
            let over = |reason, value: f64, limit: Option<u64>| {
                let share = if association.fault() == Some(reason) { BACK_BELOW } else { 1.0 };
                limit.is_some_and(|limit| value.abs() > share * limit as f64).then_some(reason)
            };
            let varies =
                || over(Reason::DelayVariation, association.variation.mean_ns().unwrap_or(0.0), variation);
            let asymmetric = || {
                estimate.and_then(|(_, found)| over(Reason::DelayAsymmetry, found.asymmetry_ns, asymmetry))
            };
            let fault = association.falseticker(now).or_else(varies).or_else(asymmetric);
            let association = &mut self.associations[index];
            if association.set_fault(fault) && fault.is_none() && !self.config.wait_to_restore.is_zero() {
                association.set_timer(Timer::Restore, now + self.config.wait_to_restore);
            }
        }
    }
}

impl Association {
    /// Its time disagrees with the majority's, or it does not.
    fn suspect(&mut self, now: Instant, disagrees: bool) {
        self.suspected = disagrees.then(|| self.suspected.unwrap_or(now));
    }

    fn falseticker(&self, now: Instant) -> Option<Reason> {
        let sync = self.log_interval(MessageType::Sync).map_or(Duration::ZERO, interval);
        let long = SUSPICION.max(sync * SUSPICION_SYNCS);
        self.suspected.is_some_and(|since| now.since(since) >= long).then_some(Reason::Falseticker)
    }
}
