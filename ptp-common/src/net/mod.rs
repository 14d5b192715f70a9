//! Where things are in a frame: Ethernet, 802.1Q, IPv4, IPv6, UDP; checksums. Imports nothing of ours.

pub mod checksum;
pub mod eth;
pub mod ipv4;
pub mod ipv6;
pub mod udp;
pub mod vlan;

/// UDP destination port of event messages (IEEE 1588-2019, annexes C.2 and D.2).
pub const EVENT_PORT: u16 = 319;
/// UDP destination port of general messages.
pub const GENERAL_PORT: u16 = 320;

/// Which of PTP's two UDP ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Port 319: messages that are stamped.
    Event,
    /// Port 320: all others.
    General,
}
