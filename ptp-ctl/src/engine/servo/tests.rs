use super::*;
use crate::engine::config::{ServoConfig, ServoKind};

pub(super) const CONFIG: ServoConfig = ServoConfig {
    kind: ServoKind::Adaptive,
    first_step_threshold_ns: 20_000,
    step_threshold_ns: 10_000_000,
    max_slew_ppb: 10_000.0,
    initial_deviation_ppb: 100_000.0,
    initial_frequency_ppb: 0.0,
    max_frequency_ppb: 500_000.0,
};

/// A clock with a constant frequency error that is known exactly, steered by the servo under test.
struct Plant {
    servo: AdaptiveServo,
    at: f64,
    error_ns: f64,
    inherent_ppb: f64,
    adjustment_ppb: f64,
    steps: u32,
    fastest_ppb: f64,
}

impl Plant {
    fn new(config: ServoConfig, error_ns: f64, inherent_ppb: f64) -> Self {
        let servo = AdaptiveServo::new(config);
        Self { servo, at: 0.0, error_ns, inherent_ppb, adjustment_ppb: 0.0, steps: 0, fastest_ppb: 0.0 }
    }

    fn run(&mut self, seconds: f64, interval: f64) {
        self.fastest_ppb = 0.0;
        for _ in 0..(seconds / interval) as u64 {
            self.at += interval;
            let rate_ppb = self.inherent_ppb + self.adjustment_ppb;
            self.error_ns += interval * rate_ppb;
            self.fastest_ppb = self.fastest_ppb.max(rate_ppb.abs());
            let decision = self.servo.estimate(Tracking {
                at: self.at,
                offset_ns: self.error_ns,
                bound_ns: 50.0,
                frequency_ppb: self.inherent_ppb,
                frequency_bound_ppb: 10.0,
            });
            self.apply(decision.expect("it takes estimates"));
        }
    }

    fn apply(&mut self, decision: Decision) {
        match decision {
            Decision::Hold => {}
            Decision::Slew { frequency_ppb } => self.adjustment_ppb = frequency_ppb,
            Decision::Step { offset_ns, frequency_ppb } => {
                self.steps += 1;
                self.error_ns -= offset_ns as f64;
                self.adjustment_ppb = frequency_ppb;
            }
        }
    }
}

#[test]
fn settles_at_every_rate() {
    for log in -8..=5 {
        let interval = 2f64.powi(log);
        let mut plant = Plant::new(CONFIG, 5e6, 30e3);
        plant.run(5.0 + 60.0 * interval, interval);
        assert!(plant.servo.is_locked(), "every {interval} s");
        assert!(plant.error_ns.abs() < 1.0, "every {interval} s: {} ns", plant.error_ns);
        assert_eq!(plant.steps, 1);
        assert!((plant.servo.rate_error_ppb()).abs() < 1.0);
    }
}

#[test]
fn a_clock_that_is_right_is_never_stepped() {
    let mut plant = Plant::new(CONFIG, 15_000.0, 10e3);
    plant.run(60.0, 0.125);
    assert_eq!(plant.steps, 0);
    assert!(plant.error_ns.abs() < 1.0);
}

#[test]
fn a_locked_clock_is_slewed_no_faster_than_allowed() {
    let mut plant = Plant::new(CONFIG, 0.0, 5e3);
    plant.run(10.0, 0.125);
    plant.error_ns += 50_000.0;
    plant.run(4.0, 0.125);
    assert!(plant.fastest_ppb <= 10_000.0 + 1e-6, "{} ppb", plant.fastest_ppb);
    assert!(plant.error_ns > 5_000.0);
    plant.run(8.0, 0.125);
    assert!(plant.error_ns.abs() < 1.0);
    assert_eq!(plant.steps, 0);
}

#[test]
fn a_jump_above_the_threshold_is_stepped() {
    let mut plant = Plant::new(CONFIG, 0.0, 5e3);
    plant.run(30.0, 0.125);
    plant.error_ns += 1e9;
    plant.run(30.0, 0.125);
    assert_eq!(plant.steps, 1);
    assert!(plant.error_ns.abs() < 1.0);
}

#[test]
fn a_threshold_of_zero_never_steps_again() {
    let mut plant = Plant::new(ServoConfig { step_threshold_ns: 0, ..CONFIG }, 0.0, 5e3);
    plant.run(30.0, 0.125);
    plant.error_ns += 20e6;
    plant.run(2_100.0, 0.125);
    assert_eq!(plant.steps, 0);
    assert!(plant.error_ns.abs() < 1.0, "{} ns", plant.error_ns);
}

#[test]
fn without_a_server_only_the_frequency_stays_corrected() {
    let mut plant = Plant::new(CONFIG, 15_000.0, 7e3);
    plant.run(0.25, 0.125);
    let decision = plant.servo.hold();
    assert_eq!(decision, Decision::Slew { frequency_ppb: -7e3 });
    assert_eq!(plant.servo.rate_error_ppb(), 0.0);
}

#[test]
fn the_adjustment_stays_within_what_the_clock_can_do() {
    let mut plant = Plant::new(CONFIG, 0.0, 600e3);
    plant.run(30.0, 0.125);
    assert_eq!(plant.servo.frequency_ppb(), -500e3);
}
