//! Questions to the kernel that have no other interface: what is attached to an interface's XDP hook, what the driver's
//! XDP can do, and for whom it has a way (`fan_out::routes`). Small messages, so written out by hand.

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

// linux/netlink.h
const HEADER_LENGTH: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_DUMP: u16 = 0x300;
/// Without the flags "nested" and "network byte order".
const TYPE_MASK: u16 = 0x3fff;
// linux/rtnetlink.h, linux/if_link.h
const RTM_GETLINK: u16 = 18;
const IFINFOMSG_LENGTH: usize = 16;
const IFLA_STATS64: u16 = 23;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_PROG_ID: u16 = 4;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;
const XDP_ATTACHED_DRV: u8 = 1;
const XDP_ATTACHED_SKB: u8 = 2;
// linux/genetlink.h
const GENL_HEADER_LENGTH: usize = 4;
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
// linux/netdev.h
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
const NETDEV_A_DEV_XDP_RX_METADATA_FEATURES: u16 = 5;
const NETDEV_XDP_ACT_BASIC: u64 = 1;
const NETDEV_XDP_RX_METADATA_TIMESTAMP: u64 = 1;

/// A program at an interface's hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The kernel's number of the program.
    pub program_id: u32,
    /// Where it runs: "native", "generic", or "other" (offloaded to the NIC, or several).
    pub mode: &'static str,
}

/// What a driver says of its XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverFeatures {
    /// Programs run in the driver.
    pub native: bool,
    /// The driver gives RX timestamps of the NIC to programs (kfunc `bpf_xdp_metadata_rx_timestamp`).
    pub rx_timestamp: bool,
}

/// The program at the hook, `None` without one.
pub(super) fn attached(ifindex: u32) -> io::Result<Option<Attached>> {
    // struct ifinfomsg: family, padding, type, index, flags, change.
    let mut question = [0; IFINFOMSG_LENGTH];
    question[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    let answer = ask(SockProtocol::NetlinkRoute, RTM_GETLINK, &question)?;
    let link = answer.get(IFINFOMSG_LENGTH..).ok_or_else(too_short)?;
    let Some(xdp) = find(link, IFLA_XDP) else { return Ok(None) };
    let mode = find(xdp, IFLA_XDP_ATTACHED).and_then(|value| value.first().copied()).unwrap_or(0);
    let (name, id) = match mode {
        0 => return Ok(None),
        XDP_ATTACHED_DRV => ("native", IFLA_XDP_DRV_PROG_ID),
        XDP_ATTACHED_SKB => ("generic", IFLA_XDP_SKB_PROG_ID),
        _ => ("other", IFLA_XDP_DRV_PROG_ID),
    };
    let program_id = find(xdp, id).or_else(|| find(xdp, IFLA_XDP_PROG_ID)).and_then(as_u32).unwrap_or(0);
    Ok(Some(Attached { program_id, mode: name }))
}

/// Packets that the interface has sent.
pub(super) fn transmitted(ifindex: u32) -> io::Result<u64> {
    let mut question = [0; IFINFOMSG_LENGTH];
    question[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    let answer = ask(SockProtocol::NetlinkRoute, RTM_GETLINK, &question)?;
    let link = answer.get(IFINFOMSG_LENGTH..).ok_or_else(too_short)?;
    // struct rtnl_link_stats64: packets received, packets sent.
    let packets = find(link, IFLA_STATS64).and_then(|value| value.get(8..)?.first_chunk().copied());
    packets.map(u64::from_ne_bytes).ok_or_else(too_short)
}

/// `None` when the kernel does not tell (before Linux 6.3).
pub(super) fn driver_features(ifindex: u32) -> io::Result<Option<DriverFeatures>> {
    let name = attribute(CTRL_ATTR_FAMILY_NAME, b"netdev\0");
    let family = match ask_generic(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, &name) {
        Ok(answer) => find(&answer, CTRL_ATTR_FAMILY_ID)
            .and_then(|value| value.first_chunk().copied().map(u16::from_ne_bytes))
            .ok_or_else(too_short)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let interface = attribute(NETDEV_A_DEV_IFINDEX, &ifindex.to_ne_bytes());
    let answer = ask_generic(family, NETDEV_CMD_DEV_GET, 1, &interface)?;
    let bits =
        |kind| find(&answer, kind).and_then(|value| value.first_chunk().copied().map(u64::from_ne_bytes));
    Ok(bits(NETDEV_A_DEV_XDP_FEATURES).map(|features| DriverFeatures {
        native: features & NETDEV_XDP_ACT_BASIC != 0,
        rx_timestamp: bits(NETDEV_A_DEV_XDP_RX_METADATA_FEATURES)
            .is_some_and(|metadata| metadata & NETDEV_XDP_RX_METADATA_TIMESTAMP != 0),
    }))
}

fn ask_generic(family: u16, command: u8, version: u8, attributes: &[u8]) -> io::Result<Vec<u8>> {
    let question = [&[command, version, 0, 0], attributes].concat();
    let answer = ask(SockProtocol::NetlinkGeneric, family, &question)?;
    Ok(answer.get(GENL_HEADER_LENGTH..).ok_or_else(too_short)?.to_vec())
}

/// A message as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// Its type.
    pub(super) kind: u16,
    /// What follows its header.
    pub(super) body: &'a [u8],
}

/// The messages in what was received; ends where they are not well formed.
pub(super) fn messages(mut octets: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = as_u32(octets)? as usize;
        let kind = u16::from_ne_bytes(*octets.get(4..)?.first_chunk()?);
        let body = octets.get(HEADER_LENGTH..length)?;
        octets = octets.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, body })
    })
}

/// Asks rtnetlink for one thing; what follows the header of the answer.
pub(super) fn ask_route(message_type: u16, question: &[u8]) -> io::Result<Vec<u8>> {
    ask(SockProtocol::NetlinkRoute, message_type, question)
}

/// Asks rtnetlink for all of a kind; gives what follows the header of each to `f`.
pub(super) fn dump(message_type: u16, question: &[u8], mut f: impl FnMut(&[u8])) -> io::Result<()> {
    let socket = request(SockProtocol::NetlinkRoute, message_type, NLM_F_DUMP, question)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let received = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        for Message { kind, body } in messages(&buffer[..received]) {
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => return Err(refusal(body)),
                _ => f(body),
            }
        }
    }
}

/// Has rtnetlink make something, or use what there is.
pub(super) fn create(message_type: u16, question: &[u8]) -> io::Result<()> {
    let flags = NLM_F_CREATE | NLM_F_ACK;
    let socket = request(SockProtocol::NetlinkRoute, message_type, flags, question)?;
    let mut buffer = vec![0; 1 << 12];
    let received = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    let Some(Message { kind: NLMSG_ERROR, body }) = messages(&buffer[..received]).next() else {
        return Err(too_short());
    };
    // An acknowledgement is an error of number zero.
    if as_u32(body) == Some(0) { Ok(()) } else { Err(refusal(body)) }
}

/// struct nlmsgerr begins with the negative error number.
fn refusal(body: &[u8]) -> io::Error {
    as_u32(body).map_or_else(too_short, |code| io::Error::from_raw_os_error((code as i32).wrapping_neg()))
}

/// Sends one request, from a socket of its own.
fn request(protocol: SockProtocol, message_type: u16, flags: u16, question: &[u8]) -> io::Result<OwnedFd> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    // struct nlmsghdr: length, type, flags, sequence number, port; the kernel fills in the sender's port.
    let mut message = Vec::with_capacity(HEADER_LENGTH + question.len());
    message.extend(((HEADER_LENGTH + question.len()) as u32).to_ne_bytes());
    message.extend(message_type.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(question);
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;
    Ok(socket)
}

/// Sends one request; what follows the header of the answer.
fn ask(protocol: SockProtocol, message_type: u16, question: &[u8]) -> io::Result<Vec<u8>> {
    let socket = request(protocol, message_type, 0, question)?;
    // A link with many virtual functions is described in tens of kilobytes.
    let mut buffer = vec![0; 1 << 16];
    let received = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    match messages(&buffer[..received]).next().ok_or_else(too_short)? {
        Message { kind: NLMSG_ERROR, body } => Err(refusal(body)),
        Message { body, .. } => Ok(body.to_vec()),
    }
}

/// struct nlattr: length without padding, type; then the value, padded to four octets.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(4 + value.len().next_multiple_of(4));
    octets.extend((4 + value.len() as u16).to_ne_bytes());
    octets.extend(kind.to_ne_bytes());
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// The value of the first attribute of that type.
pub(super) fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let Some((&[l0, l1, t0, t1], _)) = attributes.split_first_chunk() {
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([t0, t1]) & TYPE_MASK == wanted {
            return Some(value);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

pub(super) fn as_u32(octets: &[u8]) -> Option<u32> {
    octets.first_chunk().copied().map(u32::from_ne_bytes)
}

fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's netlink answer is too short")
}
