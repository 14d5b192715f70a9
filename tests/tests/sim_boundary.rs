//! Boundary clocks under virtual time: what they pass on, and what they say of themselves when they have nobody.

use ptp_ctl::engine::boundary::BoundaryConfig;
use ptp_ctl::engine::client::{ServerStatus, State, Status};
use ptp_ctl::engine::config::{ClientConfig, ServerConfig};
use ptp_ctl::engine::event::Reason;
use ptp_ctl::engine::server::{self, Standing};
use ptp_ctl::sim::{Delay, NodeId, Oscillator, Path, World};
use ptp_tests::sim::{CLIENT, SERVER_A, SERVER_B, client, identity, server};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const BOUNDARY_C: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 3, 1));
const BOUNDARY_D: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 4, 1));

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A grandmaster whose identity ends in 2, with a data set that nobody else has.
fn grandmaster(class: u8) -> ServerConfig {
    let mut config = server(2);
    config.priority1 = 11;
    config.priority2 = 22;
    config.clock_quality.clock_class = class;
    config.clock_quality.clock_accuracy = 0x21;
    config.clock_quality.offset_scaled_log_variance = 0x4e5d;
    config.time_source = 0x20;
    config
}

/// A client whose identity ends in `number`.
fn client_of(number: u8, servers: &[IpAddr]) -> ClientConfig {
    let mut config = client(servers);
    config.port.port_identity = identity(number);
    config.port.seed = number.into();
    config
}

fn boundary(number: u8, servers: &[IpAddr]) -> BoundaryConfig {
    let mut client = client_of(number, servers);
    client.port.port_identity.port_number = 2;
    BoundaryConfig { client, server: server(number), holdover_limit_ns: 10_000 }
}

fn served(world: &World, node: NodeId) -> server::Status {
    world.server(node).expect("a server that is on").status(world.instant())
}

fn followed(world: &World, node: NodeId) -> Status {
    world.client(node).expect("a client that is on").status(world.instant())
}

fn first_server(world: &World, node: NodeId) -> ServerStatus {
    followed(world, node).servers.swap_remove(0)
}

/// Grandmaster, two boundary clocks, client, one behind the other.
struct Chain {
    world: World,
    grandmaster: NodeId,
    boundaries: [NodeId; 2],
    client: NodeId,
}

impl Chain {
    fn locked(seed: u64, class: u8) -> Self {
        let mut chain = Self::starting(seed, class);
        chain.world.run_for(secs(60.0));
        chain
    }

    fn starting(seed: u64, class: u8) -> Self {
        let mut world = World::new(seed);
        let delay = Delay::constant(Duration::from_micros(50)).plus_exponential(Duration::from_nanos(200));
        world.set_default_path(Path { delay, ..Path::default() });
        let grandmaster = world.add_server(SERVER_A, grandmaster(class), Oscillator::PERFECT);
        let boundaries = [
            world.add_boundary(BOUNDARY_C, boundary(3, &[SERVER_A]), Oscillator::new(3e6, 20e3)),
            world.add_boundary(BOUNDARY_D, boundary(4, &[BOUNDARY_C]), Oscillator::new(-5e6, -30e3)),
        ];
        let client = world.add_client(CLIENT, client_of(1, &[BOUNDARY_D]), Oscillator::new(7e6, 10e3));
        Self { world, grandmaster, boundaries, client }
    }
}

#[test]
fn a_chain_of_three_passes_on_the_grandmasters_data_set_and_its_time() {
    let Chain { mut world, boundaries, client, .. } = Chain::locked(1, 6);
    for (steps, &node) in (1..).zip(&boundaries) {
        let status = served(&world, node);
        assert_eq!(status.standing, Some(Standing::Locked));
        assert_eq!(status.announced.steps_removed, steps);
    }
    let status = followed(&world, client);
    assert_eq!(status.state, State::Locked);
    let announce = status.servers[0].announce.as_ref().expect("announced");
    assert_eq!(announce.grandmaster_identity, identity(2).clock_identity.to_string());
    assert_eq!((announce.clock_class, announce.clock_accuracy), (6, 0x21));
    assert_eq!((announce.priority1, announce.priority2), (11, 22));
    assert_eq!((announce.steps_removed, announce.time_source), (2, 0x20));
    assert_eq!((announce.ptp_timescale, announce.current_utc_offset), (true, Some(37)));
    let mut worst = 0.0_f64;
    for _ in 0..300 {
        world.run_for(secs(1.0));
        worst = worst.max(world.true_error_ns(client).abs());
    }
    assert!(worst < 500.0, "{worst} ns at the end of the chain");
}

/// Whoever is followed while it is free-running itself is followed to a time that it leaves: by a step, in a second or two.
#[test]
fn a_chain_that_starts_at_once_settles_at_once() {
    for seed in 0..12 {
        let Chain { mut world, client, boundaries: [first, second], .. } = Chain::starting(seed, 6);
        world.run_for(secs(15.0));
        for node in [first, second, client] {
            let error = world.true_error_ns(node);
            assert!(error.abs() < 1_000.0, "seed {seed}: {error} ns");
            assert_eq!(followed(&world, node).state, State::Locked, "seed {seed}");
        }
    }
}

#[test]
fn what_the_grandmaster_says_of_utc_goes_through_whatever_the_kernels_in_between_know() {
    let Chain { mut world, grandmaster, boundaries, client } = Chain::locked(2, 6);
    for node in boundaries {
        world.set_tai_offset(node, None);
    }
    world.set_tai_offset(grandmaster, Some(38));
    world.run_for(secs(30.0));
    let announce = first_server(&world, client).announce.expect("announced");
    assert_eq!((announce.ptp_timescale, announce.current_utc_offset), (true, Some(38)));
    assert!(world.true_error_ns(client).abs() < 500.0, "{} ns", world.true_error_ns(client));
}

#[test]
fn an_arbitrary_timescale_stays_one() {
    let mut world = World::new(3);
    let grandmaster_node = world.add_server(SERVER_A, grandmaster(248), Oscillator::PERFECT);
    world.set_tai_offset(grandmaster_node, None);
    let node = world.add_boundary(BOUNDARY_C, boundary(3, &[SERVER_A]), Oscillator::new(3e6, 20e3));
    let client = world.add_client(CLIENT, client_of(1, &[BOUNDARY_C]), Oscillator::PERFECT);
    world.run_for(secs(60.0));
    assert_eq!(served(&world, node).standing, Some(Standing::Locked));
    let announce = first_server(&world, client).announce.expect("announced");
    assert_eq!((announce.ptp_timescale, announce.current_utc_offset), (false, None));
    assert!(world.true_error_ns(client).abs() < 500.0, "{} ns", world.true_error_ns(client));
}

/// The class that the client hears, once a second.
fn classes(world: &mut World, client: NodeId, seconds: u32) -> Vec<u8> {
    let mut classes = Vec::new();
    for _ in 0..seconds {
        world.run_for(secs(1.0));
        classes.extend(first_server(world, client).announce.map(|announce| announce.clock_class));
    }
    classes.dedup();
    classes
}

#[test]
fn without_a_server_it_is_its_own_grandmaster_in_holdover_then_out_of_it() {
    let mut world = World::new(4);
    let grandmaster_node = world.add_server(SERVER_A, grandmaster(6), Oscillator::PERFECT);
    let node = world.add_boundary(BOUNDARY_C, boundary(3, &[SERVER_A]), Oscillator::new(3e6, 20e3));
    let client = world.add_client(CLIENT, client_of(1, &[BOUNDARY_C]), Oscillator::PERFECT);
    let own = identity(3).clock_identity.to_string();

    assert_eq!(served(&world, node).announced.clock_class, 248, "before it was ever locked");
    world.run_for(secs(120.0));
    assert_eq!(served(&world, node).announced.clock_class, 6);

    world.kill(grandmaster_node);
    let lost = world.now();
    while world.client(node).unwrap().status(world.instant()).state == State::Locked {
        world.run_for(secs(0.01));
    }
    assert!(world.now() - lost < secs(1.5), "noticed after {:?}", world.now() - lost);
    // Within one Announce interval, and what that varies by.
    world.run_for(secs(1.1));
    let announce = first_server(&world, client).announce.expect("announced");
    assert_eq!((announce.clock_class, announce.steps_removed), (135, 0));
    assert_eq!((announce.grandmaster_identity, announce.time_source), (own, 0xa0));
    assert_eq!((announce.ptp_timescale, announce.current_utc_offset), (true, Some(37)));

    // As long as it is as good as it says.
    let mut worst = 0.0_f64;
    while served(&world, node).standing == Some(Standing::Holdover) {
        worst = worst.max(world.true_error_ns(node).abs());
        world.run_for(secs(1.0));
        assert!(world.now() < secs(1e6), "for ever");
    }
    assert!(world.now() - lost > secs(20.0), "for {:?}", world.now() - lost);
    assert!(worst < 10_000.0, "{worst} ns in specification");
    assert_eq!(classes(&mut world, client, 5).last(), Some(&165));

    world.restart_server(grandmaster_node, grandmaster(6));
    // Before it has settled again it is already known to be near.
    let heard = classes(&mut world, client, 60);
    assert!(matches!(heard.as_slice(), [165, 6] | [165, 135, 6]), "{heard:?}");
}

#[test]
fn time_is_traceable_only_in_6_7_and_135() {
    for (class, locked, holdover) in
        [(6, true, true), (7, true, true), (140, false, false), (248, false, false)]
    {
        let mut world = World::new(5);
        let grandmaster_node = world.add_server(SERVER_A, grandmaster(class), Oscillator::PERFECT);
        let node = world.add_boundary(BOUNDARY_C, boundary(3, &[SERVER_A]), Oscillator::new(3e6, 20e3));
        assert!(!served(&world, node).announced.time_traceable);
        assert_eq!(served(&world, grandmaster_node).announced.time_traceable, locked);
        world.run_for(secs(120.0));
        let traceable = |world: &World| {
            let announced = served(world, node).announced;
            (announced.clock_class, announced.time_traceable)
        };
        assert_eq!(traceable(&world), (class, locked));
        world.kill(grandmaster_node);
        world.run_for(secs(5.0));
        assert_eq!(traceable(&world), (135, holdover));
        world.run_for(secs(50_000.0));
        assert_eq!(traceable(&world), (165, false));
    }
}

#[test]
fn a_ring_is_never_closed() {
    // Each of the two has the grandmaster first and the other one second.
    for seed in 0..20 {
        let mut world = World::new(100 + seed);
        let grandmaster_node = world.add_server(SERVER_A, grandmaster(6), Oscillator::PERFECT);
        let c =
            world.add_boundary(BOUNDARY_C, boundary(3, &[SERVER_A, BOUNDARY_D]), Oscillator::new(3e6, 20e3));
        let d =
            world.add_boundary(BOUNDARY_D, boundary(4, &[SERVER_A, BOUNDARY_C]), Oscillator::new(-2e6, 10e3));
        world.run_for(secs(60.0));
        for node in [c, d] {
            assert_eq!(followed(&world, node).selected_server, Some(SERVER_A));
        }
        world.kill(grandmaster_node);
        let mut closed = 0;
        for _ in 0..6000 {
            world.run_for(secs(0.1));
            let selected = [c, d].map(|node| followed(&world, node).selected_server);
            closed += usize::from(selected == [Some(BOUNDARY_D), Some(BOUNDARY_C)]);
        }
        // They may take each other for a moment, on what they said before.
        assert!(closed <= 20, "seed {seed}: closed for {closed} tenths of a second");
        let worst = [c, d].map(|node| served(&world, node).announced.steps_removed);
        assert!(worst.iter().all(|&steps| steps <= 1), "seed {seed}: {worst:?}");
    }
}

#[test]
fn a_chain_that_is_too_long_is_not_followed() {
    let mut world = World::new(6);
    world.add_server(SERVER_A, grandmaster(6), Oscillator::PERFECT);
    world.add_boundary(BOUNDARY_C, boundary(3, &[SERVER_A]), Oscillator::PERFECT);
    let mut config = client_of(1, &[BOUNDARY_C, SERVER_B]);
    config.max_steps_removed = 1;
    let client = world.add_client(CLIENT, config, Oscillator::PERFECT);
    world.run_for(secs(60.0));
    let server = first_server(&world, client);
    assert_eq!((server.state, server.reason), ("unusable", Some(Reason::StepsRemoved)));
}

#[test]
fn a_step_of_its_clock_is_not_seen_below() {
    let Chain { mut world, boundaries: [first, _], client, .. } = Chain::locked(7, 6);
    world.jump_clock(first, 50_000_000);
    let mut worst = 0.0_f64;
    world.run_for(secs(60.0));
    for _ in 0..60 {
        world.run_for(secs(1.0));
        worst = worst.max(world.true_error_ns(client).abs());
    }
    assert!(worst < 1_000.0, "{worst} ns a minute after the clock above was moved");
}
