//! A client's settings.

mod settings;

pub use settings::ClientSettings;

use super::check::{Checker, RawCommon, is_unicast};
use super::{
    ClockKind, Common, ConfigError, DEFAULT_BPFFS, DEFAULT_CHRONY_SOCKET, DEFAULT_RUN_DIR, DEFAULT_STATE_DIR,
    DataPlaneKind, Profile, Retry, Revert, Role, RxTimestamp, Select, ServerAddress, ServoKind, Settings,
    Standby, User, XdpAttachMode,
};
use crate::engine::config::ServerEntry;
use serde::Deserialize;
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Flags of `ptp-ctl client` and keys of `[client]`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ClientOptions {
    /// Interface that leads to the servers
    #[arg(value_name = "IFACE")]
    pub interface: String,
    /// Another interface that leads to servers, once per interface: all have one set of maps
    #[arg(long, value_name = "IFACE")]
    pub also_interface: Vec<String>,
    /// Address that all is sent from and nothing but what is sent to it is taken, of this machine; once per IP version
    #[arg(long, value_name = "ADDR")]
    pub local_address: Vec<IpAddr>,
    /// Server to follow, once per server; the first is preferred unless priorities say otherwise (lower = preferred)
    #[arg(long, value_name = "ADDR[@PRIORITY]", required = true)]
    pub server: Vec<ServerAddress>,
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
    /// Clock to steer
    #[arg(long, value_enum, value_name = "KIND", default_value_t = defaults().clock)]
    pub clock: ClockKind,
    /// Initial error of a virtual clock, ns
    #[arg(long, value_name = "NS", allow_negative_numbers = true)]
    pub virtual_offset: Option<i64>,
    /// Initial frequency error of a virtual clock, ppb
    #[arg(long, value_name = "PPB", allow_negative_numbers = true)]
    pub virtual_frequency: Option<f64>,
    /// Let the system clock follow the NIC's (clock = phc), with TAI offset and leap second
    #[arg(long)]
    pub also_system_clock: bool,
    /// Where chrony's `refclock SOCK` listens (clock = chrony)
    #[arg(long, value_name = "PATH", default_value_os_t = defaults().chrony_socket)]
    pub chrony_socket: PathBuf,
    /// Where event messages come from
    #[arg(long, value_enum, value_name = "PLANE", default_value_t = defaults().data_plane)]
    pub data_plane: DataPlaneKind,
    /// Who must stamp what comes in; unless said, the best that clock, driver and data plane allow
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub rx_timestamp: Option<RxTimestamp>,
    /// How the XDP program is attached
    #[arg(long, value_enum, value_name = "MODE", default_value_t = defaults().xdp_mode)]
    pub xdp_mode: XdpAttachMode,
    /// Announce interval to ask for, log2 of seconds, -3 to 6
    #[arg(long, value_name = "LOG2", allow_negative_numbers = true, default_value_t = defaults().log_announce_interval)]
    pub log_announce_interval: i64,
    /// Sync interval to ask for, log2 of seconds, -7 to 6
    #[arg(long, value_name = "LOG2", allow_negative_numbers = true, default_value_t = defaults().log_sync_interval)]
    pub log_sync_interval: i64,
    /// Delay_Resp interval to ask for, log2 of seconds, -7 to 6
    #[arg(
        long, value_name = "LOG2", allow_negative_numbers = true, default_value_t = defaults().log_delay_resp_interval
    )]
    pub log_delay_resp_interval: i64,
    /// How long to ask the servers to serve, seconds, from min-duration to max-duration
    #[arg(long, value_name = "S", default_value_t = defaults().duration)]
    pub duration: i64,
    /// Shortest duration allowed, seconds, 5 to 86400
    #[arg(long, value_name = "S", default_value_t = defaults().min_duration)]
    pub min_duration: i64,
    /// Longest duration allowed, seconds, 5 to 86400
    #[arg(long, value_name = "S", default_value_t = defaults().max_duration)]
    pub max_duration: i64,
    /// How long to wait between requests to a server that serves nothing
    #[arg(long, value_enum, value_name = "HOW", default_value_t = defaults().retry)]
    pub retry: Retry,
    /// How often the state of the negotiation is looked at, seconds, 0.1 to 60
    #[arg(long, value_name = "S", default_value_t = defaults().check_interval)]
    pub check_interval: f64,
    /// What decides between servers
    #[arg(long, value_enum, value_name = "HOW", default_value_t = defaults().select)]
    pub select: Select,
    /// What servers that are not in use are asked for
    #[arg(long, value_enum, value_name = "HOW", default_value_t = defaults().standby)]
    pub standby: Standby,
    /// Announce intervals without an Announce until the server counts as lost, 2 to 255
    #[arg(long, value_name = "N", default_value_t = defaults().announce_receipt_timeout)]
    pub announce_receipt_timeout: i64,
    /// Sync intervals without a Sync (or unanswered Delay_Req) until the server counts as lost, 2 to 255
    #[arg(long, value_name = "N", default_value_t = defaults().sync_receipt_timeout)]
    pub sync_receipt_timeout: i64,
    /// When a better server that was lost and serves again is used
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = defaults().revert)]
    pub revert: Revert,
    /// How long a server that was lost must serve again before it is preferred again, seconds, 0 to 3600
    #[arg(long, value_name = "S", default_value_t = defaults().wait_to_restore)]
    pub wait_to_restore: f64,
    /// stepsRemoved from which on a server is not followed, 1 to 255
    #[arg(long, value_name = "N", default_value_t = defaults().max_steps_removed)]
    pub max_steps_removed: i64,
    /// delayAsymmetry, ns: (server to client minus client to server) / 2
    #[arg(long, value_name = "NS", allow_negative_numbers = true, default_value_t = defaults().delay_asymmetry)]
    pub delay_asymmetry: i64,
    /// The most that the delay asymmetry can be off by, ns, 0 to 1e9; half of the shortest round trip unless said
    #[arg(long, value_name = "NS")]
    pub max_asymmetry: Option<i64>,
    /// How the clock is steered
    #[arg(long, value_enum, value_name = "KIND", default_value_t = defaults().servo)]
    pub servo: ServoKind,
    /// Offset above which the first measurement steps the clock, ns
    #[arg(long, value_name = "NS", default_value_t = defaults().first_step_threshold)]
    pub first_step_threshold: i64,
    /// Offset above which later measurements step the clock, ns; 0 = never
    #[arg(long, value_name = "NS", default_value_t = defaults().step_threshold)]
    pub step_threshold: i64,
    /// Fastest slew of a locked clock, ppb, 1 to 500000
    #[arg(long, value_name = "PPB", default_value_t = defaults().max_slew)]
    pub max_slew: i64,
    /// Rate at which the time of another server is approached after a switch, ppb, 1 to 500000
    #[arg(long, value_name = "PPB", default_value_t = defaults().switch_slew)]
    pub switch_slew: i64,
    /// Variation of the delay above which a server is not used, ns; 0 = no limit
    #[arg(long, value_name = "NS", default_value_t = defaults().max_variation)]
    pub max_variation: i64,
    /// DSCP of everything sent, 0 to 63
    #[arg(long, value_name = "N", default_value_t = defaults().dscp)]
    pub dscp: i64,
    /// Where bpffs is mounted
    #[arg(long, value_name = "DIR", default_value_os_t = defaults().bpffs)]
    pub bpffs: PathBuf,
    /// Directory of the socket that `stats` asks
    #[arg(long, value_name = "DIR", default_value_os_t = defaults().run_dir)]
    pub run_dir: PathBuf,
    /// Directory in which the frequency that the clock needs is kept
    #[arg(long, value_name = "DIR", default_value_os_t = defaults().state_dir)]
    pub state_dir: PathBuf,
    /// Write the stamps of every exchange into this file, which is overwritten: `ptp-ctl simulate` can replay its delays
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// UNIX socket that answers management requests as ptp4l does, for linuxptp's `pmc -s PATH`; ptp4l's own is /var/run/ptp4l
    #[arg(long, value_name = "PATH")]
    pub management_socket: Option<PathBuf>,
    /// Address and port that serve metrics to Prometheus, over HTTP at /metrics, such as 127.0.0.1:9319; nothing there is secret,
    /// and nobody is asked who they are
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// File in which programs find the time and its bound; unless said, beside the socket that `stats` asks, where `now` looks
    #[arg(long, value_name = "FILE")]
    pub time_page: Option<PathBuf>,
    /// Real-time priority (SCHED_FIFO) of the loop, 0 to 99; 0 = none
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

/// The one home of a client's defaults.
impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            interface: String::new(),
            also_interface: Vec::new(),
            local_address: Vec::new(),
            server: Vec::new(),
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
            log_announce_interval: 0,
            log_sync_interval: -3,
            log_delay_resp_interval: -3,
            duration: 300,
            min_duration: 60,
            max_duration: 1000,
            retry: Retry::Fast,
            check_interval: 1.0,
            select: Select::Btca,
            standby: Standby::Hot,
            revert: Revert::Wait,
            announce_receipt_timeout: 3,
            sync_receipt_timeout: 3,
            wait_to_restore: 30.0,
            max_steps_removed: 255,
            delay_asymmetry: 0,
            max_asymmetry: None,
            servo: ServoKind::Adaptive,
            first_step_threshold: 20_000,
            step_threshold: 10_000_000,
            max_slew: 10_000,
            switch_slew: 1_000,
            max_variation: 0,
            dscp: 56,
            bpffs: DEFAULT_BPFFS.into(),
            run_dir: DEFAULT_RUN_DIR.into(),
            state_dir: DEFAULT_STATE_DIR.into(),
            record: None,
            chrony_socket: DEFAULT_CHRONY_SOCKET.into(),
            time_page: None,
            management_socket: None,
            metrics: None,
            realtime_priority: 0,
            lock_memory: false,
            user: None,
            json: false,
        }
    }
}

fn defaults() -> ClientOptions {
    ClientOptions::default()
}

impl ClientOptions {
    /// Checks every value.
    ///
    /// # Errors
    /// [`ConfigError::Setting`] for the first setting that is wrong.
    pub fn validate(&self) -> Result<Settings, ConfigError> {
        const LOG2: &str = ", log2 of the interval in seconds: -3 is 8 per second, 0 is 1 per second";
        const RECEIPT: &str = " intervals; 3 is right for most";
        let check = Checker("client");
        let common = self.common().validate(&check)?;
        let step = |key, value, default: &str| {
            check.range(
                key,
                value,
                0..=i64::MAX,
                &format!(" ns, 0 = never step; {default} is right for most"),
            )
        };
        let client = ClientSettings {
            servers: self.servers(&check, &common)?,
            state_dir: check.directory("state-dir", &self.state_dir)?,
            record: self.record.clone(),
            chrony_socket: Some(check.directory("chrony-socket", &self.chrony_socket)?)
                .filter(|_| self.clock == ClockKind::Chrony),
            time_page: self
                .time_page
                .as_deref()
                .map(|path| check.directory("time-page", path))
                .transpose()?,
            log_announce_interval: check.range(
                "log-announce-interval",
                self.log_announce_interval,
                -3..=6,
                LOG2,
            )?,
            log_sync_interval: check.range("log-sync-interval", self.log_sync_interval, -7..=6, LOG2)?,
            log_delay_resp_interval: check.range(
                "log-delay-resp-interval",
                self.log_delay_resp_interval,
                -7..=6,
                LOG2,
            )?,
            duration: self.duration(&check)?,
            announce_receipt_timeout: check.range(
                "announce-receipt-timeout",
                self.announce_receipt_timeout,
                2..=255,
                RECEIPT,
            )?,
            sync_receipt_timeout: check.range(
                "sync-receipt-timeout",
                self.sync_receipt_timeout,
                2..=255,
                RECEIPT,
            )?,
            wait_to_restore: self.wait_to_restore(&check)?,
            check_interval: Duration::from_secs_f64(check.real(
                "check-interval",
                self.check_interval,
                0.1..=60.0,
                " s; 1 is right for most",
            )?),
            max_steps_removed: check.range(
                "max-steps-removed",
                self.max_steps_removed,
                1..=255,
                "; 255 is the limit of the standard",
            )?,
            retry: self.retry,
            select: self.select,
            standby: self.standby,
            switch_slew_ppb: check.range(
                "switch-slew",
                self.switch_slew,
                1..=500_000,
                " ppb: 1000 approaches the other server's time by 1 us in a second",
            )?,
            max_variation_ns: check.range(
                "max-variation",
                self.max_variation,
                0..=i64::MAX,
                " ns; 0 = no limit",
            )?,
            delay_asymmetry_ns: check.range(
                "delay-asymmetry",
                self.delay_asymmetry,
                -1_000_000_000..=1_000_000_000,
                " ns: (server to client minus client to server) / 2",
            )?,
            max_asymmetry_ns: self
                .max_asymmetry
                .map(|ns| {
                    check.range("max-asymmetry", ns, 0..=1_000_000_000, " ns; leave it out if nobody knows")
                })
                .transpose()?,
            servo: self.servo,
            first_step_threshold_ns: step("first-step-threshold", self.first_step_threshold, "20000")?,
            step_threshold_ns: step("step-threshold", self.step_threshold, "10000000")?,
            max_slew_ppb: check.range(
                "max-slew",
                self.max_slew,
                1..=500_000,
                " ppb: 10000 corrects 10 us in a second",
            )?,
            common: common.clone(),
        };
        Ok(Settings { common, role: Role::Client(client) })
    }

    fn duration(&self, check: &Checker) -> Result<u32, ConfigError> {
        const RANGE: &str = " s; G.8275.2 and ATR devices grant 60 to 1000 s";
        check.range::<u32>("min-duration", self.min_duration, 5..=86_400, RANGE)?;
        check.range::<u32>("max-duration", self.max_duration, self.min_duration..=86_400, RANGE)?;
        check.range(
            "duration",
            self.duration,
            self.min_duration..=self.max_duration,
            " s, which min-duration and max-duration say; 300 s is right for most",
        )
    }

    fn wait_to_restore(&self, check: &Checker) -> Result<Duration, ConfigError> {
        let seconds = check.real(
            "wait-to-restore",
            self.wait_to_restore,
            0.0..=3600.0,
            " s; revert = \"immediate\" returns to a better server at once",
        )?;
        Ok(match self.revert {
            Revert::Wait => Duration::from_secs_f64(seconds),
            Revert::Immediate => Duration::ZERO,
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

    /// The list, with priorities filled in by position.
    fn servers(&self, check: &Checker, common: &Common) -> Result<Vec<ServerEntry>, ConfigError> {
        if self.server.is_empty() {
            return Err(check.error("server", "[]", "must list 1 server at least, such as [\"10.0.1.2\"]"));
        }
        let mut seen = HashSet::new();
        let mut servers = Vec::with_capacity(self.server.len());
        for (index, given) in self.server.iter().enumerate() {
            let address = given.address.to_canonical();
            let problem = |problem| Err(check.error("server", given, problem));
            if !is_unicast(address) {
                return problem("must be a unicast address: give the server's own, not a group's");
            }
            if !common.has_family(address.is_ipv4()) {
                return problem("needs a local-address of its IP version: give one, or take the server out");
            }
            if !seen.insert(address) {
                return problem("must be listed once only: take one of the two out");
            }
            let place = u8::try_from(index + 1).unwrap_or(u8::MAX);
            servers.push(ServerEntry { address, local_priority: given.priority.unwrap_or(place) });
        }
        Ok(servers)
    }
}
