/// messageType (13.3.2.3), as far as it is supported: no peer delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// Event message, server to client.
    Sync = 0x0,
    /// Event message, client to server.
    DelayReq = 0x1,
    /// The precise time of a two-step Sync.
    FollowUp = 0x8,
    /// The answer to a Delay_Req.
    DelayResp = 0x9,
    /// What the server's time is worth.
    Announce = 0xb,
    /// Carries TLVs, here those of unicast negotiation.
    Signaling = 0xc,
    /// Carries a management TLV.
    Management = 0xd,
}

impl MessageType {
    /// From the 4-bit number; `None` for peer-delay and reserved types, and above 15.
    pub const fn from_nibble(nibble: u8) -> Option<Self> {
        Some(match nibble {
            0x0 => Self::Sync,
            0x1 => Self::DelayReq,
            0x8 => Self::FollowUp,
            0x9 => Self::DelayResp,
            0xb => Self::Announce,
            0xc => Self::Signaling,
            0xd => Self::Management,
            _ => return None,
        })
    }

    /// The 4-bit number.
    pub const fn nibble(self) -> u8 {
        self as u8
    }

    /// Event messages are stamped and go to UDP port 319, the others to 320.
    pub const fn is_event(self) -> bool {
        matches!(self, Self::Sync | Self::DelayReq)
    }

    /// controlField as in IEEE 1588-2008, table 23. Current receivers ignore it, old ones do not.
    pub const fn control_field(self) -> u8 {
        match self {
            Self::Sync => 0,
            Self::DelayReq => 1,
            Self::FollowUp => 2,
            Self::DelayResp => 3,
            Self::Management => 4,
            Self::Announce | Self::Signaling => 5,
        }
    }
}
