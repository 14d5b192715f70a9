//! All sockets of one PTP port, and the TX tokens that wait for their stamps.

use super::batch::{self, Inbox, Outbox};
use super::error::NetError;
use super::hwtstamp::HardwareStamps;
use super::interface::interface_index;
use super::pending::{Match, Pending};
use super::readiness::{Readiness, Ready};
use super::socket::{Buffers, Family, QueuedError, Read, Socket};
use super::{Datagram, SocketConfig, sys};
use nix::errno::Errno;
use ptp_common::net::Channel;
use ptp_common::time::RawStamp;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

/// How long a token waits for a stamp that the kernel takes. The kernel stamps as it hands the packet to the driver:
/// only a queue in front of a busy link takes that long.
pub const TX_STAMP_TIMEOUT_SOFTWARE: Duration = Duration::from_millis(100);

/// How long a token waits for a stamp that the NIC takes. Drivers fetch it from the NIC after transmission, some in a
/// work queue that has been seen to take tens of milliseconds.
pub const TX_STAMP_TIMEOUT_HARDWARE: Duration = Duration::from_millis(250);

/// Datagrams taken from one socket in one [`Sockets::receive`], so that no socket starves the others or the timers.
pub const BATCH: usize = batch::BATCH;

/// Entries taken from one error queue in one go: no more than a full receive buffer holds.
const ERROR_BATCH: usize = 8192;

/// The UDP sockets of one PTP port: IPv4 and IPv6, event and general.
///
/// `T` is the caller's TX token. It is given back exactly once: by [`take_sent`](Self::take_sent), or by
/// [`send`](Self::send) with the error.
pub struct Sockets<T> {
    pub(super) families: Vec<FamilySockets<T>>,
    readiness: AsyncFd<Readiness>,
    buffers: Buffers,
    /// Tokens whose fate is known but not yet told.
    completed: VecDeque<(T, Option<RawStamp>)>,
    counters: Counters,
    config: SocketConfig,
    /// Switch the NICs back when dropped.
    hardware: Vec<HardwareStamps>,
}

/// The sockets of one address family.
pub(super) struct FamilySockets<T> {
    family: Family,
    pub(super) event: Socket,
    pub(super) general: Socket,
    pending: Pending<T>,
    inbox: Inbox,
    outbox: Outbox,
}

/// What the sockets did, since they were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that the kernel refused.
    pub send_errors: u64,
    /// TX stamps given back with their token.
    pub tx_stamps: u64,
    /// Tokens given back without a stamp.
    pub tx_stamps_lost: u64,
    /// Stamps that came after their token was given up.
    pub tx_late: u64,
    /// Stamps that belong to no token, or that come from another source than the configured one.
    pub tx_stamps_unmatched: u64,
    /// Times that the count of packets sent was set back after a failed send.
    pub tx_resyncs: u64,
    /// Datagrams received on port 319.
    pub received_event: u64,
    /// Datagrams received on port 320.
    pub received_general: u64,
    /// Datagrams received on port 319 that should have had an RX stamp.
    pub rx_stamps_lost: u64,
    /// Datagrams dropped because they are longer than any PTP message.
    pub truncated: u64,
    /// Datagrams dropped because they came in by an interface that is none of ours.
    pub other_interface: u64,
    /// Errors reported by the network (ICMP) or by the socket; PTP finds out by its own time-outs.
    pub network_errors: u64,
}

impl<T> Sockets<T> {
    /// Opens and binds them. Must be called in a tokio runtime with IO enabled.
    ///
    /// With [`SocketConfig::hardware`] the NIC's timestamps are switched on, and restored on drop.
    ///
    /// # Errors
    /// See [`NetError`]: a missing interface, a port in use (with who holds it), a missing privilege, no IPv6 in the
    /// kernel, no hardware timestamps.
    pub fn open(config: &SocketConfig) -> Result<Self, NetError> {
        if config.dscp > 63 {
            return Err(NetError::Dscp { dscp: config.dscp });
        }
        let readiness = Readiness::new().and_then(sys::register).map_err(not_watched(config))?;
        let mut sockets = Self {
            families: Vec::with_capacity(2),
            readiness,
            buffers: Buffers::new(),
            completed: VecDeque::with_capacity(64),
            counters: Counters::default(),
            config: config.clone(),
            hardware: Vec::new(),
        };
        for (family, wanted) in [(Family::V4, config.ipv4), (Family::V6, config.ipv6)] {
            if wanted {
                sockets.open_family(family)?;
            }
        }
        if sockets.families.is_empty() {
            return Err(NetError::NoFamily);
        }
        let stamping = config.interfaces.iter().filter(|_| config.hardware);
        sockets.hardware =
            stamping.map(|interface| HardwareStamps::enable(interface)).collect::<Result<_, _>>()?;
        Ok(sockets)
    }

    /// Opens those of the address's family too, if they are not open.
    ///
    /// # Errors
    /// As [`open`](Self::open); what is open stays as it is.
    pub fn open_for(&mut self, address: IpAddr) -> Result<(), NetError> {
        let family = Family::of(address);
        let is_open = self.families.iter().any(|sockets| sockets.family == family);
        if is_open { Ok(()) } else { self.open_family(family) }
    }

    fn open_family(&mut self, family: Family) -> Result<(), NetError> {
        let Self { config, readiness, .. } = self;
        let ifindexes: Vec<u32> =
            config.interfaces.iter().map(|interface| interface_index(interface)).collect::<Result<_, _>>()?;
        let timeout = if config.hardware { TX_STAMP_TIMEOUT_HARDWARE } else { TX_STAMP_TIMEOUT_SOFTWARE };
        let sockets = FamilySockets {
            family,
            event: Socket::open(config, &ifindexes, family, Channel::Event)?,
            general: Socket::open(config, &ifindexes, family, Channel::General)?,
            pending: Pending::new(timeout),
            inbox: Inbox::new(),
            outbox: Outbox::new(family),
        };
        for socket in [&sockets.event, &sockets.general] {
            readiness.get_ref().add(socket).map_err(not_watched(config))?;
        }
        self.families.push(sockets);
        Ok(())
    }

    /// Waits until there is a datagram or a TX stamp. Cancel-safe.
    ///
    /// Returns at once as long as something was left: call [`receive`](Self::receive) and
    /// [`take_sent`](Self::take_sent) before waiting again. Time-outs of tokens do not wake it: see
    /// [`next_deadline`](Self::next_deadline).
    pub async fn ready(&self) -> io::Result<Ready> {
        loop {
            let mut guard = self.readiness.readable().await?;
            let ready = guard.get_inner().poll()?;
            if ready != Ready::default() {
                return Ok(ready);
            }
            guard.clear_ready();
        }
    }

    /// Sends a datagram to the peer's port of that channel.
    ///
    /// With a token (event messages) a TX stamp is owed for it; a token on the general channel comes back without one.
    ///
    /// # Errors
    /// The datagram was not sent; the token is given back. A failed send leaves the kernel's count of packets in
    /// doubt, so the tokens of this socket whose stamps have not arrived are given up.
    pub fn send(
        &mut self,
        to: IpAddr,
        channel: Channel,
        octets: &[u8],
        token: Option<T>,
        now: Instant,
    ) -> Result<(), (NetError, Option<T>)> {
        let family = Family::of(to);
        let Some(index) = self.families.iter().position(|sockets| sockets.family == family) else {
            self.counters.send_errors += 1;
            return Err((NetError::FamilyNotOpen { to }, token));
        };
        // Nothing overtakes what was to be sent before.
        self.flush();
        let sockets = &mut self.families[index];
        let socket = match channel {
            Channel::Event => &sockets.event,
            Channel::General => &sockets.general,
        };
        if let Err(error) = socket.send(to, octets) {
            self.counters.send_errors += 1;
            if channel == Channel::Event {
                self.resynchronise(index, now);
            }
            return Err((NetError::Send { to, source: io::Error::from(error) }, token));
        }
        self.counters.sent += 1;
        match channel {
            Channel::Event => sockets.pending.push(token, now),
            Channel::General => {
                if let Some(token) = token {
                    self.counters.tx_stamps_lost += 1;
                    self.completed.push_back((token, None));
                }
            }
        }
        Ok(())
    }

    /// Sends a general message with the next [`flush`](Self::flush), or before: many take one call.
    pub fn send_later(&mut self, to: IpAddr, octets: &[u8]) {
        let family = Family::of(to);
        let Some(index) = self.families.iter().position(|sockets| sockets.family == family) else {
            self.counters.send_errors += 1;
            return;
        };
        if self.families[index].outbox.is_full() {
            self.flush();
        }
        let FamilySockets { general, outbox, .. } = &mut self.families[index];
        if !outbox.push(general, to, octets) {
            self.counters.send_errors += 1;
        }
    }

    /// Sends what [`send_later`](Self::send_later) kept.
    pub fn flush(&mut self) {
        let Counters { sent, send_errors, .. } = &mut self.counters;
        for FamilySockets { general, outbox, .. } in &mut self.families {
            outbox.flush(general, |answer| match answer {
                Ok(()) => *sent += 1,
                Err(error) => {
                    *send_errors += 1;
                    tracing::debug!(%error, "a general message was not sent");
                }
            });
        }
    }

    /// Hands over what came in: at most [`BATCH`] datagrams of each socket.
    pub fn receive(&mut self, mut f: impl FnMut(Datagram<'_>)) {
        let Self { families, buffers, counters, config: SocketConfig { rx_stamps, .. }, .. } = self;
        for FamilySockets { event, general, inbox, .. } in families {
            for _ in 0..BATCH {
                match event.receive(buffers) {
                    Ok(Read::Datagram { octets, from, stamp }) => {
                        counters.received_event += 1;
                        counters.rx_stamps_lost += u64::from(*rx_stamps && stamp.is_none());
                        f(Datagram { octets, from, channel: Channel::Event, stamp });
                    }
                    Ok(Read::Truncated) => counters.truncated += 1,
                    Ok(Read::Elsewhere) => counters.other_interface += 1,
                    Err(Errno::EAGAIN) => break,
                    // Reading the error has cleared it: the socket goes on.
                    Err(_) => counters.network_errors += 1,
                }
            }
            let taken = inbox.receive(general, |read| match read {
                Read::Datagram { octets, from, stamp } => {
                    counters.received_general += 1;
                    f(Datagram { octets, from, channel: Channel::General, stamp });
                }
                Read::Truncated => counters.truncated += 1,
                Read::Elsewhere => counters.other_interface += 1,
            });
            if taken.is_err_and(|error| error != Errno::EAGAIN) {
                counters.network_errors += 1;
            }
        }
    }

    /// Hands over the tokens whose stamps have come, and, without a stamp, those whose time is up.
    pub fn take_sent(&mut self, now: Instant, mut f: impl FnMut(T, Option<RawStamp>)) {
        for index in 0..self.families.len() {
            self.drain_errors(index, now);
            while let Some(token) = self.families[index].pending.expired(now) {
                self.counters.tx_stamps_lost += 1;
                self.completed.push_back((token, None));
            }
        }
        while let Some((token, stamp)) = self.completed.pop_front() {
            f(token, stamp);
        }
    }

    /// When [`take_sent`](Self::take_sent) must be called even if [`ready`](Self::ready) stays silent: a token's time
    /// is up, or its fate is known already.
    pub fn next_deadline(&self) -> Option<Instant> {
        if !self.completed.is_empty() {
            return Some(Instant::now());
        }
        self.families.iter().filter_map(|sockets| sockets.pending.deadline()).min()
    }

    /// What the sockets did so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Switches the NICs' timestamps on again where something switched them off; true if so. Nothing to do without
    /// [`SocketConfig::hardware`].
    pub fn restore_hardware_stamps(&mut self) -> Result<bool, NetError> {
        self.hardware.iter_mut().try_fold(false, |restored, stamps| Ok(restored | stamps.restore()?))
    }

    /// Brings the kernel's count of packets and ours together again: both start at zero.
    fn resynchronise(&mut self, index: usize, now: Instant) {
        // What has arrived so far was counted before the failure.
        self.drain_errors(index, now);
        let sockets = &mut self.families[index];
        if let Err(error) = sockets.event.reset_count() {
            // The counts may differ for good then: every token would time out, and that shows in the counters.
            tracing::error!(%error, "TX timestamps cannot be switched on again");
        }
        self.counters.tx_resyncs += 1;
        sockets.pending.reset(now, |token| {
            self.counters.tx_stamps_lost += 1;
            self.completed.push_back((token, None));
        });
    }

    fn drain_errors(&mut self, index: usize, now: Instant) {
        let sockets = &mut self.families[index];
        for _ in 0..ERROR_BATCH {
            match sockets.event.receive_error(&mut self.buffers) {
                Ok(QueuedError::TxStamp { count, stamp: Some(stamp) }) => {
                    match sockets.pending.take(count, now) {
                        Match::Token(token) => {
                            self.counters.tx_stamps += 1;
                            self.completed.push_back((token, Some(stamp)));
                        }
                        Match::Unasked => {}
                        Match::Late => self.counters.tx_late += 1,
                        Match::Unknown => self.counters.tx_stamps_unmatched += 1,
                    }
                }
                Ok(QueuedError::TxStamp { stamp: None, .. }) => self.counters.tx_stamps_unmatched += 1,
                Ok(QueuedError::Other) => self.counters.network_errors += 1,
                Err(Errno::EAGAIN) => break,
                Err(_) => self.counters.network_errors += 1,
            }
        }
        // Nothing switches error reports on for the general socket, but an entry there must not keep `ready` awake.
        while sockets.general.receive_error(&mut self.buffers).is_ok() {
            self.counters.network_errors += 1;
        }
    }
}

fn not_watched(config: &SocketConfig) -> impl FnOnce(io::Error) -> NetError {
    |source| NetError::Call { action: "watch sockets", interface: config.interfaces.join(", "), source }
}
