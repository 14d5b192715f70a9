//! From settings to a running loop: every check that can fail, in the order in which its answer helps most.

use super::chrony::ChronyFeed;
use super::control::{self, Control};
use super::counters::Counters;
use super::drift::Drift;
use super::driver::Driver;
use super::guard::ClockGuard;
use super::http;
use super::interfaces::{self, Links};
use super::management::ManagementSocket;
use super::plane::Plane;
use super::port::Port;
use super::process::{Conduct, needed};
use super::reload::Reload;
use super::role::Role;
use super::schedule::Schedule;
use super::second_clock::SecondClock;
use super::source::{self, Sources};
use super::sync_plane;
use super::system_clock::SystemSide;
use super::time_page::TimeKeeper;
use super::timer::{Monotonic, Timer};
use crate::clock::{self, Refclock, TimePageWriter, Timescale};
use crate::config::{self, ClientSettings, Common, DataPlaneKind, Local, Settings};
use crate::dataplane::Grant;
use crate::engine::Instant;
use crate::engine::config::LocalTimescale;
use crate::net::{NetError, SocketConfig, Sockets, TimestampingInfo, interface_mac, timestamping};
use crate::process;
use crate::report::{ProcessStatus, Reporter, ServerStart, Setup, Sink, Start};
use anyhow::Context;
use ptp_common::time::StampSource;
use ptp_common::wire::{ClockIdentity, PortIdentity};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use tokio::signal::unix::{SignalKind, signal};

/// The only port of this clock, or the one that faces its clients.
const PORT_NUMBER: u16 = 1;

/// Opens everything.
pub(super) fn start(settings: &Settings, source: Option<config::Source>) -> anyhow::Result<Driver> {
    let Settings { common, role } = settings;
    // As process 1 of a container it would lose what comes before somebody listens.
    let signals = [
        signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
    ];
    let hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let interface = common.interface.as_str();
    interfaces::check(common)?;
    let path = control::path(&common.run_dir, interface)?;
    refuse_if_running(common)?;
    let conduct = Conduct::prepare(common, role, source.as_ref())?;
    let stamps = timestamping(interface)?;
    let sources = source::choose(common)?;
    warn_without_address(common, role)?;
    let other = role.upstream().filter(|upstream| upstream.common.interface != common.interface);
    let identity = ClockIdentity::from_mac(interface_mac(interface)?);
    let monotonic = Monotonic::new();
    let turn = monotonic.now();
    let sync_plane = match role {
        config::Role::Server(server) => Some(sync_plane::choose(server, common, sources.rx)?),
        config::Role::Client(_) => None,
    };
    let massive = sync_plane.is_some_and(|choice| choice.massive);
    // First of all: some NICs are reset by it, clock and timestamping mode included.
    let servers = match other {
        None => role.client().map_or_else(Vec::new, ClientSettings::addresses),
        Some(_) => Vec::new(),
    };
    let plane = match sources.rx.is_xdp() {
        true => Some(Plane::open(common, role, &servers, sources.rx.is_hardware(), massive, turn.instant)?),
        false => None,
    };
    let other = other.map(|upstream| OtherPort::open(upstream, turn.instant)).transpose()?;
    let nic_stamps = sources.rx.is_hardware() || other.as_ref().is_some_and(|other| other.nic_stamps);
    // A boundary clock's client steers the clock of the NIC that its packets come to.
    let first = other.as_ref().map_or(&stamps, |other| &other.stamps);
    let mut clock = open_clock(common, role, first)?;
    let drift = restore_frequency(common, role, identity, &mut *clock)?;
    let system_side = open_system_side(common, role, first, clock.frequency())?;
    let second_clock = open_second_clock(common, first, &stamps)?;
    let sockets = open_sockets(common, role, sources.rx)?;
    let local = local(identity, &*clock);
    let setup = setup(common, role, sources, other.as_ref(), plane.as_ref(), sync_plane);
    let start = Start { setup, clock: clock.kind() };
    let sink = common.json.then(Sink::stdout);
    let mut control = Control::listen(path)?;
    let upstream = other.as_ref().map(|other| other.interface.as_str());
    for interface in common.interfaces().skip(1).chain(upstream) {
        control.also_at(control::path(&common.run_dir, interface)?)?;
    }
    let mut driver = Driver {
        role: Role::new(turn.instant, role, &local),
        control,
        management: common.management_socket.as_deref().map(ManagementSocket::open).transpose()?,
        reporter: Reporter::new(sink).with_record(open_record(role)?),
        chrony: open_chrony(role)?,
        time_page: open_time_page(common, role)?,
        timer: Timer::new()?,
        signals,
        hangup,
        reload: Reload { source, local },
        tai_offset: None,
        kernel_clock: None,
        counters: Counters::default(),
        schedule: Schedule::new(
            turn.instant,
            common.json && clock.true_error().is_some(),
            system_side.is_some() || second_clock.is_some(),
        ),
        guard: ClockGuard::default(),
        drift,
        system_side,
        followed_utc: None,
        port: Port { sockets, plane, links: Links::of(common.interfaces())? },
        searching: VecDeque::new(),
        upstream: other.map(|other| other.port),
        second_clock,
        clock,
        start,
        monotonic,
        turn,
    };
    driver.share_with_plane();
    if driver.second_clock.is_some()
        && let Role::Boundary(boundary) = &mut driver.role
    {
        // Until it was compared.
        boundary.set_second_clock_error(turn.instant, None);
    }
    let tai_offset = clock::kernel_tai_offset().context("cannot read the kernel's TAI offset")?;
    if tai_offset.is_none() && role.client().is_none() {
        tracing::warn!(
            "the kernel does not know TAI - UTC: clients cannot tell one from the other (an NTP daemon that has a table of leap \
             seconds, such as chronyd with `leapsectz right/UTC`, sets it)"
        );
    }
    driver.tell_tai_offset(tai_offset);
    driver.refresh_kernel_clock();
    if let Some(plane) = &mut driver.port.plane {
        plane.open_fan_out()?;
    }
    if let Some(address) = common.metrics {
        driver.control.listen_http(http::bind(address)?);
    }
    let needed = needed(common, role, massive, nic_stamps);
    driver.start.setup.process = conduct.settle(common, needed, driver.port.plane.as_mut())?;
    driver.reporter.run(process::stand_back).context("cannot start writing JSON lines")?;
    Ok(driver)
}

/// What the engine must know of this machine.
fn local(identity: ClockIdentity, clock: &dyn clock::Clock) -> Local {
    Local {
        port_identity: PortIdentity { clock_identity: identity, port_number: PORT_NUMBER },
        timescale: match clock.timescale() {
            Timescale::Utc => LocalTimescale::Utc,
            Timescale::Tai => LocalTimescale::Tai,
        },
        frequency_ppb: clock.frequency(),
        max_frequency_ppb: clock.max_frequency(),
        // Its keys are random.
        seed: RandomState::new().hash_one(0),
    }
}

/// What was chosen, for the reports.
fn setup(
    common: &Common,
    role: &config::Role,
    sources: Sources,
    other: Option<&OtherPort>,
    plane: Option<&Plane>,
    sync_plane: Option<sync_plane::Choice>,
) -> Setup {
    Setup {
        role: match (role, role.upstream()) {
            (config::Role::Client(_), _) => "client",
            (config::Role::Server(_), None) => "server",
            (config::Role::Server(_), Some(_)) => "boundary",
        },
        interface: common.interface.clone(),
        also_interfaces: common.also_interfaces.clone(),
        local_addresses: common.local_addresses.clone(),
        upstream_interface: other.map(|other| other.interface.clone()),
        data_plane: if plane.is_some() { DataPlaneKind::Xdp } else { DataPlaneKind::Socket }.name(),
        xdp_mode: plane.map(|_| common.xdp_mode.name()),
        rx_timestamp_source: sources.rx.name(),
        rx_timestamp_reason: sources.reason,
        tx_timestamp_source: sources.tx.name(),
        // Until all is open.
        process: ProcessStatus::default(),
        server: sync_plane.map(|choice| ServerStart {
            sync_plane: if choice.massive { "massive" } else { "precise" },
            sync_plane_reason: choice.reason,
            delay_resp_plane: match plane {
                Some(plane) if plane.answers() => "xdp",
                _ => "controller",
            },
        }),
    }
}

impl Driver {
    /// Leaves to the data plane what it sends, and takes over what it still serves for a server that was killed.
    fn share_with_plane(&mut self) {
        let (Some(server), Some(plane)) = (self.role.server_mut(), &self.port.plane) else { return };
        if plane.is_massive() {
            server.leave_sending();
        }
        for (address, port_identity, Grant { message_type, log_interval, expires, .. }) in plane.clients() {
            let expires = Instant::from_nanos(expires);
            server.adopt(self.turn.instant, address, port_identity, message_type, log_interval, expires);
        }
    }
}

/// One controller at a time on each interface.
fn refuse_if_running(common: &Common) -> anyhow::Result<()> {
    common.interfaces().try_for_each(|interface| {
        control::refuse_if_running(&control::path(&common.run_dir, interface)?, interface)
    })
}

/// Addresses may come later, so this is no error; without one, nothing can be sent.
fn warn_without_address(common: &Common, role: &config::Role) -> anyhow::Result<()> {
    match role {
        config::Role::Client(client) => warn_without_family(common, client)?,
        config::Role::Server(_) if interfaces::addresses(common)?.is_empty() => {
            let interfaces = common.interface_names();
            tracing::warn!("{interfaces} has no IP address: no client can reach this server yet");
        }
        config::Role::Server(_) => {}
    }
    Ok(())
}

/// The same of the families of a client's servers.
pub(super) fn warn_without_family(common: &Common, client: &ClientSettings) -> anyhow::Result<()> {
    let interfaces = common.interface_names();
    let addresses = interfaces::addresses(common)?;
    let has = |v4: bool| addresses.iter().any(|address| address.is_ipv4() == v4);
    for server in client.servers.iter().filter(|server| !has(server.address.is_ipv4())) {
        let family = if server.address.is_ipv4() { "IPv4" } else { "IPv6" };
        tracing::warn!("{interfaces} has no {family} address: {} cannot be reached yet", server.address);
    }
    Ok(())
}

/// The port of a boundary clock that faces its servers, where that is another one.
struct OtherPort {
    interface: String,
    port: Port,
    stamps: TimestampingInfo,
    nic_stamps: bool,
}

impl OtherPort {
    fn open(upstream: &config::Upstream, now: Instant) -> anyhow::Result<Self> {
        let config::Upstream { common, client, .. } = upstream;
        let interface = common.interface.as_str();
        interfaces::check(common)?;
        refuse_if_running(common)?;
        let stamps = timestamping(interface)?;
        let sources = source::choose(common)?;
        let role = config::Role::Client(client.clone());
        warn_without_address(common, &role)?;
        let plane = match sources.rx.is_xdp() {
            true => {
                Some(Plane::open(common, &role, &client.addresses(), sources.rx.is_hardware(), false, now)?)
            }
            false => None,
        };
        let port = Port {
            sockets: open_sockets(common, &role, sources.rx)?,
            plane,
            links: Links::of(common.interfaces())?,
        };
        Ok(Self { interface: interface.to_owned(), port, stamps, nic_stamps: sources.rx.is_hardware() })
    }
}

/// Where the NICs of a boundary clock's two ports have clocks of their own, that of the clients' follows.
fn open_second_clock(
    common: &Common,
    first: &TimestampingInfo,
    second: &TimestampingInfo,
) -> anyhow::Result<Option<SecondClock>> {
    let (Some(first), Some(second)) = (first.phc_index, second.phc_index) else { return Ok(None) };
    if common.clock != config::Clock::Phc || first == second {
        return Ok(None);
    }
    let options = clock::Options {
        interface: common.interface.clone(),
        phc_index: Some(second),
        steered: true,
        ..clock::Options::default()
    };
    Ok(Some(SecondClock::new(clock::open(clock::Kind::Phc, &options)?, first, second)?))
}

fn open_clock(
    common: &Common,
    role: &config::Role,
    stamps: &TimestampingInfo,
) -> anyhow::Result<Box<dyn clock::Clock>> {
    let mut options = clock::Options {
        interface: common.interface.clone(),
        phc_index: stamps.phc_index,
        steered: role.client().is_some() || common.also_system_clock,
        ..clock::Options::default()
    };
    let kind = match common.clock {
        config::Clock::System => clock::Kind::System,
        config::Clock::Phc => clock::Kind::Phc,
        config::Clock::None => clock::Kind::None,
        config::Clock::Chrony => clock::Kind::Chrony,
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
    let Some(client) = role.client() else { return Ok(None) };
    let name = match common.clock {
        config::Clock::Phc => format!("phc-{identity}"),
        config::Clock::System => "system".to_owned(),
        config::Clock::Virtual { .. } | config::Clock::None | config::Clock::Chrony => return Ok(None),
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
    Ok(Some(match role.client() {
        Some(_) => SystemSide::system_follows(index)?,
        None => SystemSide::phc_follows(index, frequency_ppb)?,
    }))
}

fn open_chrony(role: &config::Role) -> anyhow::Result<Option<ChronyFeed>> {
    let socket = role.client().and_then(|client| client.chrony_socket.as_deref());
    Ok(socket.map(Refclock::new).transpose()?.map(ChronyFeed::new))
}

/// Where a client tells programs the time: named by its settings, or beside its socket.
fn open_time_page(common: &Common, role: &config::Role) -> anyhow::Result<Option<TimeKeeper>> {
    let Some(client) = role.client() else { return Ok(None) };
    let path = match &client.time_page {
        Some(path) => path.clone(),
        None => super::time_page_path(&common.run_dir, &common.interface)?,
    };
    let writer = TimePageWriter::open(&path)
        .with_context(|| format!("cannot write the time page {} (--time-page)", path.display()))?;
    Ok(Some(TimeKeeper::new(writer)))
}

fn open_record(role: &config::Role) -> anyhow::Result<Option<Sink>> {
    let Some(ClientSettings { record: Some(path), .. }) = role.client() else {
        return Ok(None);
    };
    let file = std::fs::File::create(path)
        .with_context(|| format!("cannot write the record {} (--record)", path.display()))?;
    Ok(Some(Sink::new(file)))
}

/// A client opens the families of its servers, a server both, where the kernel has both.
fn open_sockets<T>(common: &Common, role: &config::Role, rx: StampSource) -> anyhow::Result<Sockets<T>> {
    let (ipv4, ipv6) = match role {
        config::Role::Client(client) => {
            let any = |is: fn(&IpAddr) -> bool| client.servers.iter().any(|server| is(&server.address));
            (any(IpAddr::is_ipv4), any(IpAddr::is_ipv6))
        }
        config::Role::Server(_) => (common.has_family(true), common.has_family(false)),
    };
    let config = SocketConfig {
        interfaces: common.interfaces().map(str::to_owned).collect(),
        local_addresses: common.local_addresses.clone(),
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
