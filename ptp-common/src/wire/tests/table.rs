//! Octets beside values, one message at a time. The octets are written by hand, field by field, from the tables of
//! the standard.

use super::*;
use crate::time::Correction;

/// Both ways.
#[track_caller]
fn check(octets: &[u8], header: Header, body: Body, tlvs: &[Tlv<'_>]) {
    let message = Message::parse(octets).unwrap();
    assert_eq!(message.header, header);
    assert_eq!(message.body, body);
    assert!(message.suffix.iter().eq(tlvs.iter().copied()), "{:?}", message.suffix);
    assert_eq!(message.buffer_len(), octets.len());
    let mut emitted = std::vec![0x55; octets.len()];
    assert_eq!(message.emit(&mut emitted), Ok(octets.len()));
    assert_eq!(emitted, octets);
}

/// From values only: reserved octets are zero then.
#[track_caller]
fn check_built(octets: &[u8], header: Header, body: Body, tlvs: &[Tlv<'_>]) {
    check(octets, header, body, tlvs);
    let mut emitted = std::vec![0x55; octets.len()];
    assert_eq!(Message::new(header, body).emit_with_tlvs(tlvs, &mut emitted), Ok(octets.len()));
    assert_eq!(emitted, octets);
}

const SOURCE: PortIdentity = PortIdentity {
    clock_identity: ClockIdentity([0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]),
    port_number: 0x0102,
};

fn timestamp(seconds: u64, nanoseconds: u32) -> Timestamp {
    Timestamp::new(seconds, nanoseconds).unwrap()
}

#[test]
fn sync() {
    let octets = [
        0x10, 0x12, 0x00, 0x2c, // majorSdoId 1, Sync; minorVersionPTP 1, versionPTP 2; messageLength 44
        0x2c, 0x23, 0x06, 0x0a, // domainNumber 44; minorSdoId; twoStep, unicast; leap59, ptpTimescale
        0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x80, 0x00, // correctionField 2.5 ns
        0xde, 0xad, 0xbe, 0xef, // messageTypeSpecific
        0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55, 0x01, 0x02, // sourcePortIdentity
        0xab, 0xcd, 0x00, 0x7f, // sequenceId; controlField; logMessageInterval
        0x00, 0x01, 0x65, 0x4a, 0x3b, 0x2c, 0x3b, 0x9a, 0xc9, 0xff, // originTimestamp
    ];
    let header = Header {
        sdo_id: 0x123,
        minor_version: 1,
        domain_number: 44,
        flags: Flags::TWO_STEP.with(Flags::UNICAST).with(Flags::LEAP_59).with(Flags::PTP_TIMESCALE),
        correction_field: Correction::from_scaled(0x2_8000),
        message_type_specific: 0xdead_beef,
        source_port_identity: SOURCE,
        sequence_id: 0xabcd,
        control_field: 0,
        log_message_interval: 0x7f,
    };
    let body = Body::Sync { origin_timestamp: timestamp(0x1_654a_3b2c, 999_999_999) };
    check_built(&octets, header, body, &[]);
}

#[test]
fn delay_req() {
    let octets = [
        0x01, 0x02, 0x00, 0x2c, // Delay_Req; versionPTP 2; messageLength 44
        0x00, 0x00, 0x04, 0x00, // domainNumber 0; minorSdoId 0; unicast
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, // correctionField -1 ns
        0x00, 0x00, 0x00, 0x00, // messageTypeSpecific
        0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55, 0x01, 0x02, // sourcePortIdentity
        0x00, 0x07, 0x01, 0x7f, // sequenceId; controlField; logMessageInterval
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // originTimestamp
    ];
    let header = Header {
        flags: Flags::UNICAST,
        correction_field: Correction::from_scaled(-0x1_0000),
        source_port_identity: SOURCE,
        sequence_id: 7,
        control_field: 1,
        log_message_interval: 0x7f,
        ..Header::default()
    };
    check_built(&octets, header, Body::DelayReq { origin_timestamp: Timestamp::ZERO }, &[]);
}

#[test]
fn follow_up() {
    let octets = [
        0x08, 0x02, 0x00, 0x2c, // Follow_Up; versionPTP 2; messageLength 44
        0x7f, 0x00, 0x00, 0x00, // domainNumber 127; minorSdoId 0; no flags
        0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // correctionField: too big
        0x00, 0x00, 0x00, 0x00, // messageTypeSpecific
        0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55, 0x01, 0x02, // sourcePortIdentity
        0xff, 0xff, 0x02, 0xfd, // sequenceId; controlField; logMessageInterval -3
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x01, // preciseOriginTimestamp
    ];
    let header = Header {
        domain_number: 127,
        correction_field: Correction::TOO_BIG,
        source_port_identity: SOURCE,
        sequence_id: 0xffff,
        control_field: 2,
        log_message_interval: -3,
        ..Header::default()
    };
    let body = Body::FollowUp { precise_origin_timestamp: timestamp(0xffff_ffff_ffff, 1) };
    check_built(&octets, header, body, &[]);
}

#[test]
fn delay_resp() {
    let octets = [
        0x09, 0x02, 0x00, 0x36, // Delay_Resp; versionPTP 2; messageLength 54
        0x00, 0x00, 0x04, 0x00, // domainNumber 0; minorSdoId 0; unicast
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // correctionField
        0x00, 0x00, 0x00, 0x00, // messageTypeSpecific
        0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55, 0x01, 0x02, // sourcePortIdentity
        0x00, 0x07, 0x03, 0x7f, // sequenceId; controlField; logMessageInterval
        0x00, 0x00, 0x65, 0x4a, 0x3b, 0x2c, 0x00, 0x00, 0x04, 0xd2, // receiveTimestamp
        0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0x00, 0x01, // requestingPortIdentity
    ];
    let header = Header {
        flags: Flags::UNICAST,
        source_port_identity: SOURCE,
        sequence_id: 7,
        control_field: 3,
        log_message_interval: 0x7f,
        ..Header::default()
    };
    let requesting_port_identity = PortIdentity {
        clock_identity: ClockIdentity([0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7]),
        port_number: 1,
    };
    let receive_timestamp = timestamp(0x654a_3b2c, 1234);
    check_built(&octets, header, Body::DelayResp { receive_timestamp, requesting_port_identity }, &[]);
}

fn announce_header() -> Header {
    Header {
        flags: Flags::UNICAST
            .with(Flags::CURRENT_UTC_OFFSET_VALID)
            .with(Flags::PTP_TIMESCALE)
            .with(Flags::TIME_TRACEABLE)
            .with(Flags::FREQUENCY_TRACEABLE),
        source_port_identity: SOURCE,
        sequence_id: 1,
        control_field: 5,
        log_message_interval: 1,
        ..Header::default()
    }
}

const ANNOUNCE: [u8; 76] = [
    0x0b, 0x02, 0x00, 0x4c, // Announce; versionPTP 2; messageLength 76
    0x00, 0x00, 0x04,
    0x3c, // domainNumber 0; minorSdoId 0; unicast; utcOffsetValid, ptp, traceable twice
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // correctionField
    0x00, 0x00, 0x00, 0x00, // messageTypeSpecific
    0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55, 0x01, 0x02, // sourcePortIdentity
    0x00, 0x01, 0x05, 0x01, // sequenceId; controlField; logMessageInterval
    0x00, 0x00, 0x65, 0x4a, 0x3b, 0x2c, 0x00, 0x00, 0x00, 0x05, // originTimestamp
    0xff, 0xdb, 0x00, 0x80, // currentUtcOffset -37; reserved; grandmasterPriority1 128
    0x06, 0x21, 0x4e,
    0x5d, // grandmasterClockQuality: clockClass, clockAccuracy, offsetScaledLogVariance
    0x81, // grandmasterPriority2
    0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, // grandmasterIdentity
    0x00, 0x02, 0x20, // stepsRemoved; timeSource GNSS
    0x00, 0x08, 0x00, 0x08, // PATH_TRACE, lengthField 8
    0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, // pathSequence
];

fn announce_body() -> Body {
    Body::Announce(Announce {
        origin_timestamp: timestamp(0x654a_3b2c, 5),
        current_utc_offset: -37,
        grandmaster_priority1: 128,
        grandmaster_clock_quality: ClockQuality {
            clock_class: 6,
            clock_accuracy: 0x21,
            offset_scaled_log_variance: 0x4e5d,
        },
        grandmaster_priority2: 129,
        grandmaster_identity: ClockIdentity([0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7]),
        steps_removed: 2,
        time_source: 0x20,
    })
}

#[test]
fn announce() {
    let path = [Tlv::PathTrace(PathTrace::new(&[0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7]).unwrap())];
    check_built(&ANNOUNCE, announce_header(), announce_body(), &path);
    let mut reserved = ANNOUNCE;
    reserved[46] = 0xee;
    check(&reserved, announce_header(), announce_body(), &path);
}

fn signaling_header() -> Header {
    Header {
        flags: Flags::UNICAST,
        source_port_identity: SOURCE,
        sequence_id: 9,
        control_field: 5,
        log_message_interval: 0x7f,
        ..Header::default()
    }
}

const SIGNALING: [u8; 44] = [
    0x0c, 0x02, 0x00, 0x00, // Signaling; versionPTP 2; messageLength: to come
    0x00, 0x00, 0x04, 0x00, // domainNumber 0; minorSdoId 0; unicast
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // correctionField
    0x00, 0x00, 0x00, 0x00, // messageTypeSpecific
    0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55, 0x01, 0x02, // sourcePortIdentity
    0x00, 0x09, 0x05, 0x7f, // sequenceId; controlField; logMessageInterval
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // targetPortIdentity
];

fn signaling_octets(tlvs: &[u8]) -> Vec<u8> {
    let mut octets = [&SIGNALING, tlvs].concat();
    octets[3] = octets.len() as u8;
    octets
}

#[test]
fn signaling() {
    let octets = signaling_octets(&[
        0x00, 0x04, 0x00, 0x06, // REQUEST_UNICAST_TRANSMISSION, lengthField 6
        0xb0, 0x01, 0x00, 0x00, 0x01, 0x2c, // Announce; every 2 s; 300 s
        0x00, 0x04, 0x00, 0x06, // REQUEST_UNICAST_TRANSMISSION, lengthField 6
        0x90, 0xfc, 0x01, 0x02, 0x03, 0x04, // Delay_Resp; 16 a second; durationField
        0x00, 0x05, 0x00, 0x08, // GRANT_UNICAST_TRANSMISSION, lengthField 8
        0x00, 0xf9, 0x00, 0x00, 0x03, 0xe8, 0x00, 0x01, // Sync; 128 a second; 1000 s; reserved; R
        0x00, 0x05, 0x00, 0x08, // GRANT_UNICAST_TRANSMISSION, lengthField 8
        0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // Delay_Resp; denied
        0x00, 0x06, 0x00, 0x02, 0xb2, 0x00, // CANCEL_UNICAST_TRANSMISSION: Announce; G; reserved
        0x00, 0x07, 0x00, 0x02, 0x91, 0x00, // ACKNOWLEDGE_CANCEL_...: Delay_Resp; R; reserved
    ]);
    let tlvs = [
        Tlv::RequestUnicast(RequestUnicast {
            message_type: MessageType::Announce,
            log_inter_message_period: 1,
            duration_field: 300,
        }),
        Tlv::RequestUnicast(RequestUnicast {
            message_type: MessageType::DelayResp,
            log_inter_message_period: -4,
            duration_field: 0x0102_0304,
        }),
        Tlv::GrantUnicast(GrantUnicast {
            message_type: MessageType::Sync,
            log_inter_message_period: -7,
            duration_field: 1000,
            renewal_invited: true,
        }),
        Tlv::GrantUnicast(GrantUnicast {
            message_type: MessageType::DelayResp,
            log_inter_message_period: 0,
            duration_field: 0,
            renewal_invited: false,
        }),
        Tlv::CancelUnicast(CancelUnicast {
            message_type: MessageType::Announce,
            maintain_request: false,
            maintain_grant: true,
        }),
        Tlv::AcknowledgeCancelUnicast(CancelUnicast {
            message_type: MessageType::DelayResp,
            maintain_request: true,
            maintain_grant: false,
        }),
    ];
    let body = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
    check_built(&octets, signaling_header(), body, &tlvs);
}

#[test]
fn reserved_bits_of_unicast_tlvs_are_ignored_and_kept() {
    let octets = signaling_octets(&[
        0x00, 0x04, 0x00, 0x06, 0xbf, 0x00, 0x00, 0x00, 0x00, 0x3c, // REQUEST, low nibble
        0x00, 0x05, 0x00, 0x08, 0x0f, 0x00, 0x00, 0x00, 0x00, 0x3c, 0xff, 0xfe, // GRANT, all but R
        0x00, 0x06, 0x00, 0x02, 0x0c, 0xff, // CANCEL, all but R and G
    ]);
    let tlvs = [
        Tlv::RequestUnicast(RequestUnicast {
            message_type: MessageType::Announce,
            log_inter_message_period: 0,
            duration_field: 60,
        }),
        Tlv::GrantUnicast(GrantUnicast {
            message_type: MessageType::Sync,
            log_inter_message_period: 0,
            duration_field: 60,
            renewal_invited: false,
        }),
        Tlv::CancelUnicast(CancelUnicast {
            message_type: MessageType::Sync,
            maintain_request: false,
            maintain_grant: false,
        }),
    ];
    let body = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
    check(&octets, signaling_header(), body, &tlvs);
}

#[test]
fn management() {
    let octets = [
        0x0d, 0x02, 0x00, 0x36, // Management; versionPTP 2; messageLength 54
        0x00, 0x00, 0x04, 0x00, // domainNumber 0; minorSdoId 0; unicast
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // correctionField
        0x00, 0x00, 0x00, 0x00, // messageTypeSpecific
        0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55, 0x01, 0x02, // sourcePortIdentity
        0x00, 0x03, 0x04, 0x7f, // sequenceId; controlField; logMessageInterval
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // targetPortIdentity
        0x05, 0x04, 0x02, 0x00, // startingBoundaryHops; boundaryHops; actionField RESPONSE; reserved
        0x00, 0x01, 0x00, 0x02, // MANAGEMENT, lengthField 2
        0x00, 0x00, // managementId NULL_PTP_MANAGEMENT
    ];
    let header = Header {
        flags: Flags::UNICAST,
        source_port_identity: SOURCE,
        sequence_id: 3,
        control_field: 4,
        log_message_interval: 0x7f,
        ..Header::default()
    };
    let body = Body::Management(Management {
        target_port_identity: PortIdentity::WILDCARD,
        starting_boundary_hops: 5,
        boundary_hops: 4,
        action: 2,
    });
    let tlvs = [Tlv::Unknown { tlv_type: 1, value: &[0, 0] }];
    check_built(&octets, header, body, &tlvs);
    let mut reserved = octets;
    reserved[46] |= 0xa0;
    reserved[47] = 0xbb;
    check(&reserved, header, body, &tlvs);
}

/// The offsets that the XDP program uses are those of the parser.
#[test]
fn offsets() {
    let mut octets = [0; 64];
    let timestamp = timestamp(0x0102_0304_0506, 0x0708_090a);
    let header = Header {
        sdo_id: 0x0e3,
        minor_version: 1,
        domain_number: 0x44,
        flags: Flags(0x5566),
        correction_field: Correction::from_scaled(0x1122_3344_5566_7788),
        message_type_specific: 0x99aa_bbcc,
        source_port_identity: SOURCE,
        sequence_id: 0xddee,
        control_field: 0,
        log_message_interval: 0x12,
    };
    let body = Body::DelayResp { receive_timestamp: timestamp, requesting_port_identity: SOURCE };
    assert_eq!(Message::new(header, body).emit(&mut octets), Ok(offset::DELAY_RESP_END));
    let expected: &[(usize, &[u8])] = &[
        (offset::MESSAGE_TYPE, &[0x09]),
        (offset::VERSION, &[0x12]),
        (offset::MESSAGE_LENGTH, &[0, 54]),
        (offset::DOMAIN_NUMBER, &[0x44]),
        (offset::MINOR_SDO_ID, &[0xe3]),
        (offset::FLAGS, &[0x55, 0x66]),
        (offset::CORRECTION_FIELD, &[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]),
        (offset::MESSAGE_TYPE_SPECIFIC, &[0x99, 0xaa, 0xbb, 0xcc]),
        (offset::SOURCE_PORT_IDENTITY, &SOURCE.to_bytes()),
        (offset::SEQUENCE_ID, &[0xdd, 0xee]),
        (offset::CONTROL_FIELD, &[3]),
        (offset::LOG_MESSAGE_INTERVAL, &[0x12]),
        (offset::TIMESTAMP, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (offset::REQUESTING_PORT_IDENTITY, &SOURCE.to_bytes()),
    ];
    for (offset, field) in expected {
        assert_eq!(&octets[*offset..][..field.len()], *field, "{offset}");
    }
    let body = Body::Signaling { target_port_identity: SOURCE };
    assert_eq!(Message::new(header, body).emit(&mut octets), Ok(44));
    assert_eq!(octets[offset::TARGET_PORT_IDENTITY..][..10], SOURCE.to_bytes());
}
