//! A device that holds the fan-out's program.
//!
//! A program that is attached somewhere runs on live frames without the pause of 25 ms in which the kernel otherwise makes
//! it known to all CPUs.

use nix::errno::Errno;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;

// linux/if_tun.h
const TUNSETIFF: libc::Ioctl = 0x4004_54ca_u32 as libc::Ioctl;
const IFF_TAP: libc::c_short = 0x0002;
const IFF_NO_PI: libc::c_short = 0x1000;

/// A TAP interface that is never up; it is gone when this is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub(super) struct Spare {
    #[expect(dead_code, reason = "held for the device")]
    file: File,
    pub(super) ifindex: u32,
}

impl Spare {
    /// Makes one in this thread's network namespace, and names it after the interface that it is for.
    pub(super) fn new(interface_index: u32) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/net/tun")?;
        // SAFETY: a structure of integers and octets, for which zero is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let name = format!("ptp-fan{interface_index}");
        for (place, octet) in request.ifr_name.iter_mut().zip(name.bytes()).take(libc::IFNAMSIZ - 1) {
            *place = octet as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = IFF_TAP | IFF_NO_PI;
        // SAFETY: this request reads and writes one `ifreq`.
        Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), TUNSETIFF, &raw mut request) })?;
        let ifindex = nix::net::if_::if_nametoindex(name.as_str())?;
        Ok(Self { file, ifindex })
    }
}
