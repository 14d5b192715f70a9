//! Sync and Announce as live frames: who is due, where the frames leave to, what became of them.

/// Most entries of the map [`names::NEXT_HOPS`](super::names::NEXT_HOPS).
pub const MAX_NEXT_HOPS: u32 = 65_536;
/// Most messages of one run; a power of two.
pub const DUE_LENGTH: usize = 16_384;

/// Octets of the frames that the fan-out program is run on: more than any message makes.
pub const LIVE_FRAME_LENGTH: usize = 256;

/// Where frames to a client leave to, and from which address of ours.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextHop {
    /// Ethernet address of the router or of the client itself.
    pub destination: [u8; 6],
    /// Ethernet address of our interface.
    pub source: [u8; 6],
    /// 1: it can be sent to; 0: the kernel knows no Ethernet address for it.
    pub reachable: u32,
    /// Our IP address, IPv4-mapped.
    pub address: [u8; 16],
}

/// The messages of the next run, in order.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Due {
    /// Which of them comes next; the program counts on.
    pub next: u32,
    /// Zero.
    pub padding: u32,
    /// Each the index of a client, times two, plus the service (`SERVICE_ANNOUNCE` or `SERVICE_SYNC`).
    pub messages: [u32; DUE_LENGTH],
}

/// What became of a message that was due; index into the map of these counters.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanOutCounter {
    /// An Announce was sent.
    AnnounceSent = 0,
    /// A Sync was sent.
    SyncSent,
    /// The grant has ended: nothing was sent.
    GrantEnded,
    /// There is no way to the client, or no Ethernet address on it: nothing was sent.
    Unreachable,
    /// The program could not make the frame: a bug.
    Failed,
}

impl FanOutCounter {
    /// All of them, in index order, with the name used in every report.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::AnnounceSent, "announce_sent"),
        (Self::SyncSent, "sync_sent"),
        (Self::GrantEnded, "grant_ended"),
        (Self::Unreachable, "unreachable"),
        (Self::Failed, "failed"),
    ];
}
