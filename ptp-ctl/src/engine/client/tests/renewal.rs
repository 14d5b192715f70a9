//! Many clients of one server must not ask all at one time.

use super::NOW;
use super::contract::grant;
use crate::engine::client::contract::{Contract, Patience};
use ptp_common::wire::MessageType;
use std::time::Duration;

const CLIENTS: u64 = 100_000;
const DURATION: u32 = 300;
const SECONDS: usize = 1_500;
/// The server is restarted, and remembers nobody.
const RESTART: f64 = 700.0;
/// Clients with 1 Sync/s notice after three intervals, each at its own time.
const NOTICED: [f64; 2] = [2.0, 3.0];

/// Requests of each second. Everything is answered.
fn requests() -> Vec<u64> {
    let mut requests = vec![0; SECONDS];
    for client in 0..CLIENTS {
        let mut random = fastrand::Rng::with_seed(client);
        let mut contract = Contract::new(NOW, MessageType::Sync, true);
        let restarted = NOW + Duration::from_secs_f64(RESTART + NOTICED[0] + NOTICED[1] * random.f64());
        let mut doubted = false;
        while let Some(now) = contract.deadline() {
            if !doubted && now >= restarted {
                doubted = true;
                contract.doubt(restarted);
                continue;
            }
            let Some(second) = requests.get_mut(now.since(NOW).as_secs() as usize) else {
                break;
            };
            *second += 1;
            contract.requested(now, random.f64(), Patience::Alone);
            contract.granted(now, &grant(DURATION), random.f64());
        }
    }
    requests
}

/// The busiest second of some and their mean.
fn peak_and_mean(requests: &[u64]) -> (f64, f64) {
    let sum: u64 = requests.iter().sum();
    let peak = requests.iter().max().copied().unwrap_or(0);
    (peak as f64, sum as f64 / requests.len() as f64)
}

#[test]
fn renewals_of_100_000_clients_are_spread() {
    let requests = requests();
    assert_eq!(requests[0], CLIENTS);
    let first = 1 + requests[1..].iter().position(|&count| count > 0).expect("renewals");
    assert_eq!(first, 75);
    for (from, to) in [(first, RESTART as usize), (RESTART as usize + 10, SECONDS)] {
        let begins = from + requests[from..to].iter().position(|&count| count > 0).expect("renewals");
        let (peak, mean) = peak_and_mean(&requests[begins..to]);
        assert!(peak < 2.0 * mean, "{from} to {to} s: peak {peak}, mean {mean}");
    }
}
