//! What the loop itself counts; reported beside the counters of sockets, ring and engine.

use crate::net;
use crate::report::CounterSet;

/// Since the controller started.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Event messages that came to the socket although XDP takes them: without a grant, or past the program. Their stamps would
    /// be of another kind, so that the engine gets them without.
    pub(super) event_via_socket: u64,
    /// RX stamps that do not count what our clock is derived from.
    pub(super) rx_stamp_unusable: u64,
    /// The same of TX stamps.
    pub(super) tx_stamp_unusable: u64,
    /// Ring records whose stamp may have been taken under another TAI offset than the one we know.
    pub(super) tai_changed: u64,
    /// Messages not sent because the clock could not be read for their originTimestamp.
    pub(super) origin_unreadable: u64,
    /// Steps and adjustments that the clock refused.
    pub(super) steer_errors: u64,
    /// Times that the NIC's timestamps were off and were switched on again.
    pub(super) stamps_restored: u64,
    /// Readings of the kernel's TAI offset, or of what it says of its clock, that failed.
    pub(super) tai_errors: u64,
}

impl Counters {
    pub(super) fn rx(&self, sockets: &net::Counters) -> CounterSet {
        [
            ("event", sockets.received_event),
            ("general", sockets.received_general),
            ("event_via_socket", self.event_via_socket),
            ("stamp_lost", sockets.rx_stamps_lost),
            ("stamp_unusable", self.rx_stamp_unusable),
            ("tai_changed", self.tai_changed),
            ("too_long", sockets.truncated),
            ("other_interface", sockets.other_interface),
            ("network_errors", sockets.network_errors),
        ]
        .into_iter()
        .collect()
    }

    pub(super) fn tx(&self, sockets: &net::Counters) -> CounterSet {
        [
            ("sent", sockets.sent),
            ("send_errors", sockets.send_errors),
            ("origin_unreadable", self.origin_unreadable),
            ("stamps", sockets.tx_stamps),
            ("stamps_lost", sockets.tx_stamps_lost),
            ("stamps_late", sockets.tx_late),
            ("stamps_unmatched", sockets.tx_stamps_unmatched),
            ("stamp_unusable", self.tx_stamp_unusable),
            ("resyncs", sockets.tx_resyncs),
        ]
        .into_iter()
        .collect()
    }

    pub(super) fn clock(&self) -> [(&'static str, u64); 3] {
        [
            ("steer_errors", self.steer_errors),
            ("tai_errors", self.tai_errors),
            ("stamps_restored", self.stamps_restored),
        ]
    }
}
