use super::*;

fn samples(errors: &[f64]) -> Vec<Sample> {
    let sample = |(i, &error_ns): (usize, &f64)| Sample {
        at_s: i as f64 + 1.0,
        error_ns,
        server_error_ns: 0.0,
        estimate_ns: None,
        bound_ns: None,
    };
    errors.iter().enumerate().map(sample).collect()
}

fn at(points: &[Point], tau_s: f64) -> f64 {
    points.iter().find(|point| point.tau_s == tau_s).expect("that tau is there").ns
}

#[test]
fn mtie_by_hand() {
    let errors = [0.0, 3.0, 1.0, -2.0, 4.0, 4.0];
    // Neighbours differ by 3, 2, 3, 6, 0; three in a row span 3, 5, 6, 6; all of them 6.
    assert_eq!(mtie(&errors, 1), 6.0);
    assert_eq!(mtie(&[0.0, 3.0, 1.0, 0.5, 2.0], 1), 3.0);
    assert_eq!(mtie(&[0.0, 3.0, 5.0, 4.0, 4.0], 2), 5.0);
    assert_eq!(mtie(&errors, 5), 6.0);
    // A ramp of 2 ns/s.
    let ramp: Vec<f64> = (0..20).map(|i| 2.0 * f64::from(i)).collect();
    assert_eq!(mtie(&ramp, 1), 2.0);
    assert_eq!(mtie(&ramp, 10), 20.0);
}

#[test]
fn mtie_is_what_every_window_says() {
    let mut random = fastrand::Rng::with_seed(1);
    let errors: Vec<f64> = (0..300).map(|_| random.f64()).collect();
    for n in [1, 2, 7, 100, 299] {
        let widest = errors.windows(n + 1).map(|window| {
            let largest = window.iter().copied().fold(f64::MIN, f64::max);
            largest - window.iter().copied().fold(f64::MAX, f64::min)
        });
        assert_eq!(mtie(&errors, n), widest.fold(0.0, f64::max));
    }
}

#[test]
fn tdev_by_hand() {
    // n = 1: second differences -5, 1, 9 of 0, 3, 1, 0, 8: (25 + 1 + 81)/(6·3).
    assert_eq!(tdev(&[0.0, 3.0, 1.0, 0.0, 8.0], 1), (107.0_f64 / 18.0).sqrt());
    // n = 2, six samples, one group: (x5-2·x3+x1) + (x6-2·x4+x2) = (2-2·4+1) + (6-2·0+3) = 4; 16/(6·4).
    assert_eq!(tdev(&[1.0, 3.0, 4.0, 0.0, 2.0, 6.0], 2), (16.0_f64 / 24.0).sqrt());
    // A constant frequency has none.
    let ramp: Vec<f64> = (0..30).map(|i| 2.0 * f64::from(i)).collect();
    assert_eq!(tdev(&ramp, 5), 0.0);
}

#[test]
fn tdev_of_white_noise_falls_with_the_root_of_tau() {
    let mut random = fastrand::Rng::with_seed(2);
    let errors: Vec<f64> = (0..20_000).map(|_| crate::sim::random::normal(&mut random)).collect();
    for n in [1, 10, 100] {
        let expected = 1.0 / (n as f64).sqrt();
        assert!((tdev(&errors, n) / expected - 1.0).abs() < 0.1, "{n}: {}", tdev(&errors, n));
    }
}

#[test]
fn moments_of_what_is_measured() {
    let mut errors = vec![1e6; 10];
    errors.extend([3.0, -4.0, 3.0, -4.0]);
    let statistics = Statistics::of(&samples(&errors), 10.0, 100.0).expect("there are samples");
    assert_eq!((statistics.mean_ns, statistics.rms_ns), (-0.5, 12.5_f64.sqrt()));
    assert_eq!((statistics.p99_ns, statistics.max_ns, statistics.last_ns), (4.0, 4.0, -4.0));
    assert_eq!(statistics.settled_s, Some(11.0));
    assert_eq!(statistics.bound, None);
    assert_eq!(at(&statistics.mtie, 2.0), 7.0);
    assert_eq!(statistics.mtie.len(), 2);
    assert_eq!(statistics.tdev.len(), 1);
}

#[test]
fn p99_leaves_out_one_of_a_hundred() {
    let errors: Vec<f64> = (1..=100).map(f64::from).collect();
    assert_eq!(Statistics::of(&samples(&errors), 0.0, 1.0).expect("there are samples").p99_ns, 99.0);
}

#[test]
fn settled_means_for_good() {
    assert_eq!(settled(&samples(&[50.0, 1.0, 20.0, 2.0, 1.0]), 10.0), Some(4.0));
    assert_eq!(settled(&samples(&[1.0, 1.0]), 10.0), Some(1.0));
    assert_eq!(settled(&samples(&[1.0, 20.0]), 10.0), None);
    assert_eq!(Statistics::of(&[], 0.0, 1.0), None);
}

#[test]
fn bounds_are_compared_with_the_truth() {
    let sample = |estimate: Option<f64>, bound| Sample {
        at_s: 1.0,
        error_ns: 15.0,
        server_error_ns: 5.0,
        estimate_ns: estimate,
        bound_ns: bound,
    };
    let told = [sample(Some(13.0), Some(2.0)), sample(Some(6.0), Some(4.0)), sample(None, None)];
    let bound = Bound::of(&told).expect("two are told");
    assert_eq!((bound.held, bound.mean_ns), (0.5, 3.0));
    assert_eq!(bound.estimate_rms_ns, 12.5_f64.sqrt());
}
