//! Servers that are added, taken out, put back and re-ordered while a client runs, under virtual time.

use ptp_ctl::engine::boundary::BoundaryConfig;
use ptp_ctl::engine::client::State;
use ptp_ctl::engine::config::{ClientConfig, Standby};
use ptp_ctl::engine::event::{Event, Kind, Reason};
use ptp_ctl::engine::server::Standing;
use ptp_ctl::sim::{NodeId, Oscillator, Report, World};
use ptp_tests::sim::{
    CLIENT, SERVER_A, SERVER_B, SERVER_C, client, errors, events, identity, secs, selected, server, state,
    status,
};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const BOUNDARY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 4, 1));
/// How far the second server's time is from the first one's, ns.
const APART: f64 = 5e3;

/// Two servers, and a client that has locked to the first of those that it knows.
fn locked(config: ClientConfig) -> (World, [NodeId; 2], NodeId) {
    let mut world = World::new(1);
    let a = world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
    let b = world.add_server(SERVER_B, server(3), Oscillator::new(APART, 0.0));
    let client = world.add_client(CLIENT, config, Oscillator::new(1e6, 10e3));
    world.run_for(secs(60.0));
    assert_eq!((state(&world, client), selected(&world, client)), (State::Locked, Some(SERVER_A)));
    world.take_reports();
    (world, [a, b], client)
}

/// What the clock did is none of a reload's business.
fn assert_no_bump(reports: &[Report]) {
    for kind in [Kind::Step, Kind::State, Kind::TimeJumped, Kind::Expired] {
        let events = events(reports, kind);
        assert!(events.is_empty(), "{events:?}");
    }
}

fn addresses(world: &World, client: NodeId) -> Vec<IpAddr> {
    status(world, client).servers.iter().map(|server| server.address).collect()
}

/// Clients that this server serves.
fn served(world: &World, server: NodeId) -> usize {
    world.server(server).expect("a server that is on").status(world.instant()).totals.clients
}

/// The only event of this kind: whom it is about, and why.
fn only(reports: &[Report], kind: Kind) -> (Option<IpAddr>, Option<Reason>) {
    let events = events(reports, kind);
    let [(_, Event { peer, reason, .. })] = events.as_slice() else { panic!("{kind:?}: {events:?}") };
    (*peer, *reason)
}

#[test]
fn a_server_that_is_added_is_one_like_the_others() {
    for standby in [Standby::Hot, Standby::Warm] {
        let config = |servers: &[IpAddr]| ClientConfig { standby, ..client(servers) };
        let (mut world, [a, _], client) = locked(config(&[SERVER_A]));
        let before = status(&world, client).servers[0].exchanges;
        world.reconfigure_client(client, config(&[SERVER_A, SERVER_B]));
        assert_eq!(status(&world, client).servers[1].state, "negotiating");
        world.run_for(secs(10.0));
        let after = status(&world, client);
        assert_eq!((after.servers[0].state, after.servers[1].state), ("selected", "standby"));
        assert!(after.servers[0].exchanges >= before + 75, "the first one goes on");
        let table = world.client(client).expect("on").data_sets(world.instant()).ports[0].servers.len();
        assert_eq!(table, 2, "of pmc");
        if standby == Standby::Hot {
            let difference = after.servers[1].difference_ns.expect("it is measured");
            assert!((difference - APART).abs() < 100.0, "{difference} ns");
        }
        assert_no_bump(&world.take_reports());
        world.kill(a);
        world.run_for(secs(5.0));
        assert_eq!(selected(&world, client), Some(SERVER_B), "{standby:?}");
    }
}

#[test]
fn the_one_in_use_is_taken_out_and_the_other_is_followed_at_once() {
    let (mut world, [a, b], client) = locked(client(&[SERVER_A, SERVER_B]));
    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_B]));
    let reports = world.take_reports();
    assert_eq!(only(&reports, Kind::Unusable), (Some(SERVER_A), Some(Reason::ServerRemoved)));
    assert_eq!(only(&reports, Kind::Selected), (Some(SERVER_B), Some(Reason::ServerRemoved)));
    assert_eq!(addresses(&world, client), [SERVER_B]);
    let left = status(&world, client).switch_left_ns;
    assert!((left + APART).abs() < 100.0, "{left} ns left");
    let mut before = world.true_error_ns(client);
    for _ in 0..20 {
        world.run_for(secs(1.0));
        let rate = world.true_error_ns(client) - before;
        assert!((-50.0..1_050.0).contains(&rate), "{rate} ns/s");
        before += rate;
    }
    assert!((before - APART).abs() < 100.0, "{before} ns");
    assert_no_bump(&world.take_reports());
    assert_eq!((served(&world, a), served(&world, b)), (0, 1));
    let sent = world.packets(SERVER_A, CLIENT);
    world.run_for(secs(60.0));
    assert_eq!(world.packets(SERVER_A, CLIENT), sent, "nothing comes from it any more");
}

#[test]
fn the_standby_is_taken_out_and_the_one_in_use_does_not_notice() {
    let (mut world, [_, b], client) = locked(client(&[SERVER_A, SERVER_B]));
    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_A]));
    world.run_for(secs(10.0));
    let reports = world.take_reports();
    assert_eq!(only(&reports, Kind::Unusable), (Some(SERVER_B), Some(Reason::ServerRemoved)));
    assert!(events(&reports, Kind::Selected).is_empty());
    assert_no_bump(&reports);
    let worst = errors(&reports).into_iter().fold(0.0_f64, |worst, error| worst.max(error.abs()));
    assert!(worst < 50.0, "{worst} ns");
    assert_eq!((addresses(&world, client), served(&world, b)), (vec![SERVER_A], 0));
}

#[test]
fn the_only_one_is_taken_out_and_put_back() {
    let (mut world, [a, _], client) = locked(client(&[SERVER_A]));
    // Nobody is there.
    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_C]));
    assert_eq!((state(&world, client), selected(&world, client)), (State::Holdover, None));
    world.run_for(secs(20.0));
    let held = world.true_error_ns(client);
    assert!(held.abs() < 200.0, "{held} ns in holdover");
    assert!(status(&world, client).bound_ns.is_some_and(|bound| bound > held.abs()));
    assert_eq!(served(&world, a), 0);
    // Another change meanwhile: the clock still goes by the last server.
    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_C]));
    world.run_for(secs(20.0));
    assert!(status(&world, client).bound_ns.is_some());
    world.take_reports();

    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_C, SERVER_A]));
    world.run_for(secs(3.0));
    assert_eq!((state(&world, client), selected(&world, client)), (State::Locked, Some(SERVER_A)));
    let reports = world.take_reports();
    assert!(events(&reports, Kind::Step).is_empty() && events(&reports, Kind::TimeJumped).is_empty());
    world.run_for(secs(10.0));
    let error = world.true_error_ns(client);
    assert!(error.abs() < 50.0, "{error} ns");
    assert_eq!(status(&world, client).switch_left_ns, 0.0, "it is the time from before");
}

#[test]
fn one_that_is_put_back_much_later_is_new() {
    let (mut world, [_, b], client) = locked(client(&[SERVER_A, SERVER_B]));
    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_A]));
    world.run_for(secs(10.0));
    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_A]));
    world.jump_clock(b, 1_000_000);
    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_A, SERVER_B]));
    world.run_for(secs(10.0));
    let after = &status(&world, client).servers[1];
    assert!(after.exchanges < 85, "{} exchanges", after.exchanges);
    let difference = after.difference_ns.expect("it is measured");
    assert!((difference - APART - 1e6).abs() < 1_000.0, "{difference} ns");
    assert_no_bump(&world.take_reports());
}

#[test]
fn another_order_is_another_preference() {
    let (mut world, _, client) = locked(client(&[SERVER_A, SERVER_B]));
    world.reconfigure_client(client, ptp_tests::sim::client(&[SERVER_B, SERVER_A]));
    let reports = world.take_reports();
    assert_eq!(only(&reports, Kind::Selected), (Some(SERVER_B), Some(Reason::BetterServer)));
    assert_eq!(addresses(&world, client), [SERVER_B, SERVER_A]);
    world.run_for(secs(20.0));
    assert_no_bump(&world.take_reports());
}

/// Whatever is under way finds its server, wherever that stands in the list.
#[test]
fn a_list_in_motion_mixes_no_stamps() {
    let orders = [[0, 1], [1, 0]].map(|order| {
        let mut config = client(&[SERVER_A, SERVER_B]);
        config.servers = order.map(|place| config.servers[place]).to_vec();
        config
    });
    let (mut world, _, client) = locked(orders[0].clone());
    let lost =
        |world: &World| status(world, client).servers.iter().map(|server| server.exchanges_lost).sum::<u64>();
    let before = lost(&world);
    // A TX stamp takes up to 200 µs.
    for order in orders.iter().rev().cycle().take(100_000) {
        world.reconfigure_client(client, order.clone());
        world.run_for(Duration::from_micros(50));
    }
    let reports = world.take_reports();
    assert_no_bump(&reports);
    assert!(events(&reports, Kind::Selected).is_empty());
    let errors = errors(&reports);
    assert!(errors.len() > 35, "{} samples", errors.len());
    assert!(errors.iter().all(|error| error.abs() < 50.0), "{errors:?}");
    assert_eq!(lost(&world), before);
}

#[test]
fn a_boundary_clock_passes_on_the_time_of_another_server() {
    let boundary = |servers: &[IpAddr]| {
        let mut client = client(servers);
        client.port.port_identity = identity(4);
        client.port.port_identity.port_number = 2;
        BoundaryConfig { client, server: server(4), holdover_limit_ns: 10_000 }
    };
    let mut world = World::new(1);
    let a = world.add_server(SERVER_A, server(2), Oscillator::PERFECT);
    world.add_server(SERVER_B, server(3), Oscillator::PERFECT);
    let middle = world.add_boundary(BOUNDARY, boundary(&[SERVER_A]), Oscillator::new(3e6, 20e3));
    let end = world.add_client(CLIENT, client(&[BOUNDARY]), Oscillator::new(1e6, 10e3));
    world.run_for(secs(60.0));
    let passed_on = |world: &World| {
        let status = world.server(middle).expect("on").status(world.instant());
        (status.standing, status.announced.grandmaster_identity)
    };
    let of = |number| identity(number).clock_identity.to_string();
    assert_eq!(passed_on(&world), (Some(Standing::Locked), of(2)));
    world.reconfigure_boundary(middle, boundary(&[SERVER_A, SERVER_B]));
    world.run_for(secs(10.0));
    assert_eq!(passed_on(&world), (Some(Standing::Locked), of(2)));
    world.take_reports();

    world.reconfigure_boundary(middle, boundary(&[SERVER_B]));
    assert_eq!(passed_on(&world), (Some(Standing::Locked), of(3)), "at once");
    world.run_for(secs(10.0));
    assert_eq!((served(&world, a), state(&world, end)), (0, State::Locked));
    let reports = world.take_reports();
    assert_eq!(only(&reports, Kind::Selected), (Some(SERVER_B), Some(Reason::ServerRemoved)));
    assert_no_bump(&reports);

    world.reconfigure_boundary(middle, boundary(&[SERVER_C]));
    assert_eq!(passed_on(&world), (Some(Standing::Holdover), of(4)), "within its limit");
}
