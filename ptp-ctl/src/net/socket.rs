//! One UDP socket on one of PTP's ports.

use super::error::NetError;
use super::{SocketConfig, holder};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrIn6,
    SockaddrStorage, TimestampingFlag, bind, recvmsg, sendmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeSpec;
use ptp_common::net::{Channel, EVENT_PORT, GENERAL_PORT};
use ptp_common::time::{NANOS_PER_SEC, RawStamp, StampSource};
use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What follows every message over IPv6: room for whoever corrects the UDP checksum on the way (IEEE 1588-2019, annex D).
pub(super) const IPV6_PADDING: [u8; 2] = [0; 2];

/// Hop limit of what is sent: the default of IP hosts. PTP sets none for unicast.
const HOP_LIMIT: u8 = 64;

/// Room in the kernel for packets and TX stamps that were not yet read. Stamps count against the receive buffer too:
/// the default of 208 KiB holds fewer than 300 of them, less than one burst of a server.
const BUFFER_OCTETS: usize = 4 << 20;

/// Largest datagram taken: no PTP message in use is longer than an Ethernet frame.
pub(super) const MAX_DATAGRAM: usize = 2048;

/// Enough for the control messages that were asked for: three timespecs, an extended error and its address.
const MAX_CONTROL: usize = 512;

/// Buffers for one call of recvmsg, made once.
pub(super) struct Buffers {
    octets: Box<[u8; MAX_DATAGRAM]>,
    control: Box<[u8; MAX_CONTROL]>,
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self { octets: Box::new([0; MAX_DATAGRAM]), control: Box::new([0; MAX_CONTROL]) }
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// A datagram as it was read.
pub(super) enum Read<'a> {
    /// Whole.
    Datagram { octets: &'a [u8], from: IpAddr, stamp: Option<RawStamp> },
    /// Longer than [`MAX_DATAGRAM`]: not PTP.
    Truncated,
    /// Came in by an interface that is none of ours.
    Elsewhere,
}

/// An entry of the error queue.
pub(super) enum QueuedError {
    /// The TX stamp of the packet with this count. `None`: not of the source that was asked for.
    TxStamp { count: u32, stamp: Option<RawStamp> },
    /// Something else, an ICMP error for example.
    Other,
}

/// A non-blocking UDP socket, bound to the port and, where there is only one, to the interface.
pub(super) struct Socket {
    fd: OwnedFd,
    port: u16,
    /// At least one. The first is the scope of link-local destinations.
    ifindexes: Vec<u32>,
    source: StampSource,
    timestamping: TimestampingFlag,
}

impl Socket {
    /// Opens it; `ifindexes` are those of `config.interfaces`.
    pub(super) fn open(
        config: &SocketConfig,
        ifindexes: &[u32],
        family: Family,
        channel: Channel,
    ) -> Result<Self, NetError> {
        let explain = |action| move |error| explain(config, family, channel, action, error);
        let domain = match family {
            Family::V4 => AddressFamily::Inet,
            Family::V6 => AddressFamily::Inet6,
        };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(domain, SockType::Datagram, flags, None).map_err(explain("open a UDP socket"))?;
        if let [interface] = &config.interfaces[..] {
            let device = OsString::from(interface);
            setsockopt(&fd, sockopt::BindToDevice, &device)
                .map_err(explain("bind a socket to the interface"))?;
        } else {
            tell_interfaces(&fd, family).map_err(explain("ask where packets come in"))?;
        }
        set_traffic_options(&fd, config.dscp, family).map_err(explain("set DSCP and hop limit"))?;
        set_buffers(&fd).map_err(explain("set socket buffers"))?;
        let port = port(channel);
        // No SO_REUSEADDR: a second PTP instance on this interface must not go unnoticed.
        match local(config, family) {
            IpAddr::V4(address) => bind(fd.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(address, port))),
            IpAddr::V6(address) => {
                bind(fd.as_raw_fd(), &SockaddrIn6::from(SocketAddrV6::new(address, port, 0, 0)))
            }
        }
        .map_err(explain("bind a UDP port below 1024"))?;
        let timestamping = match channel {
            Channel::Event => timestamping_flags(config),
            Channel::General => TimestampingFlag::empty(),
        };
        let socket = Self { fd, port, ifindexes: ifindexes.to_owned(), source: source(config), timestamping };
        if channel == Channel::Event {
            socket.set_timestamping(timestamping).map_err(explain("switch on timestamps"))?;
        }
        Ok(socket)
    }

    /// Sends one datagram to the peer's port of the same number.
    pub(super) fn send(&self, to: IpAddr, octets: &[u8]) -> Result<(), Errno> {
        let padding: &[u8] = if to.is_ipv6() { &IPV6_PADDING } else { &[] };
        let payload = [IoSlice::new(octets), IoSlice::new(padding)];
        let to = self.destination(to);
        sendmsg(self.fd.as_raw_fd(), &payload, &[], MsgFlags::MSG_DONTWAIT, Some(&to)).map(|_| ())
    }

    /// The peer's port of the same number.
    pub(super) fn destination(&self, to: IpAddr) -> SockaddrStorage {
        match to {
            IpAddr::V4(to) => SocketAddrV4::new(to, self.port).into(),
            IpAddr::V6(to) => {
                let scope = if to.is_unicast_link_local() { self.ifindexes[0] } else { 0 };
                SocketAddrV6::new(to, self.port, 0, scope).into()
            }
        }
    }

    /// Reads one datagram. `EAGAIN`: there is none.
    pub(super) fn receive<'a>(&self, buffers: &'a mut Buffers) -> Result<Read<'a>, Errno> {
        let mut slices = [IoSliceMut::new(&mut buffers.octets[..])];
        let control = Some(&mut buffers.control[..]);
        let message =
            recvmsg::<SockaddrStorage>(self.fd.as_raw_fd(), &mut slices, control, MsgFlags::MSG_DONTWAIT)?;
        if message.flags.contains(MsgFlags::MSG_TRUNC) {
            return Ok(Read::Truncated);
        }
        let from = message.address.as_ref().and_then(address_of);
        let (mut stamp, mut came_in) = (None, None);
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmTimestampsns(stamps) = control {
                stamp = self.stamp(stamps.system, stamps.hw_raw);
            }
            came_in = came_in.or_else(|| ifindex_of(&control));
        }
        if !self.is_ours(came_in) {
            return Ok(Read::Elsewhere);
        }
        let rx =
            TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_RX_HARDWARE;
        if !self.timestamping.intersects(rx) {
            // Another socket's wish for stamps shows in ours.
            stamp = None;
        }
        let length = message.bytes;
        // UDP always tells where a datagram comes from.
        let from = from.ok_or(Errno::EAFNOSUPPORT)?;
        Ok(Read::Datagram { octets: &buffers.octets[..length], from, stamp })
    }

    /// Did a packet with such control messages come in by an interface of ours? One socket for one interface gets no others.
    pub(super) fn is_ours(&self, came_in: Option<u32>) -> bool {
        self.ifindexes.len() == 1 || came_in.is_some_and(|ifindex| self.ifindexes.contains(&ifindex))
    }

    /// Reads one entry of the error queue. `EAGAIN`: there is none.
    pub(super) fn receive_error(&self, buffers: &mut Buffers) -> Result<QueuedError, Errno> {
        let mut slices = [IoSliceMut::new(&mut buffers.octets[..])];
        let control = Some(&mut buffers.control[..]);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(self.fd.as_raw_fd(), &mut slices, control, flags)?;
        let (mut stamp, mut count) = (None, None);
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::ScmTimestampsns(stamps) => {
                    stamp = self.stamp(stamps.system, stamps.hw_raw);
                }
                ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _)
                    if error.ee_origin == libc::SO_EE_ORIGIN_TIMESTAMPING
                        && error.ee_errno == libc::ENOMSG as u32 =>
                {
                    count = Some(error.ee_data);
                }
                _ => {}
            }
        }
        Ok(count.map_or(QueuedError::Other, |count| QueuedError::TxStamp { count, stamp }))
    }

    /// Sets the kernel's count of packets back to zero: it does so when OPT_ID is switched on.
    pub(super) fn reset_count(&self) -> Result<(), Errno> {
        self.set_timestamping(self.timestamping - TimestampingFlag::SOF_TIMESTAMPING_OPT_ID)?;
        self.set_timestamping(self.timestamping)
    }

    fn set_timestamping(&self, flags: TimestampingFlag) -> Result<(), Errno> {
        setsockopt(&self.fd, sockopt::Timestamping, &flags)
    }

    /// The stamp of the configured source, or none.
    fn stamp(&self, software: TimeSpec, hardware: TimeSpec) -> Option<RawStamp> {
        let time = if self.source == StampSource::SocketHw { hardware } else { software };
        let seconds = u64::try_from(time.tv_sec()).ok()?;
        let nanos = seconds * u64::from(NANOS_PER_SEC) + u64::try_from(time.tv_nsec()).ok()?;
        (nanos != 0).then_some(RawStamp { nanos, source: self.source })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Where a datagram came from.
pub(super) fn address_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// Where a packet came in, if this control message says so.
pub(super) fn ifindex_of(control: &ControlMessageOwned) -> Option<u32> {
    match control {
        ControlMessageOwned::Ipv4PacketInfo(info) => u32::try_from(info.ipi_ifindex).ok(),
        ControlMessageOwned::Ipv6PacketInfo(info) => Some(info.ipi6_ifindex),
        _ => None,
    }
}

/// What a socket of this family is bound to.
fn local(config: &SocketConfig, family: Family) -> IpAddr {
    let is_v4 = family == Family::V4;
    let any = if is_v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    config.local_addresses.iter().copied().find(|address| address.is_ipv4() == is_v4).unwrap_or(any)
}

/// Who takes the stamps with this configuration.
const fn source(config: &SocketConfig) -> StampSource {
    if config.hardware { StampSource::SocketHw } else { StampSource::SocketSw }
}

const fn port(channel: Channel) -> u16 {
    match channel {
        Channel::Event => EVENT_PORT,
        Channel::General => GENERAL_PORT,
    }
}

fn timestamping_flags(config: &SocketConfig) -> TimestampingFlag {
    let (tx, rx) = if config.hardware {
        (
            TimestampingFlag::SOF_TIMESTAMPING_RAW_HARDWARE | TimestampingFlag::SOF_TIMESTAMPING_TX_HARDWARE,
            TimestampingFlag::SOF_TIMESTAMPING_RX_HARDWARE,
        )
    } else {
        (
            TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_TX_SOFTWARE,
            TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE,
        )
    };
    let count = TimestampingFlag::SOF_TIMESTAMPING_OPT_ID | TimestampingFlag::SOF_TIMESTAMPING_OPT_TSONLY;
    if config.rx_stamps { tx | rx | count } else { tx | count }
}

fn set_traffic_options(fd: &OwnedFd, dscp: u8, family: Family) -> Result<(), Errno> {
    let traffic_class = i32::from(dscp) << 2;
    let hop_limit = i32::from(HOP_LIMIT);
    match family {
        Family::V4 => {
            setsockopt(fd, sockopt::Ipv4Tos, &traffic_class)?;
            setsockopt(fd, sockopt::Ipv4Ttl, &hop_limit)
        }
        Family::V6 => {
            setsockopt(fd, sockopt::Ipv6V6Only, &true)?;
            setsockopt(fd, sockopt::Ipv6TClass, &traffic_class)?;
            setsockopt(fd, sockopt::Ipv6Ttl, &hop_limit)
        }
    }
}

/// Lets the socket tell of each packet where it came in.
fn tell_interfaces(fd: &OwnedFd, family: Family) -> Result<(), Errno> {
    match family {
        Family::V4 => setsockopt(fd, sockopt::Ipv4PacketInfo, &true),
        Family::V6 => setsockopt(fd, sockopt::Ipv6RecvPacketInfo, &true),
    }
}

/// Without CAP_NET_ADMIN the system's limits (net.core.rmem_max, wmem_max) bound what is had.
fn set_buffers(fd: &OwnedFd) -> Result<(), Errno> {
    setsockopt(fd, sockopt::RcvBufForce, &BUFFER_OCTETS)
        .or_else(|_| setsockopt(fd, sockopt::RcvBuf, &BUFFER_OCTETS))?;
    setsockopt(fd, sockopt::SndBufForce, &BUFFER_OCTETS)
        .or_else(|_| setsockopt(fd, sockopt::SndBuf, &BUFFER_OCTETS))
}

fn explain(
    config: &SocketConfig,
    family: Family,
    channel: Channel,
    action: &'static str,
    error: Errno,
) -> NetError {
    let interface = config.interfaces.join(", ");
    match error {
        Errno::ENODEV => NetError::NoInterface { interface },
        Errno::EAFNOSUPPORT => NetError::FamilyUnavailable { family: family.name() },
        Errno::EADDRINUSE => {
            let port = port(channel);
            // Who is bound to no interface leaves the port to nobody else, and needs it from everybody else.
            let place = if config.interfaces.len() == 1 {
                format!("on {interface}")
            } else {
                "for all interfaces".to_owned()
            };
            NetError::PortInUse { port, family: family.name(), place, holders: holder::holders(port) }
        }
        Errno::EADDRNOTAVAIL => NetError::NotLocal { address: local(config, family) },
        Errno::EACCES => NetError::Privilege { action, capability: "CAP_NET_BIND_SERVICE" },
        Errno::EPERM => NetError::Privilege { action, capability: "CAP_NET_RAW" },
        _ => NetError::Call { action, interface, source: io::Error::from(error) },
    }
}
