//! An entry of the table, as the words that are shared with the program.

use ptp_common::abi::Client;
use std::array;
use std::mem::offset_of;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Of an entry.
pub(super) const WORDS: usize = size_of::<Client>() / 4;

/// Nobody's.
pub(super) const EMPTY: Client = Client {
    address: [0; 16],
    port_identity: [0; 10],
    log_intervals: [0; 3],
    stamp_source: 0,
    next_hop: 0,
    expires: [0; 3],
    sequence_ids: [0; 2],
    bucket_ns: 0,
    served: 0,
    above_rate: 0,
};

/// Address and port identity.
pub(super) fn key(words: &[AtomicU32]) -> super::Key {
    let client = load(words);
    (client.address, client.port_identity)
}

/// Has it no address?
pub(super) fn is_nobodys(words: &[AtomicU32]) -> bool {
    words.iter().take(size_of::<[u8; 16]>() / 4).all(|word| word.load(Relaxed) == 0)
}

/// The entry as it is: each word of some moment.
pub(super) fn load(words: &[AtomicU32]) -> Client {
    let mut octets = [0; size_of::<Client>()];
    for (part, word) in octets.as_chunks_mut().0.iter_mut().zip(words) {
        *part = word.load(Relaxed).to_ne_bytes();
    }
    let u16_at = |offset| u16::from_ne_bytes(field(&octets, offset));
    let u32_at = |offset| u32::from_ne_bytes(field(&octets, offset));
    let expires = offset_of!(Client, expires);
    let sequence_ids = offset_of!(Client, sequence_ids);
    Client {
        address: field(&octets, offset_of!(Client, address)),
        port_identity: field(&octets, offset_of!(Client, port_identity)),
        log_intervals: field(&octets, offset_of!(Client, log_intervals)).map(u8::cast_signed),
        stamp_source: octets[offset_of!(Client, stamp_source)],
        next_hop: u16_at(offset_of!(Client, next_hop)),
        expires: array::from_fn(|service| u32_at(expires + 4 * service)),
        sequence_ids: array::from_fn(|service| u16_at(sequence_ids + 2 * service)),
        bucket_ns: u64::from_ne_bytes(field(&octets, offset_of!(Client, bucket_ns))),
        served: u32_at(offset_of!(Client, served)),
        above_rate: u32_at(offset_of!(Client, above_rate)),
    }
}

/// Writes an entry that the program does not see yet.
pub(super) fn store(words: &[AtomicU32], client: &Client) {
    for (word, value) in words.iter().zip(words_of(client)) {
        word.store(value, Relaxed);
    }
}

/// Writes the words in which `after` differs: the program may be counting in others.
pub(super) fn store_changes(words: &[AtomicU32], before: &Client, after: &Client) {
    for ((word, before), after) in words.iter().zip(words_of(before)).zip(words_of(after)) {
        if before != after {
            word.store(after, Relaxed);
        }
    }
}

fn words_of(client: &Client) -> [u32; WORDS] {
    let mut octets = [0; size_of::<Client>()];
    let mut put = |offset: usize, value: &[u8]| octets[offset..offset + value.len()].copy_from_slice(value);
    put(offset_of!(Client, address), &client.address);
    put(offset_of!(Client, port_identity), &client.port_identity);
    put(offset_of!(Client, log_intervals), &client.log_intervals.map(i8::cast_unsigned));
    put(offset_of!(Client, stamp_source), &[client.stamp_source]);
    put(offset_of!(Client, next_hop), &client.next_hop.to_ne_bytes());
    put(offset_of!(Client, expires), client.expires.map(u32::to_ne_bytes).as_flattened());
    put(offset_of!(Client, sequence_ids), client.sequence_ids.map(u16::to_ne_bytes).as_flattened());
    put(offset_of!(Client, bucket_ns), &client.bucket_ns.to_ne_bytes());
    put(offset_of!(Client, served), &client.served.to_ne_bytes());
    put(offset_of!(Client, above_rate), &client.above_rate.to_ne_bytes());
    let (words, _) = octets.as_chunks();
    array::from_fn(|index| u32::from_ne_bytes(words[index]))
}

fn field<const N: usize>(octets: &[u8; size_of::<Client>()], offset: usize) -> [u8; N] {
    array::from_fn(|index| octets[offset + index])
}
