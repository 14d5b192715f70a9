use super::*;
use crate::net::ipv4::mapped;

#[test]
fn rfc_1071_example() {
    // RFC 1071, section 3: 00-01 f2-03 f4-f5 f6-f7 sums up to ddf2.
    let sum = Sum::of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
    assert_eq!(sum.folded(), 0xddf2);
    assert_eq!(sum.checksum(), 0x220d);
}

#[test]
fn odd_octet_is_the_high_half_of_a_word() {
    assert_eq!(Sum::of(&[0x12, 0x34, 0x56]), Sum::of(&[0x12, 0x34, 0x56, 0x00]));
}

#[test]
fn long_input_does_not_overflow() {
    assert_eq!(Sum::of(&[0xff; 200_000]).folded(), 0xffff);
}

#[test]
fn ipv4_header_with_its_checksum_sums_up_to_ones() {
    // A widely published example header: checksum b861.
    let header = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0,
        0xa8, 0x00, 0xc7,
    ];
    assert_eq!(Sum::of(&header).folded(), 0xffff);
    let mut damaged = header;
    damaged[8] = 0x3f;
    assert_ne!(Sum::of(&damaged).folded(), 0xffff);
}

/// Sums up the datagram as the RFCs draw it, octet by octet.
fn reference(pseudo: &[u8], ports: [u16; 2], length: u16, payload: &[u8]) -> u16 {
    let mut octets = pseudo.to_vec();
    for word in [ports[0], ports[1], length, 0] {
        octets.extend(word.to_be_bytes());
    }
    octets.extend(payload);
    octets.push(0);
    let mut sum: u64 = octets.chunks_exact(2).map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

const SOURCE_4: [u8; 16] = mapped([10, 0, 1, 2]);
const DESTINATION_4: [u8; 16] = mapped([10, 0, 2, 1]);
const SOURCE_6: [u8; 16] = [0xfd, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const DESTINATION_6: [u8; 16] = [0xfd, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

#[test]
fn udp_over_both_families_agrees_with_the_rfcs() {
    for length in [1, 44, 45, 46] {
        let payload: Vec<u8> = (0..length).map(|n| (n * 37 + 5) as u8).collect();
        let udp_length = 8 + length as u16;

        let mut pseudo = vec![10, 0, 1, 2, 10, 0, 2, 1, 0, 17];
        pseudo.extend(udp_length.to_be_bytes());
        let computed = compute_udp(&SOURCE_4, &DESTINATION_4, [319, 319], udp_length, &payload);
        assert_eq!(computed, reference(&pseudo, [319, 319], udp_length, &payload));

        let mut pseudo = [SOURCE_6, DESTINATION_6].concat();
        pseudo.extend(u32::from(udp_length).to_be_bytes());
        pseudo.extend([0, 0, 0, 17]);
        let computed = compute_udp(&SOURCE_6, &DESTINATION_6, [40000, 319], udp_length, &payload);
        assert_eq!(computed, reference(&pseudo, [40000, 319], udp_length, &payload));
    }
}

#[test]
fn judgement_of_a_received_field() {
    let payload = [7; 44];
    for (source, destination, zero) in
        [(SOURCE_4, DESTINATION_4, UdpChecksum::Zero), (SOURCE_6, DESTINATION_6, UdpChecksum::Wrong)]
    {
        let judge = |checksum| judge_udp(&source, &destination, [319, 319], 52, checksum, &payload);
        let right = compute_udp(&source, &destination, [319, 319], 52, &payload);
        let pseudo = pseudo_header(&source, &destination, 52).folded();
        assert_eq!(judge(right), UdpChecksum::Right);
        assert_eq!(judge(0), zero);
        assert_eq!(judge(pseudo), UdpChecksum::PseudoHeaderOnly);
        assert_eq!(judge(!pseudo), UdpChecksum::Wrong);
        assert_eq!(judge(right ^ 0x0100), UdpChecksum::Wrong);
        let damaged = judge_udp(&source, &destination, [319, 319], 52, right, &[8; 44]);
        assert_eq!(damaged, UdpChecksum::Wrong);
    }
}

#[test]
fn a_checksum_of_zero_is_sent_as_ones_and_is_right() {
    // A payload whose first word is the checksum of the rest makes the sum all ones.
    let mut payload = [0; 44];
    let rest = compute_udp(&SOURCE_4, &DESTINATION_4, [319, 319], 52, &payload);
    payload[..2].copy_from_slice(&rest.to_be_bytes());
    assert_eq!(compute_udp(&SOURCE_4, &DESTINATION_4, [319, 319], 52, &payload), 0xffff);
    assert_eq!(judge_udp(&SOURCE_4, &DESTINATION_4, [319, 319], 52, 0xffff, &payload), UdpChecksum::Right);
}

#[test]
fn wide_words_sum_up_to_the_same() {
    let octets: [u8; 54] = std::array::from_fn(|index| (index * 73 + 200) as u8);
    let (a, b): (&[u8; 34], &[u8; 20]) = (octets.first_chunk().unwrap(), octets.last_chunk().unwrap());
    let sum = Sum::of(&octets).and_word(319);
    let wide = WordSum::from_raw(WordSum::of(a).raw()).and(WordSum::of(b)).and_word(319);
    assert_eq!(wide.checksum(), sum.checksum().to_be_bytes());
    let (c, d): (&[u8; 8], &[u8; 4]) = (octets.first_chunk().unwrap(), octets[8..].first_chunk().unwrap());
    let words = WordSum::default().and_u64(u64::from_ne_bytes(*c)).and_u32(u32::from_ne_bytes(*d));
    assert_eq!(words.checksum(), Sum::of(&octets[..12]).checksum().to_be_bytes());
    assert_eq!(WordSum::of(&[0xff; 54]).folded(), 0xffff);
    assert!(!wide.is_intact());
    let intact = wide.and(WordSum::of(&wide.checksum()));
    assert!(intact.is_intact());
    // UDP's zero goes out as all ones.
    assert_eq!(intact.udp_checksum(), [0xff; 2]);
}
