//! UDP sockets on PTP's two ports, and the stamps that the kernel or the NIC takes of what they send and receive.
//!
//! [`Sockets`] owns a TX token from the moment its message is sent until its stamp arrives or is given up: every
//! token comes back exactly once, so a lost stamp costs one exchange and nothing else. No stamp is ever taken from
//! another source than the one that was configured.

mod batch;
mod error;
mod holder;
mod hwtstamp;
mod interface;
mod pending;
mod readiness;
mod socket;
mod sockets;
mod sys;

pub use error::NetError;
pub use holder::Holder;
pub use interface::{
    TimestampingInfo, driver, interface_addresses, interface_index, interface_mac, is_local, link_is_up,
    netns_inode, timestamping,
};
pub use readiness::Ready;
pub use sockets::{BATCH, Counters, Sockets, TX_STAMP_TIMEOUT_HARDWARE, TX_STAMP_TIMEOUT_SOFTWARE};

use ptp_common::net::Channel;
use ptp_common::time::RawStamp;
use std::net::IpAddr;

/// What [`Sockets::open`] opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketConfig {
    /// The interfaces that packets come in by, at least one, in the calling thread's network namespace. A single one is what
    /// every packet goes through; out of several, packets leave where the routes lead.
    pub interfaces: Vec<String>,
    /// What packets are sent from, and nothing but what is sent to it is taken; at most one per family.
    pub local_addresses: Vec<IpAddr>,
    /// Differentiated services code point of what is sent, 0 to 63. PTP's default is 56 (CS7).
    pub dscp: u8,
    /// Open the IPv4 sockets.
    pub ipv4: bool,
    /// Open the IPv6 sockets.
    pub ipv6: bool,
    /// Stamp received event messages too: for the socket data plane. With XDP the stamps come from the ring buffer.
    pub rx_stamps: bool,
    /// Stamps of the NIC, which count its PHC, instead of the kernel's, which count CLOCK_REALTIME.
    pub hardware: bool,
}

/// A UDP payload that came in.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The payload.
    pub octets: &'a [u8],
    /// Source address; never IPv4-mapped.
    pub from: IpAddr,
    /// Which of our ports it came to.
    pub channel: Channel,
    /// RX time: event messages, with [`SocketConfig::rx_stamps`], where the stamp was not lost.
    pub stamp: Option<RawStamp>,
}

#[cfg(test)]
mod tests;
