//! The program loaded for its interface, so that it could read the NIC's stamps: a veth has the kernel's function, and
//! no stamps.

use super::world::{Bpffs, FAR, INTERFACE, NEAR, World};
use super::{configure, is_attached, sync};
use nix::poll::{PollFd, PollFlags, poll};
use ptp_common::time::StampSource;
use ptp_ctl::dataplane::{self, DataPlane, DataPlaneError, Mode, Options, probe};

/// `None`, said on stderr, where kernel or driver cannot do it.
fn world(test: &str) -> Option<World> {
    let world = World::new(test)?;
    if world.near(|| probe::can_read_nic_stamps(INTERFACE)).unwrap() {
        return Some(world);
    }
    ptp_tests::skip(test, "needs Linux 6.3 with BTF");
    None
}

fn with_nic_stamps(options: &Options) -> Options {
    Options { nic_stamps: true, ..options.clone() }
}

/// Source of the stamp with which a message arrives by the ring.
fn arriving_stamp(world: &World, plane: &mut DataPlane) -> Option<StampSource> {
    configure(plane);
    world.send(FAR[0], NEAR[0], 319, &sync(1));
    poll(&mut [PollFd::new(plane.event_fd(), PollFlags::POLLIN)], 1000_u16).unwrap();
    let mut stamps = Vec::new();
    plane.drain(usize::MAX, |event| stamps.push(event.stamp.map(|stamp| stamp.source)));
    assert_eq!(stamps.len(), 1, "the message was not taken");
    stamps[0]
}

#[test]
fn a_stamp_that_the_driver_has_not_is_no_stamp() {
    let Some(world) = world("a_stamp_that_the_driver_has_not_is_no_stamp") else { return };
    let bpffs = Bpffs::mount();
    let options = with_nic_stamps(&bpffs.options(Mode::Native));
    let mut plane = world.near(|| DataPlane::open(&options)).unwrap();
    assert!(is_attached(&world));
    assert!(bpffs.entries().is_empty(), "nothing is left of the load");
    assert_eq!(arriving_stamp(&world, &mut plane), None);
    assert_eq!(plane.record_counters().stamp_lost, 1);
    drop(plane);
    assert!(!is_attached(&world));
}

#[test]
fn an_attached_program_serves_both_kinds_of_controllers() {
    let Some(world) = world("an_attached_program_serves_both_kinds_of_controllers") else { return };
    let bpffs = Bpffs::mount();
    let software = bpffs.options(Mode::Native);
    let hardware = with_nic_stamps(&software);
    let report = world.near(|| dataplane::attach(&hardware)).unwrap();
    assert!(report.nic_stamps);
    for (options, expected) in
        [(&software, Some(StampSource::XdpSw)), (&hardware, None), (&software, Some(StampSource::XdpSw))]
    {
        let mut plane = world.near(|| DataPlane::open(options)).unwrap();
        assert!(plane.was_pinned());
        assert_eq!(arriving_stamp(&world, &mut plane), expected);
    }
    world.near(|| dataplane::detach(&software)).unwrap();
    assert!(bpffs.entries().is_empty());
}

#[test]
fn stamps_that_cannot_be_had_are_refused() {
    let Some(world) = world("stamps_that_cannot_be_had_are_refused") else { return };
    let bpffs = Bpffs::mount();
    let generic = with_nic_stamps(&bpffs.options(Mode::Generic));
    let error = world.near(|| DataPlane::open(&generic)).err().unwrap();
    assert!(matches!(error, DataPlaneError::NicStampsGeneric), "{error}");

    let software = bpffs.options(Mode::Native);
    world.near(|| dataplane::attach(&software)).unwrap();
    let error = world.near(|| DataPlane::open(&with_nic_stamps(&software))).err().unwrap();
    assert!(matches!(error, DataPlaneError::NotDeviceBound { .. }), "{error}");
    world.near(|| dataplane::detach(&software)).unwrap();

    let error = world.near(|| {
        let loopback = Options { interface: "lo".to_owned(), ..with_nic_stamps(&software) };
        DataPlane::open(&loopback).err().unwrap()
    });
    assert!(matches!(error, DataPlaneError::DeviceBound { .. }), "{error}");
    assert!(bpffs.entries().is_empty(), "a failed load leaves nothing");
}
