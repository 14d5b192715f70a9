//! The simulator against what was measured elsewhere: with ptp4l's servo it must come to ptp4l's figures.

use ptp_ctl::config::ServoKind;
use ptp_tests::bench::accuracy::{PI_TOLERANCE, PTP4L};
use ptp_tests::scenarios;

#[test]
fn the_pi_servo_comes_to_the_figures_of_ptp4l() {
    for (name, lowest, highest) in PTP4L {
        let scenario = scenarios::load(name, ServoKind::Pi).expect("it is one of the ready-made ones");
        let rms = scenario.run(1).statistics(&scenario).rms_ns;
        let range = lowest * (1.0 - PI_TOLERANCE)..=highest * (1.0 + PI_TOLERANCE);
        assert!(range.contains(&rms), "{name}: {rms} ns");
    }
}
