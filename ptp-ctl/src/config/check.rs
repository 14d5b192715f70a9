//! What can be wrong with settings, and the checks that client and server share.

use super::{Clock, ClockKind, Common, DataPlaneKind, RxTimestamp, User, XdpAttachMode};
use ptp_common::time::StampSource;
use std::collections::HashSet;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Why settings cannot be used. Every setting is named by its table and key, which is also the flag's name.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in a file is wrong.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What.
        error: Box<ConfigError>,
    },
    /// No valid TOML, an unknown key or a value of the wrong type; says where.
    #[error("{}", .0.to_string().trim_end())]
    Toml(#[from] toml::de::Error),
    /// `[client]` and `[server]` in one file.
    #[error(
        "both [client] and [server]: for a server that passes on the time of others (a boundary clock), name them as \
         upstream in [server]; for two independent roles run two controllers on two interfaces with a file each"
    )]
    TwoRoles,
    /// Neither table.
    #[error("neither [client] nor [server]: write one of the tables, with interface = \"...\" in it")]
    NoRole,
    /// One setting is wrong.
    #[error("{}{role}.{key} = {value}: {problem}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Setting {
        /// "client", "server" or "server.upstream".
        role: &'static str,
        /// The key, kebab-case.
        key: &'static str,
        /// As given.
        value: String,
        /// What is allowed, and what to do.
        problem: String,
        /// Line of the file, counted from 1.
        line: Option<usize>,
    },
}

impl ConfigError {
    /// Names the file.
    #[must_use]
    pub fn in_file(self, path: &Path) -> Self {
        Self::File { path: path.to_owned(), error: Box::new(self) }
    }

    /// Adds the line of `text` in which the setting stands.
    pub(super) fn with_line_of(mut self, text: &str) -> Self {
        if let Self::Setting { role, key, line, .. } = &mut self {
            *line = line_of(text, role, key);
        }
        self
    }
}

/// Line of `[table] key`, or of the table where the key is missing.
fn line_of(text: &str, table: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    // A table in a table: what cannot be found in it is looked for where it should be.
    let mut names = table.split('.').chain([key]);
    let mut entry = document.get_ref().get(names.next()?)?;
    let mut start = entry.span().start;
    for name in names {
        let Some((key, inner)) = entry.get_ref().as_table().and_then(|table| table.get_key_value(name))
        else {
            break;
        };
        (entry, start) = (inner, key.span().start);
    }
    Some(1 + text.get(..start)?.matches('\n').count())
}

/// Names the table in every error of one validation.
pub(super) struct Checker(pub(super) &'static str);

impl Checker {
    /// The error of one setting.
    pub(super) fn error(
        &self,
        key: &'static str,
        value: impl Display,
        problem: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Setting {
            role: self.0,
            key,
            value: value.to_string(),
            problem: problem.into(),
            line: None,
        }
    }

    /// `value` as the engine's type if it is in `allowed`; `unit_and_fix` completes "must be 1 to 2".
    pub(super) fn range<T>(
        &self,
        key: &'static str,
        value: i64,
        allowed: RangeInclusive<i64>,
        unit_and_fix: &str,
    ) -> Result<T, ConfigError>
    where
        T: TryFrom<i64>,
    {
        let problem = || format!("must be {} to {}{unit_and_fix}", allowed.start(), allowed.end());
        if !allowed.contains(&value) {
            return Err(self.error(key, value, problem()));
        }
        T::try_from(value).map_err(|_| self.error(key, value, problem()))
    }

    /// The same for fractional values.
    pub(super) fn real(
        &self,
        key: &'static str,
        value: f64,
        allowed: RangeInclusive<f64>,
        unit_and_fix: &str,
    ) -> Result<f64, ConfigError> {
        // NaN is in no range.
        if allowed.contains(&value) {
            return Ok(value);
        }
        Err(self.error(key, value, format!("must be {} to {}{unit_and_fix}", allowed.start(), allowed.end())))
    }

    pub(super) fn directory(&self, key: &'static str, path: &Path) -> Result<PathBuf, ConfigError> {
        if path.is_absolute() {
            return Ok(path.to_owned());
        }
        Err(self.error(
            key,
            format!("{path:?}"),
            "must be an absolute path, such as one that starts with /run or /sys",
        ))
    }
}

/// One that is one host's.
pub(super) fn is_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || broadcast)
}

fn interface_name(check: &Checker, key: &'static str, name: &str) -> Result<String, ConfigError> {
    if name.is_empty() || name.len() > MAX_INTERFACE_NAME || name.contains(['/', ' ', '\0']) {
        let problem = "must be 1 to 15 characters without / and space; `ip link` lists the interfaces";
        return Err(check.error(key, format!("{name:?}"), problem));
    }
    Ok(name.to_owned())
}

/// Longest interface name, in octets (IFNAMSIZ without the NUL).
const MAX_INTERFACE_NAME: usize = 15;
/// Interfaces beside the first one, at most.
const MAX_ALSO_INTERFACES: usize = 7;
/// Largest initial error of a virtual clock, ns: 10 days.
const MAX_VIRTUAL_OFFSET: i64 = 864_000_000_000_000;
/// Largest initial frequency error of a virtual clock, ppb: what the kernel allows its own clock.
const MAX_VIRTUAL_FREQUENCY: f64 = 500_000.0;

/// The settings of both roles, as given.
pub(super) struct RawCommon<'a> {
    pub(super) interface: &'a str,
    pub(super) also_interface: &'a [String],
    pub(super) local_address: &'a [IpAddr],
    pub(super) domain: i64,
    pub(super) sdo_id: i64,
    pub(super) minor_version: i64,
    pub(super) clock: ClockKind,
    pub(super) virtual_offset: Option<i64>,
    pub(super) virtual_frequency: Option<f64>,
    pub(super) also_system_clock: bool,
    pub(super) data_plane: DataPlaneKind,
    pub(super) rx_timestamp: Option<RxTimestamp>,
    pub(super) xdp_mode: XdpAttachMode,
    pub(super) dscp: i64,
    pub(super) bpffs: &'a Path,
    pub(super) run_dir: &'a Path,
    pub(super) management_socket: Option<&'a Path>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) realtime_priority: i64,
    pub(super) lock_memory: bool,
    pub(super) user: Option<&'a User>,
    pub(super) json: bool,
}

impl RawCommon<'_> {
    pub(super) fn validate(&self, check: &Checker) -> Result<Common, ConfigError> {
        if self.interface.is_empty() {
            let problem = "must name the interface to run on, such as \"eth0\"";
            return Err(check.error("interface", "\"\"", problem));
        }
        Ok(Common {
            interface: interface_name(check, "interface", self.interface)?,
            also_interfaces: self.also_interfaces(check)?,
            local_addresses: self.local_addresses(check)?,
            domain_number: check.range(
                "domain",
                self.domain,
                0..=255,
                "; 0 to 127 are for anyone, G.8275.2 uses 44 to 63",
            )?,
            sdo_id: check.range("sdo-id", self.sdo_id, 0..=0xfff, "; 0 unless a profile says otherwise")?,
            minor_version: check.range(
                "minor-version",
                self.minor_version,
                0..=1,
                "; 0 is understood by every device, 1 is IEEE 1588-2019",
            )?,
            clock: self.clock(check)?,
            also_system_clock: self.also_system_clock(check)?,
            data_plane: self.data_plane,
            rx_timestamp: self.rx_timestamp(check)?,
            xdp_mode: self.xdp_mode,
            dscp: check.range("dscp", self.dscp, 0..=63, "; 56 is the usual one for PTP")?,
            bpffs: check.directory("bpffs", self.bpffs)?,
            run_dir: check.directory("run-dir", self.run_dir)?,
            management_socket: self
                .management_socket
                .map(|path| check.directory("management-socket", path))
                .transpose()?,
            metrics: self.metrics,
            realtime_priority: check.range(
                "realtime-priority",
                self.realtime_priority,
                0..=99,
                "; 0 is ordinary scheduling, 50 is above most of what has real-time priority",
            )?,
            lock_memory: self.lock_memory,
            user: self.user.cloned(),
            json: self.json,
        })
    }

    fn also_interfaces(&self, check: &Checker) -> Result<Vec<String>, ConfigError> {
        const KEY: &str = "also-interface";
        if self.also_interface.len() > MAX_ALSO_INTERFACES {
            let problem = format!("must list {MAX_ALSO_INTERFACES} interfaces at most");
            return Err(check.error(KEY, format!("{:?}", self.also_interface), problem));
        }
        let mut seen = HashSet::from([self.interface]);
        let mut names = Vec::with_capacity(self.also_interface.len());
        for name in self.also_interface {
            if !seen.insert(name) {
                let problem = "must be named once only, here or as the interface: take one of the two out";
                return Err(check.error(KEY, format!("{name:?}"), problem));
            }
            names.push(interface_name(check, KEY, name)?);
        }
        Ok(names)
    }

    fn local_addresses(&self, check: &Checker) -> Result<Vec<IpAddr>, ConfigError> {
        const KEY: &str = "local-address";
        let mut addresses: Vec<IpAddr> = Vec::new();
        for given in self.local_address {
            let address = given.to_canonical();
            let problem = |problem| Err(check.error(KEY, given, problem));
            let is_link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
            if !is_unicast(address) || address.is_loopback() || is_link_local {
                return problem("must be a unicast address of this machine that others have a route to");
            }
            if addresses.iter().any(|other| other.is_ipv4() == address.is_ipv4()) {
                return problem("must be the only one of its IP version: take one of the two out");
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    fn also_system_clock(&self, check: &Checker) -> Result<bool, ConfigError> {
        if self.also_system_clock && self.clock != ClockKind::Phc {
            let problem =
                "is for clock = \"phc\": another clock is the system clock already, or leaves it alone";
            return Err(check.error("also-system-clock", true, problem));
        }
        Ok(self.also_system_clock)
    }

    /// A source that contradicts the clock or the data plane is found out before anything is opened.
    fn rx_timestamp(&self, check: &Checker) -> Result<Option<StampSource>, ConfigError> {
        let Some(rx_timestamp) = self.rx_timestamp else { return Ok(None) };
        let source = rx_timestamp.source();
        if source.is_hardware() != (self.clock == ClockKind::Phc) {
            let (kind, pair) = match self.clock {
                ClockKind::Phc => ("the NIC's clock", "xdp-hw or socket-hw"),
                _ => ("the system's clock", "xdp-sw or socket-sw"),
            };
            let problem = format!(
                "clock = \"{}\" takes only stamps of {kind}; use {pair}, or another clock",
                self.clock
            );
            return Err(check.error("rx-timestamp", rx_timestamp, problem));
        }
        if source.is_xdp() && self.data_plane == DataPlaneKind::Socket {
            let problem = "data-plane = \"socket\" has no XDP program; leave one of the two out";
            return Err(check.error("rx-timestamp", rx_timestamp, problem));
        }
        Ok(Some(source))
    }

    fn clock(&self, check: &Checker) -> Result<Clock, ConfigError> {
        if self.clock == ClockKind::Virtual {
            let offset = self.virtual_offset.unwrap_or_default();
            let offset_ns = check.range(
                "virtual-offset",
                offset,
                -MAX_VIRTUAL_OFFSET..=MAX_VIRTUAL_OFFSET,
                " ns (10 days)",
            )?;
            let frequency_ppb = check.real(
                "virtual-frequency",
                self.virtual_frequency.unwrap_or_default(),
                -MAX_VIRTUAL_FREQUENCY..=MAX_VIRTUAL_FREQUENCY,
                " ppb",
            )?;
            return Ok(Clock::Virtual { offset_ns, frequency_ppb });
        }
        let only_virtual = format!(
            "only a virtual clock starts with an error of its own, and clock = \"{}\"; set clock = \"virtual\" or \
             leave this out",
            self.clock
        );
        if let Some(offset) = self.virtual_offset {
            return Err(check.error("virtual-offset", offset, only_virtual));
        }
        if let Some(frequency) = self.virtual_frequency {
            return Err(check.error("virtual-frequency", frequency, only_virtual));
        }
        Ok(match self.clock {
            ClockKind::System => Clock::System,
            ClockKind::Phc => Clock::Phc,
            ClockKind::Chrony if check.0 == "client" => Clock::Chrony,
            ClockKind::Chrony => {
                let problem = "is for a client without clients of its own; with clock = \"none\" a server serves the clock that \
                               chrony steers";
                return Err(check.error("clock", self.clock, problem));
            }
            ClockKind::Virtual | ClockKind::None => Clock::None,
        })
    }
}
