use super::holder::Holder;
use std::io;
use std::net::IpAddr;

/// What can go wrong with sockets and interfaces; each message names the cause and, where there is one, the way out.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// ENODEV.
    #[error(
        "there is no interface {interface} in this network namespace; `ip link` lists those that are there"
    )]
    NoInterface {
        /// The name that was asked for.
        interface: String,
    },
    /// Neither IPv4 nor IPv6 was asked for.
    #[error("no sockets to open: neither IPv4 nor IPv6 is enabled")]
    NoFamily,
    /// A DSCP has 6 bits.
    #[error("dscp {dscp} is not in 0 to 63")]
    Dscp {
        /// What was asked for.
        dscp: u8,
    },
    /// EADDRINUSE.
    #[error("UDP port {port} ({family}) {place} is in use by {}; stop it, PTP's ports are fixed", list(.holders))]
    PortInUse {
        /// 319 or 320.
        port: u16,
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// `on eth0`, or `for all interfaces`: what the socket was to be bound to.
        place: String,
        /// Processes with a socket on that port, as far as /proc shows them.
        holders: Vec<Holder>,
    },
    /// EADDRNOTAVAIL.
    #[error(
        "{address} (local-address) is no address of this machine in this network namespace, or not yet; `ip address` lists those that \
         are: add it, for example with `ip address add {address} dev lo`"
    )]
    NotLocal {
        /// What was asked for.
        address: IpAddr,
    },
    /// EACCES or EPERM.
    #[error("not permitted to {action}: run as root or with {capability}")]
    Privilege {
        /// What was tried.
        action: &'static str,
        /// The capability that permits it.
        capability: &'static str,
    },
    /// EAFNOSUPPORT.
    #[error("this kernel has no {family}; use only addresses of the other family")]
    FamilyUnavailable {
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The NIC or its driver takes no hardware stamps, or not of PTP packets.
    #[error(
        "{interface} has no hardware timestamps of PTP over UDP ({source}); use a clock other than `phc`, \
         stamps then come from the kernel"
    )]
    NoHardwareStamps {
        /// The interface.
        interface: String,
        /// The driver's answer.
        source: io::Error,
    },
    /// Any other call that failed while opening or asking.
    #[error("{action} on {interface}: {source}")]
    Call {
        /// What was tried.
        action: &'static str,
        /// The interface.
        interface: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No socket of that family was opened.
    #[error("cannot send to {to}: no socket of its address family is open")]
    FamilyNotOpen {
        /// The destination.
        to: IpAddr,
    },
    /// The kernel refused the packet.
    #[error("cannot send to {to}: {source}")]
    Send {
        /// The destination.
        to: IpAddr,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl NetError {
    /// The kernel knows no way to the destination.
    pub fn is_unreachable(&self) -> bool {
        let Self::Send { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable)
    }
}

fn list(holders: &[Holder]) -> String {
    if holders.is_empty() {
        return "a process that /proc does not show".to_owned();
    }
    holders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
