//! The socket that linuxptp's `pmc` asks, as it asks `ptp4l`: a management message in a datagram, answered to the path that it
//! came from.

use super::driver::Driver;
use super::role::Role;
use crate::engine::management::{DataSets, Responder};
use crate::report::CounterSet;
use anyhow::{Context as _, bail};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixDatagram as BlockingDatagram;
use std::path::{Path, PathBuf};
use tokio::net::UnixDatagram;
use tokio::net::unix::SocketAddr;

/// Longest request that is read; what `pmc` sends is shorter.
const LONGEST: usize = 1500;
/// Who may ask: owner and group, as with `ptp4l`.
const MODE: u32 = 0o660;

/// The socket; its path is removed on drop.
pub(super) struct ManagementSocket {
    socket: UnixDatagram,
    path: PathBuf,
    responder: Responder,
    /// Answers that nobody took: an asker without a path, or gone again.
    not_taken: u64,
}

/// A datagram that came in.
pub(super) struct Request {
    octets: Vec<u8>,
    from: SocketAddr,
}

impl ManagementSocket {
    /// Makes the socket. One that a dead program left is replaced.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let probe = BlockingDatagram::unbound().context("cannot make a UNIX socket")?;
        if probe.connect(path).is_ok() {
            bail!(
                "somebody answers on {} already (ptp4l, or another controller): stop it, or name another path with \
                 --management-socket; `pmc -s PATH` finds it",
                path.display()
            );
        }
        let socket = bind(path)
            .with_context(|| format!("cannot listen on {} (--management-socket)", path.display()))?;
        Ok(Self { socket, path: path.to_owned(), responder: Responder::default(), not_taken: 0 })
    }

    /// Waits for the next request. Cancel-safe.
    pub(super) async fn request(&self) -> io::Result<Request> {
        loop {
            // The loop begins this wait anew with every packet: nothing is allocated before there is a request.
            self.socket.readable().await?;
            let mut octets = vec![0; LONGEST];
            match self.socket.try_recv_from(&mut octets) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                received => {
                    let (length, from) = received?;
                    octets.truncate(length);
                    return Ok(Request { octets, from });
                }
            }
        }
    }

    fn answer(&mut self, Request { octets, from }: &Request, clock: &DataSets) {
        for answer in self.responder.answer(octets, clock) {
            let sent = from.as_pathname().map(|path| self.socket.try_send_to(&answer, path));
            self.not_taken += u64::from(!matches!(sent, Some(Ok(_))));
        }
    }

    /// Requests and answers by what became of them.
    pub(super) fn counters(&self) -> CounterSet {
        self.responder.counters().chain([("not_taken", self.not_taken)]).collect()
    }
}

impl Drop for ManagementSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Under its own name from the start: `pmc` sends its next request to where the last answer came from.
fn bind(path: &Path) -> io::Result<UnixDatagram> {
    let directory = path.parent().ok_or(ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = UnixDatagram::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    Ok(socket)
}

impl Driver {
    pub(super) fn answer_management(&mut self, request: &Request) {
        let clock = self.data_sets();
        if let Some(management) = &mut self.management {
            management.answer(request, &clock);
        }
    }

    fn data_sets(&self) -> DataSets {
        let now = self.monotonic.now().instant;
        let mut clock = match &self.role {
            Role::Client(client) => client.data_sets(now),
            Role::Server(server) => server.data_sets(),
            Role::Boundary(boundary) => boundary.data_sets(now),
        };
        // The program and the massive plane serve at the first port, if it serves.
        if let (Some(plane), Some(port), Some(_)) =
            (&self.port.plane, clock.ports.first_mut(), self.role.server())
        {
            port.messages = port.messages.with(&plane.messages());
        }
        clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_come_as_they_were_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ptp4l");
        let socket = ManagementSocket::open(&path).unwrap();
        let asks = BlockingDatagram::bind(directory.path().join("pmc")).unwrap();
        for text in ["one", "another"] {
            asks.send_to(text.as_bytes(), &path).unwrap();
            let request = socket.request().await.unwrap();
            assert_eq!(request.octets, text.as_bytes());
            assert_eq!(request.from.as_pathname(), Some(directory.path().join("pmc").as_path()));
        }
    }

    #[tokio::test]
    async fn a_path_is_taken_once_and_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/ptp4l");
        let socket = ManagementSocket::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        let error = ManagementSocket::open(&path).err().unwrap().to_string();
        assert!(error.contains("--management-socket"), "{error}");
        drop(socket);
        assert!(!path.exists());
        // A socket of a program that was killed.
        drop(BlockingDatagram::bind(&path).unwrap());
        ManagementSocket::open(&path).unwrap();
    }
}
