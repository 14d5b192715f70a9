use super::*;
use std::time::Duration;

#[test]
fn a_difference_is_taken_back_at_its_rate_from_either_side() {
    let start = Instant::from_nanos(7);
    for sign in [1.0, -1.0] {
        let mut bridge = Bridge::new(start, 1_000.0);
        assert_eq!(bridge.left(start + Duration::from_secs(9)), 0.0);
        bridge.begin(start, sign * 5_000.0);
        assert_eq!(bridge.left(start), sign * 5_000.0);
        assert_eq!(bridge.left(start + Duration::from_secs(2)), sign * 3_000.0);
        assert_eq!(bridge.left(start + Duration::from_secs(60)).abs(), 0.0);
    }
}
