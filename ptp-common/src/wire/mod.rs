//! IEEE 1588 messages: parse, emit, length. Clauses are those of IEEE 1588-2019 unless another year is named.
//!
//! Nothing here panics, whatever the octets: all reads and writes go through the cursors of one private module,
//! which check every bound and index nothing.
//!
//! What was parsed is emitted octet for octet: a [`Message`] keeps its reserved octets, unknown flag bits, the
//! controlField and its TLVs as they came. Octets behind messageLength (such as the two that linuxptp adds to IPv6
//! payloads) are no part of the message; they are ignored and not reproduced. Values that this version of the
//! protocol does not know (another versionPTP, a peer-delay message, a timestamp of 10^9 ns) are a [`ParseError`].
//!
//! ```
//! use ptp_common::wire::{Body, Header, Message, MessageType, PortIdentity, RequestUnicast, Tlv};
//!
//! let body = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
//! let request = Tlv::RequestUnicast(RequestUnicast {
//!     message_type: MessageType::Sync,
//!     log_inter_message_period: -3,
//!     duration_field: 300,
//! });
//! let mut octets = [0; 64];
//! let length = Message::new(Header::default(), body).emit_with_tlvs(&[request], &mut octets)?;
//! let message = Message::parse(&octets[..length])?;
//! assert!(message.suffix.iter().eq([request]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod announce;
mod body;
mod cursor;
mod delay_resp;
mod error;
mod event;
mod flags;
mod follow_up;
mod header;
mod identity;
pub mod management;
mod message;
mod message_type;
pub mod offset;
mod path_trace;
mod signaling;
mod tlv;
mod unicast;

pub use announce::{Announce, ClockQuality};
pub use body::Body;
pub use error::{EmitError, ParseError};
pub use event::set_origin_timestamp;
pub use flags::Flags;
pub use header::Header;
pub use identity::{ClockIdentity, IdentityError, PortIdentity};
pub use management::Management;
pub use message::Message;
pub use message_type::MessageType;
pub use path_trace::{MAX_PATH_TRACE, PathTrace};
pub use tlv::{Tlv, TlvSet, Tlvs};
pub use unicast::{CancelUnicast, GrantUnicast, RequestUnicast};

/// The only versionPTP that is understood.
pub const VERSION_PTP: u8 = 2;

#[cfg(test)]
mod tests;
