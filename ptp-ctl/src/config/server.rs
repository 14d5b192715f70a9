//! A server's settings.

use super::check::{Checker, RawCommon};
use super::{
    ClockClass, ClockKind, Common, ConfigError, DEFAULT_BPFFS, DEFAULT_RUN_DIR, DataPlaneKind, Local,
    Profile, Role, RxTimestamp, Settings, SyncMode, SyncPlane, Upstream, UpstreamOptions, User,
    XdpAttachMode,
};
use crate::engine::config::{AutoQuality, Policy, ServerConfig};
use crate::engine::server::Prefix;
use ptp_common::wire::ClockQuality;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// timeSource of clocks that make time: atomic clock, GNSS, terrestrial radio (IEEE 1588-2019, table 6).
const PRIMARY_REFERENCES: [i64; 3] = [0x10, 0x20, 0x30];

/// Flags of `ptp-ctl server` and keys of `[server]`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServerOptions {
    /// Interface that faces the clients
    #[arg(value_name = "IFACE")]
    pub interface: String,
    /// Another interface that faces clients, once per interface: all have one set of maps
    #[arg(long, value_name = "IFACE")]
    pub also_interface: Vec<String>,
    /// Address that all is sent from and nothing but what is sent to it is taken, of this machine; once per IP version
    #[arg(long, value_name = "ADDR")]
    pub local_address: Vec<IpAddr>,
    /// Named set of defaults for what is not set
    #[arg(long, value_enum, value_name = "NAME", default_value_t = defaults().profile)]
    pub profile: Profile,
    /// domainNumber, 0 to 255
    #[arg(long, value_name = "N", default_value_t = defaults().domain)]
    pub domain: i64,
    /// sdoId, 0 to 4095
    #[arg(long, value_name = "N", default_value_t = defaults().sdo_id)]
    pub sdo_id: i64,
    /// minorVersionPTP to send, 0 or 1
    #[arg(long, value_name = "N", default_value_t = defaults().minor_version)]
    pub minor_version: i64,
    /// Clock to serve; it is read, and steered only with upstream servers
    #[arg(long, value_enum, value_name = "KIND", default_value_t = defaults().clock)]
    pub clock: ClockKind,
    /// Error of a virtual clock at start, ns
    #[arg(long, value_name = "NS", allow_negative_numbers = true)]
    pub virtual_offset: Option<i64>,
    /// Frequency error of a virtual clock, ppb
    #[arg(long, value_name = "PPB", allow_negative_numbers = true)]
    pub virtual_frequency: Option<f64>,
    /// Let the NIC's clock (clock = phc) follow the system clock; with upstream servers, the other way round
    #[arg(long)]
    pub also_system_clock: bool,
    /// Where event messages come from
    #[arg(long, value_enum, value_name = "PLANE", default_value_t = defaults().data_plane)]
    pub data_plane: DataPlaneKind,
    /// Who must stamp what comes in; unless said, the best that clock, driver and data plane allow
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub rx_timestamp: Option<RxTimestamp>,
    /// How the XDP program is attached
    #[arg(long, value_enum, value_name = "MODE", default_value_t = defaults().xdp_mode)]
    pub xdp_mode: XdpAttachMode,
    /// grandmasterPriority1 to announce, 0 to 255
    #[arg(long, value_name = "N", default_value_t = defaults().priority1)]
    pub priority1: i64,
    /// grandmasterPriority2 to announce, 0 to 255
    #[arg(long, value_name = "N", default_value_t = defaults().priority2)]
    pub priority2: i64,
    /// clockClass to announce, 0 to 255, or auto: 248, or with a primary reference as time-source 6 while the kernel's clock is
    /// synchronised; clockAccuracy then comes from the kernel
    #[arg(long, value_name = "N", default_value_t = defaults().clock_class)]
    pub clock_class: ClockClass,
    /// clockAccuracy to announce, 0 to 255 (33 = 100 ns, 254 = unknown)
    #[arg(long, value_name = "N", default_value_t = defaults().clock_accuracy)]
    pub clock_accuracy: i64,
    /// offsetScaledLogVariance to announce, 0 to 65535 (65535 = unknown)
    #[arg(long, value_name = "N", default_value_t = defaults().offset_scaled_log_variance)]
    pub offset_scaled_log_variance: i64,
    /// timeSource to announce, 0 to 255 (32 = GNSS, 160 = internal oscillator)
    #[arg(long, value_name = "N", default_value_t = defaults().time_source)]
    pub time_source: i64,
    /// How the time of a Sync is told
    #[arg(long, value_enum, value_name = "MODE", default_value_t = defaults().sync_mode)]
    pub sync_mode: SyncMode,
    /// Who sends Sync and Announce
    #[arg(long, value_enum, value_name = "PLANE", default_value_t = defaults().sync_plane)]
    pub sync_plane: SyncPlane,
    /// Clients served at most, 1 to 4194303
    #[arg(long, value_name = "N", default_value_t = defaults().max_clients)]
    pub max_clients: i64,
    /// Longest duration granted, seconds, 5 to 86400
    #[arg(long, value_name = "S", default_value_t = defaults().max_duration)]
    pub max_duration: i64,
    /// Messages per second promised to all clients together; requests beyond it are cut down, then denied
    #[arg(long, value_name = "N")]
    pub max_rate: Option<i64>,
    /// Messages per second promised to each client
    #[arg(long, value_name = "N")]
    pub max_client_rate: Option<i64>,
    /// Shortest interval granted for every message type, log2 of seconds, -7 to 6
    #[arg(long, value_name = "LOG2", allow_negative_numbers = true, default_value_t = defaults().min_log_interval)]
    pub min_log_interval: i64,
    /// Shortest interval of Announce granted, log2 of seconds, -7 to 6
    #[arg(long, value_name = "LOG2", allow_negative_numbers = true, default_value_t = defaults().min_log_announce_interval)]
    pub min_log_announce_interval: i64,
    /// Serve only addresses with this prefix; may be given several times
    #[arg(long, value_name = "PREFIX")]
    pub allow: Vec<Prefix>,
    /// How long an attached XDP program answers without this controller where it steers the clock, seconds, 0 to 3600
    #[arg(long, value_name = "S", default_value_t = defaults().max_unattended)]
    pub max_unattended: i64,
    /// The servers that it follows itself.
    #[command(flatten)]
    pub upstream: UpstreamOptions,
    /// Interface that leads to the upstream servers, if it is another one
    #[arg(long, value_name = "IFACE")]
    pub upstream_interface: Option<String>,
    /// Without its upstream servers, the clock is in specification (class 135) while its error is surely below, ns
    #[arg(long, value_name = "NS", default_value_t = defaults().holdover_limit)]
    pub holdover_limit: i64,
    /// DSCP of everything sent, 0 to 63
    #[arg(long, value_name = "N", default_value_t = defaults().dscp)]
    pub dscp: i64,
    /// Where bpffs is mounted
    #[arg(long, value_name = "DIR", default_value_os_t = defaults().bpffs)]
    pub bpffs: PathBuf,
    /// Directory of the socket that `stats` asks
    #[arg(long, value_name = "DIR", default_value_os_t = defaults().run_dir)]
    pub run_dir: PathBuf,
    /// UNIX socket that answers management requests as ptp4l does, for linuxptp's `pmc -s PATH`; ptp4l's own is /var/run/ptp4l
    #[arg(long, value_name = "PATH")]
    pub management_socket: Option<PathBuf>,
    /// Address and port that serve metrics to Prometheus, over HTTP at /metrics, such as 127.0.0.1:9319; nothing there is secret,
    /// and nobody is asked who they are
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Real-time priority (SCHED_FIFO) of the loop, and of the thread that sends for the massive plane, 0 to 99; 0 = none for the
    /// loop, and the lowest for that thread where it is permitted
    #[arg(long, value_name = "N", default_value_t = defaults().realtime_priority)]
    pub realtime_priority: i64,
    /// Keep all memory of the process in memory
    #[arg(long)]
    pub lock_memory: bool,
    /// User to run as once all is open, with no capabilities but those that are needed on; whoever started it unless said
    #[arg(long, value_name = "NAME|UID[:GID]")]
    pub user: Option<User>,
    /// Report as JSON lines on standard output
    #[arg(long)]
    pub json: bool,
}

/// The one home of a server's defaults.
impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            interface: String::new(),
            also_interface: Vec::new(),
            local_address: Vec::new(),
            profile: Profile::Default,
            domain: 0,
            sdo_id: 0,
            minor_version: 0,
            clock: ClockKind::System,
            virtual_offset: None,
            virtual_frequency: None,
            also_system_clock: false,
            data_plane: DataPlaneKind::Xdp,
            rx_timestamp: None,
            xdp_mode: XdpAttachMode::Native,
            priority1: 128,
            priority2: 128,
            clock_class: ClockClass::Auto,
            clock_accuracy: 0xfe,
            offset_scaled_log_variance: 0xffff,
            time_source: 0xa0,
            sync_mode: SyncMode::TwoStep,
            sync_plane: SyncPlane::Auto,
            max_clients: 512,
            max_duration: 1000,
            max_rate: None,
            max_client_rate: None,
            min_log_interval: -7,
            min_log_announce_interval: -3,
            allow: Vec::new(),
            max_unattended: 30,
            upstream: UpstreamOptions::default(),
            upstream_interface: None,
            holdover_limit: 10_000,
            dscp: 56,
            bpffs: DEFAULT_BPFFS.into(),
            run_dir: DEFAULT_RUN_DIR.into(),
            management_socket: None,
            metrics: None,
            realtime_priority: 0,
            lock_memory: false,
            user: None,
            json: false,
        }
    }
}

fn defaults() -> ServerOptions {
    ServerOptions::default()
}

/// A server's settings, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerSettings {
    common: Common,
    /// Of a boundary clock.
    pub upstream: Option<Box<Upstream>>,
    priority1: u8,
    priority2: u8,
    auto_quality: Option<AutoQuality>,
    clock_quality: ClockQuality,
    time_source: u8,
    two_step: bool,
    /// Who is served how much.
    pub policy: Policy,
    /// Who sends Sync and Announce.
    pub sync_plane: SyncPlane,
    /// How long the XDP program answers without us where we steer the clock.
    pub max_unattended: Duration,
}

impl ServerSettings {
    /// What the engine needs, once the machine is known.
    pub fn engine_config(&self, local: &Local) -> ServerConfig {
        ServerConfig {
            port: self.common.port(local),
            priority1: self.priority1,
            priority2: self.priority2,
            auto_quality: self.auto_quality,
            clock_quality: self.clock_quality,
            time_source: self.time_source,
            two_step: self.two_step,
            policy: self.policy.clone(),
        }
    }
}

impl ServerOptions {
    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] for the first setting that is wrong.
    pub fn validate(&self) -> Result<Settings, ConfigError> {
        const PRIORITY: &str = "; the lower is preferred, 128 is the default";
        let check = Checker("server");
        let common = self.common().validate(&check)?;
        let server = ServerSettings {
            priority1: check.range("priority1", self.priority1, 0..=255, PRIORITY)?,
            priority2: check.range("priority2", self.priority2, 0..=255, PRIORITY)?,
            clock_quality: ClockQuality {
                clock_class: match self.clock_class {
                    ClockClass::Auto => ClockQuality::DEFAULT_CLASS,
                    ClockClass::Fixed(class) => {
                        let fix = ", or \"auto\"; 248 is the default of the standard, 6 is locked to a primary reference";
                        check.range("clock-class", class, 0..=255, fix)?
                    }
                },
                clock_accuracy: check.range(
                    "clock-accuracy",
                    self.clock_accuracy,
                    0..=255,
                    "; 254 is unknown",
                )?,
                offset_scaled_log_variance: check.range(
                    "offset-scaled-log-variance",
                    self.offset_scaled_log_variance,
                    0..=65_535,
                    "; 65535 is unknown",
                )?,
            },
            time_source: check.range(
                "time-source",
                self.time_source,
                0..=255,
                "; 160 is an internal oscillator, 32 is GNSS",
            )?,
            two_step: self.sync_mode == SyncMode::TwoStep,
            sync_plane: self.sync_plane,
            policy: self.policy(&check)?,
            max_unattended: Duration::from_secs(check.range(
                "max-unattended",
                self.max_unattended,
                0..=3600,
                " s; 30 is the default",
            )?),
            upstream: self.upstream.validate(self)?.map(Box::new),
            auto_quality: (self.clock_class == ClockClass::Auto).then_some(AutoQuality {
                primary: PRIMARY_REFERENCES.contains(&self.time_source),
                holdover_limit_ns: self.holdover_limit.unsigned_abs(),
            }),
            common: common.clone(),
        };
        Ok(Settings { common, role: Role::Server(server) })
    }

    fn policy(&self, check: &Checker) -> Result<Policy, ConfigError> {
        const LOG2: &str = ", log2 of the interval in seconds: -7 is 128 per second, 0 is 1 per second";
        let rate = |key, value: Option<i64>| {
            let fix = " messages per second; leave it out for no limit";
            value.map(|value| check.range(key, value, 1..=1_000_000_000, fix)).transpose()
        };
        Ok(Policy {
            max_clients: check.range(
                "max-clients",
                self.max_clients,
                1..=4_194_303,
                "; 512 is what ATR devices serve",
            )?,
            max_duration: check.range(
                "max-duration",
                self.max_duration,
                5..=86_400,
                " s; G.8275.2 and ATR devices use 60 to 1000 s",
            )?,
            max_rate: rate("max-rate", self.max_rate)?,
            max_client_rate: rate("max-client-rate", self.max_client_rate)?,
            min_log_interval: check.range("min-log-interval", self.min_log_interval, -7..=6, LOG2)?,
            min_log_announce_interval: check.range(
                "min-log-announce-interval",
                self.min_log_announce_interval,
                -7..=6,
                LOG2,
            )?,
            allowed: self.allow.clone(),
        })
    }

    fn common(&self) -> RawCommon<'_> {
        RawCommon {
            interface: &self.interface,
            also_interface: &self.also_interface,
            local_address: &self.local_address,
            domain: self.domain,
            sdo_id: self.sdo_id,
            minor_version: self.minor_version,
            clock: self.clock,
            virtual_offset: self.virtual_offset,
            virtual_frequency: self.virtual_frequency,
            also_system_clock: self.also_system_clock,
            data_plane: self.data_plane,
            rx_timestamp: self.rx_timestamp,
            xdp_mode: self.xdp_mode,
            dscp: self.dscp,
            bpffs: &self.bpffs,
            run_dir: &self.run_dir,
            management_socket: self.management_socket.as_deref(),
            metrics: self.metrics,
            realtime_priority: self.realtime_priority,
            lock_memory: self.lock_memory,
            user: self.user.as_ref(),
            json: self.json,
        }
    }
}
