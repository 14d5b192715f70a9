use super::cursor::{Reader, Writer};
use super::{
    Announce, EmitError, Management, MessageType, ParseError, PortIdentity, announce, delay_resp, event,
    follow_up, management, signaling,
};
use crate::time::Timestamp;

/// What comes between header and TLVs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Sync (13.6).
    Sync {
        /// originTimestamp: approximate if a Follow_Up comes.
        origin_timestamp: Timestamp,
    },
    /// Delay_Req (13.6).
    DelayReq {
        /// originTimestamp: approximate, or zero.
        origin_timestamp: Timestamp,
    },
    /// Follow_Up (13.7).
    FollowUp {
        /// preciseOriginTimestamp: when the Sync of the same sequenceId left.
        precise_origin_timestamp: Timestamp,
    },
    /// Delay_Resp (13.8).
    DelayResp {
        /// receiveTimestamp: when the Delay_Req of the same sequenceId arrived.
        receive_timestamp: Timestamp,
        /// requestingPortIdentity: who sent that Delay_Req.
        requesting_port_identity: PortIdentity,
    },
    /// Announce (13.5).
    Announce(Announce),
    /// Signaling (13.12); its content is in the TLVs.
    Signaling {
        /// targetPortIdentity, [`PortIdentity::WILDCARD`] for whoever gets it.
        target_port_identity: PortIdentity,
    },
    /// Management (15.4.1); its content is in the TLV.
    Management(Management),
}

/// The reserved octets and bits of a body, as received: to be ignored, and sent back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reserved(pub(super) [u8; 2]);

impl Body {
    /// Which message has this body.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Self::Sync { .. } => MessageType::Sync,
            Self::DelayReq { .. } => MessageType::DelayReq,
            Self::FollowUp { .. } => MessageType::FollowUp,
            Self::DelayResp { .. } => MessageType::DelayResp,
            Self::Announce(_) => MessageType::Announce,
            Self::Signaling { .. } => MessageType::Signaling,
            Self::Management(_) => MessageType::Management,
        }
    }

    /// Octets on the wire.
    pub(super) const fn length(&self) -> usize {
        match self {
            Self::Sync { .. } | Self::DelayReq { .. } => event::LENGTH,
            Self::FollowUp { .. } => follow_up::LENGTH,
            Self::DelayResp { .. } => delay_resp::LENGTH,
            Self::Announce(_) => announce::LENGTH,
            Self::Signaling { .. } => signaling::LENGTH,
            Self::Management(_) => management::LENGTH,
        }
    }

    pub(super) fn parse(
        message_type: MessageType,
        reader: &mut Reader<'_>,
    ) -> Result<(Self, Reserved), ParseError> {
        let body = match message_type {
            MessageType::Sync => event::parse_sync(reader)?,
            MessageType::DelayReq => event::parse_delay_req(reader)?,
            MessageType::FollowUp => follow_up::parse(reader)?,
            MessageType::DelayResp => delay_resp::parse(reader)?,
            MessageType::Signaling => signaling::parse(reader)?,
            MessageType::Announce => {
                let (announce, reserved) = announce::parse(reader)?;
                return Ok((Self::Announce(announce), reserved));
            }
            MessageType::Management => {
                let (management, reserved) = management::parse(reader)?;
                return Ok((Self::Management(management), reserved));
            }
        };
        Ok((body, Reserved::default()))
    }

    pub(super) fn emit(&self, reserved: Reserved, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        match *self {
            Self::Sync { origin_timestamp } | Self::DelayReq { origin_timestamp } => {
                event::emit(origin_timestamp, writer)
            }
            Self::FollowUp { precise_origin_timestamp } => follow_up::emit(precise_origin_timestamp, writer),
            Self::DelayResp { receive_timestamp, requesting_port_identity } => {
                delay_resp::emit(receive_timestamp, requesting_port_identity, writer)
            }
            Self::Announce(ref announce) => announce::emit(announce, reserved, writer),
            Self::Signaling { target_port_identity } => signaling::emit(target_port_identity, writer),
            Self::Management(ref management) => management::emit(management, reserved, writer),
        }
    }
}
