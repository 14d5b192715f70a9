use super::*;
use crate::sim::delay::Term;
use crate::sim::trace::{Trace, Way};
use std::path::PathBuf;

fn link() -> Link {
    Link::new(fastrand::Rng::with_seed(1))
}

/// Arrivals of packets that are sent every microsecond, ns.
fn arrivals(path: &Path) -> Vec<u64> {
    let mut link = link();
    (0..10_000).flat_map(|number| link.arrivals(path, number * 1_000, true)).collect()
}

fn delay() -> Delay {
    Delay::constant(Duration::from_micros(10)).plus_exponential(Duration::from_micros(5))
}

#[test]
fn load_follows_its_points() {
    let load = Load { points: vec![(10.0, 0.2), (20.0, 0.2), (20.0, 0.8), (40.0, 0.4)], period: None };
    let expected = [(0.0, 0.2), (15.0, 0.2), (20.0, 0.8), (30.0, 0.6), (1e6, 0.4)];
    for (at, expected) in expected {
        assert!((load.at(at) - expected).abs() < 1e-12, "{at} s: {}", load.at(at));
    }
    let daily = Load { period: Some(100.0), ..load };
    assert_eq!(daily.at(1_015.0), 0.2);
    assert_eq!(Load::default().at(5.0), 0.0);
}

#[test]
fn packets_get_lost_and_doubled() {
    let path = Path { loss: 0.1, duplication: 0.2, ..Path::new(delay()) };
    let count = arrivals(&path).len();
    assert!((10_500..11_100).contains(&count), "{count}");
    assert!(arrivals(&Path::broken()).is_empty());
}

#[test]
fn packets_overtake_each_other_where_they_may() {
    let in_order = |arrivals: &[u64]| arrivals.is_sorted();
    assert!(!in_order(&arrivals(&Path::new(delay()))));
    assert!(in_order(&arrivals(&Path { overtaking: false, ..Path::new(delay()) })));
}

#[test]
fn general_packets_do_not_move_a_trace_on() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("delays"), "# ns\n100\n\n250.0\n").expect("it is writable");
    let mut trace = Trace::from(PathBuf::from("delays"));
    trace.load(directory.path(), Way::ToClient).expect("it is a trace");
    let path = Path::new(Delay { terms: vec![Term::Trace(trace)] });
    let mut link = link();
    let mut send = |is_event| link.arrivals(&path, 0, is_event)[0];
    assert_eq!([send(true), send(false), send(true), send(true)], [100, 250, 250, 100]);
}
