//! What one server owes for one message type: request, grant, renewal, end.

use super::status::ContractStatus;
use crate::engine::Instant;
use crate::engine::event::Reason;
use ptp_common::wire::{GrantUnicast, MessageType};
use std::time::Duration;

/// Waits after the first, second, … request that was not answered or was denied, while no server serves; s.
const ALONE_SECONDS: [u64; 6] = [1, 1, 1, 2, 4, 5];
/// The same while another server serves.
const SERVED_SECONDS: [u64; 9] = [1, 1, 1, 2, 4, 8, 16, 32, 60];
/// The same in G.8275.2.
const TELECOM_SECONDS: [u64; 4] = [1, 1, 1, 60];
/// A server that did serve is asked more often for a minute, while another one does: it may be back in a moment.
const RETURN_WAIT: Duration = Duration::from_millis(800);
const RETURN_TRIES: usize = 64;
/// A request that was not answered by then is reported.
const ANSWER_TIME: Duration = Duration::from_secs(1);
/// Two requests that nobody's schedule calls for are that far apart at the least.
const SHORTEST_DOUBT: Duration = Duration::from_secs(1);
/// A renewal is repeated when this share of what is left has passed, but no sooner and no later than [`RENEWAL_WAIT`].
const RENEWAL_SHARE: f64 = 1.0 / 16.0;
const RENEWAL_WAIT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(10)];
/// Shares of the duration between which renewal starts. Wide, so that many clients that were granted at one time do not
/// renew at one time, and early, so that there is time for retries.
const RENEWAL: [f64; 2] = [0.25, 0.75];
/// The same where the server did not invite renewal: late, but not so late that its service would lapse.
const UNINVITED_RENEWAL: [f64; 2] = [0.75, 0.9];
/// A grant that was cancelled sooner is asked for again after a wait.
const SHORT_LIFE: Duration = Duration::from_secs(5);
/// A CANCEL is sent so many times, ever further apart, until it is acknowledged.
const CANCELS: u32 = 3;
const CANCEL_WAIT: Duration = Duration::from_millis(250);
/// A server has had its chances after so many denials in a row, or after so many requests without any answer.
const MOST_DENIED: usize = 3;
const MOST_UNANSWERED: usize = 6;

/// How long to wait between requests to a server that serves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// No server serves.
    Alone,
    /// Another one does.
    Served,
    /// As G.8275.2 has it.
    Telecom,
}

impl Patience {
    /// After `tries` requests. The jitter, in [0, 1), keeps clients of one server out of step: never less than a
    /// second, nor more than the longest wait.
    fn wait(self, tries: usize, jitter: f64) -> Duration {
        let seconds: &[u64] = match self {
            Self::Alone => &ALONE_SECONDS,
            Self::Served => &SERVED_SECONDS,
            Self::Telecom => &TELECOM_SECONDS,
        };
        let last = seconds.len() - 1;
        let wait = Duration::from_secs(seconds[tries.min(last)]);
        wait.mul_f64(if tries < last { 1.0 + 0.1 * jitter } else { 1.0 - 0.1 * jitter })
    }
}

/// A grant as given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    /// logInterMessagePeriod.
    pub(super) log_interval: i8,
    /// durationField, s.
    pub(super) duration: u32,
    /// The server invites renewal.
    pub(super) renewal_invited: bool,
    /// When it was given.
    given: Instant,
    /// When it ends.
    pub(super) expires: Instant,
}

/// Where the negotiation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing asked yet, or nothing wanted.
    Idle,
    /// A request is out, nothing is granted.
    Requested,
    /// Nothing to do until renewal.
    Granted,
    /// A request is out while the grant is in force.
    Renewing,
    /// The last request was answered with no. An earlier grant may be in force.
    Denied,
    /// The grant ended without renewal.
    Expired,
    /// One side cancelled it.
    Cancelled,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Requested => "requested",
            Self::Granted => "granted",
            Self::Renewing => "renewing",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What a GRANT meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Granted for the first time, or again.
    Granted,
    /// An existing grant goes on.
    Renewed,
    /// Duration 0; the reason if that is news.
    Denied(Option<Reason>),
    /// Nobody had asked.
    Unasked,
    /// It was asked for, but is not wanted any more: it is cancelled.
    Unwanted,
}

/// A CANCEL that is not acknowledged.
#[derive(Clone, Copy, Debug)]
struct Cancel {
    sent: u32,
    next: Instant,
}

/// One message type at one server.
#[derive(Clone, Debug)]
pub(super) struct Contract {
    message_type: MessageType,
    phase: Phase,
    /// Since when it stands there.
    since: Instant,
    grant: Option<Grant>,
    /// The server is thought to have forgotten the grant.
    doubted: bool,
    /// Requests in a row without a grant.
    tries: usize,
    /// Of them, those that were denied.
    denials: usize,
    last_request: Option<Instant>,
    /// When to ask (again); `None`: it is not wanted.
    next_request: Option<Instant>,
    /// Why there is no grant, as reported.
    problem: Option<Reason>,
    cancel: Option<Cancel>,
}

impl Contract {
    pub(super) fn new(now: Instant, message_type: MessageType, wanted: bool) -> Self {
        Self {
            message_type,
            phase: Phase::Idle,
            since: now,
            grant: None,
            doubted: false,
            tries: 0,
            denials: 0,
            last_request: None,
            next_request: wanted.then_some(now),
            problem: None,
            cancel: None,
        }
    }

    pub(super) fn message_type(&self) -> MessageType {
        self.message_type
    }

    /// The grant in force.
    pub(super) fn grant(&self) -> Option<Grant> {
        self.grant
    }

    /// Why there is none; `None` while there is hope.
    pub(super) fn problem(&self) -> Option<Reason> {
        self.problem
    }

    /// Its messages are wanted.
    pub(super) fn is_wanted(&self) -> bool {
        self.next_request.is_some()
    }

    /// When to look at this contract next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let ends = self.grant.map(|grant| grant.expires);
        let cancels = self.cancel.map(|cancel| cancel.next);
        [self.next_request, ends, cancels].into_iter().flatten().min()
    }

    /// It is time to ask.
    pub(super) fn wants_request(&self, now: Instant) -> bool {
        self.next_request.is_some_and(|at| at <= now)
    }

    /// Its messages are wanted from now on, or not any more. What is granted and not wanted is cancelled.
    pub(super) fn want(&mut self, now: Instant, wanted: bool) {
        match (self.is_wanted(), wanted) {
            (false, true) => {
                self.cancel = None;
                self.tries = 0;
                self.next_request = Some(now);
            }
            (true, false) => {
                self.next_request = None;
                self.problem = None;
                if self.grant.is_some() { self.give_up(now) } else { self.enter(now, Phase::Idle) }
            }
            _ => {}
        }
    }

    /// Ends the grant by a CANCEL.
    pub(super) fn give_up(&mut self, now: Instant) {
        if self.grant.take().is_some() {
            self.doubted = false;
            self.enter(now, Phase::Cancelled);
            self.cancel = Some(Cancel { sent: 0, next: now });
        }
    }

    /// The same, to be asked for again at `at`.
    pub(super) fn give_up_until(&mut self, now: Instant, at: Option<Instant>) {
        self.give_up(now);
        self.next_request = self.next_request.and(at);
    }

    /// It is time to send a CANCEL, which is then on its way.
    pub(super) fn take_cancel(&mut self, now: Instant) -> bool {
        let Some(cancel) = self.cancel.as_mut().filter(|cancel| cancel.next <= now) else {
            return false;
        };
        if cancel.sent == CANCELS {
            self.cancel = None;
            return false;
        }
        cancel.next = now + CANCEL_WAIT * (1 << cancel.sent);
        cancel.sent += 1;
        true
    }

    /// The server has heard the CANCEL; whether there was one.
    pub(super) fn acknowledged(&mut self) -> bool {
        self.cancel.take().is_some()
    }

    /// A CANCEL is to be sent, or waits for its acknowledgement.
    pub(super) fn is_cancelling(&self) -> bool {
        self.cancel.is_some()
    }

    /// A request is on its way.
    pub(super) fn requested(&mut self, now: Instant, jitter: f64, patience: Patience) {
        let wait = match self.grant {
            Some(grant) if !self.doubted => {
                let share = grant.expires.since(now).mul_f64(RENEWAL_SHARE);
                share.clamp(RENEWAL_WAIT[0], RENEWAL_WAIT[1]).mul_f64(1.0 + 0.1 * jitter)
            }
            Some(_) if patience == Patience::Served && self.tries < RETURN_TRIES => {
                RETURN_WAIT.mul_f64(1.0 + 0.1 * jitter)
            }
            _ => patience.wait(self.tries, jitter),
        };
        self.next_request = Some(now + wait);
        self.last_request = Some(now);
        self.tries += 1;
        self.cancel = None;
        self.enter(now, if self.grant.is_some() { Phase::Renewing } else { Phase::Requested });
    }

    /// Looks at the negotiation: why it is in trouble, if that is news.
    pub(super) fn check(&mut self, now: Instant) -> Option<Reason> {
        let waits = matches!(self.phase, Phase::Requested | Phase::Renewing);
        let overdue = waits && now.since(self.since) >= ANSWER_TIME;
        let reason = self.unanswered();
        (overdue && self.problem.is_none()).then(|| {
            self.problem = Some(reason);
            reason
        })
    }

    /// The server has had its chances.
    pub(super) fn is_hopeless(&self) -> bool {
        self.grant.is_none()
            && self.problem.is_some()
            && (self.denials >= MOST_DENIED || self.tries >= MOST_UNANSWERED)
    }

    /// A request is out, and nothing is granted.
    pub(super) fn is_requested(&self) -> bool {
        self.phase == Phase::Requested
    }

    /// When the next request is planned.
    pub(super) fn next_request(&self) -> Option<Instant> {
        self.next_request
    }

    /// Nobody serves any more: what waits for its time waits no longer.
    pub(super) fn hasten(&mut self, now: Instant) {
        if self.grant.is_none() || self.doubted {
            self.tries = 0;
            let earliest = self.earliest_request(now);
            self.next_request = self.next_request.map(|next| next.min(earliest));
        }
    }

    /// A GRANT for this message type came in; `jitter` is in [0, 1).
    pub(super) fn granted(&mut self, now: Instant, tlv: &GrantUnicast, jitter: f64) -> Answer {
        if !self.is_wanted() && self.last_request.is_some() && tlv.duration_field > 0 {
            self.cancel.get_or_insert(Cancel { sent: 0, next: now });
            return Answer::Unwanted;
        }
        if !matches!(self.phase, Phase::Requested | Phase::Renewing) {
            return Answer::Unasked;
        }
        if tlv.duration_field == 0 {
            self.denials += 1;
            self.enter(now, Phase::Denied);
            let reason = self.denied();
            return Answer::Denied((self.problem.replace(reason) != Some(reason)).then_some(reason));
        }
        let duration = Duration::from_secs(u64::from(tlv.duration_field));
        let renewed = self.grant.is_some();
        self.grant = Some(Grant {
            log_interval: tlv.log_inter_message_period,
            duration: tlv.duration_field,
            renewal_invited: tlv.renewal_invited,
            given: now,
            expires: now + duration,
        });
        self.enter(now, Phase::Granted);
        self.doubted = false;
        self.tries = 0;
        self.denials = 0;
        self.problem = None;
        let [first, last] = if tlv.renewal_invited { RENEWAL } else { UNINVITED_RENEWAL };
        self.next_request = Some(now + duration.mul_f64(first + (last - first) * jitter));
        if renewed { Answer::Renewed } else { Answer::Granted }
    }

    /// Ends the grant when its time is over; whether it did.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        if self.grant.is_none_or(|grant| grant.expires > now) {
            return false;
        }
        self.grant = None;
        self.enter(now, Phase::Expired);
        // Of a server that is silent anyway, nothing new is known.
        if !std::mem::take(&mut self.doubted) {
            self.tries = 0;
            self.next_request = self.next_request.map(|_| now);
        }
        true
    }

    /// The server took the grant back; whether there was one. One that has forgotten us, or was told to let us go, is asked
    /// again at once, but one that grants and cancels in turn is not.
    pub(super) fn cancelled(&mut self, now: Instant) -> bool {
        let Some(grant) = self.grant.take() else {
            return false;
        };
        self.doubted = false;
        self.enter(now, Phase::Cancelled);
        let wait = if now.since(grant.given) < SHORT_LIFE { SHORTEST_DOUBT } else { Duration::ZERO };
        self.next_request = Some(now + wait);
        true
    }

    /// The server does not keep its word, perhaps it has forgotten: ask again at once.
    pub(super) fn doubt(&mut self, now: Instant) {
        if self.grant.is_some() && !self.doubted {
            self.doubted = true;
            self.tries = 0;
            self.next_request = Some(self.earliest_request(now));
        }
    }

    /// Sooner than that, the answer to the last request may still come.
    fn earliest_request(&self, now: Instant) -> Instant {
        self.last_request.map_or(now, |last| (last + SHORTEST_DOUBT).max(now))
    }

    /// As the reports show it.
    pub(super) fn status(&self, now: Instant) -> ContractStatus {
        ContractStatus {
            state: self.phase.name(),
            age_s: now.since(self.since).as_secs_f64(),
            reason: self.problem,
            log_interval: self.grant.map(|grant| grant.log_interval),
            duration_s: self.grant.map(|grant| grant.duration),
            expires_in_s: self.grant.map(|grant| grant.expires.since(now).as_secs_f64()),
            renewal_invited: self.grant.map(|grant| grant.renewal_invited),
        }
    }

    /// A request goes unanswered.
    pub(super) fn unanswered(&self) -> Reason {
        match self.message_type {
            MessageType::Announce => Reason::AnnounceNegoTimeout,
            MessageType::Sync => Reason::SyncNegoFailed,
            _ => Reason::DelayrespNegoTimeout,
        }
    }

    fn denied(&self) -> Reason {
        match self.message_type {
            MessageType::Announce => Reason::AnnounceNegoDeny,
            MessageType::Sync => Reason::SyncNegoDeny,
            _ => Reason::DelayrespNegoDeny,
        }
    }

    fn enter(&mut self, now: Instant, phase: Phase) {
        if std::mem::replace(&mut self.phase, phase) != phase {
            self.since = now;
        }
    }
}
