//! Settings: the command line's flags and the file's keys are the same structs, validated once into what the engine
//! and the driver need.

mod check;
mod client;
mod keys;
mod profile;
mod ptp4l;
mod reload;
mod server;
mod upstream;
mod values;

#[cfg(test)]
mod tests;

pub use check::ConfigError;
pub use client::{ClientOptions, ClientSettings};
pub use keys::{RoleName, init, show};
pub use profile::Profile;
pub use ptp4l::{Translation, TranslationError, translate};
pub use reload::{Changes, Source};
pub use server::{ServerOptions, ServerSettings};
pub use upstream::{Upstream, UpstreamOptions};
pub use values::{
    ClockClass, ClockKind, DataPlaneKind, Retry, Revert, RxTimestamp, Select, ServerAddress, ServoKind,
    Standby, SyncMode, SyncPlane, User, XdpAttachMode,
};

use crate::engine::config::{LocalTimescale, PortConfig};
use ptp_common::time::StampSource;
use ptp_common::wire::PortIdentity;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where bpffs is looked for unless said otherwise.
pub const DEFAULT_BPFFS: &str = "/sys/fs/bpf";
/// Where a controller's socket goes unless said otherwise.
pub const DEFAULT_RUN_DIR: &str = "/run/ptp-ctl";

/// Where chrony's reference clock listens unless said otherwise.
pub const DEFAULT_CHRONY_SOCKET: &str = "/run/chrony/ptp.sock";
/// Where a clock's frequency is kept unless said otherwise.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/ptp-ctl";

/// A configuration file: one table, `[client]` or `[server]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Settings of a client.
    pub client: Option<ClientOptions>,
    /// Settings of a server.
    pub server: Option<ServerOptions>,
}

impl Config {
    /// Reads and validates a file.
    ///
    /// # Errors
    /// [`ConfigError::Read`]; what the TOML parser says, with the line; or the setting that is wrong, with its line.
    pub fn load(path: &Path) -> Result<Settings, ConfigError> {
        Self::parse(&Self::read(path)?).map_err(|error| error.in_file(path))
    }

    /// The text of a file.
    ///
    /// # Errors
    /// [`ConfigError::Read`].
    pub fn read(path: &Path) -> Result<String, ConfigError> {
        std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
    }

    /// Validates the text of a file.
    ///
    /// # Errors
    /// As [`Config::load`], without the file's name.
    pub fn parse(text: &str) -> Result<Settings, ConfigError> {
        let config = toml::from_str::<Self>(text)?.completed(text)?;
        let settings = match (config.client, config.server) {
            (Some(client), None) => client.validate(),
            (None, Some(server)) => server.validate(),
            (Some(_), Some(_)) => Err(ConfigError::TwoRoles),
            (None, None) => Err(ConfigError::NoRole),
        };
        settings.map_err(|error| error.with_line_of(text))
    }

    /// Of the one table that there is.
    fn role(&self) -> Option<(RoleName, Profile)> {
        match (&self.client, &self.server) {
            (Some(client), _) => Some((RoleName::Client, client.profile)),
            (_, Some(server)) => Some((RoleName::Server, server.profile)),
            (None, None) => None,
        }
    }

    /// With the defaults of its profile, if it names one.
    fn completed(self, text: &str) -> Result<Self, ConfigError> {
        let Some((role, profile)) = self.role().filter(|(_, profile)| *profile != Profile::Default) else {
            return Ok(self);
        };
        let mut document: toml::Table = toml::from_str(text)?;
        if let Some(toml::Value::Table(given)) = document.get_mut(role.name()) {
            profile.complete(role, given);
        }
        Ok(document.try_into()?)
    }
}

/// Everything the driver needs to start.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What client and server have in common.
    pub common: Common,
    /// The rest.
    pub role: Role,
}

/// What this controller is.
#[derive(Clone, Debug, PartialEq)]
pub enum Role {
    /// A client of one or more servers.
    Client(ClientSettings),
    /// A server, or with upstream servers a boundary clock.
    Server(ServerSettings),
}

impl Role {
    /// What makes it a boundary clock.
    pub fn upstream(&self) -> Option<&Upstream> {
        match self {
            Self::Server(server) => server.upstream.as_deref(),
            Self::Client(_) => None,
        }
    }

    /// The client, where there is one.
    pub fn client(&self) -> Option<&ClientSettings> {
        match self {
            Self::Client(client) => Some(client),
            Self::Server(_) => self.upstream().map(|upstream| &upstream.client),
        }
    }
}

/// Settings that client and server have in common, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// Interface to run on.
    pub interface: String,
    /// More of them: all with one set of maps.
    pub also_interfaces: Vec<String>,
    /// What all is sent from and nothing but what is sent to them is taken, at most one per family; empty: the interfaces'
    /// addresses.
    pub local_addresses: Vec<IpAddr>,
    /// domainNumber.
    pub domain_number: u8,
    /// 12 bits.
    pub sdo_id: u16,
    /// minorVersionPTP sent.
    pub minor_version: u8,
    /// The clock to read and steer.
    pub clock: Clock,
    /// PHC and system clock are kept together.
    pub also_system_clock: bool,
    /// Where event messages come from.
    pub data_plane: DataPlaneKind,
    /// Who must stamp what comes in; `None`: the best that goes with clock and data plane.
    pub rx_timestamp: Option<StampSource>,
    /// How the XDP program is attached.
    pub xdp_mode: XdpAttachMode,
    /// DSCP of everything sent, 0 to 63.
    pub dscp: u8,
    /// Where bpffs is mounted.
    pub bpffs: PathBuf,
    /// Where the controller's UNIX socket goes.
    pub run_dir: PathBuf,
    /// Where management requests are answered.
    pub management_socket: Option<PathBuf>,
    /// Where metrics are served over HTTP.
    pub metrics: Option<SocketAddr>,
    /// Of the loop, and of the thread that sends for the massive plane; 0: ordinary scheduling.
    pub realtime_priority: u8,
    /// Nothing of the process is swapped out.
    pub lock_memory: bool,
    /// Whom to run as once all is open; `None`: whoever started it.
    pub user: Option<User>,
    /// Reports as JSON lines on standard output.
    pub json: bool,
}

impl Common {
    /// All interfaces, the first one first.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        [&self.interface].into_iter().chain(&self.also_interfaces).map(String::as_str)
    }

    /// Their names, for people.
    pub fn interface_names(&self) -> String {
        self.interfaces().collect::<Vec<_>>().join(", ")
    }

    /// Are packets of this family sent and taken, by `local-address`?
    pub fn has_family(&self, v4: bool) -> bool {
        self.local_addresses.is_empty() || self.local_addresses.iter().any(|address| address.is_ipv4() == v4)
    }

    /// The engine's view, once the interface is known.
    fn port(&self, local: &Local) -> PortConfig {
        PortConfig {
            port_identity: local.port_identity,
            domain_number: self.domain_number,
            sdo_id: self.sdo_id,
            minor_version: self.minor_version,
            local_timescale: local.timescale,
            seed: local.seed,
        }
    }
}

/// The clock to run on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clock {
    /// CLOCK_REALTIME, steered.
    System,
    /// A software clock on CLOCK_REALTIME, with an error to start from.
    Virtual {
        /// Initial reading minus CLOCK_REALTIME, ns.
        offset_ns: i64,
        /// Initial frequency error, ppb.
        frequency_ppb: f64,
    },
    /// The NIC's clock.
    Phc,
    /// CLOCK_REALTIME, read only.
    None,
    /// CLOCK_REALTIME, steered by chrony.
    Chrony,
}

/// What only the running machine can tell the engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Local {
    /// From the interface's MAC address.
    pub port_identity: PortIdentity,
    /// Of the clock in use.
    pub timescale: LocalTimescale,
    /// Adjustment of the clock at start, ppb.
    pub frequency_ppb: f64,
    /// Largest adjustment of the clock, ppb.
    pub max_frequency_ppb: f64,
    /// Seed of all jitter.
    pub seed: u64,
}
