//! What client and server agree on, and what becomes of it, under virtual time.

use ptp_common::wire::MessageType;
use ptp_ctl::engine::client::{ServerStatus, State};
use ptp_ctl::engine::config::{ClientConfig, Policy, ServerConfig, Standby};
use ptp_ctl::engine::event::{Kind, Reason};
use ptp_ctl::sim::{NodeId, Oscillator, Path, World};
use ptp_tests::sim::{
    CLIENT, SERVER_A, SERVER_B, client, errors, events, policy, secs, selected, server, state, status,
};
use std::time::Duration;

/// A server that grants less than is asked for.
fn stingy(number: u8) -> ServerConfig {
    let policy = Policy { max_duration: 20, min_log_interval: -1, ..policy() };
    ServerConfig { policy, ..server(number) }
}

fn one_server(seed: u64, config: ServerConfig) -> (World, NodeId, NodeId) {
    let mut world = World::new(seed);
    let a = world.add_server(SERVER_A, config, Oscillator::PERFECT);
    let client = world.add_client(CLIENT, client(&[SERVER_A]), Oscillator::new(0.0, 10e3));
    (world, a, client)
}

fn two_servers(seed: u64, config: ClientConfig) -> (World, NodeId, NodeId, NodeId) {
    let mut world = World::new(seed);
    let a = world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
    let b = world.add_server(SERVER_B, server(3), Oscillator::PERFECT);
    let client = world.add_client(CLIENT, config, Oscillator::new(1e6, 10e3));
    (world, a, b, client)
}

fn contracts(server: &ServerStatus) -> [&'static str; 3] {
    let grants = &server.grants;
    [grants.announce.state, grants.sync.state, grants.delay_resp.state]
}

/// When the client used the server in use next, counted from now.
fn next_use(world: &mut World, within: Duration) -> Duration {
    let from = world.now();
    world.take_reports();
    while world.now() - from < within {
        world.run_for(Duration::from_millis(5));
        if !errors(&world.take_reports()).is_empty() {
            return world.now() - from;
        }
    }
    panic!("nothing used within {within:?}");
}

#[test]
fn the_granted_values_rule() {
    let (mut world, _, client) = one_server(1, stingy(2));
    world.run_for(secs(600.0));
    let status = status(&world, client);
    let sync = &status.servers[0].grants.sync;
    assert_eq!((sync.duration_s, sync.log_interval), (Some(20), Some(-1)));
    assert!(status.servers[0].exchanges < 1300, "{} exchanges", status.servers[0].exchanges);
    let reports = world.take_reports();
    assert!(events(&reports, Kind::Expired).is_empty());
    assert!(events(&reports, Kind::Unusable).is_empty());
}

#[test]
fn states_and_their_ages_are_shown() {
    let (mut world, a, client) = one_server(2, server(2));
    world.kill(a);
    world.run_for(secs(2.5));
    let requested = status(&world, client);
    assert_eq!(contracts(&requested.servers[0]), ["requested"; 3]);
    assert_eq!(requested.servers[0].grants.sync.reason, Some(Reason::SyncNegoFailed));
    assert!((2.4..2.6).contains(&requested.servers[0].grants.sync.age_s));
    let reports = world.take_reports();
    let reasons: Vec<_> = events(&reports, Kind::Unanswered).iter().map(|(_, event)| event.reason).collect();
    assert_eq!(
        reasons,
        [Reason::AnnounceNegoTimeout, Reason::SyncNegoFailed, Reason::DelayrespNegoTimeout].map(Some)
    );

    let full = Policy { max_clients: 0, ..policy() };
    world.restart_server(a, ServerConfig { policy: full, ..server(2) });
    world.run_for(secs(6.0));
    let denied = status(&world, client);
    assert_eq!(contracts(&denied.servers[0]), ["denied"; 3]);
    assert_eq!(denied.servers[0].state, "unusable");
    assert_eq!(denied.servers[0].reason, Some(Reason::AnnounceNegoDeny));

    world.restart_server(a, server(2));
    world.run_for(secs(6.0));
    let granted = status(&world, client);
    assert_eq!(contracts(&granted.servers[0]), ["granted"; 3]);
    assert_eq!(granted.servers[0].grants.announce.renewal_invited, Some(true));
    assert_eq!(granted.servers[0].grants.announce.reason, None);
}

#[test]
fn a_server_that_forgets_is_noticed_within_a_few_intervals() {
    for seed in 0..10 {
        let (mut world, a, client) = one_server(seed, server(2));
        world.run_for(secs(10.0));
        assert_eq!(state(&world, client), State::Locked);
        world.restart_server(a, server(2));
        let gap = next_use(&mut world, secs(5.0));
        assert!(gap < secs(1.0), "{gap:?} with seed {seed}");
    }
}

#[test]
fn the_only_server_is_back_in_use_in_no_time() {
    for (down, bar) in [(2.0, 1.5), (60.0, 6.0)] {
        for seed in 0..20 {
            let (mut world, a, _) = one_server(seed, server(2));
            world.run_for(secs(20.0 + 0.07 * seed as f64));
            world.kill(a);
            world.run_for(secs(down));
            world.restart_server(a, server(2));
            let back = next_use(&mut world, secs(20.0));
            assert!(back < secs(bar), "down {down} s: {back:?} with seed {seed}");
        }
    }
}

#[test]
fn a_better_server_is_back_in_use_within_a_second_without_wait_to_restore() {
    for seed in 0..20 {
        let config =
            ClientConfig { wait_to_restore: Duration::ZERO, duration: 300, ..client(&[SERVER_A, SERVER_B]) };
        let (mut world, a, _, client) = two_servers(seed, config);
        world.run_for(secs(20.0));
        world.kill(a);
        world.run_for(secs(10.0 + 0.07 * seed as f64));
        assert_eq!(selected(&world, client), Some(SERVER_B));
        world.restart_server(a, server(2));
        world.run_for(secs(1.0));
        assert_eq!(selected(&world, client), Some(SERVER_A), "seed {seed}");
    }
}

#[test]
fn a_dead_server_is_asked_ever_less_often_while_another_serves_and_at_once_when_none_does() {
    let (mut world, a, b, client) = two_servers(3, client(&[SERVER_A, SERVER_B]));
    world.run_for(secs(10.0));
    world.kill(a);
    world.run_for(secs(600.0));
    let before = world.packets(CLIENT, SERVER_A);
    world.run_for(secs(600.0));
    let asked = world.packets(CLIENT, SERVER_A) - before;
    assert!((10..=12).contains(&asked), "asked {asked} times in 600 s");
    // The other one is killed just after the first is back.
    world.restart_server(a, server(2));
    world.kill(b);
    world.run_for(secs(2.0));
    assert_eq!(selected(&world, client), Some(SERVER_A));
}

#[test]
fn a_cancel_is_repeated_until_the_server_has_heard_it() {
    let (mut world, a, client) = one_server(4, server(2));
    world.run_for(secs(10.0));
    world.set_path(CLIENT, SERVER_A, Path::broken());
    world.shutdown(client);
    world.run_for(secs(0.3));
    let clients = |world: &World| world.server(a).expect("a server").status(world.instant()).clients.len();
    assert_eq!(clients(&world), 1);
    world.set_path(CLIENT, SERVER_A, Path::default());
    world.run_for(secs(0.5));
    assert_eq!(clients(&world), 0);
    assert!(world.client(client).is_none(), "it has ended");
}

#[test]
fn an_exit_waits_for_no_server_that_is_gone() {
    let (mut world, a, client) = one_server(5, server(2));
    world.run_for(secs(10.0));
    world.kill(a);
    world.run_for(secs(5.0));
    world.shutdown(client);
    world.run_for(secs(0.01));
    assert!(world.client(client).is_none());
}

#[test]
fn one_that_stops_only_its_delay_resp_is_left() {
    let (mut world, _, _, client) = two_servers(6, client(&[SERVER_A, SERVER_B]));
    world.run_for(secs(20.0));
    world.take_reports();
    world.block(SERVER_A, CLIENT, MessageType::DelayResp);
    world.run_for(secs(2.0));
    assert_eq!(selected(&world, client), Some(SERVER_B));
    let reports = world.take_reports();
    assert_eq!(events(&reports, Kind::Unusable)[0].1.reason, Some(Reason::DelayrespTimeout));
    world.run_for(secs(600.0));
    let worst =
        errors(&world.take_reports()).into_iter().fold(0.0, |worst: f64, error| worst.max(error.abs()));
    assert!(worst < 100.0, "{worst} ns");
    assert_eq!(selected(&world, client), Some(SERVER_B));
}

#[test]
fn a_warm_standby_announces_only() {
    let config = ClientConfig { standby: Standby::Warm, ..client(&[SERVER_A, SERVER_B]) };
    let (mut world, a, b, client) = two_servers(7, config);
    world.run_for(secs(30.0));
    let warm = status(&world, client);
    assert_eq!(warm.selected_server, Some(SERVER_A));
    assert_eq!(warm.servers[1].state, "standby");
    assert_eq!(warm.servers[1].grants.announce.state, "granted");
    assert!(warm.servers[1].grants.sync.log_interval.is_none());
    let packets = world.packets(SERVER_B, CLIENT);
    world.run_for(secs(60.0));
    assert!(world.packets(SERVER_B, CLIENT) - packets < 70, "Announce and grants only");

    world.take_reports();
    world.kill(a);
    world.run_for(secs(2.0));
    assert_eq!(selected(&world, client), Some(SERVER_B));
    assert_eq!(state(&world, client), State::Locked);
    world.restart_server(a, server(2));
    world.run_for(secs(30.0));
    let back = status(&world, client);
    assert_eq!(back.selected_server, Some(SERVER_A));
    assert_eq!(back.servers[1].state, "standby");
    let served = world.server(b).expect("a server").status(world.instant()).clients;
    assert_eq!(served.len(), 1);
    assert!(served[0].grants.sync.duration_s.is_none(), "Sync was cancelled");
    let reports = world.take_reports();
    let cancelled = events(&reports, Kind::Cancelled);
    assert!(cancelled.iter().any(|(_, event)| event.reason == Some(Reason::NotNeeded)), "{cancelled:?}");
    assert!(events(&reports, Kind::Step).is_empty());
}
