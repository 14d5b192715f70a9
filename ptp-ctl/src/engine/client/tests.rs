mod contract;
mod partly;
mod renewal;
mod servers;
mod signaling;

use super::exchange::{Complete, Exchange, Exchanges, Unpaired};
use super::*;

const NOW: Instant = Instant::from_nanos(5_000_000_000);
const SYNC: u16 = 7;

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(1_000_000_000 + nanos)
}

/// The parts of one exchange whose client is 100 ns ahead over a path of 1000 ns, with corrections of 16 ns (Sync),
/// 4 ns (Follow_Up) and 30 ns (Delay_Resp).
fn deliver(exchanges: &mut Exchanges, part: usize, delay_req: u16) -> Result<Option<Exchange>, Unpaired> {
    let nanos = Interval::from_nanos;
    let complete: Result<Complete, _> = match part {
        0 => exchanges.sync(NOW, SYNC, at(1120), nanos(16), None),
        1 => exchanges.follow_up(NOW, SYNC, at(0), nanos(4)),
        2 => exchanges.sent(delay_req, Some(at(5000))),
        _ => exchanges.delay_resp(NOW, delay_req, at(5930), nanos(30)),
    };
    complete.map(|complete| complete.exchange)
}

/// A Sync, and the Delay_Req that it calls for.
fn open(exchanges: &mut Exchanges) -> u16 {
    assert_eq!(deliver(exchanges, 0, 0), Ok(None));
    exchanges.delay_req(NOW).expect("a Sync came")
}

fn permutations(parts: &mut [usize; 4], fixed: usize, check: &mut impl FnMut(&[usize; 4])) {
    if fixed == parts.len() {
        check(parts);
        return;
    }
    for place in fixed..parts.len() {
        parts.swap(fixed, place);
        permutations(parts, fixed + 1, check);
        parts.swap(fixed, place);
    }
}

#[test]
fn parts_pair_in_every_order() {
    let mut orders = 0;
    permutations(&mut [0, 1, 2, 3], 0, &mut |order| {
        // There is no Delay_Req before its Sync; everything else can overtake everything else.
        let place = |wanted| order.iter().position(|&part| part == wanted);
        if place(0) > place(2) || place(0) > place(3) {
            return;
        }
        orders += 1;
        let mut exchanges = Exchanges::default();
        let (mut delay_req, mut complete) = (0, None);
        for (place, &part) in order.iter().enumerate() {
            let result = deliver(&mut exchanges, part, delay_req).expect("every part comes once");
            assert_eq!(result.is_some(), place == 3, "{order:?}");
            complete = result;
            if part == 0 {
                delay_req = exchanges.delay_req(NOW).expect("a Sync came");
            }
        }
        let (offset, delay) = complete.expect("all parts came").offset_and_delay(Interval::ZERO, 0.0);
        assert_eq!((offset, delay), (100.0, 1000.0), "{order:?}");
        assert_eq!(exchanges.lost(), 0);
    });
    assert_eq!(orders, 8);
}

#[test]
fn repeated_parts_change_nothing() {
    for repeated in 0..4 {
        let mut exchanges = Exchanges::default();
        let delay_req = open(&mut exchanges);
        if repeated > 0 {
            assert_eq!(deliver(&mut exchanges, repeated, delay_req), Ok(None));
        }
        assert_eq!(deliver(&mut exchanges, repeated, delay_req), Err(Unpaired::Duplicate));
    }
}

#[test]
fn one_delay_req_for_one_sync() {
    let mut exchanges = Exchanges::default();
    assert_eq!(exchanges.delay_req(NOW), None);
    open(&mut exchanges);
    assert_eq!(exchanges.delay_req(NOW), None);
}

#[test]
fn interleaved_exchanges_do_not_mix() {
    let mut exchanges = Exchanges::default();
    let base = |sync: u16| u64::from(sync) * 1_000_000;
    let mut numbers = Vec::new();
    for sync in 0..8 {
        let now = NOW + Duration::from_millis(sync.into());
        assert_eq!(
            exchanges.sync(now, sync, at(base(sync) + 1100), Interval::ZERO, None),
            Ok(Complete::default())
        );
        numbers.push(exchanges.delay_req(now).expect("a Sync came"));
    }
    for sync in (0..8).rev() {
        let answer =
            exchanges.delay_resp(NOW, numbers[usize::from(sync)], at(base(sync) + 5900), Interval::ZERO);
        assert_eq!(answer, Ok(Complete::default()));
    }
    for sync in 0..8 {
        assert_eq!(
            exchanges
                .sent(numbers[usize::from(sync)], Some(at(base(sync) + 5000)))
                .map(|complete| complete.exchange),
            Ok(None)
        );
        let complete = exchanges.follow_up(NOW, sync, at(base(sync)), Interval::ZERO);
        let complete = complete.expect("no part came twice").exchange.expect("all parts came");
        assert_eq!(complete.offset_and_delay(Interval::ZERO, 0.0), (100.0, 1000.0));
    }
}

#[test]
fn an_answer_to_nothing_is_unknown() {
    let mut exchanges = Exchanges::default();
    let delay_req = open(&mut exchanges);
    let wrong = exchanges.delay_resp(NOW, delay_req.wrapping_add(1), at(0), Interval::ZERO);
    assert_eq!(wrong, Err(Unpaired::Unknown));
    assert_eq!(exchanges.sent(delay_req, None), Ok(Complete::default()));
    assert_eq!(exchanges.lost(), 1);
    assert_eq!(exchanges.delay_resp(NOW, delay_req, at(0), Interval::ZERO), Err(Unpaired::Unknown));
}

#[test]
fn the_local_timescale_is_moved_before_it_is_compared() {
    let mut exchanges = Exchanges::default();
    let delay_req = open(&mut exchanges);
    let mut complete = None;
    for part in 1..4 {
        complete = deliver(&mut exchanges, part, delay_req).expect("every part comes once");
    }
    let (offset, delay) = complete.expect("all parts came").offset_and_delay(Interval::from_secs(37), 0.0);
    assert_eq!((offset, delay), (100.0 + 37e9, 1000.0));
}

#[test]
fn a_fast_clock_does_not_shorten_the_path() {
    let mut exchanges = Exchanges::default();
    // 30 ppm fast, 100 ms between t2 and t3, a path of 1000 ns; the offset is 1500 ns in the middle.
    let t2 = at(1000);
    let t3 = t2 + Interval::from_nanos(100_003_000);
    exchanges.sync(NOW, SYNC, t2, Interval::ZERO, Some(at(0))).expect("new");
    let delay_req = exchanges.delay_req(NOW).expect("a Sync came");
    exchanges.sent(delay_req, Some(t3)).expect("open");
    let complete = exchanges.delay_resp(NOW, delay_req, at(100_002_000), Interval::ZERO);
    let complete = complete.expect("open").exchange.expect("all parts came");
    let (offset, delay) = complete.offset_and_delay(Interval::ZERO, 30_000.0);
    assert_eq!(offset, 1500.0);
    assert!((delay - 1000.0).abs() < 0.1, "{delay}");
}

#[test]
fn time_that_comes_from_ourselves_is_refused() {
    use super::announced::Announced;
    use ptp_common::wire::{Announce, ClockIdentity, ClockQuality, Header, PathTrace};

    let (own, other) = (ClockIdentity([1; 8]), ClockIdentity([2; 8]));
    let refused = |grandmaster_identity, steps_removed, path: &[u8]| {
        let announce = Announce {
            origin_timestamp: Timestamp::ZERO,
            current_utc_offset: 37,
            grandmaster_priority1: 128,
            grandmaster_clock_quality: ClockQuality {
                clock_class: 6,
                clock_accuracy: 0x21,
                offset_scaled_log_variance: 0xffff,
            },
            grandmaster_priority2: 128,
            grandmaster_identity,
            steps_removed,
            time_source: 0x20,
        };
        let trace = Tlv::PathTrace(PathTrace::new(path).expect("whole identities"));
        let packet = Packet::new(&Message::new(Header::default(), Body::Announce(announce)), &[trace]);
        let packet = packet.expect("fits");
        let message = Message::parse(packet.as_bytes()).expect("well formed");
        Announced::new(&message, announce, own, 3).refused
    };
    assert_eq!(refused(other, 2, &[2; 8]), None);
    assert_eq!(refused(own, 2, &[2; 8]), Some(Reason::TimingLoop));
    assert_eq!(refused(other, 2, &[[2; 8], [1; 8], [3; 8]].concat()), Some(Reason::TimingLoop));
    assert_eq!(refused(other, 3, &[]), Some(Reason::StepsRemoved));
}
