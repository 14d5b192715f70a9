use crate::net::pending::{Match, Pending};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(100);

fn filled(tokens: std::ops::Range<u32>, now: Instant) -> Pending<u32> {
    let mut pending = Pending::new(TIMEOUT);
    tokens.for_each(|token| pending.push(Some(token), now));
    pending
}

fn expired(pending: &mut Pending<u32>, now: Instant) -> Vec<u32> {
    std::iter::from_fn(|| pending.expired(now)).collect()
}

#[test]
fn stamps_in_any_order_find_their_tokens() {
    let now = Instant::now();
    let mut pending = filled(0..5, now);
    for count in [3, 0, 4, 2, 1] {
        assert_eq!(pending.take(count, now), Match::Token(count));
    }
    assert_eq!(pending.deadline(), None);
}

#[test]
fn a_stamp_counts_once() {
    let now = Instant::now();
    let mut pending = filled(0..3, now);
    assert_eq!(pending.take(1, now), Match::Token(1));
    assert_eq!(pending.take(1, now), Match::Unknown);
    assert_eq!(pending.take(0, now), Match::Token(0));
    assert_eq!(pending.take(0, now), Match::Late);
    assert_eq!(pending.take(7, now), Match::Unknown, "not sent yet");
}

#[test]
fn packets_without_a_token_are_counted() {
    let now = Instant::now();
    let mut pending = Pending::new(TIMEOUT);
    pending.push(None, now);
    pending.push(Some(1), now);
    pending.push(None, now);
    assert_eq!(pending.take(0, now), Match::Unasked);
    assert_eq!(pending.take(1, now), Match::Token(1));
    assert_eq!(expired(&mut pending, now + TIMEOUT), [] as [u32; 0]);
    assert_eq!(pending.deadline(), None);
}

#[test]
fn a_token_is_given_up_at_its_deadline_and_not_before() {
    let now = Instant::now();
    let mut pending = filled(0..1, now);
    pending.push(Some(1), now + TIMEOUT / 2);
    assert_eq!(pending.deadline(), Some(now + TIMEOUT));
    assert_eq!(expired(&mut pending, now + TIMEOUT - Duration::from_nanos(1)), [] as [u32; 0]);
    assert_eq!(expired(&mut pending, now + TIMEOUT), [0]);
    assert_eq!(pending.deadline(), Some(now + TIMEOUT * 3 / 2));
    assert_eq!(pending.take(0, now + TIMEOUT), Match::Late);
    assert_eq!(pending.take(1, now + TIMEOUT), Match::Token(1));
}

#[test]
fn a_token_that_got_its_stamp_does_not_expire() {
    let now = Instant::now();
    let mut pending = filled(0..3, now);
    assert_eq!(pending.take(1, now), Match::Token(1));
    assert_eq!(expired(&mut pending, now + TIMEOUT), [0, 2]);
}

#[test]
fn the_count_may_wrap() {
    let now = Instant::now();
    let mut pending = Pending::starting_at(u32::MAX - 1, TIMEOUT);
    (0..4).for_each(|token| pending.push(Some(token), now));
    for (count, token) in [(u32::MAX, 1), (1, 3), (u32::MAX - 1, 0), (0, 2)] {
        assert_eq!(pending.take(count, now), Match::Token(token));
    }
    assert_eq!(pending.take(u32::MAX, now), Match::Late);
}

#[test]
fn after_a_reset_old_stamps_do_not_match_new_packets() {
    let now = Instant::now();
    let mut pending = filled(0..3, now);
    let mut lost = Vec::new();
    pending.reset(now, |token| lost.push(token));
    assert_eq!(lost, [0, 1, 2]);
    (10..14).for_each(|token| pending.push(Some(token), now));
    // Counts 0 to 2 may be those of the packets from before.
    assert_eq!(pending.take(1, now), Match::Unknown);
    assert_eq!(pending.take(3, now), Match::Token(13));
    assert_eq!(expired(&mut pending, now + TIMEOUT), [10, 11, 12]);
    // Whatever was on its way has arrived by then.
    pending.push(Some(14), now + TIMEOUT);
    assert_eq!(pending.take(4, now + TIMEOUT), Match::Token(14));
}

#[test]
fn a_reset_with_nothing_on_its_way_costs_nothing() {
    let now = Instant::now();
    let mut pending = filled(0..1, now);
    assert_eq!(pending.take(0, now), Match::Token(0));
    pending.reset(now, |token| panic!("token {token} was not pending"));
    pending.push(Some(1), now);
    assert_eq!(pending.take(0, now), Match::Token(1));
}

#[test]
fn two_resets_in_a_row_remember_both_ranges() {
    let now = Instant::now();
    let mut pending = filled(0..4, now);
    for count in 0..2 {
        assert_eq!(pending.take(count, now), Match::Token(count));
    }
    // On their way: counts 2 and 3; then 0.
    pending.reset(now, drop);
    pending.push(Some(9), now);
    pending.reset(now, drop);
    (10..15).for_each(|token| pending.push(Some(token), now));
    for count in 0..4 {
        assert_eq!(pending.take(count, now), Match::Unknown);
    }
    assert_eq!(pending.take(4, now), Match::Token(14));
}

#[test]
fn a_reset_across_the_wrap_remembers_both_sides() {
    let now = Instant::now();
    let mut pending = Pending::starting_at(u32::MAX, TIMEOUT);
    (0..2).for_each(|token| pending.push(Some(token), now));
    pending.reset(now, drop);
    pending.push(Some(2), now);
    pending.push(Some(3), now);
    assert_eq!(pending.take(0, now), Match::Unknown);
    assert_eq!(pending.take(u32::MAX, now), Match::Unknown);
    assert_eq!(pending.take(1, now), Match::Token(3));
}
