//! What one server owes for one message type: request, grant, renewal, end.

use super::status::GrantStatus;
use crate::engine::Instant;
use crate::engine::event::Reason;
use ptp_common::wire::{GrantUnicast, MessageType};
use std::time::Duration;

/// Waits after the first, second, … request that was not answered or was denied; the last one goes on.
const RETRY_SECONDS: [u64; 6] = [1, 1, 1, 2, 4, 5];

/// A grant as given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    /// logInterMessagePeriod.
    pub(super) log_interval: i8,
    /// durationField, s.
    pub(super) duration: u32,
    /// When it ends.
    pub(super) expires: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing asked yet.
    Idle,
    /// A request is out.
    Requested,
    /// Nothing to do until renewal.
    Granted,
    /// The last request was answered with no.
    Denied,
}

/// What a GRANT meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Granted for the first time, or again.
    Granted,
    /// An existing grant goes on.
    Renewed,
    /// Duration 0.
    Denied,
    /// Nobody had asked.
    Unasked,
}

/// One message type at one server.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    message_type: MessageType,
    phase: Phase,
    grant: Option<Grant>,
    /// Requests in a row without a grant.
    tries: usize,
    /// When to ask (again).
    next_request: Instant,
}

impl Contract {
    pub(super) fn new(now: Instant, message_type: MessageType) -> Self {
        Self { message_type, phase: Phase::Idle, grant: None, tries: 0, next_request: now }
    }

    pub(super) fn message_type(&self) -> MessageType {
        self.message_type
    }

    /// The grant in force.
    pub(super) fn grant(&self) -> Option<Grant> {
        self.grant
    }

    /// When to look at this contract next.
    pub(super) fn deadline(&self) -> Instant {
        self.grant.map_or(self.next_request, |grant| grant.expires.min(self.next_request))
    }

    /// It is time to ask.
    pub(super) fn wants_request(&self, now: Instant) -> bool {
        self.next_request <= now
    }

    /// A request is on its way. If it is the first repetition: why the one before came to nothing.
    pub(super) fn requested(&mut self, now: Instant, jitter: f64) -> Option<Reason> {
        let unanswered = (self.phase == Phase::Requested && self.tries == 1).then(|| self.unanswered());
        let seconds = RETRY_SECONDS[self.tries.min(RETRY_SECONDS.len() - 1)];
        // Never earlier than the wait, up to a tenth later: many clients of one server must not stay in step.
        self.next_request = now + Duration::from_secs(seconds).mul_f64(1.0 + 0.1 * jitter);
        self.tries += 1;
        self.phase = Phase::Requested;
        unanswered
    }

    /// A GRANT for this message type came in; `jitter` is in [0, 1).
    pub(super) fn granted(&mut self, now: Instant, tlv: &GrantUnicast, jitter: f64) -> Answer {
        if self.phase != Phase::Requested {
            return Answer::Unasked;
        }
        if tlv.duration_field == 0 {
            self.phase = Phase::Denied;
            return Answer::Denied;
        }
        let duration = Duration::from_secs(u64::from(tlv.duration_field));
        let renewed = self.grant.is_some();
        self.grant = Some(Grant {
            log_interval: tlv.log_inter_message_period,
            duration: tlv.duration_field,
            expires: now + duration,
        });
        self.phase = Phase::Granted;
        self.tries = 0;
        // Half of the time is left for retries; the spread keeps the renewals of many clients apart.
        self.next_request = now + duration.mul_f64(0.4 + 0.1 * jitter);
        if renewed { Answer::Renewed } else { Answer::Granted }
    }

    /// Ends the grant when its time is over; whether it did.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        if self.grant.is_none_or(|grant| grant.expires > now) {
            return false;
        }
        self.grant = None;
        if self.phase == Phase::Granted {
            self.phase = Phase::Idle;
            self.next_request = now;
        }
        true
    }

    /// The server took the grant back; whether there was one.
    pub(super) fn cancelled(&mut self, now: Instant) -> bool {
        if self.grant.take().is_none() {
            return false;
        }
        self.phase = Phase::Idle;
        self.next_request = now + Duration::from_secs(RETRY_SECONDS[0]);
        true
    }

    /// The server does not keep its word, perhaps it has forgotten: ask again at once.
    pub(super) fn doubt(&mut self, now: Instant) {
        if self.grant.is_some() {
            self.phase = Phase::Idle;
            self.tries = 0;
            self.next_request = now;
        }
    }

    /// The reason to report while a request is denied.
    pub(super) fn denial(&self) -> Option<Reason> {
        (self.phase == Phase::Denied).then_some(match self.message_type {
            MessageType::Announce => Reason::AnnounceNegoDeny,
            MessageType::Sync => Reason::SyncNegoDeny,
            _ => Reason::DelayrespNegoDeny,
        })
    }

    /// Requests go unanswered.
    pub(super) fn silence(&self) -> Option<Reason> {
        (self.phase == Phase::Requested && self.tries > 1).then(|| self.unanswered())
    }

    /// As the reports show it.
    pub(super) fn status(&self, now: Instant) -> GrantStatus {
        let state = match (self.phase, self.grant) {
            (Phase::Idle, None) => "idle",
            (Phase::Denied, None) => "denied",
            (Phase::Requested, None) => "requested",
            (Phase::Granted, _) => "granted",
            (_, Some(_)) => "renewing",
        };
        GrantStatus {
            state,
            log_interval: self.grant.map(|grant| grant.log_interval),
            duration_s: self.grant.map(|grant| grant.duration),
            expires_in_s: self.grant.map(|grant| grant.expires.since(now).as_secs_f64()),
        }
    }

    /// The reason to report when no grant comes.
    pub(super) fn unanswered(&self) -> Reason {
        match self.message_type {
            MessageType::Announce => Reason::AnnounceNegoTimeout,
            MessageType::Sync => Reason::SyncNegoFailed,
            _ => Reason::DelayrespNegoTimeout,
        }
    }
}
