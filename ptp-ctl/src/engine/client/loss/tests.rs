use super::*;

const EIGHTH: Duration = Duration::from_millis(125);

fn after(losses: impl Iterator<Item = bool>) -> Loss {
    let mut loss = Loss::default();
    let mut missing = 0;
    for lost in losses {
        if lost {
            missing += 1;
        } else {
            loss.record(std::mem::take(&mut missing));
        }
    }
    loss
}

#[test]
fn without_losses_three_intervals_are_enough_from_the_start() {
    assert_eq!(Loss::default().threshold(3, EIGHTH), 3);
    assert_eq!(after((0..1000).map(|_| false)).threshold(3, EIGHTH), 3);
    assert_eq!(Loss::default().threshold(5, EIGHTH), 5);
}

#[test]
fn thresholds_grow_with_the_loss_and_shrink_again() {
    let mut random = fastrand::Rng::with_seed(1);
    let thresholds: Vec<u32> = [0.01, 0.05, 0.1, 0.3]
        .map(|share| after((0..2000).map(|_| random.f64() < share)).threshold(3, EIGHTH))
        .to_vec();
    assert!(thresholds.is_sorted() && thresholds[0] <= 5, "{thresholds:?}");
    assert!((14..=18).contains(&thresholds[3]), "{thresholds:?}");
    let mut loss = after((0..2000).map(|number| number % 3 == 0));
    for _ in 0..3000 {
        loss.record(0);
    }
    assert_eq!(loss.threshold(3, EIGHTH), 3);
}

/// The silence that losses make by themselves is shorter than the threshold, but for once in many days.
#[test]
fn losses_alone_are_hardly_ever_taken_for_more() {
    let mut random = fastrand::Rng::with_seed(2);
    for share in [0.02, 0.1, 0.3] {
        let mut loss = after((0..1000).map(|_| random.f64() < share));
        let (mut missing, mut false_alarms) = (0, 0);
        // A day and a half of it.
        for _ in 0..1_000_000 {
            if random.f64() < share {
                missing += 1;
                continue;
            }
            false_alarms += u32::from(missing >= loss.threshold(3, EIGHTH));
            loss.record(std::mem::take(&mut missing));
        }
        assert!(false_alarms <= 1, "{false_alarms} at {share}");
    }
}

#[test]
fn a_gap_needs_both_the_number_and_the_time() {
    let at = |intervals: u32| Instant::default() + EIGHTH * intervals;
    let mut stream = Stream::default();
    assert_eq!(stream.gap(at(0), 10, EIGHTH), None);
    assert_eq!(stream.gap(at(1), 11, EIGHTH), Some(0));
    assert_eq!(stream.gap(at(4), 14, EIGHTH), Some(2));
    // The server counts messages to others too.
    assert_eq!(stream.gap(at(5), 24, EIGHTH), Some(0));
    // It sends less often than it said.
    assert_eq!(stream.gap(at(8), 25, EIGHTH), Some(0));
    // A late one, and one that came twice.
    assert_eq!(stream.gap(at(9), 23, EIGHTH), None);
    assert_eq!(stream.gap(at(9), 25, EIGHTH), None);
    // It was restarted.
    assert_eq!(stream.gap(at(80), 50_000, EIGHTH), None);
    assert_eq!(stream.gap(at(81), 50_001, EIGHTH), Some(0));
}
