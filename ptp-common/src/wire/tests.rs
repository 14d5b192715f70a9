mod management;
mod property;
mod table;

use super::*;
use crate::time::Timestamp;
use std::vec::Vec;

/// A Sync without anything special: 44 octets.
fn sync() -> Vec<u8> {
    let mut octets = [0; 64];
    let message = Message::new(Header::default(), Body::Sync { origin_timestamp: Timestamp::ZERO });
    let length = message.emit(&mut octets).unwrap();
    octets[..length].to_vec()
}

fn set_length(octets: &mut [u8], length: u16) {
    octets[offset::MESSAGE_LENGTH..][..2].copy_from_slice(&length.to_be_bytes());
}

/// A Sync with those octets behind its body, all counted by messageLength.
fn sync_with_suffix(suffix: &[u8]) -> Vec<u8> {
    let mut octets = sync();
    octets.extend_from_slice(suffix);
    let length = octets.len() as u16;
    set_length(&mut octets, length);
    octets
}

fn header_with_length(first: u8, length: u16) -> [u8; 100] {
    let mut octets = [0; 100];
    octets[offset::MESSAGE_TYPE] = first;
    octets[offset::VERSION] = VERSION_PTP;
    set_length(&mut octets, length);
    octets
}

#[test]
fn every_piece_of_a_message_is_too_short() {
    let octets = sync();
    for length in 0..octets.len() {
        let error = if length < 34 { ParseError::Truncated } else { ParseError::LengthBeyondPacket };
        assert_eq!(Message::parse(&octets[..length]), Err(error), "{length}");
    }
}

#[test]
fn message_length_decides() {
    for (first, body_end) in [(0x0, 44), (0x1, 44), (0x8, 44), (0x9, 54), (0xb, 64), (0xc, 44), (0xd, 48)] {
        for length in 0..body_end {
            let octets = header_with_length(first, length);
            assert_eq!(Message::parse(&octets), Err(ParseError::LengthTooShort), "{first:#x} {length}");
        }
        let octets = header_with_length(first, body_end);
        let message = Message::parse(&octets).unwrap();
        assert_eq!(message.buffer_len(), usize::from(body_end));
        assert_eq!(message.body.message_type().nibble(), first);
        assert_eq!(message.suffix, TlvSet::EMPTY, "{first:#x}: octets behind messageLength are not TLVs");
        let octets = header_with_length(first, 101);
        assert_eq!(Message::parse(&octets), Err(ParseError::LengthBeyondPacket));
    }
}

#[test]
fn ipv6_padding_is_ignored() {
    let octets = sync();
    let mut padded = octets.clone();
    padded.extend_from_slice(&[0xab, 0xcd]);
    assert_eq!(Message::parse(&padded), Message::parse(&octets));
}

#[test]
fn versions() {
    for version in 0..=u8::MAX {
        let mut octets = sync();
        octets[offset::VERSION] = version;
        let parsed = Message::parse(&octets);
        if version & 0xf == 2 {
            assert_eq!(parsed.unwrap().header.minor_version, version >> 4);
        } else {
            assert_eq!(parsed, Err(ParseError::UnsupportedVersion));
        }
    }
}

#[test]
fn peer_delay_and_reserved_types_are_not_supported() {
    for nibble in [0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xe, 0xf] {
        let octets = header_with_length(nibble, 64);
        assert_eq!(Message::parse(&octets), Err(ParseError::UnsupportedMessageType), "{nibble:#x}");
    }
    assert_eq!(MessageType::from_nibble(0x10), None);
}

#[test]
fn a_timestamp_of_a_second_or_more_is_no_timestamp() {
    let mut octets = sync();
    octets[40..44].copy_from_slice(&999_999_999_u32.to_be_bytes());
    assert!(Message::parse(&octets).is_ok());
    octets[40..44].copy_from_slice(&1_000_000_000_u32.to_be_bytes());
    assert_eq!(Message::parse(&octets), Err(ParseError::TimestampOutOfRange));
}

#[test]
fn malformed_tlvs() {
    let cases: &[(&[u8], ParseError)] = &[
        (&[0], ParseError::TlvTruncated),
        (&[0, 3, 0], ParseError::TlvTruncated),
        (&[0, 3, 0, 2], ParseError::TlvTruncated),
        (&[0, 3, 0, 2, 7], ParseError::TlvTruncated),
        (&[0, 3, 0xff, 0xfe, 7, 7], ParseError::TlvTruncated),
        (&[0, 3, 0, 1, 7], ParseError::TlvOddLength),
        (&[0, 3, 0, 0, 0], ParseError::TlvTruncated),
        (&[0, 4, 0, 0], ParseError::UnicastTlvLength),
        (&[0, 4, 0, 4, 0, 0, 0, 0], ParseError::UnicastTlvLength),
        (&[0, 4, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0], ParseError::UnicastTlvLength),
        (&[0, 5, 0, 6, 0, 0, 0, 0, 0, 0], ParseError::UnicastTlvLength),
        (&[0, 6, 0, 0], ParseError::UnicastTlvLength),
        (&[0, 7, 0, 4, 0, 0, 0, 0], ParseError::UnicastTlvLength),
        // The second one is bad: the whole message is.
        (&[0, 6, 0, 2, 0xb1, 0, 0, 6, 0, 2], ParseError::TlvTruncated),
    ];
    for (suffix, error) in cases {
        assert_eq!(TlvSet::new(suffix), Err(*error), "{suffix:?}");
        assert_eq!(Message::parse(&sync_with_suffix(suffix)), Err(*error), "{suffix:?}");
    }
}

#[test]
fn unknown_tlvs_are_skipped_by_length() {
    let suffix = [0x80, 0x01, 0, 4, 1, 2, 3, 4, 0, 6, 0, 2, 0xb2, 0, 0x20, 0x00, 0, 0];
    let octets = sync_with_suffix(&suffix);
    let message = Message::parse(&octets).unwrap();
    let cancel =
        CancelUnicast { message_type: MessageType::Announce, maintain_request: false, maintain_grant: true };
    assert!(message.suffix.iter().eq([
        Tlv::Unknown { tlv_type: 0x8001, value: &[1, 2, 3, 4] },
        Tlv::CancelUnicast(cancel),
        Tlv::Unknown { tlv_type: 0x2000, value: &[] },
    ]));
}

#[test]
fn a_request_for_an_unknown_message_type_leaves_the_others_readable() {
    // Peer delay (0x3), then Sync.
    let suffix = [0, 4, 0, 6, 0x30, 0, 0, 0, 0, 60, 0, 4, 0, 6, 0x00, 0xfd, 0, 0, 1, 0x2c];
    let set = TlvSet::new(&suffix).unwrap();
    let sync =
        RequestUnicast { message_type: MessageType::Sync, log_inter_message_period: -3, duration_field: 300 };
    assert!(set.iter().eq([Tlv::Unknown { tlv_type: 4, value: &suffix[4..10] }, Tlv::RequestUnicast(sync)]));
}

#[test]
fn emit_with_tlvs_comes_behind_the_suffix() {
    let octets = sync_with_suffix(&[0x80, 0x01, 0, 2, 1, 2]);
    let message = Message::parse(&octets).unwrap();
    let mut emitted = [0xaa; 128];
    let length =
        message.emit_with_tlvs(&[Tlv::Unknown { tlv_type: 0x8002, value: &[3, 4] }], &mut emitted).unwrap();
    assert_eq!(length, octets.len() + 6);
    assert_eq!(&emitted[44..length], [0x80, 0x01, 0, 2, 1, 2, 0x80, 0x02, 0, 2, 3, 4]);
    assert_eq!(&emitted[2..4], (length as u16).to_be_bytes());
    assert_eq!(emitted[length], 0xaa);
}

#[test]
fn emit_refuses() {
    let body = Body::Sync { origin_timestamp: Timestamp::ZERO };
    let message = Message::new(Header::default(), body);
    assert_eq!(message.emit(&mut [0; 43]), Err(EmitError::BufferTooSmall));
    let mut octets = std::vec![0; 70_000];
    let wide = Header { sdo_id: 0x1000, ..Header::default() };
    assert_eq!(Message::new(wide, body).emit(&mut octets), Err(EmitError::OutOfRange));
    let wide = Header { minor_version: 0x10, ..Header::default() };
    assert_eq!(Message::new(wide, body).emit(&mut octets), Err(EmitError::OutOfRange));
    let wide = Management {
        target_port_identity: PortIdentity::WILDCARD,
        starting_boundary_hops: 0,
        boundary_hops: 0,
        action: 0x10,
    };
    assert_eq!(
        Message::new(Header::default(), Body::Management(wide)).emit(&mut octets),
        Err(EmitError::OutOfRange)
    );
    let odd = Tlv::Unknown { tlv_type: 3, value: &[1] };
    assert_eq!(message.emit_with_tlvs(&[odd], &mut octets), Err(EmitError::TlvOddLength));
    let value = std::vec![0; 65_536];
    let long = Tlv::Unknown { tlv_type: 3, value: &value };
    assert_eq!(message.emit_with_tlvs(&[long], &mut octets), Err(EmitError::TooLong));
    assert_eq!(long.emit(&mut octets), Err(EmitError::TooLong));
}

#[test]
fn origin_timestamp_is_patched_in_place() {
    let timestamp = Timestamp::new(0x0102_0304_0506, 0x0708_090a).unwrap();
    let mut octets = sync();
    let mut expected = octets.clone();
    expected[34..44].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(set_origin_timestamp(&mut octets, timestamp), Ok(()));
    assert_eq!(octets, expected);

    assert_eq!(set_origin_timestamp(&mut [], timestamp), Err(EmitError::BufferTooSmall));
    assert_eq!(set_origin_timestamp(&mut octets[..43], timestamp), Err(EmitError::BufferTooSmall));
    for (nibble, result) in [
        (0x1, Ok(())),
        (0xb, Ok(())),
        (0x2, Err(EmitError::NoOriginTimestamp)),
        (0x8, Err(EmitError::NoOriginTimestamp)),
        (0x9, Err(EmitError::NoOriginTimestamp)),
        (0xc, Err(EmitError::NoOriginTimestamp)),
    ] {
        let mut octets = header_with_length(nibble, 64);
        assert_eq!(set_origin_timestamp(&mut octets, timestamp), result, "{nibble:#x}");
    }
}

#[test]
fn identities_as_text() {
    let clock = ClockIdentity::from_mac([0x00, 0x11, 0x22, 0x33, 0x44, 0x5f]);
    let port = PortIdentity { clock_identity: clock, port_number: 1 };
    assert_eq!(clock.to_string(), "001122.fffe.33445f");
    assert_eq!(port.to_string(), "001122.fffe.33445f-1");
    assert_eq!("001122.FFFE.33445f".parse(), Ok(clock));
    assert_eq!("001122.fffe.33445f-1".parse(), Ok(port));
    for text in ["", "001122.fffe.33445", "001122.fffe.33445f0", "001122fffe33445f", "001122.fffe-33445f"] {
        assert_eq!(text.parse::<ClockIdentity>(), Err(IdentityError), "{text}");
    }
    for text in ["001122.fffe.33445f", "001122.fffe.33445f-", "001122.fffe.33445f-65536", "-1"] {
        assert_eq!(text.parse::<PortIdentity>(), Err(IdentityError), "{text}");
    }
}

#[test]
fn parse_errors_count_themselves() {
    for (index, error) in ParseError::ALL.into_iter().enumerate() {
        assert_eq!(error.index(), index);
        assert!(error.name().bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_'));
        assert_eq!(ParseError::ALL.into_iter().filter(|other| other.name() == error.name()).count(), 1);
    }
}
