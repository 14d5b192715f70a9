//! Layout of maps and ring records: the contract between the XDP program and the controller.
//!
//! `repr(C)`, explicit padding, integers and byte arrays only. Numbers are in host order, addresses and identities
//! as they stand on the wire. Any change to a layout here raises [`ABI_VERSION`].

mod clients;
mod fan_out;
mod serving;
mod time_page;

pub use clients::{
    Client, DELAY_REQ_BURST, MAX_CLIENTS, PROBES, SERVICE_ANNOUNCE, SERVICE_DELAY_RESP, SERVICE_SYNC,
    TICK_SHIFT, hash, home, homes, interval_ns,
};
pub use fan_out::{DUE_LENGTH, Due, FanOutCounter, LIVE_FRAME_LENGTH, MAX_NEXT_HOPS, NextHop};
pub use serving::{PATH_TRACE_LENGTH, ServedTime, Serving};
pub use time_page::{NoTime, SEQUENCE, TimePage, TimePageError, TimeSpan, TimeState};

/// Raised with every change of a layout or of the meaning of a field in this module.
pub const ABI_VERSION: u32 = 5;

/// Names of the program and its maps, in the object and (for the maps) in bpffs.
pub mod names {
    /// The XDP program.
    pub const PROGRAM: &str = "ptp_xdp";
    /// The XDP program that fills live frames with Sync and Announce.
    pub const FAN_OUT: &str = "ptp_fan_out";
    /// `Array<Config>` with one entry, written once by the loader.
    pub const CONFIG: &str = "PTP_CONFIG";
    /// `Array<Controller>` with one entry, written again and again by the controller.
    pub const CONTROLLER: &str = "PTP_CONTROLLER";
    /// `HashMap<LocalKey, u32>`: the interface's own addresses; nothing to another is taken. The value is not used.
    pub const LOCAL: &str = "PTP_LOCAL";
    /// `HashMap<ServerKey, u32>`: whose Sync this machine's client takes. The value is not used.
    pub const SERVERS: &str = "PTP_SERVERS";
    /// `Array<Client>`: everyone with a grant of this machine's server, and what was granted.
    pub const CLIENTS: &str = "PTP_CLIENTS";
    /// `Array<Serving>` with two entries: what a server answers and sends; `Controller::serving` says which holds.
    pub const SERVING: &str = "PTP_SERVING";
    /// `Array<NextHop>`: where Sync and Announce leave to. Entry 0 is nowhere.
    pub const NEXT_HOPS: &str = "PTP_NEXT_HOPS";
    /// `Array<Due>` with one entry: what the next run of [`FAN_OUT`] sends.
    pub const DUE: &str = "PTP_DUE";
    /// `PerCpuArray<u64>`, indexed by `FanOutCounter`.
    pub const FAN_OUT_COUNTERS: &str = "PTP_FAN_OUT";
    /// `RingBuf` of `EventRecord`.
    pub const EVENTS: &str = "PTP_EVENTS";
    /// `PerCpuArray<u64>`, indexed by `Counter`.
    pub const COUNTERS: &str = "PTP_COUNTERS";
}

/// How long the program goes on taking packets after the last heartbeat, in ns.
pub const HEARTBEAT_TIMEOUT_NS: u64 = 2_000_000_000;

/// Longest PTP message that is handed over: a Sync or Delay_Req (44 octets) with TLVs. Longer ones pass to the socket.
pub const MAX_PAYLOAD: usize = 256;

/// Octets of the ring buffer: 3196 records.
pub const RING_SIZE: u32 = 1 << 20;
/// Most entries of the map [`names::LOCAL`].
pub const MAX_LOCAL: u32 = 256;
/// Most entries of the map [`names::SERVERS`].
pub const MAX_SERVERS: u32 = 256;

/// What the loader tells the program.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// [`ABI_VERSION`] of the object that made the map.
    pub abi_version: u32,
    /// How the program is attached: one of the `MODE_` constants.
    pub mode: u32,
    /// 1: loaded for its interface (device-bound), so that it can read the NIC's stamps; 0: not.
    pub device_bound: u32,
    /// First places in the map [`names::CLIENTS`], at least 1.
    pub homes: u32,
    /// Starts every [`hash`]: nobody outside can choose whom a client collides with.
    pub hash_seed: u64,
}

/// [`Config::mode`]: in the driver.
pub const MODE_NATIVE: u32 = 1;
/// [`Config::mode`]: in the stack, before the protocol layers.
pub const MODE_GENERIC: u32 = 2;

/// What the controller tells the program.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controller {
    /// CLOCK_MONOTONIC in ns when the controller was last alive; 0 = never.
    pub alive_ns: u64,
    /// CLOCK_MONOTONIC in ns until which granted clients are answered, alive or not; 0 = this is no server.
    pub answers_until_ns: u64,
    /// The stamps that it wants: [`STAMP_XDP_SOFTWARE`] or [`STAMP_XDP_HARDWARE`].
    pub stamp_source: u32,
    /// Which entry of [`names::SERVING`] holds: the controller writes the other one and then changes this.
    pub serving: u32,
}

/// An address of this machine at which PTP is received: a router's interface must not take what it forwards.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LocalKey {
    /// Destination address of the message, IPv4-mapped.
    pub address: [u8; 16],
}

/// A server whose Sync messages are taken. IPv4 addresses are IPv4-mapped (`::ffff:a.b.c.d`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServerKey {
    /// Source address of the Sync.
    pub address: [u8; 16],
}

/// [`EventRecord::stamp_source`]: the stamp that the controller wants could not be had; `stamp_ns` is 0.
pub const STAMP_NONE: u8 = 0;
/// [`EventRecord::stamp_source`]: the program read the kernel's TAI clock.
pub const STAMP_XDP_SOFTWARE: u8 = 1;
/// [`EventRecord::stamp_source`]: the NIC stamped, the program read it from the frame's metadata.
pub const STAMP_XDP_HARDWARE: u8 = 2;

/// The number of the helper that the object calls for the NIC's stamp: there is none of that number. The loader puts a
/// call of the kernel's function `bpf_xdp_metadata_rx_timestamp` in its place, or the answer that there is no stamp. An object
/// of another [`ABI_VERSION`] calls another number, and is noticed so.
pub const RX_TIMESTAMP_CALL: u32 = 0x4b46_0000 + ABI_VERSION;

/// One PTP event message, handed over in the ring buffer. The frame itself is consumed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EventRecord {
    /// RX time in ns: CLOCK_TAI of the kernel for [`STAMP_XDP_SOFTWARE`], the NIC's PHC for [`STAMP_XDP_HARDWARE`].
    pub stamp_ns: u64,
    /// Interface the frame came in on.
    pub ifindex: u32,
    /// One of the `STAMP_` constants.
    pub stamp_source: u8,
    /// 4 or 6.
    pub ip_version: u8,
    /// VLAN tag control information; 0 without a tag in the frame.
    pub vlan_tci: u16,
    /// UDP source port.
    pub source_port: u16,
    /// UDP destination port, 319.
    pub destination_port: u16,
    /// UDP length field: header and payload.
    pub udp_length: u16,
    /// UDP checksum field.
    pub udp_checksum: u16,
    /// Octets of `payload` that are valid: `udp_length` - 8.
    pub payload_length: u16,
    /// Zero.
    pub padding: [u8; 6],
    /// IPv4-mapped or IPv6 source address.
    pub source: [u8; 16],
    /// IPv4-mapped or IPv6 destination address.
    pub destination: [u8; 16],
    /// The UDP payload: the PTP message and whatever follows it; zero after `payload_length`.
    pub payload: [u8; MAX_PAYLOAD],
}

/// Every way a frame can go through the program; index into the counters' map.
///
/// Policy: frames that are not for us, or that we cannot judge, pass untouched. Frames that carry a PTP event message
/// for a peer of ours but that are broken are dropped.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Handed over in the ring buffer, frame consumed.
    Taken = 0,
    /// Not a PTP event packet (not IP/UDP/319); passed.
    NotPtpEvent,
    /// IPv4 options or IPv6 extension headers; passed.
    IpOptions,
    /// A fragment; passed.
    Fragment,
    /// More than one VLAN tag; passed.
    VlanStack,
    /// Ends before its headers do, or before the length that they state; passed, the stack judges it.
    Truncated,
    /// Versions or lengths in the headers contradict each other; passed, the stack judges it.
    Malformed,
    /// To an address that is not the interface's own; passed.
    NotLocal,
    /// To us and UDP 319, but no PTPv2 message, or one that is shorter than it says; dropped.
    NotPtp,
    /// A PTP event message longer than [`MAX_PAYLOAD`]; passed.
    Oversize,
    /// An event message other than Sync and, at a server, Delay_Req; passed.
    OtherMessage,
    /// A Sync from an address that is no configured server; passed.
    UnknownServer,
    /// A Delay_Req from a client without a grant; dropped.
    UnknownClient,
    /// A Delay_Req from a client whose grant has ended; dropped.
    GrantExpired,
    /// A Delay_Req from a client without a grant, or whose grant has ended: handed over, so that the controller can tell
    /// the client. Few of them: the rest is dropped and counted as the two above.
    Reported,
    /// A Delay_Req beyond the granted rate; dropped.
    AboveRate,
    /// A Delay_Req of another domain or sdoId; dropped.
    WrongDomain,
    /// A Delay_Req was answered: the frame went back as the Delay_Resp.
    Answered,
    /// A Delay_Req that is to be answered with the NIC's stamp, which there was not; dropped.
    NoStamp,
    /// A Delay_Req whose UDP checksum is wrong; dropped, as the stack would.
    BadUdpChecksum,
    /// From a peer of ours, but the IPv4 header checksum is wrong; dropped, as the stack would.
    BadIpChecksum,
    /// No heartbeat of a controller for [`HEARTBEAT_TIMEOUT_NS`], and not one of those that are answered without; passed.
    NoController,
    /// The ring buffer was full; dropped.
    RingFull,
}

impl Counter {
    /// All of them, in index order, with the name used in every report.
    pub const ALL: [(Self, &'static str); 23] = [
        (Self::Taken, "taken"),
        (Self::NotPtpEvent, "not_ptp_event"),
        (Self::IpOptions, "ip_options"),
        (Self::Fragment, "fragment"),
        (Self::VlanStack, "vlan_stack"),
        (Self::Truncated, "truncated"),
        (Self::Malformed, "malformed"),
        (Self::NotLocal, "not_local"),
        (Self::NotPtp, "not_ptp"),
        (Self::Oversize, "oversize"),
        (Self::OtherMessage, "other_message"),
        (Self::UnknownServer, "unknown_server"),
        (Self::UnknownClient, "unknown_client"),
        (Self::GrantExpired, "grant_expired"),
        (Self::Reported, "reported"),
        (Self::AboveRate, "above_rate"),
        (Self::WrongDomain, "wrong_domain"),
        (Self::Answered, "answered"),
        (Self::NoStamp, "no_stamp"),
        (Self::BadUdpChecksum, "bad_udp_checksum"),
        (Self::BadIpChecksum, "bad_ip_checksum"),
        (Self::NoController, "no_controller"),
        (Self::RingFull, "ring_full"),
    ];
}
