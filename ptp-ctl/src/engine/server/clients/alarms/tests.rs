use super::*;
use std::ops::Range;
use std::time::Duration;

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Less than a power of two: short times are as likely as long ones.
fn within(random: &mut fastrand::Rng, log2: Range<u32>) -> u64 {
    let log2 = random.u32(log2);
    random.u64(..1 << log2)
}

/// All that rings until `end`, woken as a driver is.
fn ring_until(alarms: &mut Alarms, end: Instant) -> Vec<(Instant, u32)> {
    let mut rung = Vec::new();
    let mut now = Instant::default();
    while let Some(next) = alarms.next().filter(|next| *next <= end) {
        now = now.max(next);
        while let Some(place) = alarms.pop(now) {
            rung.push((now, place));
        }
    }
    rung
}

#[test]
fn alarms_ring_to_the_nanosecond_and_in_order() {
    let mut alarms = Alarms::new();
    let mut random = fastrand::Rng::with_seed(1);
    let mut expected = Vec::new();
    for place in 0..5_000 {
        // From a microsecond to days: every level, and beyond the last.
        let time = at(within(&mut random, 10..48));
        alarms.set(place, time);
        expected.push((time, place));
    }
    expected.sort_unstable();
    assert_eq!(ring_until(&mut alarms, NEVER), expected);
    assert_eq!(alarms.next(), None);
}

const NEVER: Instant = Instant::from_nanos(u64::MAX);

#[test]
fn alarms_are_moved_and_cleared_while_time_goes_on() {
    let mut alarms = Alarms::new();
    let mut random = fastrand::Rng::with_seed(2);
    let mut model = [None; 64];
    let mut now = at(5_000_000_000);
    alarms.advance(now);
    for _ in 0..200_000 {
        let place = random.u32(..64);
        match random.u32(..4) {
            0 => {
                alarms.clear(place);
                model[place as usize] = None;
            }
            1 => {
                let time = now + Duration::from_nanos(within(&mut random, 4..40));
                alarms.set(place, time);
                model[place as usize] = Some(time);
            }
            _ => {
                now = now + Duration::from_nanos(within(&mut random, 4..30));
                while let Some(place) = alarms.pop(now) {
                    let due = model[place as usize].take();
                    assert!(due.is_some_and(|due| due <= now), "{due:?} {now:?}");
                    assert!(model.iter().flatten().all(|other| *other >= due.unwrap()), "not in order");
                }
                assert!(model.iter().flatten().all(|due| *due > now), "one did not ring");
            }
        }
        let first = model.iter().flatten().min().copied();
        assert!(alarms.next() <= first || first.is_none(), "{:?} {first:?}", alarms.next());
        assert!((0..64).all(|place| alarms.get(place) == model[place as usize]));
    }
}

#[test]
fn bits_are_found_around_the_ring() {
    let mut bits = Bits::<2>::default();
    assert_eq!(bits.after(5), None);
    for (set, from, ahead) in [(6, 5, 1), (63, 0, 63), (64, 63, 1), (0, 127, 1), (5, 6, 127), (127, 0, 127)] {
        bits.set(set, true);
        assert_eq!(bits.after(from), Some(ahead), "{set} from {from}");
        bits.set(set, false);
    }
}
