//! IEEE 1588 messages: parse, emit, length.
//!
//! Nothing here panics, whatever the octets. What was parsed is emitted octet for octet.
#![allow(clippy::todo)] // SKELETON

use crate::time::{Correction, Timestamp};

/// IEEE 1588-2019, 7.5.2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockIdentity(pub [u8; 8]);

/// IEEE 1588-2019, 5.3.5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortIdentity {
    pub clock_identity: ClockIdentity,
    pub port_number: u16,
}

impl PortIdentity {
    /// Every port of every clock (all ones).
    pub const WILDCARD: Self = Self { clock_identity: ClockIdentity([0xff; 8]), port_number: 0xffff };
    pub const fn to_bytes(self) -> [u8; 10] {
        todo!()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    Sync,
    DelayReq,
    FollowUp,
    DelayResp,
    Announce,
    Signaling,
    Management,
}

/// flagField, IEEE 1588-2019, 13.3.2.8. Unknown bits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    // First octet in the high byte.
    pub const ALTERNATE_MASTER: Self = Self(0x0100);
    pub const TWO_STEP: Self = Self(0x0200);
    pub const UNICAST: Self = Self(0x0400);
    pub const LEAP_61: Self = Self(0x0001);
    pub const LEAP_59: Self = Self(0x0002);
    pub const CURRENT_UTC_OFFSET_VALID: Self = Self(0x0004);
    pub const PTP_TIMESCALE: Self = Self(0x0008);
    pub const TIME_TRACEABLE: Self = Self(0x0010);
    pub const FREQUENCY_TRACEABLE: Self = Self(0x0020);
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The common header without what follows from the body (message type, length, controlField).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// majorSdoId and minorSdoId: 12 bits.
    pub sdo_id: u16,
    /// minorVersionPTP: 0 or 1.
    pub minor_version: u8,
    pub domain_number: u8,
    pub flags: Flags,
    pub correction_field: Correction,
    pub message_type_specific: u32,
    pub source_port_identity: PortIdentity,
    pub sequence_id: u16,
    /// Kept as received so that emit is exact; [`Message::new`] fills in the 1588-2008 value.
    pub control_field: u8,
    pub log_message_interval: i8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockQuality {
    pub clock_class: u8,
    pub clock_accuracy: u8,
    pub offset_scaled_log_variance: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    pub origin_timestamp: Timestamp,
    pub current_utc_offset: i16,
    pub grandmaster_priority1: u8,
    pub grandmaster_clock_quality: ClockQuality,
    pub grandmaster_priority2: u8,
    pub grandmaster_identity: ClockIdentity,
    pub steps_removed: u16,
    pub time_source: u8,
}

/// What is special about a Management message's header; its TLV is carried, not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Management {
    pub target_port_identity: PortIdentity,
    pub starting_boundary_hops: u8,
    pub boundary_hops: u8,
    pub action: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    Sync { origin_timestamp: Timestamp },
    DelayReq { origin_timestamp: Timestamp },
    FollowUp { precise_origin_timestamp: Timestamp },
    DelayResp { receive_timestamp: Timestamp, requesting_port_identity: PortIdentity },
    Announce(Announce),
    Signaling { target_port_identity: PortIdentity },
    Management(Management),
}

impl Body {
    pub const fn message_type(&self) -> MessageType {
        todo!()
    }
}

/// One message. `suffix` is the TLV area, validated to be a whole number of TLVs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub header: Header,
    pub body: Body,
    pub suffix: TlvSet<'a>,
}

impl<'a> Message<'a> {
    /// A message without TLVs; controlField as in IEEE 1588-2008, table 23.
    pub const fn new(header: Header, body: Body) -> Self {
        let _ = (header, body);
        todo!()
    }
    /// Octets after messageLength (IPv6 padding) are ignored.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        let _ = octets;
        todo!()
    }
    /// Length of the message on the wire, in octets.
    pub fn buffer_len(&self) -> usize {
        todo!()
    }
    /// Writes the message to the start of `octets`; its length.
    pub fn emit(&self, octets: &mut [u8]) -> Result<usize, EmitError> {
        let _ = octets;
        todo!()
    }
}

/// The TLVs behind a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlvSet<'a> {
    octets: &'a [u8],
}

impl<'a> TlvSet<'a> {
    /// Checks that `octets` is a whole number of TLVs of even length.
    pub fn new(octets: &'a [u8]) -> Result<Self, ParseError> {
        Ok(Self { octets })
    }
    pub fn iter(&self) -> impl Iterator<Item = Tlv<'a>> + 'a {
        let _ = self.octets;
        core::iter::empty()
    }
}

/// One TLV: those of unicast negotiation by name, every other one by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tlv<'a> {
    RequestUnicast(RequestUnicast),
    GrantUnicast(GrantUnicast),
    CancelUnicast(CancelUnicast),
    AcknowledgeCancelUnicast(CancelUnicast),
    Unknown { tlv_type: u16, value: &'a [u8] },
    // a known type with a length that it cannot have: also here, as Unknown? no: see ParseError.
}

impl Tlv<'_> {
    pub fn buffer_len(&self) -> usize {
        todo!()
    }
    pub fn emit(&self, octets: &mut [u8]) -> Result<usize, EmitError> {
        let _ = octets;
        todo!()
    }
}

/// REQUEST_UNICAST_TRANSMISSION, 16.1.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestUnicast {
    pub message_type: MessageType,
    pub log_inter_message_period: i8,
    /// Seconds.
    pub duration_field: u32,
}

/// GRANT_UNICAST_TRANSMISSION, 16.1.4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantUnicast {
    pub message_type: MessageType,
    pub log_inter_message_period: i8,
    /// Seconds; 0 = denied.
    pub duration_field: u32,
    /// The R flag.
    pub renewal_invited: bool,
}

/// CANCEL_UNICAST_TRANSMISSION, 16.1.4.3, and its ACKNOWLEDGE, 16.1.4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelUnicast {
    pub message_type: MessageType,
    /// R, bit 0.
    pub maintain_request: bool,
    /// G, bit 1.
    pub maintain_grant: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("SKELETON")]
    Skeleton,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    #[error("SKELETON")]
    Skeleton,
}
