//! The XDP program at real interfaces: veth pairs between network namespaces.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod delay_resp;
mod device_bound;
mod world;

use aya::maps::{Array, Map, MapData};
use nix::poll::{PollFd, PollFlags, poll};
use nix::time::{ClockId, clock_gettime};
use ptp_common::abi::names;
use ptp_ctl::dataplane::{self, DataPlane, DataPlaneError, Mode, probe};
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use world::{Bpffs, FAR, INTERFACE, NEAR, STRANGER, World};

/// A Sync from any port.
fn sync(sequence_id: u16) -> [u8; 44] {
    let mut octets = [0; 44];
    octets[1] = 2;
    octets[3] = 44;
    octets[30..32].copy_from_slice(&sequence_id.to_be_bytes());
    octets
}

fn now(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).unwrap();
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

fn addresses(texts: [&str; 2]) -> [IpAddr; 2] {
    texts.map(|text| text.parse().unwrap())
}

/// Makes the far end's first addresses servers of ours.
fn configure(plane: &mut DataPlane) {
    plane.set_local(&addresses(NEAR)).unwrap();
    plane.set_servers(&addresses(FAR)).unwrap();
    plane.heartbeat(now(ClockId::CLOCK_MONOTONIC)).unwrap();
}

/// Payloads that came by the ring within a second, and from whom; waits for the first.
fn events(plane: &mut DataPlane) -> Vec<(IpAddr, Vec<u8>)> {
    let mut descriptors = [PollFd::new(plane.event_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, 1000_u16).unwrap();
    let mut events = Vec::new();
    plane.drain(usize::MAX, |event| events.push((event.from, event.bytes.to_vec())));
    events
}

/// The message arrives by the ring, and the socket does not see it.
#[track_caller]
fn assert_taken(world: &World, plane: &mut DataPlane) {
    for (far, near) in FAR.into_iter().zip(NEAR) {
        let socket = world.event_socket(near);
        world.send(far, near, 319, &sync(7));
        assert_eq!(events(plane), [(far.parse().unwrap(), sync(7).to_vec())]);
        assert_nothing(&socket);
    }
}

#[track_caller]
fn assert_nothing(socket: &UdpSocket) {
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err(), "the socket got what XDP should have taken");
}

/// The message goes the ordinary way.
#[track_caller]
fn assert_passed(world: &World, from: [&str; 2]) {
    for (far, near) in from.into_iter().zip(NEAR) {
        let socket = world.event_socket(near);
        world.send(far, near, 319, &sync(9));
        let mut octets = [0; 64];
        let (length, sender) = socket.recv_from(&mut octets).expect("the socket gets the message");
        assert_eq!((&octets[..length], sender.ip()), (&sync(9)[..], far.parse().unwrap()));
    }
}

fn is_attached(world: &World) -> bool {
    world.near(|| probe::attached(INTERFACE)).unwrap().is_some()
}

#[test]
fn a_peers_message_comes_by_the_ring_and_others_by_the_socket() {
    let Some(world) = World::new("a_peers_message_comes_by_the_ring_and_others_by_the_socket") else {
        return;
    };
    let bpffs = Bpffs::mount();
    for mode in [Mode::Native, Mode::Generic] {
        let mut plane = world.near(|| DataPlane::open(&bpffs.options(mode))).unwrap();
        assert!(!plane.was_pinned());
        assert_eq!(plane.mode(), mode);
        let attached = world.near(|| probe::attached(INTERFACE)).unwrap().unwrap();
        assert_eq!(attached.mode, mode.name());
        configure(&mut plane);
        assert_taken(&world, &mut plane);
        assert_passed(&world, STRANGER);
        // The sender left the checksums to a NIC that there is not: the ring's reader knows.
        let records = plane.record_counters();
        assert_eq!(records.checksum_right + records.checksum_pseudo_header, 2, "{records:?}");
        drop(plane);
        assert!(!is_attached(&world));
        assert_passed(&world, FAR);
    }
    assert!(bpffs.entries().is_empty(), "an unpinned program leaves nothing");
}

#[test]
fn the_stamp_is_the_time_of_arrival() {
    let Some(world) = World::new("the_stamp_is_the_time_of_arrival") else { return };
    let bpffs = Bpffs::mount();
    let mut plane = world.near(|| DataPlane::open(&bpffs.options(Mode::Native))).unwrap();
    configure(&mut plane);
    let tai = ClockId::from_raw(nix::libc::CLOCK_TAI);
    let before = now(tai);
    world.send(FAR[0], NEAR[0], 319, &sync(1));
    let after = now(tai);
    let mut seen = 0;
    let ifindex = world.near(|| nix::net::if_::if_nametoindex(INTERFACE)).unwrap();
    poll(&mut [PollFd::new(plane.event_fd(), PollFlags::POLLIN)], 1000_u16).unwrap();
    plane.drain(usize::MAX, |event| {
        seen += 1;
        assert_eq!((event.ifindex, event.to), (ifindex, NEAR[0].parse::<IpAddr>().unwrap()));
        let stamp = event.stamp.unwrap();
        assert_eq!(stamp.source.name(), "xdp-sw");
        // The receiving side may run a little after the send call has returned.
        let nanos = stamp.nanos;
        assert!((before..after + 5_000_000).contains(&nanos), "{before} {nanos} {after}");
    });
    assert_eq!(seen, 1);
}

#[test]
fn an_attached_program_survives_its_controllers() {
    let Some(world) = World::new("an_attached_program_survives_its_controllers") else { return };
    let bpffs = Bpffs::mount();
    let options = bpffs.options(Mode::Native);
    let report = world.near(|| dataplane::attach(&options)).unwrap();
    assert!(report.directory.starts_with(bpffs.path()));
    assert!(is_attached(&world));
    // Without a controller it takes nothing.
    assert_passed(&world, FAR);

    let again = world.near(|| dataplane::attach(&options)).unwrap_err();
    assert!(matches!(again, DataPlaneError::AlreadyAttached { .. }), "{again}");

    for _ in 0..2 {
        let mut plane = world.near(|| DataPlane::open(&options)).unwrap();
        assert!(plane.was_pinned());
        // Nothing is left of the controller before.
        plane.heartbeat(now(ClockId::CLOCK_MONOTONIC)).unwrap();
        assert_passed(&world, FAR);
        configure(&mut plane);
        assert_taken(&world, &mut plane);
        let second = world.near(|| DataPlane::open(&options)).err().unwrap();
        assert!(matches!(second, DataPlaneError::InUse { .. }), "{second}");
        drop(plane);
        assert!(is_attached(&world));
        // A controller that ends in order says so: there are no two seconds to wait.
        assert_passed(&world, FAR);
    }
    let counters = world.near(|| dataplane::read_pinned_counters(bpffs.path(), INTERFACE)).unwrap().unwrap();
    assert_eq!(counters[0], ("taken", 4));

    let mode = world.near(|| DataPlane::open(&bpffs.options(Mode::Generic))).err().unwrap();
    assert!(matches!(mode, DataPlaneError::ModeMismatch { .. }), "{mode}");

    let report = world.near(|| dataplane::detach(&options)).unwrap();
    assert_eq!(report.removed.len(), 1);
    assert!(!is_attached(&world));
    assert!(bpffs.entries().is_empty());
    assert_passed(&world, FAR);
    let again = world.near(|| dataplane::detach(&options)).unwrap_err();
    assert!(matches!(again, DataPlaneError::NotAttached { .. }), "{again}");
    assert_eq!(world.near(|| dataplane::read_pinned_counters(bpffs.path(), INTERFACE)).unwrap(), None);
}

#[test]
fn another_version_of_the_maps_is_refused() {
    let Some(world) = World::new("another_version_of_the_maps_is_refused") else { return };
    let bpffs = Bpffs::mount();
    let options = bpffs.options(Mode::Native);
    let report = world.near(|| dataplane::attach(&options)).unwrap();
    let map = Map::from_map_data(MapData::from_pin(report.directory.join(names::CONFIG)).unwrap()).unwrap();
    Array::<_, [u32; 6]>::try_from(map).unwrap().set(0, [9999, 1, 0, 1, 0, 0], 0).unwrap();
    let error = world.near(|| DataPlane::open(&options)).err().unwrap();
    assert!(matches!(error, DataPlaneError::AbiMismatch { pinned: Some(9999), .. }), "{error}");
    for command in ["ptp-ctl detach", "ptp-ctl attach"] {
        assert!(error.to_string().contains(command), "{error}");
    }
    assert!(world.near(|| dataplane::read_pinned_counters(bpffs.path(), INTERFACE)).is_err());
    world.near(|| dataplane::detach(&options)).unwrap();
    assert!(bpffs.entries().is_empty());
}

#[test]
fn a_hook_that_is_taken_is_explained() {
    let Some(world) = World::new("a_hook_that_is_taken_is_explained") else { return };
    let bpffs = Bpffs::mount();
    let native = bpffs.options(Mode::Native);
    let holder = world.near(|| DataPlane::open(&native)).unwrap();
    for options in [native.clone(), bpffs.options(Mode::Generic)] {
        let attempts = [
            world.near(|| DataPlane::open(&options)).err().unwrap(),
            world.near(|| dataplane::attach(&options)).err().unwrap(),
        ];
        for error in attempts {
            let DataPlaneError::Busy { holder, .. } = &error else { panic!("{error}") };
            assert_eq!(holder.program.as_ref().unwrap().1, names::PROGRAM);
            let pids: Vec<_> = holder.processes.iter().map(|(pid, _)| *pid).collect();
            // A child of another test has it, too, until it executes its program.
            assert!(pids.contains(&std::process::id()), "{pids:?}");
            assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        }
    }
    assert!(bpffs.entries().is_empty(), "a failed attach leaves nothing");
    drop(holder);
    world.near(|| DataPlane::open(&native)).unwrap();
}

#[test]
fn pins_that_lie_are_found_out() {
    let Some(world) = World::new("pins_that_lie_are_found_out") else { return };
    let bpffs = Bpffs::mount();
    let options = bpffs.options(Mode::Native);

    // An attach that was interrupted.
    let report = world.near(|| dataplane::attach(&options)).unwrap();
    std::fs::remove_file(report.directory.join("link")).unwrap();
    for error in [
        world.near(|| DataPlane::open(&options)).err().unwrap(),
        world.near(|| dataplane::attach(&options)).err().unwrap(),
    ] {
        assert!(matches!(error, DataPlaneError::Incomplete { .. }), "{error}");
    }
    world.near(|| dataplane::detach(&options)).unwrap();
    assert!(bpffs.entries().is_empty());

    // An interface that went, and another that got its number.
    let report = world.near(|| dataplane::attach(&options)).unwrap();
    world.unlink();
    world.link(Some(report.ifindex));
    let mut plane = world.near(|| DataPlane::open(&options)).unwrap();
    assert!(!plane.was_pinned());
    configure(&mut plane);
    assert_taken(&world, &mut plane);
    drop(plane);
    assert!(bpffs.entries().is_empty());

    // An interface that went for good.
    world.near(|| dataplane::attach(&options)).unwrap();
    world.unlink();
    let report = world.near(|| dataplane::detach(&options)).unwrap();
    assert_eq!(report.removed.len(), 1);
    assert!(bpffs.entries().is_empty());
    let error = world.near(|| dataplane::detach(&options)).unwrap_err();
    assert!(matches!(error, DataPlaneError::NoInterface(_)), "{error}");
}

#[test]
fn two_namespaces_with_one_interface_name() {
    let Some(first) = World::new("two_namespaces_with_one_interface_name") else { return };
    let Some(second) = World::new("two_namespaces_with_one_interface_name") else { return };
    let bpffs = Bpffs::mount();
    let options = bpffs.options(Mode::Native);
    let mut planes = [&first, &second].map(|world| {
        world.near(|| {
            dataplane::attach(&options).unwrap();
            DataPlane::open(&options).unwrap()
        })
    });
    for (world, plane) in [&first, &second].into_iter().zip(&mut planes) {
        configure(plane);
        assert_taken(world, plane);
    }
    let [one, mut other] = planes;
    drop(one);
    first.near(|| dataplane::detach(&options)).unwrap();
    assert!(!is_attached(&first));
    assert_taken(&second, &mut other);
    drop(other);
    second.near(|| dataplane::detach(&options)).unwrap();
    assert!(bpffs.entries().is_empty());
}

#[test]
fn what_cannot_work_says_what_would() {
    let Some(world) = World::new("what_cannot_work_says_what_would") else { return };
    let bpffs = Bpffs::mount();
    let mut options = bpffs.options(Mode::Native);
    options.interface = "lo".to_owned();
    let error = world.near(|| DataPlane::open(&options)).err().unwrap();
    assert!(matches!(error, DataPlaneError::NativeUnsupported { .. }), "{error}");
    assert!(error.to_string().contains("--xdp-mode generic"), "{error}");
    assert!(error.to_string().contains("--data-plane socket"), "{error}");

    options.interface = "nosuch0".to_owned();
    let error = world.near(|| DataPlane::open(&options)).err().unwrap();
    assert!(matches!(error, DataPlaneError::NoInterface(_)), "{error}");

    let mut options = bpffs.options(Mode::Native);
    options.bpffs = Path::new("/nonexistent/bpf").to_owned();
    let error = world.near(|| dataplane::attach(&options)).unwrap_err();
    assert!(matches!(error, DataPlaneError::NoBpffs(_)), "{error}");
    let plain = tempfile::tempdir().unwrap();
    options.bpffs = plain.path().to_owned();
    let error = world.near(|| dataplane::attach(&options)).unwrap_err();
    assert!(matches!(error, DataPlaneError::NotBpffs(_)), "{error}");
    // A controller needs none.
    world.near(|| DataPlane::open(&options)).unwrap();
}

#[test]
fn what_the_kernel_says_of_the_driver() {
    let Some(world) = World::new("what_the_kernel_says_of_the_driver") else { return };
    // `None` before Linux 6.3.
    if let Some(features) = world.near(|| probe::driver_features(INTERFACE)).unwrap() {
        assert!(features.native, "veth has native XDP");
        let loopback = world.near(|| probe::driver_features("lo")).unwrap().unwrap();
        assert!(!loopback.native && !loopback.rx_timestamp);
    }
}

const NAMESPACE: &str = "PTP_TEST_NAMESPACE";
const BPFFS: &str = "PTP_TEST_BPFFS";

/// No test by itself: the process that the next test starts and kills.
#[test]
fn controller() {
    let Some(namespace) = std::env::var_os(NAMESPACE) else { return };
    world::enter(namespace.to_str().unwrap());
    let options = dataplane::Options {
        interface: INTERFACE.to_owned(),
        also_interfaces: Vec::new(),
        mode: Mode::Native,
        bpffs: std::env::var_os(BPFFS).unwrap().into(),
        nic_stamps: false,
        max_clients: 1024,
    };
    let mut plane = DataPlane::open(&options).unwrap();
    configure(&mut plane);
    println!("\nready");
    loop {
        std::thread::sleep(Duration::from_millis(200));
        plane.heartbeat(now(ClockId::CLOCK_MONOTONIC)).unwrap();
    }
}

fn spawn_controller(world: &World, bpffs: &Bpffs) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "controller", "--nocapture"])
        .env(NAMESPACE, world.near_name())
        .env(BPFFS, bpffs.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "ready"), "the controller did not start");
    child
}

#[test]
fn the_machine_outlives_its_controller() {
    let Some(world) = World::new("the_machine_outlives_its_controller") else { return };
    let bpffs = Bpffs::mount();
    let options = bpffs.options(Mode::Native);
    for pinned in [false, true] {
        if pinned {
            world.near(|| dataplane::attach(&options)).unwrap();
        }
        let mut child = spawn_controller(&world, &bpffs);
        let socket = world.event_socket(NEAR[0]);
        world.send(FAR[0], NEAR[0], 319, &sync(1));
        assert_nothing(&socket);
        child.kill().unwrap();
        let killed = Instant::now();
        child.wait().unwrap();
        loop {
            world.send(FAR[0], NEAR[0], 319, &sync(2));
            if socket.recv(&mut [0; 64]).is_ok() {
                break;
            }
            assert!(
                killed.elapsed() < Duration::from_millis(2500),
                "no packet passes after the controller's death"
            );
        }
        drop(socket);
        assert_eq!(is_attached(&world), pinned);
        // And a restart works.
        let mut plane = world.near(|| DataPlane::open(&options)).unwrap();
        assert_eq!(plane.was_pinned(), pinned);
        configure(&mut plane);
        assert_taken(&world, &mut plane);
    }
    world.near(|| dataplane::detach(&options)).unwrap();
    assert!(bpffs.entries().is_empty());
}
