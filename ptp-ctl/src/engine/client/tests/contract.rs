//! One message type at one server.

use super::NOW;
use crate::engine::Instant;
use crate::engine::client::contract::{Answer, Contract, Patience};
use crate::engine::event::Reason;
use ptp_common::wire::{GrantUnicast, MessageType};
use std::time::Duration;

pub(super) fn grant(duration_field: u32) -> GrantUnicast {
    GrantUnicast {
        message_type: MessageType::Sync,
        log_inter_message_period: -3,
        duration_field,
        renewal_invited: true,
    }
}

fn contract() -> Contract {
    Contract::new(NOW, MessageType::Sync, true)
}

fn granted(duration: u32, jitter: f64) -> Contract {
    let mut contract = contract();
    contract.requested(NOW, jitter, Patience::Alone);
    assert_eq!(contract.granted(NOW, &grant(duration), jitter), Answer::Granted);
    contract
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// When the next requests go out, counted from the first, if none of them is answered.
fn waits(
    contract: &mut Contract,
    mut now: Instant,
    patience: Patience,
    jitter: f64,
    count: usize,
) -> Vec<f64> {
    let wait = |_| {
        assert!(contract.wants_request(now));
        contract.requested(now, jitter, patience);
        let next = contract.next_request().expect("it is wanted");
        assert!(!contract.wants_request(next - Duration::from_nanos(1)));
        let wait = next.since(now).as_secs_f64();
        now = next;
        wait
    };
    (0..count).map(wait).collect()
}

#[test]
fn unanswered_requests_are_repeated_by_the_schedule() {
    let alone = waits(&mut contract(), NOW, Patience::Alone, 0.0, 8);
    assert_eq!(alone, [1.0, 1.0, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]);
    let served = waits(&mut contract(), NOW, Patience::Served, 0.0, 11);
    assert_eq!(served, [1.0, 1.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]);
    let telecom = waits(&mut contract(), NOW, Patience::Telecom, 0.0, 5);
    assert_eq!(telecom, [1.0, 1.0, 1.0, 60.0, 60.0]);
}

#[test]
fn jitter_makes_no_wait_shorter_than_a_second_nor_longer_than_the_longest() {
    for (patience, longest) in [(Patience::Alone, 5.0), (Patience::Served, 60.0), (Patience::Telecom, 60.0)] {
        for wait in waits(&mut contract(), NOW, patience, 0.999, 12) {
            assert!((1.0..=longest).contains(&wait), "{patience:?}: {wait}");
        }
    }
}

#[test]
fn a_grant_nobody_asked_for_is_none() {
    let mut contract = contract();
    assert_eq!(contract.granted(NOW, &grant(60), 0.0), Answer::Unasked);
    assert!(contract.grant().is_none());
    contract.requested(NOW, 0.0, Patience::Alone);
    assert_eq!(contract.granted(NOW, &grant(60), 0.0), Answer::Granted);
    assert_eq!(contract.granted(NOW, &grant(1000), 0.0), Answer::Unasked);
    assert_eq!(contract.grant().expect("granted").duration, 60);
}

#[test]
fn renewal_starts_between_a_quarter_and_three_quarters_and_goes_on_to_the_end() {
    for (jitter, first) in [(0.0, 25.0), (0.5, 50.0), (1.0, 75.0)] {
        let mut contract = granted(100, jitter);
        assert_eq!(contract.next_request(), Some(NOW + secs(first)));
        let mut now = NOW;
        let mut tries = 0;
        while !contract.expire(now) {
            if contract.wants_request(now) {
                contract.requested(now, jitter, Patience::Served);
                assert_eq!(contract.status(now).state, "renewing");
                tries += 1;
            }
            now = contract.deadline().expect("it is wanted");
        }
        assert_eq!(now, NOW + secs(100.0));
        assert!(tries >= 12, "{tries} tries");
        assert_eq!(contract.status(now).state, "expired");
        assert!(contract.wants_request(now));
    }
}

#[test]
fn an_uninvited_renewal_comes_late_but_in_time() {
    for (jitter, at) in [(0.0, 75.0), (1.0, 90.0)] {
        let mut contract = contract();
        contract.requested(NOW, jitter, Patience::Alone);
        let uninvited = GrantUnicast { renewal_invited: false, ..grant(100) };
        contract.granted(NOW, &uninvited, jitter);
        assert_eq!(contract.next_request(), Some(NOW + secs(at)));
        assert_eq!(contract.status(NOW).renewal_invited, Some(false));
    }
}

#[test]
fn a_denial_is_told_once_and_asked_about_again_after_a_wait() {
    let mut contract = contract();
    contract.requested(NOW, 0.0, Patience::Alone);
    assert_eq!(contract.granted(NOW, &grant(0), 0.0), Answer::Denied(Some(Reason::SyncNegoDeny)));
    assert_eq!(contract.status(NOW).state, "denied");
    assert_eq!(contract.problem(), Some(Reason::SyncNegoDeny));
    assert!(!contract.wants_request(NOW + secs(0.999)));
    let now = NOW + secs(1.0);
    contract.requested(now, 0.0, Patience::Alone);
    assert_eq!(contract.problem(), Some(Reason::SyncNegoDeny));
    assert_eq!(contract.granted(now, &grant(0), 0.0), Answer::Denied(None));
    assert!(!contract.is_hopeless());
    contract.requested(now + secs(1.0), 0.0, Patience::Alone);
    contract.granted(now + secs(1.0), &grant(0), 0.0);
    assert!(contract.is_hopeless());
    contract.requested(now + secs(2.0), 0.0, Patience::Alone);
    assert_eq!(contract.granted(now + secs(2.0), &grant(60), 0.0), Answer::Granted);
    assert_eq!((contract.problem(), contract.is_hopeless()), (None, false));
}

#[test]
fn a_request_without_an_answer_is_found_at_a_check() {
    let mut contract = contract();
    contract.requested(NOW, 0.0, Patience::Alone);
    assert_eq!(contract.check(NOW + secs(0.9)), None);
    assert_eq!(contract.check(NOW + secs(1.0)), Some(Reason::SyncNegoFailed));
    assert_eq!(contract.check(NOW + secs(2.0)), None);
    assert_eq!(contract.status(NOW + secs(2.0)).age_s, 2.0);
}

#[test]
fn a_cancel_is_sent_until_it_is_acknowledged_or_three_times() {
    let mut contract = granted(300, 0.0);
    contract.want(NOW, false);
    assert_eq!((contract.status(NOW).state, contract.grant().is_none()), ("cancelled", true));
    let mut sent = Vec::new();
    let mut now = NOW;
    while contract.is_cancelling() {
        if contract.take_cancel(now) {
            sent.push(now.since(NOW).as_secs_f64());
        }
        now = contract.deadline().unwrap_or(now);
    }
    assert_eq!(sent, [0.0, 0.25, 0.75]);
    assert_eq!(now.since(NOW), secs(1.75));

    let mut contract = granted(300, 0.0);
    contract.want(NOW, false);
    assert!(contract.take_cancel(NOW));
    assert!(contract.acknowledged());
    assert_eq!(contract.deadline(), None);
}

#[test]
fn a_grant_that_comes_too_late_is_cancelled() {
    let mut contract = contract();
    contract.requested(NOW, 0.0, Patience::Alone);
    contract.want(NOW, false);
    assert_eq!(contract.granted(NOW, &grant(60), 0.0), Answer::Unwanted);
    assert!(contract.grant().is_none());
    assert!(contract.take_cancel(NOW));
}

#[test]
fn a_server_that_cancels_is_asked_again_at_once_but_not_in_a_loop() {
    let mut old = granted(300, 0.0);
    let now = NOW + secs(10.0);
    assert!(old.cancelled(now));
    assert_eq!(old.status(now).state, "cancelled");
    assert!(old.wants_request(now));
    assert!(!old.cancelled(now));
    let mut young = granted(300, 0.0);
    assert!(young.cancelled(NOW + secs(0.1)));
    assert!(!young.wants_request(NOW + secs(1.0)));
    assert!(young.wants_request(NOW + secs(1.1)));
}

#[test]
fn a_doubted_grant_is_asked_for_at_once_then_by_the_schedule() {
    let mut contract = granted(300, 0.0);
    let now = NOW + secs(10.0);
    contract.doubt(now);
    assert_eq!(waits(&mut contract, now, Patience::Alone, 0.0, 7), [1.0, 1.0, 1.0, 2.0, 4.0, 5.0, 5.0]);
    assert_eq!(contract.granted(now + secs(20.0), &grant(300), 0.0), Answer::Renewed);
}

#[test]
fn one_that_did_serve_is_asked_every_moment_for_a_minute_while_another_serves() {
    let mut contract = granted(300, 0.0);
    let now = NOW + secs(10.0);
    contract.doubt(now);
    let waits = waits(&mut contract, now, Patience::Served, 0.0, 66);
    assert!(waits[..64].iter().all(|&wait| wait == 0.8));
    assert_eq!(waits[64..], [60.0, 60.0]);
}
