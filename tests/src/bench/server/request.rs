//! What clients send.

use super::stage::Link;
use anyhow::Result;
use ptp_common::time::Timestamp;
use ptp_common::wire::{
    Body, ClockIdentity, Flags, Header, Message, MessageType, PortIdentity, RequestUnicast, Tlv,
};
use ptp_load::{DELAY_REQ_FRAME, IP, MAX_FRAME, PTP, REQUEST_FRAME, UDP};

/// Seconds that clients ask for.
const DURATION: u32 = 600;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Delay_Req of clients that are numbered from 0.
    DelayReq,
    /// The same of others, whom no server knows.
    Stranger,
    /// A message whose messageLength is zero.
    Malformed,
    /// Signaling that asks for Announce every 2 s, Delay_Resp every second, and Sync.
    Negotiate { log_sync_interval: i8 },
}

/// Who a client is.
pub(super) fn client_identity(number: u32) -> PortIdentity {
    let [a, b, c, d] = number.to_be_bytes();
    PortIdentity { clock_identity: ClockIdentity([2, 0, 0, 0xff, a, b, c, d]), port_number: 1 }
}

/// Octets in it.
pub(super) fn frame_length(request: Request) -> usize {
    match request {
        Request::DelayReq | Request::Stranger | Request::Malformed => DELAY_REQ_FRAME,
        Request::Negotiate { .. } => REQUEST_FRAME,
    }
}

/// The frame of a client, without what is different in each.
pub(super) fn frame(link: &Link, request: Request, frame: &mut [u8; MAX_FRAME]) -> Result<usize> {
    let length = frame_length(request);
    let port = if matches!(request, Request::Negotiate { .. }) { 320_u16 } else { 319 };
    frame[..6].copy_from_slice(&link.server_mac);
    frame[6..12].copy_from_slice(&link.load_mac);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[IP..IP + 2].copy_from_slice(&[0x45, 0xe0]);
    frame[IP + 2..IP + 4].copy_from_slice(&((length - IP) as u16).to_be_bytes());
    frame[IP + 8..IP + 10].copy_from_slice(&[64, 17]);
    frame[IP + 16..IP + 20].copy_from_slice(&link.server_address.octets());
    frame[UDP..UDP + 2].copy_from_slice(&port.to_be_bytes());
    frame[UDP + 2..UDP + 4].copy_from_slice(&port.to_be_bytes());
    frame[UDP + 4..UDP + 6].copy_from_slice(&((length - UDP) as u16).to_be_bytes());
    let header = Header {
        flags: Flags::UNICAST,
        source_port_identity: client_identity(0),
        log_message_interval: 0x7f,
        ..Header::default()
    };
    let ask = |message_type, log_inter_message_period| {
        Tlv::RequestUnicast(RequestUnicast {
            message_type,
            log_inter_message_period,
            duration_field: DURATION,
        })
    };
    let payload = &mut frame[PTP..length];
    match request {
        Request::DelayReq | Request::Stranger => {
            let body = Body::DelayReq { origin_timestamp: Timestamp::ZERO };
            Message::new(header, body).emit_with_tlvs(&[], payload)?;
        }
        Request::Malformed => payload[1] = 2,
        Request::Negotiate { log_sync_interval } => {
            let body = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
            let tlvs = [
                ask(MessageType::Announce, 1),
                ask(MessageType::Sync, log_sync_interval),
                ask(MessageType::DelayResp, 0),
            ];
            Message::new(header, body).emit_with_tlvs(&tlvs, payload)?;
        }
    }
    Ok(length)
}
