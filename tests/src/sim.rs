//! Ready-made machines for the simulated world, and what to see of it.

use ptp_common::wire::{ClockIdentity, ClockQuality, PortIdentity};
use ptp_ctl::engine::client::{State, Status};
use ptp_ctl::engine::config::{
    ClientConfig, LocalTimescale, Policy, PortConfig, Retry, Select, ServerConfig, ServerEntry, ServoConfig,
    ServoKind, Standby,
};
use ptp_ctl::engine::event::{Event, Kind};
use ptp_ctl::sim::{NodeId, Observation, Report, World};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The client's address.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// The preferred server's address.
pub const SERVER_A: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1));
/// The other server's address.
pub const SERVER_B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 1));
/// A third server's address.
pub const SERVER_C: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 3, 1));

/// An identity that ends in `number`.
pub fn identity(number: u8) -> PortIdentity {
    PortIdentity { clock_identity: ClockIdentity([2, 0, 0, 0xff, 0xfe, 0, 0, number]), port_number: 1 }
}

fn port(number: u8) -> PortConfig {
    PortConfig {
        port_identity: identity(number),
        domain_number: 0,
        sdo_id: 0,
        minor_version: 0,
        local_timescale: LocalTimescale::Utc,
        seed: number.into(),
    }
}

/// A client of these servers, the first one preferred: 8 exchanges a second, Announce every second, durations of 60 s,
/// wait-to-restore 5 s.
pub fn client(servers: &[IpAddr]) -> ClientConfig {
    let entry =
        |(index, &address): (usize, &IpAddr)| ServerEntry { address, local_priority: 1 + index as u8 };
    ClientConfig {
        port: port(1),
        servers: servers.iter().enumerate().map(entry).collect(),
        log_announce_interval: 0,
        log_sync_interval: -3,
        log_delay_resp_interval: -3,
        duration: 60,
        announce_receipt_timeout: 3,
        sync_receipt_timeout: 3,
        wait_to_restore: Duration::from_secs(5),
        max_steps_removed: 255,
        check_interval: Duration::from_secs(1),
        retry: Retry::Fast,
        select: Select::Btca,
        standby: Standby::Hot,
        switch_slew_ppb: 1_000.0,
        max_variation_ns: None,
        delay_asymmetry_ns: 0,
        max_asymmetry_ns: None,
        servo: Some(ServoConfig {
            kind: ServoKind::Adaptive,
            first_step_threshold_ns: 20_000,
            step_threshold_ns: 10_000_000,
            max_slew_ppb: 10_000.0,
            initial_deviation_ppb: 100_000.0,
            initial_frequency_ppb: 0.0,
            max_frequency_ppb: 500_000.0,
        }),
    }
}

/// A two-step server whose identity ends in `number`.
pub fn server(number: u8) -> ServerConfig {
    ServerConfig {
        port: port(number),
        priority1: 128,
        priority2: 128,
        auto_quality: None,
        clock_quality: ClockQuality {
            clock_class: 248,
            clock_accuracy: 0xfe,
            offset_scaled_log_variance: 0xffff,
        },
        time_source: 0xa0,
        two_step: true,
        policy: policy(),
    }
}

/// Everyone is served, up to 512.
pub fn policy() -> Policy {
    Policy {
        max_clients: 512,
        max_rate: None,
        max_client_rate: None,
        min_log_interval: -7,
        min_log_announce_interval: -7,
        max_duration: 1000,
        allowed: Vec::new(),
    }
}

/// A client's status, now.
pub fn status(world: &World, client: NodeId) -> Status {
    world.client(client).expect("a client that is on").status(world.instant())
}

/// The server in use.
pub fn selected(world: &World, client: NodeId) -> Option<IpAddr> {
    status(world, client).selected_server
}

/// The state of a client.
pub fn state(world: &World, client: NodeId) -> State {
    status(world, client).state
}

/// Events of one kind, and when they were.
pub fn events(reports: &[Report], kind: Kind) -> Vec<(Duration, Event)> {
    let event = |report: &Report| match &report.what {
        Observation::Event(event) if event.kind == kind => Some((report.at, event.clone())),
        _ => None,
    };
    reports.iter().filter_map(event).collect()
}

/// True errors of a client when its servo was given something, ns.
pub fn errors(reports: &[Report]) -> Vec<f64> {
    let error = |report: &Report| match report.what {
        Observation::Sample(sample, error) if sample.used => Some(error),
        _ => None,
    };
    reports.iter().filter_map(error).collect()
}

/// Seconds.
pub fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}
