//! Client and server against each other under virtual time.

use ptp_ctl::engine::client::State;
use ptp_ctl::engine::config::ClientConfig;
use ptp_ctl::engine::event::{Kind, Reason};
use ptp_ctl::sim::{Delay, NodeId, Observation, Oscillator, Path, Stamps, World};
use ptp_tests::sim::{
    CLIENT, SERVER_A, SERVER_B, client, errors, events, secs, selected, server, state, status,
};
use std::time::Duration;

/// Two servers and a client that starts 5 ms ahead and 30 ppm fast.
fn two_servers(seed: u64) -> (World, NodeId, NodeId, NodeId) {
    let mut world = World::new(seed);
    let a = world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
    let b = world.add_server(SERVER_B, server(3), Oscillator::PERFECT);
    let client = world.add_client(CLIENT, client(&[SERVER_A, SERVER_B]), Oscillator::new(5e6, 30e3));
    (world, a, b, client)
}

#[test]
fn locks_within_three_seconds_and_stays() {
    let (mut world, _, _, client) = two_servers(1);
    world.run_for(secs(3.0));
    assert_eq!(state(&world, client), State::Locked);
    assert_eq!(selected(&world, client), Some(SERVER_A));
    let first = world.take_reports();
    let first_sample = first.iter().find(|report| matches!(report.what, Observation::Sample(..))).unwrap();
    assert!(first_sample.at < secs(0.3), "first offset after {:?}", first_sample.at);
    world.run_for(secs(600.0));
    let errors = errors(&world.take_reports());
    assert!(errors.len() > 4700, "{} samples", errors.len());
    let worst = errors.iter().fold(0.0_f64, |worst, error| worst.max(error.abs()));
    assert!(worst < 100.0, "{worst} ns");
}

/// Where delays vary by 20 ms, every other Announce or Sync is there before the GRANT that it follows.
#[test]
fn what_overtakes_its_grant_is_used() {
    let mut early = 0;
    for seed in 0..200 {
        let mut world = World::new(seed);
        let varied = Delay::constant(Duration::from_millis(1)).plus_exponential(Duration::from_millis(20));
        world.set_default_path(Path::new(varied));
        world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
        let config = ClientConfig { log_sync_interval: 0, ..client(&[SERVER_A]) };
        let client = world.add_client(CLIENT, config, Oscillator::new(5e6, 30e3));
        world.run_for(secs(0.8));
        let status = status(&world, client);
        let mut counters = world.client(client).unwrap().counters();
        early += counters.find(|(name, _)| *name == "before_grant").unwrap().1;
        assert!(
            status.servers[0].exchanges > 0,
            "seed {seed}: {:?}",
            world.client(client).unwrap().counters().filter(|c| c.1 > 0).collect::<Vec<_>>()
        );
        assert_eq!(selected(&world, client), Some(SERVER_A), "seed {seed}");
    }
    assert!(early > 100, "{early} came before their grant");
}

#[test]
fn switches_to_the_second_server_and_back_after_the_wait() {
    let (mut world, a, _, client) = two_servers(2);
    world.run_for(secs(10.0));
    world.kill(a);
    let fault = world.now();
    world.take_reports();
    world.run_for(secs(5.0));
    assert_eq!(selected(&world, client), Some(SERVER_B));
    assert_eq!(state(&world, client), State::Locked);
    let reports = world.take_reports();
    let switched = events(&reports, Kind::Selected);
    assert_eq!(switched[0].1.reason, Some(Reason::ServerLost));
    assert!(switched[0].0 - fault < secs(0.5), "after {:?}", switched[0].0 - fault);
    assert_eq!(events(&reports, Kind::Unusable)[0].1.reason, Some(Reason::SyncTimeout));

    world.restart_server(a, server(2));
    let back = world.now();
    world.run_for(secs(20.0));
    let reports = world.take_reports();
    let usable = events(&reports, Kind::Usable)[0].0;
    let returned = events(&reports, Kind::Selected);
    assert_eq!(returned.len(), 1);
    assert_eq!(returned[0].1.reason, Some(Reason::WaitToRestore));
    assert_eq!(returned[0].1.peer, Some(SERVER_A));
    assert!(usable - back < secs(7.0), "usable after {:?}", usable - back);
    let waited = returned[0].0 - usable;
    assert!(waited >= secs(5.0) && waited < secs(5.2), "waited {waited:?}");
    assert!(errors(&reports).iter().all(|error| error.abs() < 100.0));
}

#[test]
fn one_server_comes_back() {
    let mut world = World::new(3);
    let a = world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
    let client = world.add_client(CLIENT, client(&[SERVER_A]), Oscillator::new(0.0, 10e3));
    world.run_for(secs(10.0));
    let bound = |world: &World| world.client(client).unwrap().status(world.instant()).bound_ns.unwrap();
    let with_server = bound(&world);
    world.kill(a);
    world.run_for(secs(30.0));
    let after_half = bound(&world);
    world.run_for(secs(30.0));
    assert_eq!(state(&world, client), State::Holdover);
    assert_eq!(selected(&world, client), None);
    assert!(after_half > 2.0 * with_server && bound(&world) > 2.0 * after_half);
    world.restart_server(a, server(2));
    world.run_for(secs(6.5));
    assert_eq!(selected(&world, client), Some(SERVER_A));
    assert_eq!(state(&world, client), State::Locked);
}

#[test]
fn says_what_unequal_delays_could_hide() {
    // Both ways take 10 us.
    for (known, compensated, bound) in [(None, 0, 10_000.0), (None, -4_000, 14_000.0), (Some(500), 0, 500.0)]
    {
        let mut world = World::new(10);
        world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
        let mut config = client(&[SERVER_A]);
        (config.max_asymmetry_ns, config.delay_asymmetry_ns) = (known, compensated);
        let client = world.add_client(CLIENT, config, Oscillator::PERFECT);
        world.run_for(secs(10.0));
        let told = world.client(client).unwrap().status(world.instant()).asymmetry_bound_ns.unwrap();
        assert!((told - bound).abs() < 0.01 * bound, "{told} ns");
    }
}

#[test]
fn renews_before_the_end_and_is_never_without_a_grant() {
    let (mut world, a, _, _) = two_servers(4);
    for _ in 0..3600 {
        world.run_for(secs(1.0));
        let clients = world.server(a).unwrap().status(world.instant()).clients;
        assert_eq!(clients.len(), 1);
        for grant in [&clients[0].grants.announce, &clients[0].grants.sync, &clients[0].grants.delay_resp] {
            // The latest renewal of 60 s starts after three quarters of them.
            assert!(grant.expires_in_s.unwrap() > 14.0);
        }
    }
    let reports = world.take_reports();
    assert!(events(&reports, Kind::Expired).is_empty());
    assert!(events(&reports, Kind::Unusable).is_empty());
    assert_eq!(events(&reports, Kind::Selected).len(), 1);
}

#[test]
fn a_client_that_stops_is_served_no_longer() {
    let (mut world, _, _, client) = two_servers(5);
    world.run_for(secs(10.0));
    world.kill(client);
    world.run_for(secs(60.5));
    let sent = world.packets(SERVER_A, CLIENT);
    world.run_for(secs(600.0));
    assert_eq!(world.packets(SERVER_A, CLIENT), sent);
}

#[test]
fn a_clean_exit_cancels() {
    let (mut world, a, b, client) = two_servers(6);
    world.run_for(secs(10.0));
    world.shutdown(client);
    world.run_for(secs(0.1));
    for server in [a, b] {
        assert!(world.server(server).unwrap().status(world.instant()).clients.is_empty());
    }
    let sent = world.packets(SERVER_A, CLIENT);
    world.run_for(secs(10.0));
    assert_eq!(world.packets(SERVER_A, CLIENT), sent);
}

#[test]
fn a_server_that_leaves_in_good_order_is_left_at_once() {
    let (mut world, a, _, client) = two_servers(7);
    world.run_for(secs(10.0));
    world.shutdown(a);
    world.run_for(secs(0.05));
    assert_eq!(selected(&world, client), Some(SERVER_B));
}

#[test]
fn lost_stamps_cost_their_exchange_only() {
    let (mut world, _, _, client) = two_servers(8);
    world.set_stamps(Stamps { tx_loss: 0.1, ..Stamps::default() });
    world.run_for(secs(120.0));
    assert_eq!(state(&world, client), State::Locked);
    let reports = world.take_reports();
    assert!(events(&reports, Kind::Unusable).is_empty());
    let used = errors(&reports).len();
    assert!((600..900).contains(&used), "{used} samples");
}

#[test]
fn survives_loss_duplication_and_reordering() {
    let (mut world, _, _, client) = two_servers(9);
    let delay = Delay::constant(Duration::from_millis(1)).plus_exponential(Duration::from_millis(2));
    world.set_default_path(Path { loss: 0.05, duplication: 0.05, ..Path::new(delay) });
    world.run_for(secs(1800.0));
    assert!(matches!(state(&world, client), State::Locked | State::Acquiring));
    assert!(world.true_error_ns(client).abs() < 3e6, "{}", world.true_error_ns(client));
}

#[test]
fn an_arbitrary_timescale_never_backs_up_ptp() {
    let (mut world, a, b, client) = two_servers(10);
    world.set_tai_offset(b, None);
    world.run_for(secs(10.0));
    let status = status(&world, client);
    assert_eq!(status.servers[1].state, "unusable");
    assert_eq!(status.servers[1].reason, Some(Reason::ArbitraryTimescale));
    world.kill(a);
    world.run_for(secs(10.0));
    assert_eq!(selected(&world, client), None);
    assert_eq!(state(&world, client), State::Holdover);
    assert!(world.true_error_ns(client).abs() < 1e6);
}

#[test]
fn two_arbitrary_timescales_need_no_utc_offset() {
    let (mut world, a, b, client) = two_servers(11);
    for node in [a, b, client] {
        world.set_tai_offset(node, None);
    }
    world.run_for(secs(10.0));
    assert_eq!(state(&world, client), State::Locked);
    assert!(world.true_error_ns(client).abs() < 100.0);
}

#[test]
fn a_late_tai_offset_is_an_event_and_no_sample() {
    let (mut world, a, b, client) = two_servers(12);
    for node in [a, b, client] {
        world.set_tai_offset(node, None);
    }
    world.run_for(secs(10.0));
    world.take_reports();
    for node in [a, b, client] {
        world.set_tai_offset(node, Some(37));
        world.run_for(secs(0.3));
    }
    world.run_for(secs(10.0));
    let reports = world.take_reports();
    assert_eq!(events(&reports, Kind::TaiOffset).len(), 1);
    assert!(events(&reports, Kind::Step).is_empty());
    assert!(errors(&reports).iter().all(|error| error.abs() < 1000.0));
    assert_eq!(state(&world, client), State::Locked);
}

#[test]
fn one_step_works_as_well() {
    let mut world = World::new(13);
    let config = ptp_ctl::engine::config::ServerConfig { two_step: false, ..server(2) };
    world.add_server(SERVER_A, config, Oscillator::PERFECT);
    let client = world.add_client(CLIENT, client(&[SERVER_A]), Oscillator::new(1e6, -20e3));
    world.run_for(secs(10.0));
    assert_eq!(state(&world, client), State::Locked);
    assert!(world.true_error_ns(client).abs() < 100.0);
}
