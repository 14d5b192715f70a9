use super::*;

#[test]
fn the_mean_above_the_shortest_of_late() {
    let mut variation = Variation::default();
    assert_eq!(variation.mean_ns(), None);
    for number in 0..u64::from(BLOCK) {
        variation.take(1_000.0 + 100.0 * (number % 2) as f64);
    }
    assert_eq!(variation.mean_ns(), Some(50.0));
    // Another way: after two blocks the old one is forgotten.
    for _ in 0..2 * BLOCK {
        variation.take(5_000.0);
    }
    assert_eq!(variation.mean_ns(), Some(0.0));
}
