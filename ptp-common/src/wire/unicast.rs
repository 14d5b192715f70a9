//! The four TLVs of unicast negotiation (16.1.4): their types, and their values without type and length.
//!
//! `from_bytes` is `None` for a messageType that is not supported.

use super::MessageType;

pub(super) const REQUEST: u16 = 0x0004;
pub(super) const GRANT: u16 = 0x0005;
pub(super) const CANCEL: u16 = 0x0006;
pub(super) const ACKNOWLEDGE_CANCEL: u16 = 0x0007;

pub(super) const REQUEST_LENGTH: usize = 6;
pub(super) const GRANT_LENGTH: usize = 8;
pub(super) const CANCEL_LENGTH: usize = 2;

/// Grant: renewal invited. Cancel: maintainRequest.
const R: u8 = 1 << 0;
/// Cancel: maintainGrant.
const G: u8 = 1 << 1;

/// REQUEST_UNICAST_TRANSMISSION, 16.1.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestUnicast {
    /// What is asked for: Announce, Sync or Delay_Resp.
    pub message_type: MessageType,
    /// Log2 of the seconds between messages.
    pub log_inter_message_period: i8,
    /// Seconds.
    pub duration_field: u32,
}

impl RequestUnicast {
    pub(super) fn from_bytes([first, period, a, b, c, d]: [u8; REQUEST_LENGTH]) -> Option<Self> {
        Some(Self {
            message_type: MessageType::from_nibble(first >> 4)?,
            log_inter_message_period: period.cast_signed(),
            duration_field: u32::from_be_bytes([a, b, c, d]),
        })
    }

    pub(super) const fn to_bytes(self) -> [u8; REQUEST_LENGTH] {
        let [a, b, c, d] = self.duration_field.to_be_bytes();
        [self.message_type.nibble() << 4, self.log_inter_message_period.cast_unsigned(), a, b, c, d]
    }
}

/// GRANT_UNICAST_TRANSMISSION, 16.1.4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantUnicast {
    /// What is granted.
    pub message_type: MessageType,
    /// Log2 of the seconds between messages.
    pub log_inter_message_period: i8,
    /// Seconds; 0 = denied.
    pub duration_field: u32,
    /// The R flag.
    pub renewal_invited: bool,
}

impl GrantUnicast {
    pub(super) fn from_bytes([first, period, a, b, c, d, _, flags]: [u8; GRANT_LENGTH]) -> Option<Self> {
        Some(Self {
            message_type: MessageType::from_nibble(first >> 4)?,
            log_inter_message_period: period.cast_signed(),
            duration_field: u32::from_be_bytes([a, b, c, d]),
            renewal_invited: flags & R != 0,
        })
    }

    pub(super) const fn to_bytes(self) -> [u8; GRANT_LENGTH] {
        let [a, b, c, d] = self.duration_field.to_be_bytes();
        let period = self.log_inter_message_period.cast_unsigned();
        let flags = if self.renewal_invited { R } else { 0 };
        [self.message_type.nibble() << 4, period, a, b, c, d, 0, flags]
    }
}

/// CANCEL_UNICAST_TRANSMISSION, 16.1.4.3, and its ACKNOWLEDGE, 16.1.4.4. The side that ends it clears its own flag:
/// a client maintainRequest, a server maintainGrant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelUnicast {
    /// What is cancelled.
    pub message_type: MessageType,
    /// R, bit 0.
    pub maintain_request: bool,
    /// G, bit 1.
    pub maintain_grant: bool,
}

impl CancelUnicast {
    pub(super) fn from_bytes([first, _]: [u8; CANCEL_LENGTH]) -> Option<Self> {
        Some(Self {
            message_type: MessageType::from_nibble(first >> 4)?,
            maintain_request: first & R != 0,
            maintain_grant: first & G != 0,
        })
    }

    pub(super) const fn to_bytes(self) -> [u8; CANCEL_LENGTH] {
        let request = if self.maintain_request { R } else { 0 };
        let grant = if self.maintain_grant { G } else { 0 };
        [(self.message_type.nibble() << 4) | request | grant, 0]
    }
}
