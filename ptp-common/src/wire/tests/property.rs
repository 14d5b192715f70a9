//! Every message comes back as it was, and no octets are too strange.

use super::*;
use crate::time::Correction;
use proptest::collection::vec;
use proptest::prelude::*;

fn timestamps() -> impl Strategy<Value = Timestamp> {
    (0..1_u64 << 48, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanoseconds)| Timestamp::new(seconds, nanoseconds).unwrap())
}

fn port_identities() -> impl Strategy<Value = PortIdentity> {
    any::<[u8; 10]>().prop_map(PortIdentity::from_bytes)
}

fn message_types() -> impl Strategy<Value = MessageType> {
    (0_u8..16).prop_filter_map("not supported", MessageType::from_nibble)
}

fn headers() -> impl Strategy<Value = Header> {
    let numbers = (0..0x1000_u16, 0..0x10_u8, any::<u8>(), any::<u16>(), any::<i64>(), any::<u32>());
    let rest = (port_identities(), any::<u16>(), any::<u8>(), any::<i8>());
    (numbers, rest).prop_map(|(numbers, rest)| {
        let (sdo_id, minor_version, domain_number, flags, correction, message_type_specific) = numbers;
        let (source_port_identity, sequence_id, control_field, log_message_interval) = rest;
        Header {
            sdo_id,
            minor_version,
            domain_number,
            flags: Flags(flags),
            correction_field: Correction::from_scaled(correction),
            message_type_specific,
            source_port_identity,
            sequence_id,
            control_field,
            log_message_interval,
        }
    })
}

fn announces() -> impl Strategy<Value = Announce> {
    let quality = (any::<u8>(), any::<u8>(), any::<u16>()).prop_map(
        |(clock_class, clock_accuracy, offset_scaled_log_variance)| ClockQuality {
            clock_class,
            clock_accuracy,
            offset_scaled_log_variance,
        },
    );
    let identity = any::<[u8; 8]>().prop_map(ClockIdentity);
    (timestamps(), any::<i16>(), any::<[u8; 2]>(), quality, identity, any::<u16>(), any::<u8>()).prop_map(
        |(origin_timestamp, current_utc_offset, priority, quality, identity, steps_removed, time_source)| {
            Announce {
                origin_timestamp,
                current_utc_offset,
                grandmaster_priority1: priority[0],
                grandmaster_clock_quality: quality,
                grandmaster_priority2: priority[1],
                grandmaster_identity: identity,
                steps_removed,
                time_source,
            }
        },
    )
}

fn bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        timestamps().prop_map(|origin_timestamp| Body::Sync { origin_timestamp }),
        timestamps().prop_map(|origin_timestamp| Body::DelayReq { origin_timestamp }),
        timestamps().prop_map(|precise_origin_timestamp| Body::FollowUp { precise_origin_timestamp }),
        (timestamps(), port_identities()).prop_map(|(receive_timestamp, requesting_port_identity)| {
            Body::DelayResp { receive_timestamp, requesting_port_identity }
        }),
        announces().prop_map(Body::Announce),
        port_identities().prop_map(|target_port_identity| Body::Signaling { target_port_identity }),
        (port_identities(), any::<[u8; 2]>(), 0..0x10_u8).prop_map(|(target, hops, action)| {
            Body::Management(Management {
                target_port_identity: target,
                starting_boundary_hops: hops[0],
                boundary_hops: hops[1],
                action,
            })
        }),
    ]
}

/// Tlv borrows its value: those of unknown type all carry a piece of this.
const VALUE: &[u8] = &[0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7];

fn cancels() -> impl Strategy<Value = CancelUnicast> {
    (message_types(), any::<bool>(), any::<bool>()).prop_map(
        |(message_type, maintain_request, maintain_grant)| CancelUnicast {
            message_type,
            maintain_request,
            maintain_grant,
        },
    )
}

fn tlvs() -> impl Strategy<Value = Tlv<'static>> {
    prop_oneof![
        (message_types(), any::<i8>(), any::<u32>()).prop_map(
            |(message_type, log_inter_message_period, duration_field)| {
                Tlv::RequestUnicast(RequestUnicast { message_type, log_inter_message_period, duration_field })
            }
        ),
        (message_types(), any::<i8>(), any::<u32>(), any::<bool>()).prop_map(
            |(message_type, log_inter_message_period, duration_field, renewal_invited)| {
                Tlv::GrantUnicast(GrantUnicast {
                    message_type,
                    log_inter_message_period,
                    duration_field,
                    renewal_invited,
                })
            }
        ),
        cancels().prop_map(Tlv::CancelUnicast),
        cancels().prop_map(Tlv::AcknowledgeCancelUnicast),
        (0..=VALUE.len() / 8)
            .prop_map(|clocks| Tlv::PathTrace(PathTrace::new(&VALUE[..8 * clocks]).unwrap())),
        (9..=u16::MAX, 0..=VALUE.len() / 2)
            .prop_map(|(tlv_type, pairs)| Tlv::Unknown { tlv_type, value: &VALUE[..2 * pairs] }),
    ]
}

/// A message with a few octets changed, and cut or padded: gets past the first checks, and often past all.
fn near_messages() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<usize>(), any::<u8>()), 0..4);
    (headers(), bodies(), vec(tlvs(), 0..6), changes, 0..8_usize).prop_map(
        |(header, body, tlvs, changes, length)| {
            let mut octets = [0; 256];
            let end = Message::new(header, body).emit_with_tlvs(&tlvs, &mut octets).unwrap();
            for (position, octet) in changes {
                octets[position % end] = octet;
            }
            octets[..end + length - 3].to_vec()
        },
    )
}

/// What must hold for any octets.
fn check_octets(octets: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(message) = Message::parse(octets) {
        let length = message.buffer_len();
        let mut emitted = std::vec![0; length];
        prop_assert_eq!(message.emit(&mut emitted), Ok(length));
        prop_assert_eq!(&emitted[..], &octets[..length]);
        prop_assert_eq!(octets[offset::MESSAGE_LENGTH..][..2].to_vec(), (length as u16).to_be_bytes());
        let tlvs: usize = message.suffix.iter().map(|tlv| tlv.buffer_len()).sum();
        prop_assert_eq!(tlvs, message.suffix.as_bytes().len());
    }
    Ok(())
}

proptest! {
    #[test]
    fn messages_come_back(header in headers(), body in bodies(), tlvs in vec(tlvs(), 0..6), padding in 0..3_usize) {
        let message = Message::new(header, body);
        let mut octets = [0; 256];
        let length = message.emit_with_tlvs(&tlvs, &mut octets).unwrap();
        let parsed = Message::parse(&octets[..length + padding]).unwrap();
        prop_assert_eq!(parsed.header, message.header);
        prop_assert_eq!(parsed.body, body);
        prop_assert!(parsed.suffix.iter().eq(tlvs));
        prop_assert_eq!(parsed.buffer_len(), length);
    }

    #[test]
    fn tlvs_come_back(tlv in tlvs()) {
        let mut octets = [0; 32];
        let length = tlv.emit(&mut octets).unwrap();
        prop_assert_eq!(length, tlv.buffer_len());
        prop_assert!(TlvSet::new(&octets[..length]).unwrap().iter().eq([tlv]));
        prop_assert_eq!(tlv.emit(&mut octets[..length - 1]), Err(EmitError::BufferTooSmall));
    }

    #[test]
    fn any_octets(octets in vec(any::<u8>(), 0..200)) {
        check_octets(&octets)?;
    }

    #[test]
    fn almost_messages(octets in near_messages()) {
        check_octets(&octets)?;
    }

    #[test]
    fn identities_come_back_from_text(identity in port_identities()) {
        prop_assert_eq!(identity.to_string().parse(), Ok(identity));
        prop_assert_eq!(PortIdentity::from_bytes(identity.to_bytes()), identity);
    }

    #[test]
    fn any_text(text in ".{0,24}") {
        let _ = text.parse::<ClockIdentity>();
        let _ = text.parse::<PortIdentity>();
    }
}
