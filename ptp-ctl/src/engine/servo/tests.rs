use super::*;
use crate::engine::config::ServoConfig;

const CONFIG: ServoConfig = ServoConfig {
    first_step_threshold_ns: 20_000,
    step_threshold_ns: 10_000_000,
    initial_frequency_ppb: 0.0,
    max_frequency_ppb: 500_000.0,
};

/// A clock with a constant frequency error, steered by the servo under test.
struct Plant {
    servo: PiServo,
    now_ns: u64,
    error_ns: f64,
    inherent_ppb: f64,
    adjustment_ppb: f64,
    steps: u32,
}

impl Plant {
    fn new(error_ns: f64, inherent_ppb: f64) -> Self {
        Self { servo: PiServo::new(CONFIG), now_ns: 0, error_ns, inherent_ppb, adjustment_ppb: 0.0, steps: 0 }
    }

    fn run(&mut self, seconds: f64, interval: f64, noise: &mut impl FnMut() -> f64) -> f64 {
        let mut worst = 0.0_f64;
        for _ in 0..(seconds / interval) as u64 {
            self.now_ns += (interval * 1e9) as u64;
            self.error_ns += interval * (self.inherent_ppb + self.adjustment_ppb);
            worst = worst.max(self.error_ns.abs());
            let offset_ns = self.error_ns + noise();
            let at = Timestamp::from_nanos(self.now_ns);
            match self.servo.update(Measurement {
                at,
                end: at,
                offset_ns,
                delay_ns: 1_000.0,
                noise_ns: 200.0,
            }) {
                Decision::Hold => {}
                Decision::Slew { frequency_ppb } => self.adjustment_ppb = frequency_ppb,
                Decision::Step { offset_ns, frequency_ppb } => {
                    self.steps += 1;
                    self.error_ns -= offset_ns as f64;
                    self.adjustment_ppb = frequency_ppb;
                }
            }
        }
        worst
    }
}

#[test]
fn settles_at_every_rate() {
    for log in -7..=4 {
        let interval = 2f64.powi(log);
        let mut plant = Plant::new(5e6, 30e3);
        plant.run(60.0 + 400.0 * interval, interval, &mut || 0.0);
        assert!(plant.servo.is_locked(), "every {interval} s");
        assert!(plant.error_ns.abs() < 10.0, "every {interval} s: {} ns", plant.error_ns);
        assert_eq!(plant.steps, 2);
    }
}

#[test]
fn reduces_the_noise_of_measurements() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut noise = || (random.f64() - 0.5) * 2_000.0;
    let mut plant = Plant::new(5e6, 30e3);
    plant.run(60.0, 0.125, &mut noise);
    assert!(plant.run(600.0, 0.125, &mut noise) < 600.0);
}

#[test]
fn a_clock_that_is_right_is_never_stepped() {
    let mut plant = Plant::new(15_000.0, 10e3);
    plant.run(60.0, 0.125, &mut || 0.0);
    assert_eq!(plant.steps, 0);
    assert!(plant.error_ns.abs() < 100.0);
}

#[test]
fn one_wrong_measurement_does_not_step() {
    let mut plant = Plant::new(0.0, 0.0);
    plant.run(30.0, 0.125, &mut || 0.0);
    plant.run(0.25, 0.125, &mut || 1e9);
    plant.run(30.0, 0.125, &mut || 0.0);
    assert_eq!(plant.steps, 0);
}

#[test]
fn a_jump_of_the_clock_is_stepped_back() {
    let mut plant = Plant::new(0.0, 5e3);
    plant.run(30.0, 0.125, &mut || 0.0);
    plant.error_ns += 1e9;
    plant.run(30.0, 0.125, &mut || 0.0);
    assert!(plant.steps >= 1);
    assert!(plant.error_ns.abs() < 100.0);
}

#[test]
fn the_adjustment_stays_within_what_the_clock_can_do() {
    let mut plant = Plant::new(0.0, 600e3);
    plant.run(30.0, 0.125, &mut || 0.0);
    assert_eq!(plant.servo.frequency_ppb(), -500e3);
}
