//! Who is served how much: less than asked rather than nothing.

use super::clients::{Client, Key, Service};
use super::{Count, Server};
use crate::engine::event::Reason;
use crate::engine::{Instant, event::Kind};
use ptp_common::wire::RequestUnicast;
use std::time::Duration;

/// log2 of the longest interval that a request is cut down to, s: the longest that ATR devices ask for.
const SLOWEST: i8 = 4;
/// log2 of the longest and the shortest interval that can be kept, s.
const LONGEST: i8 = 10;
const SHORTEST: i8 = -10;
/// Rates are counted in messages per 2^[`LONGEST`] s: whole numbers.
const SECONDS: u64 = 1 << LONGEST;
/// A denial is told at most so often: whoever asks cannot fill the history.
const DENIALS: Duration = Duration::from_secs(1);

/// What was promised so far, and what was not told.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Messages per [`SECONDS`] of all grants.
    rate: u64,
    /// Denials are told again from then on.
    tell_from: Instant,
    untold: u64,
}

/// A grant as far as the policy has a say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) log_interval: i8,
    /// s; 0 = denied.
    pub(super) duration: u32,
}

impl Server {
    /// What becomes of a request: as asked, or as near to it as the policy allows, or the reason for a denial.
    pub(super) fn terms(
        &self,
        key: Key,
        service: Service,
        request: &RequestUnicast,
    ) -> Result<Terms, Reason> {
        let policy = &self.config.policy;
        if !self.is_allowed(key) {
            return Err(Reason::PrefixNotAllowed);
        }
        let client = self.clients.find(key).and_then(|id| self.clients.get(id));
        if client.is_none() && self.clients.len() >= policy.max_clients {
            return Err(Reason::MaxClients);
        }
        let shortest = match service {
            Service::Announce => policy.min_log_announce_interval.max(policy.min_log_interval),
            Service::Sync | Service::DelayResp => policy.min_log_interval,
        };
        let asked = request.log_inter_message_period.clamp(shortest.max(SHORTEST), LONGEST);
        let left = self.rate_left(client, service);
        let log_interval = (asked..=asked.max(SLOWEST))
            .find(|&log_interval| left.is_none_or(|left| self.rate(service, log_interval) <= left))
            .ok_or(Reason::MaxRate)?;
        Ok(Terms { log_interval, duration: request.duration_field.min(policy.max_duration) })
    }

    /// Its address is among those that are served.
    pub(super) fn is_allowed(&self, (address, _): Key) -> bool {
        let allowed = &self.config.policy.allowed;
        allowed.is_empty() || allowed.iter().any(|prefix| prefix.contains(address))
    }

    /// A grant is made, changed or ended: `None` = none.
    pub(super) fn promise(&mut self, service: Service, before: Option<i8>, after: Option<i8>) {
        let rate = |log_interval: Option<i8>| log_interval.map_or(0, |log| self.rate(service, log));
        let (before, after) = (rate(before), rate(after));
        self.promises.rate = (self.promises.rate + after).saturating_sub(before);
    }

    /// Messages that all clients together were promised, each second.
    pub(super) fn promised_rate(&self) -> f64 {
        self.promises.rate as f64 / SECONDS as f64
    }

    /// Tells of a denial, if the last one was not told just before.
    pub(super) fn deny(&mut self, now: Instant, key: Key, service: Service, reason: Reason) {
        self.counts.count(Count::Denied);
        if now < self.promises.tell_from {
            self.promises.untold += 1;
            return;
        }
        self.promises.tell_from = now + DENIALS;
        let (address, port_identity) = key;
        let untold = match std::mem::take(&mut self.promises.untold) {
            0 => String::new(),
            untold => format!(", and {untold} more since the last that was told"),
        };
        let detail = format!("{} of {port_identity}{untold}", service.name());
        self.event(address, Kind::Denied, Some(reason), detail);
    }

    /// Messages per [`SECONDS`].
    fn rate(&self, service: Service, log_interval: i8) -> u64 {
        let each = if service == Service::Sync && self.config.two_step { 2 } else { 1 };
        each << (LONGEST - log_interval.clamp(SHORTEST, LONGEST))
    }

    /// What this client may be promised of this service; `None` = without limit. Enough is kept back that the services
    /// which it does not have yet can be granted, too.
    fn rate_left(&self, client: Option<&Client>, service: Service) -> Option<u64> {
        let policy = &self.config.policy;
        let (mut own, mut before, mut reserve) = (0, 0, 0);
        for each in Service::ALL {
            match client.and_then(|client| client.log_interval(each)) {
                Some(log_interval) if each == service => before = self.rate(each, log_interval),
                Some(log_interval) => own += self.rate(each, log_interval),
                None if each == service => {}
                None => reserve += self.rate(each, SLOWEST),
            }
        }
        let all = policy.max_rate.map(|limit| (limit, self.promises.rate.saturating_sub(before)));
        let each = policy.max_client_rate.map(|limit| (limit, own));
        let left = |(limit, taken): (u32, u64)| (u64::from(limit) * SECONDS).saturating_sub(taken + reserve);
        all.into_iter().chain(each).map(left).min()
    }
}
