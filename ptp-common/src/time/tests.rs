use super::*;
use proptest::prelude::*;

#[test]
fn timestamp_range() {
    assert_eq!(Timestamp::new(1 << 48, 0), Err(TimestampError::Seconds));
    assert_eq!(Timestamp::new(0, NANOS_PER_SEC), Err(TimestampError::Nanoseconds));
    assert_eq!(Timestamp::new((1 << 48) - 1, NANOS_PER_SEC - 1), Ok(Timestamp::MAX));
}

#[test]
fn additions_clamp() {
    assert_eq!(Timestamp::MAX + Interval::from_secs(1), Timestamp::MAX);
    assert_eq!(Timestamp::ZERO + Interval::from_secs(-1), Timestamp::ZERO);
    let half_a_nano_before = Timestamp::from_nanos(5) + Interval::from_scaled(-(1 << 15));
    assert_eq!(half_a_nano_before, Timestamp::from_nanos(4));
}

#[test]
fn rounding() {
    assert_eq!(Interval::from_scaled(1 << 15).round_nanos(), 1);
    assert_eq!(Interval::from_scaled((1 << 15) - 1).round_nanos(), 0);
    assert_eq!(Interval::from_scaled(-1).floor_nanos(), -1);
}

#[test]
fn too_big_correction_has_no_interval() {
    assert_eq!(Correction::TOO_BIG.interval(), None);
    assert_eq!(Correction::from_scaled(-3).interval(), Some(Interval::from_scaled(-3)));
}

proptest! {
    #[test]
    fn difference_undoes_addition(a in any::<u64>(), b in any::<u64>()) {
        let (a, b) = (Timestamp::from_nanos(a), Timestamp::from_nanos(b));
        prop_assert_eq!(a + (b - a), b);
    }
}
