//! Messages that get past the parser: their numbers come from the fuzzer, their identities mostly fit.

use arbitrary::Arbitrary;
use ptp_common::time::{Correction, Interval, Timestamp};
use ptp_common::wire::{
    Announce, Body, CancelUnicast, ClockIdentity, ClockQuality, Flags, GrantUnicast, Header, Management,
    Message, MessageType, PortIdentity, RequestUnicast, Tlv,
};

/// Room for every message here.
pub(crate) const CAPACITY: usize = 512;
/// More than an engine can answer in one message of its own.
const MOST_TLVS: usize = 32;

/// What the fuzzer decides about a message.
#[derive(Debug, Arbitrary)]
pub(crate) struct Content {
    kind: Kind,
    sequence_id: u8,
    flags: u16,
    correction: Option<i64>,
    log_message_interval: i8,
    /// Away from the time that it is.
    noise: i32,
    /// A foreign identity where the engine's own belongs.
    foreign: bool,
    /// 0 to 31 leave domainNumber right.
    domain: u8,
}

#[derive(Debug, Arbitrary)]
enum Kind {
    Sync,
    DelayReq,
    FollowUp,
    DelayResp,
    Announce { priority: u8, clock_class: u8, steps_removed: u8, utc_offset: i16, grandmaster: u8 },
    Signaling { tlvs: Vec<Negotiation> },
    Management { action: u8 },
}

#[derive(Clone, Copy, Debug, Arbitrary)]
struct Negotiation {
    what: What,
    message_type: u8,
    log_interval: i8,
    duration: u16,
    flags: (bool, bool),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum What {
    Request,
    Grant,
    Cancel,
    Acknowledge,
    Unknown,
}

impl Content {
    pub(crate) fn is_event(&self) -> bool {
        matches!(self.kind, Kind::Sync | Kind::DelayReq)
    }

    /// Writes the message that `source` sends to `target`; its length.
    pub(crate) fn emit(
        &self,
        source: PortIdentity,
        target: PortIdentity,
        time: Timestamp,
        octets: &mut [u8],
    ) -> usize {
        let time = time + Interval::from_nanos(self.noise.into());
        let target = if self.foreign { source } else { target };
        let header = Header {
            domain_number: self.domain.saturating_sub(31),
            flags: Flags(self.flags),
            correction_field: self.correction.map_or(Correction::ZERO, Correction::from_scaled),
            source_port_identity: source,
            sequence_id: self.sequence_id.into(),
            log_message_interval: self.log_message_interval,
            ..Header::default()
        };
        let mut tlvs = Vec::new();
        let body = match &self.kind {
            Kind::Sync => Body::Sync { origin_timestamp: time },
            Kind::DelayReq => Body::DelayReq { origin_timestamp: time },
            Kind::FollowUp => Body::FollowUp { precise_origin_timestamp: time },
            Kind::DelayResp => Body::DelayResp { receive_timestamp: time, requesting_port_identity: target },
            Kind::Announce { priority, clock_class, steps_removed, utc_offset, grandmaster } => {
                Body::Announce(Announce {
                    origin_timestamp: time,
                    current_utc_offset: *utc_offset,
                    grandmaster_priority1: *priority,
                    grandmaster_clock_quality: ClockQuality {
                        clock_class: *clock_class,
                        clock_accuracy: 0xfe,
                        offset_scaled_log_variance: 0xffff,
                    },
                    grandmaster_priority2: 128,
                    grandmaster_identity: ClockIdentity([*grandmaster; 8]),
                    steps_removed: (*steps_removed).into(),
                    time_source: 0xa0,
                })
            }
            Kind::Signaling { tlvs: negotiations } => {
                tlvs.extend(negotiations.iter().take(MOST_TLVS).map(Negotiation::tlv));
                Body::Signaling { target_port_identity: target }
            }
            Kind::Management { action } => Body::Management(Management {
                target_port_identity: target,
                starting_boundary_hops: 0,
                boundary_hops: 0,
                action: action & 0xf,
            }),
        };
        Message::new(header, body).emit_with_tlvs(&tlvs, octets).expect("there is room for so many TLVs")
    }
}

/// What a peer sends that is a good server and a good client at once.
pub(crate) fn service(sequence_id: u8) -> [Content; 5] {
    let request = |message_type| Negotiation {
        what: What::Request,
        message_type,
        log_interval: 0,
        duration: 60,
        flags: (false, false),
    };
    let tlvs = [0, 1, 2].map(request).to_vec();
    let announce =
        Kind::Announce { priority: 128, clock_class: 6, steps_removed: 0, utc_offset: 37, grandmaster: 1 };
    let flags = Flags::UNICAST.with(Flags::PTP_TIMESCALE).with(Flags::CURRENT_UTC_OFFSET_VALID);
    [
        (Kind::Signaling { tlvs }, flags),
        (announce, flags),
        (Kind::Sync, flags.with(Flags::TWO_STEP)),
        (Kind::FollowUp, flags),
        (Kind::DelayReq, flags),
    ]
    .map(|(kind, Flags(flags))| Content {
        kind,
        sequence_id,
        flags,
        correction: None,
        log_message_interval: 0,
        noise: 0,
        foreign: false,
        domain: 0,
    })
}

impl Negotiation {
    fn tlv(&self) -> Tlv<'static> {
        let message_type = match self.message_type % 5 {
            0 => MessageType::Announce,
            1 => MessageType::Sync,
            2 => MessageType::DelayResp,
            3 => MessageType::FollowUp,
            _ => MessageType::Signaling,
        };
        let log_inter_message_period = self.log_interval;
        let duration_field = self.duration.into();
        let (maintain_request, maintain_grant) = self.flags;
        let cancel = CancelUnicast { message_type, maintain_request, maintain_grant };
        match self.what {
            What::Request => {
                Tlv::RequestUnicast(RequestUnicast { message_type, log_inter_message_period, duration_field })
            }
            What::Grant => Tlv::GrantUnicast(GrantUnicast {
                message_type,
                log_inter_message_period,
                duration_field,
                renewal_invited: maintain_request,
            }),
            What::Cancel => Tlv::CancelUnicast(cancel),
            What::Acknowledge => Tlv::AcknowledgeCancelUnicast(cancel),
            What::Unknown => Tlv::Unknown { tlv_type: 0x8000, value: &[1, 2, 3, 4] },
        }
    }
}

/// Writes what `source` answers to a message; its length, 0 if there is nothing to answer.
pub(crate) fn reply(
    message: &[u8],
    source: PortIdentity,
    time: Timestamp,
    duration: u16,
    log_interval: Option<i8>,
    octets: &mut [u8],
) -> usize {
    let Ok(message) = Message::parse(message) else { return 0 };
    let header = Header {
        flags: Flags::UNICAST,
        source_port_identity: source,
        log_message_interval: 0x7f,
        correction_field: Correction::ZERO,
        ..message.header
    };
    let sender = message.header.source_port_identity;
    let mut tlvs = Vec::new();
    let body = match message.body {
        Body::DelayReq { .. } => {
            Body::DelayResp { receive_timestamp: time, requesting_port_identity: sender }
        }
        Body::Signaling { .. } => {
            for tlv in message.suffix {
                match tlv {
                    Tlv::RequestUnicast(request) => tlvs.push(Tlv::GrantUnicast(GrantUnicast {
                        message_type: request.message_type,
                        log_inter_message_period: log_interval.unwrap_or(request.log_inter_message_period),
                        duration_field: duration.into(),
                        renewal_invited: true,
                    })),
                    Tlv::CancelUnicast(cancel) => tlvs.push(Tlv::AcknowledgeCancelUnicast(cancel)),
                    _ => {}
                }
            }
            Body::Signaling { target_port_identity: sender }
        }
        _ => return 0,
    };
    Message::new(header, body).emit_with_tlvs(&tlvs, octets).expect("an engine sends short messages")
}
