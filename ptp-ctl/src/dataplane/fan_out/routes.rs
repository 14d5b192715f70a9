//! Where frames to a client leave to, as the kernel has it: its routes and neighbours, asked for over rtnetlink.
//!
//! Clients behind one route share what is known of it, so that a million of them cost a few questions. Prefixes are those
//! of the kernel's routes; what is behind each, the kernel itself says for the first client that comes.

use super::super::error::DataPlaneError;
use super::super::netlink::{self, Message};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, socket};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};

// linux/rtnetlink.h
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
const RTA_DST: u16 = 1;
const RTA_SRC: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_VIA: u16 = 18;
const RTN_UNICAST: u8 = 1;
const RTMSG_LENGTH: usize = 12;
const RTMSG_TYPE: usize = 7;
const RTMGRP_NEIGH: u32 = 0x4;
const RTMGRP_IPV4_ROUTE: u32 = 0x40;
const RTMGRP_IPV6_ROUTE: u32 = 0x400;
// linux/neighbour.h
const NDMSG_LENGTH: usize = 12;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
/// Reachable, stale, delay, probe, no ARP needed, permanent.
const NUD_VALID: u16 = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;
const NTF_USE: u8 = 1;

/// Bits that all IPv4-mapped addresses have in common.
const IPV4_LENGTH: u8 = 96;

/// What the kernel said, until it says that it has changed.
#[derive(Debug)]
pub(in crate::dataplane) struct Routes {
    ifindex: u32,
    /// What packets are sent from, whatever the route says; at most one of each family.
    local: Vec<IpAddr>,
    changes: OwnedFd,
    /// Lengths of the prefixes that there are, of IPv4 as IPv4-mapped.
    lengths: BTreeSet<u8>,
    prefixes: HashMap<(u8, u128), Route>,
    neighbours: HashMap<IpAddr, [u8; 6]>,
}

/// What is behind a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// Nobody has asked yet.
    Unasked,
    /// Out of our interface.
    Out { gateway: Option<IpAddr>, source: IpAddr },
    /// Nowhere, or out of another interface.
    Elsewhere,
}

/// Where frames to a client leave to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Way {
    /// The router, or the client itself.
    pub(super) neighbour: IpAddr,
    /// Our address towards the client.
    pub(super) source: IpAddr,
}

/// What has changed since it was last asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Ways must be looked up anew.
    pub(super) routes: bool,
    pub(super) neighbours: bool,
}

impl Routes {
    /// Of one interface of this thread's network namespace. `local`: what packets are sent from, at most one of each family,
    /// where that is not the route's to say.
    pub(in crate::dataplane) fn new(ifindex: u32, local: &[IpAddr]) -> Result<Self, DataPlaneError> {
        let changes = subscribe().map_err(DataPlaneError::system("hear of changes of routes"))?;
        let mut routes = Self {
            ifindex,
            local: local.to_owned(),
            changes,
            lengths: BTreeSet::new(),
            prefixes: HashMap::new(),
            neighbours: HashMap::new(),
        };
        routes.read_routes()?;
        routes.read_neighbours()?;
        Ok(routes)
    }

    /// The interface.
    pub(super) fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// The way to a client, if there is one out of our interface.
    pub(super) fn way(&mut self, client: IpAddr) -> Option<Way> {
        let bits = bits(client);
        // The default route of IPv6 is none of IPv4.
        let shortest = if client.is_ipv4() { IPV4_LENGTH } else { 0 };
        let mut keys = self.lengths.range(shortest..).rev().map(|&length| (length, masked(bits, length)));
        let key = keys.find(|key| self.prefixes.contains_key(key))?;
        let route = self.prefixes.get_mut(&key)?;
        if *route == Route::Unasked {
            let local = self.local.iter().find(|address| address.is_ipv4() == client.is_ipv4());
            *route = ask(client, local.copied(), self.ifindex);
        }
        match *route {
            Route::Out { gateway, source } => Some(Way { neighbour: gateway.unwrap_or(client), source }),
            Route::Elsewhere | Route::Unasked => None,
        }
    }

    /// The neighbour's Ethernet address.
    pub(super) fn ethernet(&self, neighbour: IpAddr) -> Option<[u8; 6]> {
        self.neighbours.get(&neighbour).copied()
    }

    /// Lets the kernel find out, or confirm, a neighbour's Ethernet address, as if it had sent a packet itself.
    pub(super) fn use_neighbour(&self, neighbour: IpAddr) {
        let mut question = vec![0; NDMSG_LENGTH];
        question[0] = family(neighbour);
        question[4..8].copy_from_slice(&self.ifindex.to_ne_bytes());
        question[10] = NTF_USE;
        question.extend(netlink::attribute(NDA_DST, &octets(neighbour)));
        if let Err(error) = netlink::create(RTM_NEWNEIGH, &question) {
            tracing::debug!(%error, %neighbour, "the kernel does not look for the neighbour");
        }
    }

    /// Reads again what the kernel says has changed.
    pub(super) fn refresh(&mut self) -> Result<Changes, DataPlaneError> {
        let changes = self.heard();
        if changes.routes {
            self.read_routes()?;
        }
        if changes.neighbours {
            self.read_neighbours()?;
        }
        Ok(changes)
    }

    fn heard(&self) -> Changes {
        let mut changes = Changes::default();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match recv(self.changes.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => {
                    for Message { kind, .. } in netlink::messages(&buffer[..length]) {
                        changes.routes |= matches!(kind, RTM_NEWROUTE | RTM_DELROUTE);
                        changes.neighbours |= matches!(kind, RTM_NEWNEIGH | RTM_DELNEIGH);
                    }
                }
                Err(nix::errno::Errno::EAGAIN) => return changes,
                // There was too much to be told.
                Err(_) => return Changes { routes: true, neighbours: true },
            }
        }
    }

    fn read_routes(&mut self) -> Result<(), DataPlaneError> {
        self.prefixes.clear();
        self.lengths.clear();
        for family in [libc::AF_INET as u8, libc::AF_INET6 as u8] {
            let mut question = [0; RTMSG_LENGTH];
            question[0] = family;
            netlink::dump(RTM_GETROUTE, &question, |body| {
                let Some((header, attributes)) = body.split_at_checked(RTMSG_LENGTH) else { return };
                // Whatever its type: a longer prefix that leads nowhere must hide a shorter one.
                let prefix = netlink::find(attributes, RTA_DST).and_then(|value| address(header[0], value));
                let (base, all) =
                    if header[0] == libc::AF_INET as u8 { (IPV4_LENGTH, 0xffff << 32) } else { (0, 0) };
                let prefix = prefix.map_or(all, bits);
                let length = base + header[1];
                self.lengths.insert(length);
                self.prefixes.insert((length, masked(prefix, length)), Route::Unasked);
            })
            .map_err(DataPlaneError::system("read the kernel's routes"))?;
        }
        Ok(())
    }

    fn read_neighbours(&mut self) -> Result<(), DataPlaneError> {
        self.neighbours.clear();
        netlink::dump(RTM_GETNEIGH, &[0; NDMSG_LENGTH], |body| {
            let Some((header, attributes)) = body.split_at_checked(NDMSG_LENGTH) else { return };
            let ifindex = u32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
            let state = u16::from_ne_bytes([header[8], header[9]]);
            let neighbour = netlink::find(attributes, NDA_DST).and_then(|value| address(header[0], value));
            let ethernet = netlink::find(attributes, NDA_LLADDR).and_then(|value| value.try_into().ok());
            if ifindex == self.ifindex
                && state & NUD_VALID != 0
                && let (Some(neighbour), Some(ethernet)) = (neighbour, ethernet)
            {
                self.neighbours.insert(neighbour, ethernet);
            }
        })
        .map_err(DataPlaneError::system("read the kernel's neighbours"))
    }
}

/// What the kernel would do with a packet to this client, from this address if it is given.
fn ask(client: IpAddr, local: Option<IpAddr>, ifindex: u32) -> Route {
    let mut question = vec![0; RTMSG_LENGTH];
    question[0] = family(client);
    let value = octets(client);
    question[1] = value.len() as u8 * 8;
    question.extend(netlink::attribute(RTA_DST, &value));
    if let Some(local) = local {
        let value = octets(local);
        question[2] = value.len() as u8 * 8;
        question.extend(netlink::attribute(RTA_SRC, &value));
    }
    let Ok(answer) = netlink::ask_route(RTM_GETROUTE, &question) else { return Route::Elsewhere };
    let Some((header, attributes)) = answer.split_at_checked(RTMSG_LENGTH) else { return Route::Elsewhere };
    let out = netlink::find(attributes, RTA_OIF).and_then(netlink::as_u32);
    let source = netlink::find(attributes, RTA_PREFSRC).and_then(|value| address(header[0], value));
    let source = local.or(source);
    let gateway = netlink::find(attributes, RTA_GATEWAY).and_then(|value| address(header[0], value));
    // An IPv4 route over an IPv6 router: the family, then the address.
    let via =
        netlink::find(attributes, RTA_VIA).and_then(|value| address(libc::AF_INET6 as u8, value.get(2..)?));
    match source {
        Some(source) if out == Some(ifindex) && header[RTMSG_TYPE] == RTN_UNICAST => {
            Route::Out { gateway: gateway.or(via), source }
        }
        _ => Route::Elsewhere,
    }
}

fn subscribe() -> std::io::Result<OwnedFd> {
    let socket =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    let groups = RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    nix::sys::socket::bind(socket.as_raw_fd(), &nix::sys::socket::NetlinkAddr::new(0, groups))?;
    Ok(socket)
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address(family: u8, octets: &[u8]) -> Option<IpAddr> {
    if family == libc::AF_INET as u8 {
        <[u8; 4]>::try_from(octets).ok().map(IpAddr::from)
    } else {
        <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
    }
}

/// As an IPv6 or IPv4-mapped address.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .to_bits()
}

fn masked(bits: u128, length: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn prefixes_cover_what_they_should() {
        let bits = |text: &str| bits(text.parse().unwrap());
        assert_eq!(masked(bits("10.1.2.3"), 96 + 24), bits("10.1.2.0"));
        assert_eq!(masked(bits("10.1.2.3"), 128), bits("10.1.2.3"));
        assert_eq!(masked(bits("10.1.2.3"), 96), Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0).to_bits());
        assert_eq!(masked(bits("fd00:1::7"), 64), bits("fd00:1::"));
        assert_eq!(masked(bits("fd00:1::7"), 0), 0);
    }
}
