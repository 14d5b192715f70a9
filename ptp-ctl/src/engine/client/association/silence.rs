//! Silence of a server: how long it must last to mean that the server does not serve any more.

use super::{Association, Timer};
use crate::engine::Instant;
use crate::engine::client::loss::Stream;
use crate::engine::event::Reason;
use crate::engine::timers::interval;
use ptp_common::wire::MessageType;
use std::time::Duration;

/// Shortest time after which silence counts: less is within what a busy machine does to a process.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(250);
/// Numbers of Delay_Req that are further apart say nothing about loss.
const LONGEST_GAP: u16 = 64;

/// What silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::client) enum Silence {
    /// Nothing yet.
    Short,
    /// It is worth a request: the server may have forgotten us.
    Doubtful,
    /// The server does not serve any more.
    Loss(Reason),
}

impl Association {
    /// A Sync or Announce came in, with this number, or it is time to expect the first one. `least` intervals of silence
    /// begin to mean something.
    pub(in crate::engine::client) fn hear(
        &mut self,
        now: Instant,
        message_type: MessageType,
        sequence_id: Option<u16>,
        least: u8,
    ) {
        let Some(log) = self.log_interval(message_type) else {
            return;
        };
        let interval = interval(log);
        let heard = self.heard(message_type);
        heard.at = now;
        let gap = sequence_id.and_then(|sequence_id| heard.stream.gap(now, sequence_id, interval));
        if let Some(lost) = gap {
            self.loss_from_server.record(lost);
        }
        let timeout = (interval * u32::from(least)).max(SHORTEST_TIMEOUT);
        self.set_timer(Self::timer_of(message_type), now + timeout);
    }

    /// Its timer went off: what the silence means.
    pub(in crate::engine::client) fn judge_silence(
        &mut self,
        now: Instant,
        message_type: MessageType,
        least: u8,
    ) -> Silence {
        let reason = match message_type {
            MessageType::Announce => Reason::AnnounceTimeout,
            MessageType::Sync => Reason::SyncTimeout,
            _ => return self.judge_answers(now, least),
        };
        let Some(log) = self.log_interval(message_type) else {
            return Silence::Short;
        };
        let interval = interval(log);
        let threshold = self.loss_from_server.threshold(least, interval);
        let end = self.heard(message_type).at + (interval * threshold).max(SHORTEST_TIMEOUT);
        if self.loss.is_some() || end <= now {
            return Silence::Loss(reason);
        }
        self.set_timer(Self::timer_of(message_type), end);
        Silence::Doubtful
    }

    fn judge_answers(&mut self, now: Instant, least: u8) -> Silence {
        let Some(log) = self.log_interval(MessageType::DelayResp).filter(|_| self.unanswered > 0) else {
            return Silence::Short;
        };
        let interval = interval(log);
        if self.loss.is_some() || self.unanswered >= self.loss_round_trip.threshold(least, interval) {
            return Silence::Loss(Reason::DelayrespTimeout);
        }
        self.set_timer(Timer::DelayResp, now + interval);
        if self.unanswered >= least.into() { Silence::Doubtful } else { Silence::Short }
    }

    /// A Delay_Req goes out.
    pub(in crate::engine::client) fn ask_delay(&mut self, now: Instant, least: u8) {
        self.last_delay_req = Some(now);
        self.unanswered += 1;
        if let Some(log) = self.log_interval(MessageType::DelayResp)
            && !self.has_timer(Timer::DelayResp)
        {
            let timeout = (interval(log) * u32::from(least)).max(SHORTEST_TIMEOUT);
            self.set_timer(Timer::DelayResp, now + timeout);
        }
    }

    /// The Delay_Req of this number was answered.
    pub(in crate::engine::client) fn answered(&mut self, sequence_id: u16) {
        self.set_timer(Timer::DelayResp, None);
        self.unanswered = 0;
        let ahead = self.last_answered.map(|last| sequence_id.wrapping_sub(last));
        match ahead {
            // One that was overtaken by the next was not lost.
            Some(ahead) if ahead > u16::MAX - LONGEST_GAP => return,
            Some(ahead @ 1..=LONGEST_GAP) => self.loss_round_trip.record(u32::from(ahead) - 1),
            _ => {}
        }
        self.last_answered = Some(sequence_id);
    }

    fn heard(&mut self, message_type: MessageType) -> &mut Heard {
        if message_type == MessageType::Announce { &mut self.announces } else { &mut self.syncs }
    }

    pub(in crate::engine::client) const fn timer_of(message_type: MessageType) -> Timer {
        match message_type {
            MessageType::Announce => Timer::Announce,
            MessageType::Sync => Timer::Sync,
            _ => Timer::DelayResp,
        }
    }
}

/// When a kind of message was last heard, and its numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    at: Instant,
    stream: Stream,
}

impl Heard {
    pub(super) fn new(now: Instant) -> Self {
        Self { at: now, stream: Stream::default() }
    }
}
