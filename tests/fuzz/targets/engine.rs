//! Any sequence of inputs, to a client or a server: no panic, no loop without end, only well-formed messages.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use ptp_common::wire::{ClockIdentity, ClockQuality, PortIdentity};
use ptp_ctl::engine::Instant;
use ptp_ctl::engine::client::Client;
use ptp_ctl::engine::config::{
    ClientConfig, LocalTimescale, Policy, PortConfig, Retry, Select, ServerConfig, ServerEntry, ServoConfig,
    ServoKind, Standby,
};
use ptp_ctl::engine::server::Server;
use ptp_fuzz::{PEERS, drain, drive};
use std::time::Duration;

const OWN: PortIdentity = PortIdentity { clock_identity: ClockIdentity([0xaa; 8]), port_number: 1 };

/// The settings that change what the engine does, each within what a configuration allows.
#[derive(Debug, Arbitrary)]
struct Settings {
    server: bool,
    tai: bool,
    two_step: bool,
    servo: bool,
    pi: bool,
    fast: bool,
    seed: u64,
}

fuzz_target!(|octets: &[u8]| {
    let mut data = Unstructured::new(octets);
    let Ok(settings) = Settings::arbitrary(&mut data) else { return };
    let start = Instant::default();
    if settings.server {
        let mut server = Server::new(start, server_config(&settings));
        let end = drive(&mut server, OWN, &mut data);
        let _ = server.status(end);
        server.shutdown(end);
        drain(&mut server, OWN, end);
    } else {
        let mut client = Client::new(start, client_config(&settings));
        let end = drive(&mut client, OWN, &mut data);
        let _ = client.status(end);
        client.shutdown(end);
        drain(&mut client, OWN, end);
    }
});

fn port_config(settings: &Settings) -> PortConfig {
    PortConfig {
        port_identity: OWN,
        domain_number: 0,
        sdo_id: 0,
        minor_version: 0,
        local_timescale: if settings.tai { LocalTimescale::Tai } else { LocalTimescale::Utc },
        seed: settings.seed,
    }
}

fn client_config(settings: &Settings) -> ClientConfig {
    let server = |address, local_priority| ServerEntry { address, local_priority };
    let log_interval = if settings.fast { -7 } else { 0 };
    ClientConfig {
        port: port_config(settings),
        servers: vec![server(PEERS[0], 1), server(PEERS[1], 2)],
        log_announce_interval: log_interval,
        log_sync_interval: log_interval,
        log_delay_resp_interval: log_interval,
        duration: 60,
        announce_receipt_timeout: 3,
        sync_receipt_timeout: 3,
        wait_to_restore: Duration::from_secs(2),
        max_steps_removed: 255,
        check_interval: Duration::from_secs(1),
        retry: Retry::Fast,
        select: Select::Btca,
        standby: if settings.two_step { Standby::Hot } else { Standby::Warm },
        switch_slew_ppb: 1_000.0,
        max_variation_ns: None,
        delay_asymmetry_ns: 0,
        max_asymmetry_ns: None,
        servo: settings.servo.then_some(ServoConfig {
            kind: if settings.pi { ServoKind::Pi { hardware_stamps: false } } else { ServoKind::Adaptive },
            first_step_threshold_ns: 20_000,
            step_threshold_ns: 0,
            max_slew_ppb: 100_000.0,
            initial_deviation_ppb: 100_000.0,
            initial_frequency_ppb: 0.0,
            max_frequency_ppb: 500_000.0,
        }),
    }
}

fn server_config(settings: &Settings) -> ServerConfig {
    ServerConfig {
        port: port_config(settings),
        priority1: 128,
        priority2: 128,
        auto_quality: None,
        clock_quality: ClockQuality {
            clock_class: 248,
            clock_accuracy: 0xfe,
            offset_scaled_log_variance: 0xffff,
        },
        time_source: 0xa0,
        two_step: settings.two_step,
        policy: Policy {
            max_clients: 2,
            max_rate: Some(600),
            max_client_rate: Some(400),
            min_log_interval: -7,
            min_log_announce_interval: -3,
            max_duration: 1000,
            allowed: Vec::new(),
        },
    }
}
