//! Two questions to the kernel that have no other interface: what is attached to an interface's XDP hook, and what
//! the driver's XDP can do. Requests of one small message each, so written out by hand.

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::io;
use std::os::fd::AsRawFd as _;

// linux/netlink.h
const HEADER_LENGTH: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
/// Without the flags "nested" and "network byte order".
const TYPE_MASK: u16 = 0x3fff;
// linux/rtnetlink.h, linux/if_link.h
const RTM_GETLINK: u16 = 18;
const IFINFOMSG_LENGTH: usize = 16;
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

/// Sends one request; what follows the header of the answer.
fn ask(protocol: SockProtocol, message_type: u16, question: &[u8]) -> io::Result<Vec<u8>> {
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    // struct nlmsghdr: length, type, flags, sequence number, port; the kernel fills in the sender's port.
    let mut message = Vec::with_capacity(HEADER_LENGTH + question.len());
    message.extend(((HEADER_LENGTH + question.len()) as u32).to_ne_bytes());
    message.extend(message_type.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(question);
    send(socket.as_raw_fd(), &message, MsgFlags::empty())?;

    // A link with many virtual functions is described in tens of kilobytes.
    let mut buffer = vec![0; 1 << 16];
    let received = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
    let answer = &buffer[..received];
    let length = as_u32(answer).ok_or_else(too_short)? as usize;
    let kind = answer.get(4..6).and_then(|value| value.first_chunk().copied()).map(u16::from_ne_bytes);
    let body = answer.get(HEADER_LENGTH..length).ok_or_else(too_short)?;
    if kind == Some(NLMSG_ERROR) {
        // struct nlmsgerr begins with the negative error number.
        let code = as_u32(body).ok_or_else(too_short)? as i32;
        return Err(io::Error::from_raw_os_error(-code));
    }
    Ok(body.to_vec())
}

/// struct nlattr: length without padding, type; then the value, padded to four octets.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(4 + value.len().next_multiple_of(4));
    octets.extend((4 + value.len() as u16).to_ne_bytes());
    octets.extend(kind.to_ne_bytes());
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// The value of the first attribute of that type.
fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
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

fn as_u32(octets: &[u8]) -> Option<u32> {
    octets.first_chunk().copied().map(u32::from_ne_bytes)
}

fn too_short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's netlink answer is too short")
}
