//! Makes an end of virtual Ethernet poll (NAPI), by its generic receive offload: it then gets what XDP at the other end
//! sends, and would lose it otherwise.

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::libc;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

// linux/sockios.h, linux/ethtool.h
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_SGRO: u32 = 0x2c;

/// struct ethtool_value.
#[repr(C)]
struct Value {
    command: u32,
    data: u32,
}

/// Of an interface in this thread's network namespace.
pub(super) fn enable(interface: &str) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("cannot open a socket to ask the kernel by")?;
    let mut value = Value { command: ETHTOOL_SGRO, data: 1 };
    // SAFETY: a structure of integers and octets, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, octet) in request.ifr_name.iter_mut().zip(interface.bytes()).take(libc::IFNAMSIZ - 1) {
        *place = octet as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: this request reads one `ifreq` and the value that it points to; both live until it returns.
    let set = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    Errno::result(set).with_context(|| format!("cannot turn generic receive offload on for {interface}"))?;
    Ok(())
}
