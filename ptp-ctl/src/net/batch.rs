//! Many datagrams in one call: what a server's negotiation needs that has a million clients.
//!
//! Of general messages only: event messages bring stamps, and their order decides whose a TX stamp is.

use super::socket::{Family, IPV6_PADDING, MAX_DATAGRAM, Read, Socket, address_of, ifindex_of};
use arrayvec::ArrayVec;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use std::io::{IoSlice, IoSliceMut};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};

/// Datagrams of one call.
pub(super) const BATCH: usize = 64;
/// Longest message that is sent together with others, IPv6's padding included.
const MAX_SENT: usize = 256;

/// What came in with one call. Memory is had once. For one address family: room for a source address is as large as the
/// last one was.
pub(super) struct Inbox {
    headers: MultiHeaders<SockaddrStorage>,
    octets: Box<[[u8; MAX_DATAGRAM]; BATCH]>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            // A larger one than IPv4's.
            headers: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(libc::in6_pktinfo))),
            octets: vec![[0; MAX_DATAGRAM]; BATCH]
                .into_boxed_slice()
                .try_into()
                .expect("as long as it was made"),
        }
    }

    /// Hands over what there is, up to [`BATCH`] datagrams: how many. `EAGAIN`: there is none.
    pub(super) fn receive(&mut self, socket: &Socket, mut f: impl FnMut(Read<'_>)) -> Result<usize, Errno> {
        let mut slices = self.octets.each_mut().map(|octets| [IoSliceMut::new(octets)]);
        let fd = socket.as_fd().as_raw_fd();
        let mut taken = 0;
        for message in recvmmsg(fd, &mut self.headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)? {
            taken += 1;
            if message.flags.contains(MsgFlags::MSG_TRUNC) {
                f(Read::Truncated);
                continue;
            }
            let came_in = message.cmsgs().ok().and_then(|mut controls| controls.find_map(|c| ifindex_of(&c)));
            if !socket.is_ours(came_in) {
                f(Read::Elsewhere);
                continue;
            }
            let from = message.address.as_ref().and_then(address_of);
            let octets = message.iovs().next();
            // UDP always tells where a datagram comes from.
            if let (Some(from), Some(octets)) = (from, octets) {
                f(Read::Datagram { octets, from, stamp: None });
            }
        }
        Ok(taken)
    }
}

/// What leaves with one call.
pub(super) struct Outbox {
    headers: MultiHeaders<SockaddrStorage>,
    to: ArrayVec<Option<SockaddrStorage>, BATCH>,
    octets: Box<[ArrayVec<u8, MAX_SENT>; BATCH]>,
    padding: &'static [u8],
}

impl Outbox {
    pub(super) fn new(family: Family) -> Self {
        let padding: &[u8] = match family {
            Family::V4 => &[],
            Family::V6 => &IPV6_PADDING,
        };
        Self {
            headers: MultiHeaders::preallocate(BATCH, None),
            to: ArrayVec::new(),
            octets: Box::new(std::array::from_fn(|_| ArrayVec::new())),
            padding,
        }
    }

    /// True if there is no room for another one.
    pub(super) fn is_full(&self) -> bool {
        self.to.is_full()
    }

    /// Keeps a datagram until [`Outbox::flush`]. False: it is too long, or there is no room.
    pub(super) fn push(&mut self, socket: &Socket, to: IpAddr, octets: &[u8]) -> bool {
        if octets.len() + self.padding.len() > MAX_SENT || self.is_full() {
            return false;
        }
        let place = &mut self.octets[self.to.len()];
        place.clear();
        place.extend(octets.iter().chain(self.padding).copied());
        self.to.push(Some(socket.destination(to)));
        true
    }

    /// Sends what was kept; `sent` learns of every datagram what became of it.
    pub(super) fn flush(&mut self, socket: &Socket, mut sent: impl FnMut(Result<(), Errno>)) {
        const NONE: [ControlMessage<'_>; 0] = [];
        let fd = socket.as_fd().as_raw_fd();
        let mut first = 0;
        while first < self.to.len() {
            let slices: ArrayVec<_, BATCH> =
                self.octets[first..self.to.len()].iter().map(|octets| [IoSlice::new(octets)]).collect();
            let left = &self.to[first..];
            let flags = MsgFlags::MSG_DONTWAIT;
            match sendmmsg(fd, &mut self.headers, slices.iter(), left, NONE, flags).map(Iterator::count) {
                // The first that fails ends the call, and says why only if it is the first at all.
                Ok(count) if count > 0 => {
                    (0..count).for_each(|_| sent(Ok(())));
                    first += count;
                }
                refused => {
                    sent(Err(refused.err().unwrap_or(Errno::EAGAIN)));
                    first += 1;
                }
            }
        }
        self.to.clear();
    }
}
