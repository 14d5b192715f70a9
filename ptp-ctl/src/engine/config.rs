//! What client and server need to know, validated: the target of `crate::config`.

use super::server::Prefix;
use ptp_common::wire::{ClockQuality, Flags, Header, PortIdentity};
use std::net::IpAddr;
use std::time::Duration;

/// The timescale of the local clock's readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalTimescale {
    /// CLOCK_REALTIME and what is built on it.
    Utc,
    /// A PHC, by convention.
    Tai,
}

/// What client and server have in common.
#[derive(Clone, Debug)]
pub struct PortConfig {
    /// Our own sourcePortIdentity.
    pub port_identity: PortIdentity,
    /// domainNumber.
    pub domain_number: u8,
    /// 12 bits.
    pub sdo_id: u16,
    /// minorVersionPTP sent: 0 or 1.
    pub minor_version: u8,
    /// Timescale of the local clock.
    pub local_timescale: LocalTimescale,
    /// Seed of all jitter: the same seed and inputs give the same outputs.
    pub seed: u64,
}

/// logMessageInterval of a message that none is given for.
pub(super) const NO_INTERVAL: i8 = 0x7f;

impl PortConfig {
    /// Of a unicast message.
    pub(super) fn header(&self, sequence_id: u16) -> Header {
        Header {
            sdo_id: self.sdo_id,
            minor_version: self.minor_version,
            domain_number: self.domain_number,
            flags: Flags::UNICAST,
            source_port_identity: self.port_identity,
            sequence_id,
            log_message_interval: NO_INTERVAL,
            ..Header::default()
        }
    }
}

/// A client's settings.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Identity, domain, timescale.
    pub port: PortConfig,
    /// The servers, at least one.
    pub servers: Vec<ServerEntry>,
    /// logMessageInterval of Announce to ask for.
    pub log_announce_interval: i8,
    /// logMessageInterval of Sync to ask for.
    pub log_sync_interval: i8,
    /// logMessageInterval of Delay_Resp to ask for.
    pub log_delay_resp_interval: i8,
    /// durationField to ask for, seconds.
    pub duration: u32,
    /// Announce intervals without an Announce until the server counts as lost (2 to 255).
    pub announce_receipt_timeout: u8,
    /// Sync intervals without a Sync, or Delay_Req in a row without a Delay_Resp, until the server counts as lost
    /// (2 to 255).
    pub sync_receipt_timeout: u8,
    /// How long a server that was lost must serve again before it is preferred again.
    pub wait_to_restore: Duration,
    /// A server with that many stepsRemoved, or more, is not followed (1 to 255).
    pub max_steps_removed: u16,
    /// How often the state of the negotiation with every server is looked at.
    pub check_interval: Duration,
    /// How long to wait between requests to a server that serves nothing.
    pub retry: Retry,
    /// What decides between servers.
    pub select: Select,
    /// What servers that are not in use are asked for.
    pub standby: Standby,
    /// Rate at which the time of another server is approached after a switch, ppb.
    pub switch_slew_ppb: f64,
    /// Variation of the delay above which a server is not used, ns; `None` = no limit.
    pub max_variation_ns: Option<u64>,
    /// delayAsymmetry, ns: (server→client minus client→server)/2.
    pub delay_asymmetry_ns: i64,
    /// The most that delayAsymmetry can be off by, ns; a server whose delays show more is not used. `None` = nobody knows.
    pub max_asymmetry_ns: Option<u64>,
    /// The servo's settings; `None` = measure only.
    pub servo: Option<ServoConfig>,
}

/// How long to wait between requests to a server that serves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// While none serves 1, 1, 1, 2, 4 s, then every 5 s; while another serves up to 60 s.
    #[default]
    Fast,
    /// Three times after 1 s, then every 60 s.
    Telecom,
}

/// What decides between servers that can be followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Select {
    /// The alternate BTCA of G.8275.2: the quality announced, then the local priority.
    #[default]
    Btca,
    /// The local priority, then the quality.
    Priority,
}

/// What servers that are not in use are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standby {
    /// Everything: they are measured all the time.
    #[default]
    Hot,
    /// Announce.
    Warm,
}

/// One server of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerEntry {
    /// Unicast address.
    pub address: IpAddr,
    /// localPriority: the lower is preferred among servers of equal quality.
    pub local_priority: u8,
}

/// How a servo works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServoKind {
    /// By an estimate of time from the least delayed packets.
    #[default]
    Adaptive,
    /// By a proportional-integral loop on the offset of each exchange, like ptp4l.
    Pi {
        /// With ptp4l's gains for hardware stamps, not for software stamps.
        hardware_stamps: bool,
    },
}

/// What the servo must know of the clock and the user's wishes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServoConfig {
    /// How it works.
    pub kind: ServoKind,
    /// Offset above which the first measurement steps the clock, ns.
    pub first_step_threshold_ns: u64,
    /// Offset above which later ones do, ns; 0 = never.
    pub step_threshold_ns: u64,
    /// Fastest that a locked clock is slewed, relative to the right frequency, ppb.
    pub max_slew_ppb: f64,
    /// How well the adjustment in force at start is known to be right, ppb.
    pub initial_deviation_ppb: f64,
    /// Adjustment in force at start, ppb.
    pub initial_frequency_ppb: f64,
    /// Largest adjustment, ppb.
    pub max_frequency_ppb: f64,
}

/// A server's settings.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Identity, domain, timescale.
    pub port: PortConfig,
    /// grandmasterPriority1.
    pub priority1: u8,
    /// grandmasterPriority2.
    pub priority2: u8,
    /// clockClass, clockAccuracy and timeSource come from what the kernel says of its clock; those below are for what it does
    /// not say. `None`: they are announced as they are.
    pub auto_quality: Option<AutoQuality>,
    /// grandmasterClockQuality.
    pub clock_quality: ClockQuality,
    /// timeSource.
    pub time_source: u8,
    /// Two-step Sync, with a Follow_Up that carries the TX stamp. One-step carries the time just before sending.
    pub two_step: bool,
    /// Who is served how much.
    pub policy: Policy,
}

/// A grandmaster that judges itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoQuality {
    /// The configuration names a primary reference as timeSource.
    pub primary: bool,
    /// Without it, the clock is in specification as long as its largest error is below, ns.
    pub holdover_limit_ns: u64,
}

/// What a server grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Clients served at the same time.
    pub max_clients: usize,
    /// Messages promised to all of them together, each second; `None` = without limit.
    pub max_rate: Option<u32>,
    /// Messages promised to each of them, each second; `None` = without limit.
    pub max_client_rate: Option<u32>,
    /// Shortest interval granted, logMessageInterval, for every message type.
    pub min_log_interval: i8,
    /// Shortest interval of Announce.
    pub min_log_announce_interval: i8,
    /// Longest duration granted, seconds.
    pub max_duration: u32,
    /// Only these addresses are served; empty = all.
    pub allowed: Vec<Prefix>,
}

#[cfg(test)]
impl PortConfig {
    /// Of tests: all that can be zero is.
    pub(crate) const fn plain(port_identity: PortIdentity, local_timescale: LocalTimescale) -> Self {
        Self { port_identity, domain_number: 0, sdo_id: 0, minor_version: 0, local_timescale, seed: 1 }
    }
}

#[cfg(test)]
impl ServerConfig {
    /// Of tests: two clients, and no other limits but of intervals and durations.
    pub(crate) fn plain(port: PortConfig) -> Self {
        Self {
            port,
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
            policy: Policy {
                max_clients: 2,
                max_rate: None,
                max_client_rate: None,
                min_log_interval: -4,
                min_log_announce_interval: -1,
                max_duration: 300,
                allowed: Vec::new(),
            },
        }
    }
}

#[cfg(test)]
impl ClientConfig {
    /// Of tests: one server, every message once a second, and nobody steers the clock.
    pub(crate) fn plain(port: PortConfig, server: IpAddr) -> Self {
        Self {
            port,
            servers: vec![ServerEntry { address: server, local_priority: 1 }],
            log_announce_interval: 0,
            log_sync_interval: 0,
            log_delay_resp_interval: 0,
            duration: 300,
            announce_receipt_timeout: 3,
            sync_receipt_timeout: 3,
            wait_to_restore: Duration::ZERO,
            max_steps_removed: 255,
            check_interval: Duration::from_secs(1),
            retry: Retry::Fast,
            select: Select::Btca,
            standby: Standby::Hot,
            switch_slew_ppb: 1_000.0,
            max_variation_ns: None,
            max_asymmetry_ns: None,
            delay_asymmetry_ns: 0,
            servo: None,
        }
    }
}
