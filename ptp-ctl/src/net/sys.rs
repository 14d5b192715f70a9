//! What nix and tokio leave unsafe: interface ioctls, and handing a descriptor to the runtime.

use super::readiness::Readiness;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::io;
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// `ethtool_ts_info` of linux/ethtool.h.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct TsInfo {
    cmd: u32,
    /// Bits of SOF_TIMESTAMPING_*.
    pub(super) so_timestamping: u32,
    /// Number of the PHC, -1 without one.
    pub(super) phc_index: i32,
    /// Bit n: HWTSTAMP_TX_* n.
    pub(super) tx_types: u32,
    tx_reserved: [u32; 3],
    /// Bit n: HWTSTAMP_FILTER_* n.
    pub(super) rx_filters: u32,
    rx_reserved: [u32; 3],
}

/// `ethtool_drvinfo` of linux/ethtool.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct DriverInfo {
    cmd: u32,
    driver: [u8; 32],
    version: [u8; 32],
    fw_version: [u8; 32],
    bus_info: [u8; 32],
    erom_version: [u8; 32],
    reserved: [u8; 12],
    lengths: [u32; 5],
}

const ETHTOOL_GDRVINFO: u32 = 0x03;
const ETHTOOL_GET_TS_INFO: u32 = 0x41;

/// Lets the current tokio runtime watch it; panics without a runtime.
pub(super) fn register(readiness: Readiness) -> io::Result<AsyncFd<Readiness>> {
    // SAFETY: a `Readiness` owns one descriptor, names no other, and closes it only when dropped.
    Ok(unsafe { AsyncFd::register_with_interest(readiness, Interest::READABLE)? })
}

/// What the driver says about timestamps.
pub(super) fn ts_info(interface: &str) -> io::Result<TsInfo> {
    let mut info = TsInfo { cmd: ETHTOOL_GET_TS_INFO, ..TsInfo::default() };
    // SAFETY: for SIOCETHTOOL with this command the kernel writes one `ethtool_ts_info`.
    unsafe { interface_ioctl(interface, libc::SIOCETHTOOL, &mut info)? };
    Ok(info)
}

/// The driver's name.
pub(super) fn driver(interface: &str) -> io::Result<String> {
    let mut info = DriverInfo {
        cmd: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        version: [0; 32],
        fw_version: [0; 32],
        bus_info: [0; 32],
        erom_version: [0; 32],
        reserved: [0; 12],
        lengths: [0; 5],
    };
    // SAFETY: for SIOCETHTOOL with this command the kernel writes one `ethtool_drvinfo`.
    unsafe { interface_ioctl(interface, libc::SIOCETHTOOL, &mut info)? };
    let end = info.driver.iter().position(|octet| *octet == 0).unwrap_or(info.driver.len());
    Ok(String::from_utf8_lossy(&info.driver[..end]).into_owned())
}

/// The NIC's present timestamping mode.
pub(super) fn hwtstamp(interface: &str) -> io::Result<libc::hwtstamp_config> {
    let mut config = libc::hwtstamp_config { flags: 0, tx_type: 0, rx_filter: 0 };
    // SAFETY: the kernel writes one `hwtstamp_config` for SIOCGHWTSTAMP.
    unsafe { interface_ioctl(interface, libc::SIOCGHWTSTAMP, &mut config)? };
    Ok(config)
}

/// Sets the NIC's timestamping mode; the driver may choose a wider filter, which is what is returned.
pub(super) fn set_hwtstamp(
    interface: &str,
    mut config: libc::hwtstamp_config,
) -> io::Result<libc::hwtstamp_config> {
    // SAFETY: the kernel reads and writes one `hwtstamp_config` for SIOCSHWTSTAMP.
    unsafe { interface_ioctl(interface, libc::SIOCSHWTSTAMP, &mut config)? };
    Ok(config)
}

/// # Safety
/// `T` must be the type that the kernel reads and writes through `ifr_data` for this request.
unsafe fn interface_ioctl<T>(interface: &str, request: libc::c_ulong, data: &mut T) -> io::Result<()> {
    let mut name = [0; libc::IFNAMSIZ];
    // The last place stays zero: the name ends there at the latest.
    if interface.len() >= name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (place, octet) in name.iter_mut().zip(interface.bytes()) {
        *place = octet as libc::c_char;
    }
    let ifru_data = std::ptr::from_mut(data).cast();
    let mut request_data =
        libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_data } };
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
        .or_else(|_| socket(AddressFamily::Inet6, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None))?;
    // SAFETY: the socket is open, `request_data` is a whole `ifreq`, and `ifru_data` points to a `T` that nothing
    // else uses during the call; the caller vouches for its type.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &raw mut request_data) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
