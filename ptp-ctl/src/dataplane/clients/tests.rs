use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// Memory of our own in place of the program's.
fn table(homes: u32) -> Clients<Vec<AtomicU32>> {
    let words = (homes + PROBES) as usize * entry::WORDS;
    Clients::over((0..words).map(|_| AtomicU32::new(0)).collect(), &config(homes))
}

fn config(homes: u32) -> abi::Config {
    abi::Config { abi_version: 0, mode: 0, device_bound: 0, homes, hash_seed: 7 }
}

fn key(number: u16) -> Key {
    let mut address = [0; 16];
    address[13] = 1;
    address[14..].copy_from_slice(&number.to_be_bytes());
    (address, [3; 10])
}

#[test]
fn an_entry_keeps_every_field() {
    let client = Client {
        address: array(1),
        port_identity: array(17),
        log_intervals: [-7, 4, 6],
        stamp_source: 2,
        next_hop: 0x1234,
        expires: [1, 2, u32::MAX],
        sequence_ids: [0xabcd, 0x0102],
        bucket_ns: 0x0102_0304_0506_0708,
        served: 9,
        above_rate: 10,
    };
    let table = table(2);
    entry::store(table.words(1), &client);
    assert_eq!(table.get(1), client);
    table.update(1, |client| client.expires[1] = 5);
    assert_eq!(table.get(1), Client { expires: [1, 5, u32::MAX], ..client });
}

fn array<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|index| first + index as u8)
}

#[test]
fn a_change_leaves_what_the_program_counts_meanwhile() {
    let mut table = table(2);
    let index = table.insert(&key(1)).unwrap();
    table.update(index, |client| {
        let word = &table.words(index)[std::mem::offset_of!(Client, served) / 4];
        word.store(77, Relaxed);
        client.expires[2] = 5;
    });
    assert_eq!((table.get(index).served, table.get(index).expires[2]), (77, 5));
}

#[test]
fn holds_as_many_as_it_says() {
    for capacity in [1, 40, 5000] {
        let mut table = table(abi::homes(capacity));
        for number in 0..capacity as u16 {
            table.insert(&key(number)).unwrap();
        }
        assert!(matches!(table.insert(&key(u16::MAX)), Err(DataPlaneError::Full { .. })));
        assert!((0..capacity as u16).all(|number| table.find(&key(number)).is_some()));
        table.clear();
        assert_eq!(table.iter().count(), 0);
        table.insert(&key(3)).unwrap();
    }
}

#[test]
fn what_was_in_use_is_empty_again() {
    let mut table = table(8);
    for _ in 0..3 {
        for number in 0..4 {
            table.insert(&key(number)).unwrap();
        }
        (0..4).for_each(|number| table.remove(&key(number)));
        assert!(table.clients.iter().all(|word| word.load(Relaxed) == 0));
    }
}

proptest! {
    /// Like a hash map, with look-ups that run into each other, and so does who opens the table after somebody else.
    #[test]
    fn finds_those_that_are_in_it(steps in prop::collection::vec((any::<bool>(), 0_u16..60), 0..400)) {
        let mut table = table(80);
        let mut model = HashMap::new();
        for (insert, number) in steps {
            if insert {
                match table.insert(&key(number)) {
                    Ok(index) => prop_assert_eq!(index, *model.entry(number).or_insert(index)),
                    Err(_) => prop_assert_eq!(model.len(), 40),
                }
            } else {
                table.remove(&key(number));
                model.remove(&number);
            }
            for number in 0..60 {
                prop_assert_eq!(table.find(&key(number)), model.get(&number).copied());
            }
        }
        let mut again = Clients::over(table.clients, &config(80));
        let mut found: Vec<u32> = again.iter().map(|(index, _)| index).collect();
        let mut expected: Vec<u32> = model.values().copied().collect();
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
        for number in (0..60).filter(|number| !model.contains_key(number)).take(40 - model.len()) {
            let index = again.insert(&key(number)).unwrap();
            prop_assert!(!model.values().any(|taken| *taken == index));
        }
    }
}
