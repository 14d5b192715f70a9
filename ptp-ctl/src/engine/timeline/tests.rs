use super::*;
use std::time::Duration;

const NOW: Instant = Instant::from_nanos(7_000_000_000);

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000_000 + nanos)
}

#[test]
fn adds_up_what_was_steered() {
    let mut timeline = Timeline::new(1_000.0);
    timeline.observe(NOW, at(0));
    assert_eq!(timeline.added(at(500_000_000)), Interval::ZERO);
    // 4 ppm more than at the start for a second, then 1 ppm less.
    timeline.adjust(NOW, 5_000.0);
    timeline.adjust(NOW + Duration::from_secs(1), 0.0);
    assert_eq!(timeline.added(at(500_000_000)), Interval::from_nanos(2_000));
    assert_eq!(timeline.added(at(1_000_000_000)), Interval::from_nanos(4_000));
    assert_eq!(timeline.added(at(3_000_000_000)), Interval::from_nanos(2_000));
}

#[test]
fn a_step_counts_as_steering() {
    let mut timeline = Timeline::new(0.0);
    timeline.observe(NOW, at(0));
    timeline.adjust(NOW, 1_000.0);
    timeline.step(NOW + Duration::from_secs(1), Interval::from_secs(-30));
    let after = at(0).saturating_add(Interval::from_secs(-29));
    assert_eq!(timeline.added(after), Interval::from_secs(-30) + Interval::from_nanos(1_000));
    let later = at(0).saturating_add(Interval::from_secs(-27));
    assert_eq!(timeline.added(later), Interval::from_secs(-30) + Interval::from_nanos(3_000));
    assert_eq!(timeline.reading(NOW + Duration::from_secs(3)), Some(later));
}

#[test]
fn a_change_counts_from_when_it_took_effect() {
    let mut timeline = Timeline::new(0.0);
    timeline.observe(NOW, at(0));
    timeline.adjust(NOW, 20_000.0);
    timeline.took_effect(at(1_000_000));
    assert_eq!(timeline.added(at(1_000_000)), Interval::ZERO);
    assert_eq!(timeline.added(at(2_000_000)), Interval::from_nanos(20));
    timeline.adjust(NOW + Duration::from_millis(2), 0.0);
    timeline.took_effect(at(3_000_000));
    assert_eq!(timeline.added(at(5_000_000)), Interval::from_nanos(40));
}

#[test]
fn after_a_step_too() {
    let mut timeline = Timeline::new(0.0);
    timeline.observe(NOW, at(0));
    timeline.step(NOW, Interval::from_secs(5));
    timeline.adjust(NOW, 20_000.0);
    timeline.took_effect(at(5_001_000_000));
    assert_eq!(timeline.added(at(5_001_000_000)), Interval::from_secs(5));
    assert_eq!(timeline.added(at(5_002_000_000)), Interval::from_secs(5) + Interval::from_nanos(20));
}

#[test]
fn remembers_the_last_changes_only() {
    let mut timeline = Timeline::new(0.0);
    timeline.observe(NOW, at(0));
    for second in 0..100 {
        timeline.adjust(NOW + Duration::from_secs(second), 1_000.0);
    }
    assert_eq!(timeline.added(at(100_000_000_000)), Interval::from_nanos(100_000));
    assert_eq!(timeline.added(at(70_000_000_000)), Interval::from_nanos(70_000));
}
