//! Any octets: no panic, and what parses is emitted octet for octet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ptp_common::time::Timestamp;
use ptp_common::wire::{Message, TlvSet, set_origin_timestamp};

fuzz_target!(|octets: &[u8]| {
    let Ok(message) = Message::parse(octets) else { return };
    let length = message.buffer_len();
    let mut emitted = vec![0; length];
    assert_eq!(message.emit(&mut emitted), Ok(length));
    assert_eq!(emitted, octets[..length]);

    // A TLV by itself comes back as the same value, not always as the same octets: reserved bits become zero.
    let mut end = 0;
    for tlv in message.suffix {
        let mut octets = vec![0; tlv.buffer_len()];
        assert_eq!(tlv.emit(&mut octets), Ok(octets.len()));
        let set = TlvSet::new(&octets).expect("what was emitted is a TLV");
        assert!(set.iter().eq([tlv]));
        end += octets.len();
    }
    assert_eq!(end, message.suffix.as_bytes().len());

    if set_origin_timestamp(&mut emitted, Timestamp::MAX).is_ok() {
        assert!(Message::parse(&emitted).is_ok());
    } else {
        assert_eq!(emitted, octets[..length]);
    }
});
