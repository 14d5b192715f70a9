//! The values of settings, with one spelling in flags, files and reports.

use clap::ValueEnum;
use ptp_common::time::StampSource;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Implements Display with the name that clap and serde use.
macro_rules! display_by_value_name {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// Which clock is read and steered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockKind {
    /// CLOCK_REALTIME; a client steers it, a server only reads it
    System,
    /// A software clock on top of CLOCK_REALTIME: steers nothing of the machine
    Virtual,
    /// The NIC's hardware clock
    Phc,
    /// Measure only: CLOCK_REALTIME is read, nothing is steered
    None,
    /// chrony steers CLOCK_REALTIME, by what a client measures
    Chrony,
}

impl ClockKind {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Virtual => "virtual",
            Self::Phc => "phc",
            Self::None => "none",
            Self::Chrony => "chrony",
        }
    }
}

display_by_value_name!(ClockKind);

/// How the clock is steered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServoKind {
    /// By an estimate from the least delayed packets, which adapts to network and oscillator
    Adaptive,
    /// By a proportional-integral loop with a moving median, like ptp4l: for comparison
    Pi,
}

impl ServoKind {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::Pi => "pi",
        }
    }
}

display_by_value_name!(ServoKind);

/// Where event messages (Sync, Delay_Req) come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataPlaneKind {
    /// The XDP program takes and stamps them, where it can with this clock and driver
    Xdp,
    /// The UDP socket, stamped by SO_TIMESTAMPING
    Socket,
}

impl DataPlaneKind {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xdp => "xdp",
            Self::Socket => "socket",
        }
    }
}

display_by_value_name!(DataPlaneKind);

/// Who stamps what comes in. Which of them can be had depends on clock, driver and kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RxTimestamp {
    /// The NIC, read by the XDP program
    XdpHw,
    /// The NIC, delivered with the packet by the socket
    SocketHw,
    /// The XDP program, with the kernel's clock
    XdpSw,
    /// The kernel, delivered with the packet by the socket
    SocketSw,
}

impl RxTimestamp {
    /// The same, as the rest of the program calls it.
    pub const fn source(self) -> StampSource {
        match self {
            Self::XdpHw => StampSource::XdpHw,
            Self::SocketHw => StampSource::SocketHw,
            Self::XdpSw => StampSource::XdpSw,
            Self::SocketSw => StampSource::SocketSw,
        }
    }

    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        self.source().name()
    }
}

display_by_value_name!(RxTimestamp);

/// How the XDP program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum XdpAttachMode {
    /// In the driver, before the kernel allocates anything
    Native,
    /// In the network stack: any driver, later stamps
    Generic,
}

impl XdpAttachMode {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

display_by_value_name!(XdpAttachMode);

/// How a server tells the time of a Sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncMode {
    /// A Follow_Up carries the TX stamp of the Sync
    TwoStep,
    /// The Sync carries the time just before it was sent: less precise
    OneStep,
}

impl SyncMode {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TwoStep => "two-step",
            Self::OneStep => "one-step",
        }
    }
}

display_by_value_name!(SyncMode);

/// Who sends a server's Sync and Announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncPlane {
    /// The precise one for up to 4096 clients (max-clients), else the massive one, where it can be had
    Auto,
    /// This process, with TX stamps of NIC or kernel and Follow_Up
    Precise,
    /// The kernel, by live XDP frames, one-step, stamped by the kernel's clock: for a million clients
    Massive,
}

impl SyncPlane {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Precise => "precise",
            Self::Massive => "massive",
        }
    }
}

display_by_value_name!(SyncPlane);

/// How long to wait between requests to a server that serves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// 1, 1, 1, 2, 4 s, then every 5 s; up to 60 s while another server serves
    Fast,
    /// Three times after 1 s, then every 60 s
    #[value(name = "g8275.2")]
    #[serde(rename = "g8275.2")]
    Telecom,
}

impl Retry {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Telecom => "g8275.2",
        }
    }
}

display_by_value_name!(Retry);

/// What decides between servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Select {
    /// The quality that they announce, then the priority (alternate BTCA of G.8275.2)
    Btca,
    /// The priority, then the quality
    Priority,
}

impl Select {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Btca => "btca",
            Self::Priority => "priority",
        }
    }
}

display_by_value_name!(Select);

/// What servers that are not in use are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standby {
    /// Everything: they are measured all the time, and a switch needs no packet
    Hot,
    /// Announce only
    Warm,
}

impl Standby {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Warm => "warm",
        }
    }
}

display_by_value_name!(Standby);

/// When a better server that was lost and serves again is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revert {
    /// After the wait-to-restore time
    Wait,
    /// At once
    Immediate,
}

impl Revert {
    /// As written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Immediate => "immediate",
        }
    }
}

display_by_value_name!(Revert);

/// clockClass: a number, or `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum ClockClass {
    /// By what the kernel says of its clock, and of whether the configuration names a primary reference.
    Auto,
    /// As given.
    Fixed(i64),
}

/// A text is no [`ClockClass`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no clockClass: write auto, or a number from 0 to 255")]
pub struct ClockClassError(String);

impl FromStr for ClockClass {
    type Err = ClockClassError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            number => number.parse().map(Self::Fixed).map_err(|_| ClockClassError(text.to_owned())),
        }
    }
}

impl TryFrom<toml::Value> for ClockClass {
    type Error = ClockClassError;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        match value {
            toml::Value::Integer(class) => Ok(Self::Fixed(class)),
            toml::Value::String(text) => text.parse(),
            other => Err(ClockClassError(other.to_string())),
        }
    }
}

impl fmt::Display for ClockClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(class) => class.fmt(f),
        }
    }
}

/// Whom to run as: a name, `UID` or `UID:GID`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum User {
    /// By name.
    Name(String),
    /// By number.
    Number {
        /// The user's.
        uid: u32,
        /// The group's; without one, that which the user has.
        gid: Option<u32>,
    },
}

/// A text is no [`User`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no user: write a name, or numbers: UID or UID:GID")]
pub struct UserError(String);

impl FromStr for User {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || UserError(text.to_owned());
        let number = |digits: &str| digits.parse().map_err(|_| error());
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        if user.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(Self::Number { uid: number(user)?, gid: group.map(number).transpose()? });
        }
        if user.is_empty() || group.is_some() || text.contains(char::is_whitespace) {
            return Err(error());
        }
        Ok(Self::Name(user.to_owned()))
    }
}

impl TryFrom<String> for User {
    type Error = UserError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// `ADDR` or `ADDR@PRIORITY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ServerAddress {
    /// IPv4 or IPv6.
    pub address: IpAddr,
    /// localPriority; without one, the place in the list.
    pub priority: Option<u8>,
}

/// Why a text is no [`ServerAddress`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerAddressError {
    /// The part before `@`.
    #[error("{0:?} is no IPv4 or IPv6 address: write 10.0.1.2, 2001:db8::2 or 10.0.1.2@PRIORITY")]
    Address(String),
    /// The part after `@`.
    #[error("{0:?} is no priority: write a number from 0 to 255 behind the @, the lower is preferred")]
    Priority(String),
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, priority) = match text.split_once('@') {
            Some((address, priority)) => (address, Some(priority)),
            None => (text, None),
        };
        Ok(Self {
            address: address.parse().map_err(|_| ServerAddressError::Address(address.to_owned()))?,
            priority: priority
                .map(|priority| {
                    priority.parse().map_err(|_| ServerAddressError::Priority(priority.to_owned()))
                })
                .transpose()?,
        })
    }
}

impl TryFrom<String> for ServerAddress {
    type Error = ServerAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.priority {
            Some(priority) => write!(f, "{}@{priority}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}
