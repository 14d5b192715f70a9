//! 200 simulated hours in which servers die and packets get lost, repeated and re-ordered at random. What fails is
//! shrunk to something that can be looked at.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ptp_tests::chaos::{Fault, Outage, Outcome, Plan, play};
use std::cell::Cell;
use std::time::Duration;

/// So many times [`HOURS`], and [`LOSSY_HOURS`].
const CASES: u32 = 40;
const HOURS: u64 = 4;
const LOSSY_HOURS: u32 = 40;
const HOUR: Duration = Duration::from_secs(3_600);
/// Most of a network that still deserves its name.
const MOST_LOSS: f64 = 0.3;

fn outages() -> impl Strategy<Value = Vec<Outage>> {
    let fault = prop_oneof![Just(Fault::Death), Just(Fault::Exit), Just(Fault::Cut)];
    let outage = (1_000..1_800_000_u64, 0..2_usize, 10..300_000_u64, fault).prop_map(
        |(after_ms, server, lasts_ms, fault)| Outage {
            after: Duration::from_millis(after_ms),
            server,
            lasts: Duration::from_millis(lasts_ms),
            fault,
        },
    );
    prop::collection::vec(outage, 0..20)
}

fn plans() -> impl Strategy<Value = Plan> {
    (any::<u64>(), 0.0..=MOST_LOSS, 0.0..0.2, 0..20_000_u64, outages()).prop_map(
        |(seed, loss, duplication, variation_us, outages)| Plan {
            seed,
            loss,
            duplication,
            variation: Duration::from_micros(variation_us),
            outages,
            lasts: HOUR * HOURS as u32,
        },
    )
}

#[test]
fn whatever_happens() {
    let config =
        Config { cases: CASES, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let false_switches = Cell::new(0);
    let played = Cell::new(0);
    let result = TestRunner::new_with_rng(config, fixed_rng()).run(&plans(), |plan| {
        let Outcome { false_switches: here, violations, .. } = play(&plan);
        false_switches.set(false_switches.get() + here);
        played.set(played.get() + 1);
        prop_assert!(violations.is_empty(), "{violations:#?}");
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert_eq!(played.get(), CASES);
    let days = f64::from(CASES) * HOURS as f64 / 24.0;
    let most = days.ceil() as u32;
    assert!(false_switches.get() < most, "{} false switches in {days:.1} days", false_switches.get());
}

/// The bound on false switches at the loss where it is hardest to keep.
#[test]
fn losses_alone_make_hardly_a_switch() {
    let plan = Plan {
        seed: 1,
        loss: MOST_LOSS,
        duplication: 0.05,
        variation: Duration::from_millis(5),
        outages: Vec::new(),
        lasts: LOSSY_HOURS * HOUR,
    };
    let Outcome { false_switches, violations, .. } = play(&plan);
    assert!(violations.is_empty(), "{violations:#?}");
    assert!(false_switches < 2, "{false_switches} false switches in {LOSSY_HOURS} h");
}

fn fixed_rng() -> proptest::test_runner::TestRng {
    proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha)
}
