use super::*;
use crate::engine::servo::tests::CONFIG;

/// A clock that is measured exactly, 8 times a second.
struct Plant {
    servo: PiServo,
    at: f64,
    error_ns: f64,
    inherent_ppb: f64,
    adjustment_ppb: f64,
    steps: Vec<f64>,
}

impl Plant {
    fn new(hardware_stamps: bool, error_ns: f64, inherent_ppb: f64) -> Self {
        let servo = PiServo::new(CONFIG, hardware_stamps);
        Self { servo, at: 1_000.0, error_ns, inherent_ppb, adjustment_ppb: 0.0, steps: Vec::new() }
    }

    fn run(&mut self, seconds: f64) {
        for _ in 0..(seconds * 8.0) as u32 {
            self.at += 0.125;
            self.error_ns += 0.125 * (self.inherent_ppb + self.adjustment_ppb);
            let at = Timestamp::from_nanos((self.at * 1e9) as u64);
            let measurement = Measurement { at, end: at, offset_ns: self.error_ns, delay_ns: 1e6 };
            match self.servo.exchange(measurement).expect("it takes exchanges") {
                Decision::Hold => {}
                Decision::Slew { frequency_ppb } => self.adjustment_ppb = frequency_ppb,
                Decision::Step { offset_ns, frequency_ppb } => {
                    self.steps.push(self.at);
                    self.error_ns -= offset_ns as f64;
                    self.adjustment_ppb = frequency_ppb;
                }
            }
        }
    }
}

#[test]
fn gains_are_those_of_ptp4l() {
    // As ptp4l logs them at these intervals: "PI servo: sync interval 1.000 kp 0.100 ki 0.001000".
    let servo = |hardware_stamps| PiServo::new(CONFIG, hardware_stamps);
    let gains = |servo: PiServo, interval| (servo.proportional.at(interval), servo.integral.at(interval));
    assert_eq!(gains(servo(false), 1.0), (0.1, 0.001));
    assert_eq!(gains(servo(true), 1.0), (0.7, 0.3));
    let (proportional, integral) = gains(servo(false), 0.125);
    assert!((proportional - 0.187).abs() < 0.001 && (integral - 0.000_435).abs() < 1e-6);
    // Slow messages: the loop must stay stable.
    assert_eq!(gains(servo(true), 16.0), (0.7 / 16.0, 0.3 / 16.0));
}

#[test]
fn measures_the_frequency_then_steps_once_and_settles() {
    let mut plant = Plant::new(false, 10e6, 10e3);
    plant.run(100.0);
    // 0.016/0.000435.
    let waited = plant.steps[0] - 1_000.0;
    assert!((36.0..38.0).contains(&waited), "{waited} s");
    assert_eq!(plant.steps.len(), 1);
    assert!(plant.servo.is_locked());
    assert!(plant.error_ns.abs() < 5.0, "{} ns", plant.error_ns);
    assert!((plant.servo.rate_error_ppb()).abs() < 1.0);
}

#[test]
fn follows_a_frequency_that_changes() {
    let mut plant = Plant::new(true, 1e3, 10e3);
    plant.run(20.0);
    plant.inherent_ppb += 500.0;
    plant.run(30.0);
    assert!(plant.error_ns.abs() < 1.0, "{} ns", plant.error_ns);
    assert!((plant.servo.hold() == Decision::Slew { frequency_ppb: plant.servo.frequency_ppb() }));
    assert!((plant.servo.frequency_ppb() + 10_500.0).abs() < 1.0);
}

#[test]
fn begins_anew_after_a_jump_above_the_threshold() {
    let mut plant = Plant::new(true, 0.0, 0.0);
    plant.run(20.0);
    plant.error_ns += 50e6;
    plant.run(20.0);
    assert_eq!(plant.steps.len(), 1);
    assert!(plant.error_ns.abs() < 1.0, "{} ns", plant.error_ns);
}

#[test]
fn a_delay_is_compared_with_the_median_of_those_before_it() {
    let mut servo = PiServo::new(CONFIG, false);
    let medians = [5.0, 1.0, 9.0, 2.0].map(|delay| servo.median(delay));
    assert_eq!(medians, [5.0, 5.0, 3.0, 5.0]);
    for _ in 0..DELAYS {
        servo.median(7.0);
    }
    assert_eq!(servo.median(100.0), 7.0);
    assert_eq!(servo.median(0.0), 7.0);
}
