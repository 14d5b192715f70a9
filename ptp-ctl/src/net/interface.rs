//! What an interface is, and what stamps it can take.

use super::error::NetError;
use super::socket::address_of;
use super::sys;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use std::io;
use std::net::IpAddr;
use std::os::linux::fs::MetadataExt;

/// What `ethtool -T` shows: the stamps that an interface and its driver offer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TimestampingInfo {
    /// The NIC stamps what it sends.
    pub tx_hardware: bool,
    /// The NIC stamps what it receives.
    pub rx_hardware: bool,
    /// The driver lets the kernel stamp what it sends.
    pub tx_software: bool,
    /// The kernel stamps what it receives.
    pub rx_software: bool,
    /// Hardware stamps are delivered as the PHC's reading.
    pub raw_hardware: bool,
    /// What the NIC can be told to stamp on receive, by the names of `ethtool -T`.
    pub rx_filters: Vec<&'static str>,
    /// The NIC's clock is /dev/ptpN with this N.
    pub phc_index: Option<u32>,
}

impl TimestampingInfo {
    /// Hardware stamps serve PTP over UDP in both directions.
    pub fn hardware(&self) -> bool {
        self.tx_hardware
            && self.rx_hardware
            && self.raw_hardware
            && ["all", "ptpv2-l4-event", "ptpv2-event"].iter().any(|filter| self.rx_filters.contains(filter))
    }
}

/// Names of the bits of `rx_filters`, in order (HWTSTAMP_FILTER_* of linux/net_tstamp.h).
const RX_FILTERS: [&str; 16] = [
    "none",
    "all",
    "some",
    "ptpv1-l4-event",
    "ptpv1-l4-sync",
    "ptpv1-l4-delay-req",
    "ptpv2-l4-event",
    "ptpv2-l4-sync",
    "ptpv2-l4-delay-req",
    "ptpv2-l2-event",
    "ptpv2-l2-sync",
    "ptpv2-l2-delay-req",
    "ptpv2-event",
    "ptpv2-sync",
    "ptpv2-delay-req",
    "ntp-all",
];

/// Asks the driver what it can stamp (ETHTOOL_GET_TS_INFO). Errors: no such interface.
pub fn timestamping(interface: &str) -> Result<TimestampingInfo, NetError> {
    let info =
        sys::ts_info(interface).map_err(|error| explain(interface, "ask for timestamping modes", error))?;
    let can = |flag| info.so_timestamping & flag != 0;
    Ok(TimestampingInfo {
        tx_hardware: can(libc::SOF_TIMESTAMPING_TX_HARDWARE),
        rx_hardware: can(libc::SOF_TIMESTAMPING_RX_HARDWARE),
        tx_software: can(libc::SOF_TIMESTAMPING_TX_SOFTWARE),
        rx_software: can(libc::SOF_TIMESTAMPING_RX_SOFTWARE),
        raw_hardware: can(libc::SOF_TIMESTAMPING_RAW_HARDWARE),
        rx_filters: RX_FILTERS
            .iter()
            .enumerate()
            .filter(|(bit, _)| info.rx_filters & (1 << bit) != 0)
            .map(|(_, name)| *name)
            .collect(),
        phc_index: u32::try_from(info.phc_index).ok(),
    })
}

/// Name of the interface's driver (ETHTOOL_GDRVINFO). Errors: no such interface, or a driver that does not tell.
pub fn driver(interface: &str) -> Result<String, NetError> {
    sys::driver(interface).map_err(|error| explain(interface, "ask for the driver's name", error))
}

/// The interface's IPv4 and IPv6 addresses, in the kernel's order, link-local ones included.
pub fn interface_addresses(interface: &str) -> Result<Vec<IpAddr>, NetError> {
    interface_index(interface)?;
    let all = getifaddrs().map_err(|error| explain(interface, "list addresses", error.into()))?;
    Ok(all
        .filter(|entry| entry.interface_name == interface)
        .filter_map(|entry| address_of(&entry.address?))
        .collect())
}

/// Has an interface of this network namespace, whichever, this address?
pub fn is_local(address: IpAddr) -> Result<bool, NetError> {
    let mut all = getifaddrs().map_err(|error| explain("any interface", "list addresses", error.into()))?;
    Ok(all.any(|entry| entry.address.as_ref().and_then(address_of) == Some(address)))
}

/// The interface's Ethernet address: clockIdentity is made of it.
pub fn interface_mac(interface: &str) -> Result<[u8; 6], NetError> {
    interface_index(interface)?;
    let mut all = getifaddrs().map_err(|error| explain(interface, "list addresses", error.into()))?;
    all.find_map(|entry| {
        (entry.interface_name == interface).then_some(())?;
        entry.address?.as_link_addr()?.addr()
    })
    .ok_or_else(|| {
        let error = io::Error::new(io::ErrorKind::NotFound, "it has no Ethernet address");
        explain(interface, "read the Ethernet address", error)
    })
}

/// Has the interface a link (IFF_RUNNING)?
pub fn link_is_up(interface: &str) -> Result<bool, NetError> {
    interface_index(interface)?;
    let mut all = getifaddrs().map_err(|error| explain(interface, "list addresses", error.into()))?;
    Ok(all
        .any(|entry| entry.interface_name == interface && entry.flags.contains(InterfaceFlags::IFF_RUNNING)))
}

/// The interface's number in this network namespace.
pub fn interface_index(interface: &str) -> Result<u32, NetError> {
    if_nametoindex(interface).map_err(|error| explain(interface, "look up the interface", error.into()))
}

/// Inode of the calling thread's network namespace: with it, an interface number names one interface of this machine.
pub fn netns_inode() -> io::Result<u64> {
    Ok(std::fs::metadata("/proc/thread-self/ns/net")?.st_ino())
}

fn explain(interface: &str, action: &'static str, source: io::Error) -> NetError {
    let interface = interface.to_owned();
    match source.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) => NetError::NoInterface { interface },
        _ => NetError::Call { action, interface, source },
    }
}
