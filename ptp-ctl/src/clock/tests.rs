use super::kernel::realtime_of;
use super::{
    Clock, ClockError, Kind, NoClock, Options, Timescale, VirtualClock, kernel_tai_offset, open, sys,
};
use proptest::prelude::*;
use ptp_common::time::{Interval, RawStamp, StampSource, Timestamp};

/// A CLOCK_REALTIME to start from, ns.
const START: u64 = 1_700_000_000_123_456_789;
const HOUR: u64 = 3600 * 1_000_000_000;
/// The frequency error of 1 ppb grows by 1e-9 ns each ns; products of two of them by 1e-18.
const ATTO: i128 = 1_000_000_000_000_000_000;

fn clock(offset_ns: i64, oscillator_ppb: f64) -> VirtualClock {
    VirtualClock::starting_at(START, offset_ns, oscillator_ppb).unwrap()
}

/// Exact drift in 1e-18 of the time passed, for whole ppb.
fn exact_drift(oscillator: i32, adjustment: i32) -> i128 {
    let (oscillator, adjustment) = (i128::from(oscillator), i128::from(adjustment));
    (oscillator + adjustment) * 1_000_000_000 + oscillator * adjustment
}

/// Distance of the clock's error from `exact` / 1e18 ns.
fn distance_ns(clock: &VirtualClock, real: u64, exact: i128) -> f64 {
    // The whole nanoseconds are taken away first, so that floating point sees small numbers only.
    let error = clock.error_at(real) - Interval::from_nanos(exact.div_euclid(ATTO));
    error.scaled() as f64 / 65536.0 - exact.rem_euclid(ATTO) as f64 / 1e18
}

proptest! {
    #[test]
    fn an_error_grows_with_time(
        oscillator in -500_000..=500_000,
        adjustment in -500_000..=500_000,
        offset in -10_000_000_000_i64..10_000_000_000,
        elapsed in 0..24 * HOUR,
    ) {
        let mut clock = clock(offset, f64::from(oscillator));
        clock.set_frequency_at(START, f64::from(adjustment)).unwrap();
        let exact = i128::from(offset) * ATTO + exact_drift(oscillator, adjustment) * i128::from(elapsed);
        prop_assert!(distance_ns(&clock, START + elapsed, exact).abs() < 0.01);
    }

    #[test]
    fn a_steered_clock_never_goes_back(
        oscillator in -500_000.0..500_000.0,
        changes in prop::collection::vec((0..3_000_000_000_u64, -500_000.0..500_000.0, 0..1_000_000_u64), 1..100),
    ) {
        let mut clock = clock(0, oscillator);
        let (mut real, mut latest) = (START, clock.map(START));
        for (pause, ppb, little) in changes {
            for passed in [0, pause / 2, pause] {
                let reading = clock.map(real + passed);
                prop_assert!(reading >= latest);
                latest = reading;
            }
            real += pause;
            let before = clock.map(real);
            clock.set_frequency_at(real, ppb).unwrap();
            let after = clock.map(real);
            prop_assert_eq!(before, after, "no jump where the rate changes");
            prop_assert!(clock.map(real + little) >= after);
        }
    }

    #[test]
    fn a_step_is_exact(
        oscillator in -500_000.0..500_000.0,
        elapsed in 0..HOUR,
        by in -(1_i128 << 80)..(1_i128 << 80),
        later in 0..HOUR,
    ) {
        let mut stepped = clock(-5, oscillator);
        let mut kept = stepped.clone();
        let by = Interval::from_scaled(by);
        stepped.step_at(START + elapsed, by);
        // The same anchor, so that only the step tells them apart.
        kept.set_frequency_at(START + elapsed, 0.0).unwrap();
        for real in [START + elapsed, START + elapsed + later] {
            prop_assert_eq!(stepped.error_at(real) - kept.error_at(real), by);
        }
        if elapsed > 0 {
            prop_assert_eq!(stepped.map(START + elapsed - 1), kept.map(START + elapsed - 1));
        }
    }

    #[test]
    fn an_old_stamp_keeps_its_meaning(
        oscillator in -500_000.0..500_000.0,
        changes in prop::collection::vec((1..1_000_000_000_u64, -500_000.0..500_000.0, -1_000_000..1_000_000_i64), 1..31),
        within in 0.0..1.0,
    ) {
        let mut clock = clock(0, oscillator);
        let (mut real, mut readings) = (START, Vec::new());
        for (pause, ppb, step) in changes {
            let stamp = real + (pause as f64 * within) as u64;
            readings.push((stamp.min(real + pause - 1), clock.map(stamp.min(real + pause - 1))));
            real += pause;
            if step % 5 == 0 {
                clock.step_at(real, Interval::from_nanos(step.into()));
            } else {
                clock.set_frequency_at(real, ppb).unwrap();
            }
        }
        for (stamp, reading) in readings {
            prop_assert_eq!(clock.map(stamp), reading);
        }
    }
}

#[test]
fn hours_of_steering_stay_exact() {
    let oscillator = 37_123;
    let mut clock = clock(0, f64::from(oscillator));
    let (mut real, mut exact, mut adjustment) = (START, 0, 0);
    // Eight changes a second for three hours, by amounts that walk all over the range.
    for change in 0..3 * 3600 * 8_i32 {
        let pause = 125_000_000 + (change as u64 * 7919) % 1_000_003;
        exact += exact_drift(oscillator, adjustment) * i128::from(pause);
        real += pause;
        adjustment = (change.wrapping_mul(104_729)) % 500_000;
        clock.set_frequency_at(real, f64::from(adjustment)).unwrap();
    }
    let distance = distance_ns(&clock, real, exact);
    assert!(distance.abs() < 0.01, "{distance} ns");
}

#[test]
fn an_adjustment_cancels_the_oscillators_error() {
    let mut clock = clock(5_000_000, 20_000.0);
    assert_eq!(clock.error_at(START), Interval::from_nanos(5_000_000));
    assert_eq!(clock.map(START).as_nanos(), i128::from(START) + 5_000_000);
    // 20 ppm fast for a second.
    let real = START + 1_000_000_000;
    assert_eq!(clock.error_at(real).round_nanos(), 5_020_000);
    clock.step_at(real, Interval::from_nanos(-5_020_000));
    clock.set_frequency_at(real, -20_000.0 / 1.000_02).unwrap();
    let error = clock.error_at(real + HOUR);
    assert!(error.abs() < Interval::from_nanos(1), "{error:?}");
}

#[test]
fn a_base_that_is_set_back_does_not_confuse_the_virtual_clock() {
    let mut clock = clock(100, 0.0);
    clock.set_frequency_at(START + HOUR, 1000.0).unwrap();
    // Somebody set CLOCK_REALTIME back by an hour; the next change comes from before the last.
    clock.set_frequency_at(START + 10, 0.0).unwrap();
    let error = clock.error_at(START + 10);
    assert_eq!(clock.error_at(START + HOUR), error);
    assert_eq!(clock.error_at(START + 9), Interval::from_nanos(100));
}

#[test]
fn more_changes_than_are_remembered_are_no_harm() {
    let mut clock = clock(0, 0.0);
    for change in 1..=1000 {
        clock.set_frequency_at(START + change * 1000, 1000.0).unwrap();
    }
    assert_eq!(clock.map(START + 1_000_000), Timestamp::from_nanos(START + 1_000_000));
    // 1 ppm since the first change.
    assert_eq!(clock.error_at(START + 1000 + 1_000_000_000).round_nanos(), 1000);
}

#[test]
fn a_reading_before_the_epoch_is_the_epoch() {
    let mut clock = clock(0, 0.0);
    clock.step_at(START, Interval::from_secs(-2_000_000_000));
    assert_eq!(clock.map(START), Timestamp::ZERO);
}

#[test]
fn frequencies_are_clamped_and_must_be_numbers() {
    let mut clock = clock(0, 0.0);
    assert_eq!(clock.set_frequency(1e9).unwrap(), clock.max_frequency());
    assert_eq!(clock.set_frequency(-1e9).unwrap(), -clock.max_frequency());
    for ppb in [f64::NAN, f64::INFINITY] {
        assert!(matches!(clock.set_frequency(ppb), Err(ClockError::Frequency { .. })));
        assert!(matches!(VirtualClock::new(0, ppb), Err(ClockError::Frequency { .. })));
    }
    assert_eq!(clock.frequency(), -clock.max_frequency(), "a refused one changes nothing");
}

#[test]
fn a_virtual_clock_runs_on_the_system_clock() {
    let options = Options { virtual_offset_ns: 7_000_000, virtual_frequency_ppb: 0.0, ..Options::default() };
    let mut clock = open(Kind::Virtual, &options).unwrap();
    assert_eq!((clock.kind(), clock.timescale()), ("virtual", Timescale::Utc));
    assert_eq!(clock.true_error(), Some(Interval::from_nanos(7_000_000)));
    clock.step(Interval::from_nanos(-6_000_000)).unwrap();
    assert_eq!(clock.true_error(), Some(Interval::from_nanos(1_000_000)));
    let before = super::realtime_nanos() + 1_000_000;
    let now = clock.now().unwrap();
    let after = super::realtime_nanos() + 1_000_000;
    assert!((Timestamp::from_nanos(before)..=Timestamp::from_nanos(after)).contains(&now));
}

#[test]
fn a_stamp_counts_the_clock_of_its_source() {
    let stamp = |source| RawStamp { nanos: START, source };
    let tai = START - 37_000_000_000;
    assert_eq!(realtime_of(stamp(StampSource::SocketSw), 37), Some(START));
    assert_eq!(realtime_of(stamp(StampSource::XdpSw), 37), Some(tai));
    assert_eq!(realtime_of(stamp(StampSource::XdpSw), 0), Some(START));
    assert_eq!(realtime_of(stamp(StampSource::XdpHw), 37), None);
    assert_eq!(realtime_of(stamp(StampSource::SocketHw), 37), None);
    assert_eq!(realtime_of(RawStamp { nanos: 5, source: StampSource::XdpSw }, 37), None, "before the epoch");

    let mut virtual_clock = clock(1000, 0.0);
    let mut none = NoClock::new();
    for (clock, ahead) in [(&mut virtual_clock as &mut dyn Clock, 1000), (&mut none, 0)] {
        clock.set_kernel_tai_offset(37);
        let at = |source| clock.at(stamp(source));
        assert_eq!(at(StampSource::SocketSw), Some(Timestamp::from_nanos(START + ahead)));
        assert_eq!(at(StampSource::XdpSw), Some(Timestamp::from_nanos(tai + ahead)));
        assert_eq!(at(StampSource::XdpHw), None);
        assert_eq!(at(StampSource::SocketHw), None);
    }
}

#[test]
fn measuring_only_changes_nothing() {
    let mut clock = open(Kind::None, &Options::default()).unwrap();
    clock.step(Interval::from_secs(1000)).unwrap();
    assert_eq!(clock.set_frequency(1000.0).unwrap(), 0.0);
    assert_eq!((clock.frequency(), clock.max_frequency()), (0.0, 0.0));
    let now = clock.now().unwrap().as_nanos();
    assert!((now - i128::from(super::realtime_nanos())).abs() < 1_000_000_000);
    assert_eq!(clock.true_error(), None);
}

#[test]
fn a_system_clock_opened_for_reading_is_only_read() {
    let mut clock = open(Kind::System, &Options::default()).unwrap();
    assert!(matches!(clock.step(Interval::ZERO), Err(ClockError::ReadOnly { clock: "system" })));
    assert!(matches!(clock.set_frequency(0.0), Err(ClockError::ReadOnly { clock: "system" })));
    let before = super::realtime_nanos();
    let now = clock.now().unwrap();
    assert!((Timestamp::from_nanos(before)..=Timestamp::from_nanos(super::realtime_nanos())).contains(&now));
    assert!(clock.frequency().abs() <= clock.max_frequency());
    assert_eq!(clock.timescale(), Timescale::Utc);
}

#[test]
fn a_missing_hardware_clock_says_what_is_missing() {
    let options = Options { interface: "eth7".to_owned(), steered: true, ..Options::default() };
    let Err(error) = open(Kind::Phc, &options) else { panic!("opened") };
    assert!(matches!(error, ClockError::NoPhc { .. }) && error.to_string().contains("eth7"), "{error}");
    let Err(error) = open(Kind::Phc, &Options { phc_index: Some(4_000_000), ..options }) else {
        panic!("opened")
    };
    assert!(matches!(error, ClockError::DeviceMissing { .. }), "{error}");
    assert!(error.to_string().contains("/dev/ptp4000000"), "{error}");
}

#[test]
fn the_kernels_clocks_can_be_read() {
    let (before, after) = (super::monotonic_nanos(), super::monotonic_nanos());
    assert!(before <= after);
    assert_ne!(kernel_tai_offset().unwrap(), Some(0));
}

#[test]
fn a_step_is_split_as_the_kernel_wants_it() {
    let split = |nanos| sys::split(Interval::from_nanos(nanos));
    assert_eq!(split(1_500_000_000), (1, 500_000_000));
    assert_eq!(split(-1), (-1, 999_999_999));
    assert_eq!(split(-2_000_000_000), (-2, 0));
    assert_eq!(sys::split(Interval::from_scaled(0x8000)), (0, 1), "rounded");
}

#[test]
fn the_narrowest_comparison_counts() {
    let triples = [[100, 5_000, 300], [1_000, 6_000, 1_040], [2_000, 7_000, 2_900]];
    let best = super::cross::narrowest(triples.into_iter()).unwrap();
    assert_eq!((best.phc_ns, best.system_ns, best.window_ns), (6_000, 1_020, 40));
}
