use super::*;
use ptp_common::time::Timestamp;
use ptp_common::wire::ClockQuality;

fn rank(clock_class: u8, local_priority: u8) -> Rank {
    rank_by(Select::Btca, clock_class, local_priority)
}

fn rank_by(select: Select, clock_class: u8, local_priority: u8) -> Rank {
    let announce = Announce {
        origin_timestamp: Timestamp::ZERO,
        current_utc_offset: 37,
        grandmaster_priority1: 128,
        grandmaster_clock_quality: ClockQuality {
            clock_class,
            clock_accuracy: 0x21,
            offset_scaled_log_variance: 0x4e5d,
        },
        grandmaster_priority2: 128,
        grandmaster_identity: ClockIdentity([1; 8]),
        steps_removed: 0,
        time_source: 0x20,
    };
    Rank::new(&announce, local_priority, select)
}

fn candidate(index: usize, rank: Rank, restoring: bool) -> Candidate {
    Candidate { index, rank, restoring }
}

#[test]
fn quality_beats_local_priority() {
    let servers = [candidate(0, rank(7, 1), false), candidate(1, rank(6, 2), false)];
    assert_eq!(choose(servers.into_iter(), Some(0)), Some(1));
}

#[test]
fn the_local_priority_can_come_first() {
    let by = |clock_class, local_priority| rank_by(Select::Priority, clock_class, local_priority);
    let servers = [candidate(0, by(6, 2), false), candidate(1, by(248, 1), false)];
    assert_eq!(choose(servers.into_iter(), Some(0)), Some(1));
    let equals = [candidate(0, by(7, 1), false), candidate(1, by(6, 1), false)];
    assert_eq!(choose(equals.into_iter(), None), Some(1));
}

#[test]
fn local_priority_decides_among_equals() {
    let servers = [candidate(0, rank(6, 2), false), candidate(1, rank(6, 1), false)];
    assert_eq!(choose(servers.into_iter(), None), Some(1));
}

#[test]
fn a_restoring_server_waits_unless_it_is_the_only_one() {
    let restoring = candidate(0, rank(6, 1), true);
    let standby = candidate(1, rank(6, 2), false);
    assert_eq!(choose([restoring, standby].into_iter(), Some(1)), Some(1));
    assert_eq!(choose([restoring].into_iter(), Some(1)), Some(0));
    assert_eq!(choose([restoring, standby].into_iter(), Some(0)), Some(0));
}

#[test]
fn no_candidates_no_choice() {
    assert_eq!(choose(std::iter::empty(), Some(0)), None);
}
