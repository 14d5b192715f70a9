//! One thing to wait for, for all sockets.

use super::socket::Socket;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// What [`Sockets::ready`](super::Sockets::ready) found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// There is something for [`Sockets::receive`](super::Sockets::receive).
    pub received: bool,
    /// There is something for [`Sockets::take_sent`](super::Sockets::take_sent).
    pub sent: bool,
}

/// An epoll instance of its own, level-triggered: one registration with the runtime for all sockets, and nothing is
/// forgotten when a batch leaves something behind.
pub(super) struct Readiness(Epoll);

impl Readiness {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Watches one more.
    pub(super) fn add(&self, socket: &Socket) -> io::Result<()> {
        // EPOLLERR, an entry in the error queue, is always reported.
        Ok(self.0.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, 0))?)
    }

    /// What there is now; does not wait.
    pub(super) fn poll(&self) -> io::Result<Ready> {
        let mut events = [EpollEvent::empty(); 4];
        let count = loop {
            match self.0.wait(&mut events, EpollTimeout::ZERO) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        let any = |flags| events[..count].iter().any(|event| event.events().intersects(flags));
        Ok(Ready { received: any(EpollFlags::EPOLLIN), sent: any(EpollFlags::EPOLLERR) })
    }
}

impl AsRawFd for Readiness {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}
