/// Who stamped a packet. It decides which clock the stamp counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StampSource {
    /// The NIC, read by the XDP program: counts the NIC's PHC.
    XdpHw,
    /// The XDP program: counts the kernel's CLOCK_TAI.
    XdpSw,
    /// The NIC, delivered by SO_TIMESTAMPING: counts the NIC's PHC.
    SocketHw,
    /// The kernel, delivered by SO_TIMESTAMPING: counts CLOCK_REALTIME.
    SocketSw,
}

impl StampSource {
    /// Does it count the NIC's PHC? Else it counts a clock of the kernel.
    pub const fn is_hardware(self) -> bool {
        matches!(self, Self::XdpHw | Self::SocketHw)
    }

    /// Does the XDP program deliver it?
    pub const fn is_xdp(self) -> bool {
        matches!(self, Self::XdpHw | Self::XdpSw)
    }

    /// The name used in every report and setting.
    pub const fn name(self) -> &'static str {
        match self {
            Self::XdpHw => "xdp-hw",
            Self::XdpSw => "xdp-sw",
            Self::SocketHw => "socket-hw",
            Self::SocketSw => "socket-sw",
        }
    }
}

/// A stamp as it was taken, in ns of the clock that [`StampSource`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawStamp {
    /// Nanoseconds since the epoch of that clock.
    pub nanos: u64,
    /// Who took it.
    pub source: StampSource,
}
