//! From settings to a running loop: every check that can fail, in the order in which its answer helps most.

use super::control::{self, Control};
use super::counters::Counters;
use super::drift::Drift;
use super::driver::{Driver, Schedule};
use super::guard::ClockGuard;
use super::plane::Plane;
use super::role::Role;
use super::source;
use super::sync_plane;
use super::system_clock::SystemSide;
use super::timer::{Monotonic, Timer};
use crate::clock::{self, Timescale};
use crate::config::{self, Common, DataPlaneKind, Local, Settings};
use crate::dataplane::Grant;
use crate::engine::Instant;
use crate::engine::config::LocalTimescale;
use crate::net::{
    NetError, SocketConfig, Sockets, TimestampingInfo, interface_addresses, interface_index, interface_mac,
    link_is_up, timestamping,
};
use crate::report::{Reporter, ServerStart, Sink, Start};
use anyhow::Context;
use ptp_common::time::StampSource;
use ptp_common::wire::{ClockIdentity, PortIdentity};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use tokio::signal::unix::{SignalKind, signal};

/// The only port of this clock.
const PORT_NUMBER: u16 = 1;

/// Opens everything.
pub(super) fn start(settings: &Settings) -> anyhow::Result<Driver> {
    let Settings { common, role } = settings;
    let interface = common.interface.as_str();
    interface_index(interface)?;
    let path = control::path(&common.run_dir, interface)?;
    control::refuse_if_running(&path, interface)?;
    let stamps = timestamping(interface)?;
    let sources = source::choose(common, &stamps)?;
    warn_without_address(interface, role)?;
    let identity = ClockIdentity::from_mac(interface_mac(interface)?);
    let monotonic = Monotonic::new();
    let turn = monotonic.now();
    let sync_plane = match role {
        config::Role::Server(server) => Some(sync_plane::choose(server, sources.rx, common.xdp_mode)?),
        config::Role::Client(_) => None,
    };
    let massive = sync_plane.is_some_and(|choice| choice.massive);
    // First of all: some NICs are reset by it, clock and timestamping mode included.
    let plane = match sources.rx.is_xdp() {
        true => Some(Plane::open(common, role, sources.rx.is_hardware(), massive, turn.instant)?),
        false => None,
    };
    let mut clock = open_clock(common, role, &stamps)?;
    let drift = restore_frequency(common, role, identity, &mut *clock)?;
    let system_side = open_system_side(common, role, &stamps, clock.frequency())?;
    let sockets = open_sockets(common, role, sources.rx)?;
    let local = Local {
        port_identity: PortIdentity { clock_identity: identity, port_number: PORT_NUMBER },
        timescale: match clock.timescale() {
            Timescale::Utc => LocalTimescale::Utc,
            Timescale::Tai => LocalTimescale::Tai,
        },
        frequency_ppb: clock.frequency(),
        max_frequency_ppb: clock.max_frequency(),
        // Its keys are random.
        seed: RandomState::new().hash_one(0),
    };
    let start = Start {
        role: match role {
            config::Role::Client(_) => "client",
            config::Role::Server(_) => "server",
        },
        interface: interface.to_owned(),
        data_plane: if plane.is_some() { DataPlaneKind::Xdp } else { DataPlaneKind::Socket }.name(),
        xdp_mode: plane.as_ref().map(|_| common.xdp_mode.name()),
        rx_timestamp_source: sources.rx.name(),
        rx_timestamp_reason: sources.reason.map(str::to_owned),
        tx_timestamp_source: sources.tx.name(),
        clock: clock.kind(),
        server: sync_plane.map(|choice| ServerStart {
            sync_plane: if massive { "massive" } else { "precise" },
            sync_plane_reason: choice.reason,
            delay_resp_plane: match &plane {
                Some(plane) if plane.answers() => "xdp",
                _ => "controller",
            },
        }),
    };
    let sink = common.json.then(Sink::stdout).transpose().context("cannot start writing JSON lines")?;
    let mut driver = Driver {
        role: Role::new(turn.instant, role, &local),
        control: Control::listen(path)?,
        reporter: Reporter::new(sink).with_record(open_record(role)?),
        timer: Timer::new()?,
        signals: [
            signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
            signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
        ],
        tai_offset: None,
        counters: Counters::default(),
        schedule: Schedule::new(
            turn.instant,
            common.json && clock.true_error().is_some(),
            system_side.is_some(),
        ),
        guard: ClockGuard::default(),
        drift,
        system_side,
        followed_utc: None,
        link_up: link_is_up(interface)?,
        searching: VecDeque::new(),
        clock,
        sockets,
        plane,
        start,
        monotonic,
        turn,
    };
    if let (Role::Server(server), Some(plane)) = (&mut driver.role, &driver.plane) {
        if plane.is_massive() {
            server.leave_sending();
        }
        for (address, port_identity, Grant { message_type, log_interval, expires, .. }) in plane.clients() {
            let expires = Instant::from_nanos(expires);
            server.adopt(turn.instant, address, port_identity, message_type, log_interval, expires);
        }
    }
    driver.tell_tai_offset(clock::kernel_tai_offset().context("cannot read the kernel's TAI offset")?);
    if let Some(plane) = &mut driver.plane {
        plane.start_fan_out(interface)?;
    }
    Ok(driver)
}

/// Addresses may come later, so this is no error; without one, nothing can be sent.
fn warn_without_address(interface: &str, role: &config::Role) -> anyhow::Result<()> {
    let addresses = interface_addresses(interface)?;
    let has = |v4: bool| addresses.iter().any(|address| address.is_ipv4() == v4);
    match role {
        config::Role::Client(client) => {
            for server in client.servers.iter().filter(|server| !has(server.address.is_ipv4())) {
                let family = if server.address.is_ipv4() { "IPv4" } else { "IPv6" };
                tracing::warn!(
                    "{interface} has no {family} address: {} cannot be reached yet",
                    server.address
                );
            }
        }
        config::Role::Server(_) if addresses.is_empty() => {
            tracing::warn!("{interface} has no IP address: no client can reach this server yet");
        }
        config::Role::Server(_) => {}
    }
    Ok(())
}

fn open_clock(
    common: &Common,
    role: &config::Role,
    stamps: &TimestampingInfo,
) -> anyhow::Result<Box<dyn clock::Clock>> {
    let mut options = clock::Options {
        interface: common.interface.clone(),
        phc_index: stamps.phc_index,
        steered: matches!(role, config::Role::Client(_)) || common.also_system_clock,
        ..clock::Options::default()
    };
    let kind = match common.clock {
        config::Clock::System => clock::Kind::System,
        config::Clock::Phc => clock::Kind::Phc,
        config::Clock::None => clock::Kind::None,
        config::Clock::Virtual { offset_ns, frequency_ppb } => {
            options.virtual_offset_ns = offset_ns;
            options.virtual_frequency_ppb = frequency_ppb;
            clock::Kind::Virtual
        }
    };
    Ok(clock::open(kind, &options)?)
}

/// Lets a clock that we steer run at the frequency that it needed last.
fn restore_frequency(
    common: &Common,
    role: &config::Role,
    identity: ClockIdentity,
    clock: &mut dyn clock::Clock,
) -> anyhow::Result<Option<Drift>> {
    let config::Role::Client(client) = role else { return Ok(None) };
    let name = match common.clock {
        config::Clock::Phc => format!("phc-{identity}"),
        config::Clock::System => "system".to_owned(),
        config::Clock::Virtual { .. } | config::Clock::None => return Ok(None),
    };
    let drift = Drift::new(&client.state_dir, &name);
    if let Some(ppb) = drift.load()? {
        clock.set_frequency(ppb)?;
    } else {
        // Attaching the program may have reset the NIC, and the kernel does not know.
        clock.reapply_frequency()?;
    }
    Ok(Some(drift))
}

fn open_system_side(
    common: &Common,
    role: &config::Role,
    stamps: &TimestampingInfo,
    frequency_ppb: f64,
) -> anyhow::Result<Option<SystemSide>> {
    let Some(index) = stamps.phc_index.filter(|_| common.also_system_clock) else { return Ok(None) };
    Ok(Some(match role {
        config::Role::Client(_) => SystemSide::system_follows(index)?,
        config::Role::Server(_) => SystemSide::phc_follows(index, frequency_ppb)?,
    }))
}

fn open_record(role: &config::Role) -> anyhow::Result<Option<Sink>> {
    let config::Role::Client(config::ClientSettings { record: Some(path), .. }) = role else {
        return Ok(None);
    };
    let file =
        std::fs::File::create(path).with_context(|| format!("cannot write the record {}", path.display()))?;
    Ok(Some(Sink::new(file).context("cannot start writing the record")?))
}

/// A client opens the families of its servers, a server both, where the kernel has both.
fn open_sockets<T>(common: &Common, role: &config::Role, rx: StampSource) -> anyhow::Result<Sockets<T>> {
    let (ipv4, ipv6) = match role {
        config::Role::Client(client) => {
            let any = |is: fn(&IpAddr) -> bool| client.servers.iter().any(|server| is(&server.address));
            (any(IpAddr::is_ipv4), any(IpAddr::is_ipv6))
        }
        config::Role::Server(_) => (true, true),
    };
    let config = SocketConfig {
        interface: common.interface.clone(),
        dscp: common.dscp,
        ipv4,
        ipv6,
        rx_stamps: !rx.is_xdp(),
        hardware: rx.is_hardware(),
    };
    match (Sockets::open(&config), role) {
        (Err(error @ NetError::FamilyUnavailable { .. }), config::Role::Server(_)) => {
            tracing::info!("{error}");
            Ok(Sockets::open(&SocketConfig { ipv6: false, ..config })?)
        }
        (sockets, _) => Ok(sockets?),
    }
}
