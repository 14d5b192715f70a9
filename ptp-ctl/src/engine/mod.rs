//! The protocol: client and server as state machines without IO.
//!
//! Nothing here reads a clock, owns a socket or sleeps. The driver (real packets: `runtime`; virtual time: `sim`)
//! feeds [`Input`]s and performs [`Output`]s; both run the same code.

pub mod boundary;
pub mod client;
pub mod config;
mod counters;
pub mod estimator;
pub mod event;
pub mod management;
mod messages;
mod packet;
mod path;
pub mod select;
pub mod server;
pub mod servo;
mod time;
mod timeline;
pub mod timers;

pub use messages::MessageCounts;
pub use packet::Packet;
pub use time::Instant;
pub(crate) use timeline::nanos;

use event::Event;
use ptp_common::net::Channel;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{MessageType, PortIdentity};
use std::net::IpAddr;
use std::time::Duration;

/// What the driver tells the engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// A UDP payload came in.
    Received {
        /// The payload.
        bytes: &'a [u8],
        /// Source address; the source port does not matter to PTP.
        from: IpAddr,
        /// Which of our ports it came to.
        channel: Channel,
        /// RX time, a reading of the local clock. `None` for general messages and where the stamp was lost.
        rx: Option<Timestamp>,
    },
    /// An event message left this machine.
    Sent {
        /// The token that went out with it.
        token: TxToken,
        /// TX time, a reading of the local clock; `None` when the stamp was lost or the message could not be sent.
        tx: Option<Timestamp>,
    },
    /// The kernel has no route for what was to be sent there.
    Unreachable {
        /// The destination.
        to: IpAddr,
    },
    /// What the kernel knows of TAI - UTC, in seconds; `None` = unknown. Told at start and whenever it changes.
    TaiOffset(Option<i16>),
    /// The last [`Output::Steer`] was performed.
    Steered {
        /// What the local clock read when the new frequency took effect.
        at: Timestamp,
    },
    /// What the kernel says of the clock that a grandmaster serves. Told at start and whenever it changes; not at all of a clock
    /// that the kernel knows nothing of.
    KernelClock(KernelClock),
    /// The local clock was changed by something else, or re-read after the NIC was reset: exchanges in flight are void.
    ClockDisturbed,
}

/// What the kernel says of its clock (adjtimex).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelClock {
    /// Somebody keeps it right.
    pub synchronised: bool,
    /// Its largest error, by who does.
    pub max_error: Duration,
    /// The last minute of the UTC day has 59 seconds.
    pub leap59: bool,
    /// It has 61.
    pub leap61: bool,
}

/// What the engine tells the driver to do.
#[derive(Debug)]
pub enum Output {
    /// Send a UDP payload.
    Send {
        /// Destination address.
        to: IpAddr,
        /// Destination port.
        channel: Channel,
        /// The payload.
        packet: Packet,
        /// Present where the TX stamp is wanted: give it back with [`Input::Sent`].
        token: Option<TxToken>,
        /// Write the local clock's time, plus this interval, into the originTimestamp just before sending.
        origin: Option<Interval>,
    },
    /// Steer the local clock.
    Steer(servo::Decision),
    /// The server's data plane shall serve this client until then.
    Grant {
        /// The client's address.
        client: IpAddr,
        /// Its `sourcePortIdentity`.
        port_identity: PortIdentity,
        /// What was granted: Announce, Sync or Delay_Resp.
        message_type: MessageType,
        /// The granted logInterMessagePeriod.
        log_interval: i8,
        /// End of the grant.
        expires: Instant,
    },
    /// The server's data plane shall no longer serve this client.
    Revoke {
        /// The client's address.
        client: IpAddr,
        /// Its `sourcePortIdentity`.
        port_identity: PortIdentity,
        /// What has ended: Announce, Sync or Delay_Resp.
        message_type: MessageType,
    },
    /// A complete exchange, for reports; steering comes as [`Output::Steer`].
    Sample(client::Sample),
    /// Something a user may want to know.
    Event(Event),
}

/// One event message sent, one TX stamp owed: not `Clone`, so it can neither be forgotten twice nor answered twice.
#[derive(Debug, PartialEq, Eq)]
pub struct TxToken(u64);

/// The contract of client and server with their driver.
///
/// After every `handle` and `handle_timeout` the driver takes outputs until there are none, then sleeps until
/// `poll_timeout` or the next input.
pub trait Engine {
    /// Something happened.
    fn handle(&mut self, now: Instant, input: Input<'_>);
    /// The time that `poll_timeout` named has come. Too early is harmless.
    fn handle_timeout(&mut self, now: Instant);
    /// When to call `handle_timeout` next.
    fn poll_timeout(&self) -> Option<Instant>;
    /// The next thing to do.
    fn poll_output(&mut self) -> Option<Output>;
    /// After a shutdown: nothing is awaited any more.
    fn is_finished(&self) -> bool {
        true
    }
}
