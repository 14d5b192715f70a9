//! The demo's world and programs, and the play itself.

use super::Faults;
use super::PEER;
use super::measure::{ClientLog, Fault, LOCK_NS, PeerLog, STEADY_NS, Sample};
use super::narrate::Narrator;
use crate::interrupt;
use crate::netns::{Family, Host, Plane, World};
use crate::peers::{PTP4L, Ptp4l, Rank, Rates};
use crate::process::{Line, Process, realtime_ns};
use crate::program::PtpCtl;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The client's clock at its start: 5 ms ahead, 30 ppm fast.
const VIRTUAL_OFFSET_NS: &str = "5000000";
const VIRTUAL_FREQUENCY_PPB: &str = "30000";
/// A server that is back must prove itself this long before it is used again, s.
const WAIT_TO_RESTORE_S: &str = "2";
/// The client locks in a second or two; this is for a machine that is busy with other things.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// The steady phase, with time before it to settle after the lock.
const STEADY: Duration = Duration::from_nanos(STEADY_NS.cast_unsigned());
const SETTLE: Duration = Duration::from_secs(6);
/// A switch takes a fraction of a second; ptp4l takes 3 s.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(6);
/// Wait-to-restore, and the negotiation before it.
const RETURN_TIMEOUT: Duration = Duration::from_secs(12);
/// Quiet time to look at between two acts.
const PAUSE: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(20);
const PEER_TICK: Duration = Duration::from_millis(200);
/// ptp4l's client comes to its first exchange in 4 s, most times.
const PEER_START_TIMEOUT: Duration = Duration::from_secs(25);
/// ptp4l's steady phase.
const PEER_STEADY: Duration = Duration::from_nanos(STEADY_NS.cast_unsigned());
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that runs. Fields are dropped in this order: programs before the namespaces they are in.
#[derive(Debug)]
pub(super) struct Stage {
    client: Option<Process>,
    servers: Vec<Process>,
    peer: Option<PeerStage>,
    narrator: Narrator,
    seen: usize,
    peer_seen: usize,
    faults: Faults,
    programs: PtpCtl,
    world: World,
}

/// ptp4l's side.
#[derive(Debug)]
struct PeerStage {
    client: Option<Ptp4l>,
    first: Ptp4l,
    second: Option<Ptp4l>,
}

impl Stage {
    /// Makes the world and starts the servers, ours and ptp4l's.
    pub(super) fn set(ptp_ctl: &Path) -> Result<Self> {
        let programs = PtpCtl::new(ptp_ctl)?;
        println!(
            "Two servers and a client in network namespaces, a router between them (IPv4, native XDP on veth)."
        );
        let world = World::new(&["east", "west", "client", "beside", "late"])?;
        let peer = PeerStage::set(&world)?;
        let mut stage = Self {
            client: None,
            servers: Vec::new(),
            peer,
            narrator: Narrator::default(),
            seen: 0,
            peer_seen: 0,
            faults: Faults::default(),
            programs,
            world,
        };
        // After ptp4l: it binds to all interfaces first, and to its own only then.
        for number in 0..stage.server_hosts().len() {
            let server = stage.start_server(number)?;
            stage.servers.push(server);
        }
        Ok(stage)
    }

    /// The whole play, about 30 s.
    pub(super) fn play(&mut self) -> Result<()> {
        self.start_client()?;
        self.follow_until("the client to lock", LOCK_TIMEOUT, |line| {
            (line.is("sample") && line.text_of("state") == Some("locked")).then_some(())
        })?;
        self.follow_for(SETTLE)?;
        self.follow_for(STEADY)?;

        let first = self.lose_server("SIGKILL", |stage, number| stage.servers[number].kill())?;
        self.faults.sigkill = Some(first.fault.clone());
        self.await_failover(&first)?;
        // From here on ptp4l does the same. Not before: the packets of each would warm the caches of the router for
        // the other's, more on one way than on the other, and so disturb what is measured in the steady phase.
        self.start_peer_client()?;
        self.follow_for(PAUSE)?;

        let server = self.start_server(first.number)?;
        self.servers[first.number] = server;
        self.narrator.act(realtime_ns(), &format!("{} is back", first.fault.server));
        self.await_return(&first)?;
        self.follow_for(PAUSE)?;

        let second = self.lose_server("router drops", |stage, number| {
            let at = realtime_ns();
            let address = stage.server_hosts()[number].address(Plane::Ours, Family::V4);
            stage.world.router().blackhole(address)?;
            Ok(at)
        })?;
        self.faults.router_drop = Some(second.fault.clone());
        self.await_failover(&second)?;
        self.follow_for(PAUSE)?;

        let address = self.server_hosts()[second.number].address(Plane::Ours, Family::V4);
        self.world.router().restore(address)?;
        self.narrator.act(realtime_ns(), &format!("router forwards {}", second.fault.server));
        self.await_return(&second)?;
        self.follow_for(PAUSE)?;
        self.lose_peer_server()
    }

    /// Ends our programs as a user would; each must end well.
    pub(super) fn strike(mut self) -> Result<()> {
        for mut process in self.client.take().into_iter().chain(self.servers.drain(..)) {
            let status = process.terminate(END_TIMEOUT)?;
            ensure!(status.success(), "{} ended with {status}\n{}", process.name(), process.tail());
        }
        Ok(())
    }

    /// What our client wrote.
    pub(super) fn client_log(&self) -> ClientLog {
        let Some(client) = &self.client else { return ClientLog::default() };
        ClientLog::read(client.started_ns(), &client.lines(0), self.narrator.marks().to_vec())
    }

    /// What ptp4l's client wrote; `None` without ptp4l.
    pub(super) fn peer_log(&self) -> Option<PeerLog> {
        let client = self.peer.as_ref()?.client.as_ref()?;
        Some(PeerLog { started_ns: client.process.started_ns(), readings: client.readings(0) })
    }

    /// What was done so far.
    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    fn server_hosts(&self) -> &[Host] {
        &self.world.hosts()[..2]
    }

    fn client_host(&self) -> &Host {
        &self.world.hosts()[2]
    }

    fn start_server(&self, number: usize) -> Result<Process> {
        let name = ["server east", "server west"][number];
        self.programs.server(&self.server_hosts()[number], name, &[])
    }

    fn start_peer_client(&mut self) -> Result<()> {
        let Some(peer) = &mut self.peer else { return Ok(()) };
        peer.start_client(&self.world)?;
        self.narrator.tell(realtime_ns(), "ptp4l's client starts");
        Ok(())
    }

    /// Once ptp4l has had its steady phase: its server is killed as ours was. Its figure is worth waiting for; that it
    /// has one is not our business.
    fn lose_peer_server(&mut self) -> Result<()> {
        let Some(PeerLog { started_ns, .. }) = self.peer_log() else { return Ok(()) };
        let running = || Duration::from_nanos(realtime_ns().saturating_sub(started_ns).unsigned_abs());
        let first = |stage: &Self| stage.peer_log().and_then(|log| log.first_offset_ms());
        while first(self).is_none() && running() < PEER_START_TIMEOUT {
            self.follow_for(PEER_TICK)?;
        }
        let settled = Duration::from_secs_f64(first(self).unwrap_or(0.0) / 1e3) + PEER_STEADY;
        self.follow_for(settled.saturating_sub(running()))?;
        if let Some(peer) = &mut self.peer {
            self.faults.peer_sigkill = Some(peer.first.process.kill()?);
        }
        self.narrator.tell(realtime_ns(), "SIGKILL: ptp4l's server");
        let deadline = Instant::now() + FAILOVER_TIMEOUT;
        let killed = self.faults.peer_sigkill;
        let switched = |log: PeerLog| killed.is_some_and(|at| log.failover_ms(at).is_some());
        while !self.peer_log().is_some_and(switched) && Instant::now() < deadline {
            self.follow_for(PEER_TICK)?;
        }
        Ok(())
    }

    fn start_client(&mut self) -> Result<()> {
        let servers: Vec<&Host> = self.server_hosts().iter().collect();
        let options = [
            "--virtual-offset",
            VIRTUAL_OFFSET_NS,
            "--virtual-frequency",
            VIRTUAL_FREQUENCY_PPB,
            "--wait-to-restore",
            WAIT_TO_RESTORE_S,
        ];
        let client = self.programs.client(self.client_host(), Family::V4, &servers, &options)?;
        self.narrator = Narrator::new(client.started_ns());
        self.narrator.tell(client.started_ns(), "client starts");
        self.client = Some(client);
        Ok(())
    }

    /// Takes away the server in use by `how`, which returns when it did.
    fn lose_server(
        &mut self,
        label: &str,
        how: impl FnOnce(&mut Self, usize) -> Result<i64>,
    ) -> Result<Lost> {
        self.follow_for(Duration::ZERO)?;
        let lines = self.client_lines(0);
        let server = lines.iter().rev().filter_map(Sample::read).find(|sample| sample.used);
        let server = server.context("no server is in use")?.server;
        let number = self
            .server_hosts()
            .iter()
            .position(|host| host.address(Plane::Ours, Family::V4).to_string() == server)
            .with_context(|| format!("{server} is none of the servers"))?;
        let at_ns = how(self, number)?;
        self.narrator.act(at_ns, &format!("{label}: {server}"));
        Ok(Lost { number, fault: Fault { at_ns, server } })
    }

    fn await_failover(&mut self, lost: &Lost) -> Result<()> {
        let Fault { at_ns, server } = lost.fault.clone();
        let sample = self.follow_until("the switch to the other server", FAILOVER_TIMEOUT, |line| {
            Sample::read(line)
                .filter(|sample| sample.used && sample.time_ns > at_ns && sample.server != server)
        })?;
        let milliseconds = (sample.time_ns - at_ns) / 1_000_000;
        self.narrator.tell(sample.time_ns, &format!("switched in {milliseconds} ms"));
        Ok(())
    }

    fn await_return(&mut self, lost: &Lost) -> Result<()> {
        let since = realtime_ns();
        let server = lost.fault.server.clone();
        self.follow_until("the return to the first server", RETURN_TIMEOUT, |line| {
            Sample::read(line)
                .filter(|sample| sample.used && sample.time_ns > since && sample.server == server)
                .map(|_| ())
        })?;
        let error = self.client_lines(0).iter().rev().find_map(|line| line.number_of("true_error_ns"));
        let error = error.context("the client does not tell its true error")?;
        ensure!(error.abs() < 10.0 * LOCK_NS, "after the return the clock is {error} ns off");
        Ok(())
    }

    fn follow_for(&mut self, time: Duration) -> Result<()> {
        self.follow(time, |_| None::<()>).map(|_| ())
    }

    fn follow_until<T>(
        &mut self,
        what: &str,
        timeout: Duration,
        pick: impl FnMut(&Line) -> Option<T>,
    ) -> Result<T> {
        match self.follow(timeout, pick)? {
            Some(found) => Ok(found),
            None => {
                let tail = self.client.as_ref().map(Process::tail).unwrap_or_default();
                bail!("waited {timeout:?} for {what}, in vain; the client's last lines:\n{tail}")
            }
        }
    }

    /// Tells what happens until `pick` gives something for one of the client's new lines, or the time is over.
    fn follow<T>(&mut self, time: Duration, mut pick: impl FnMut(&Line) -> Option<T>) -> Result<Option<T>> {
        let deadline = Instant::now() + time;
        loop {
            interrupt::check()?;
            for line in self.peer_lines() {
                self.peer_seen += 1;
                self.narrator.peer_line(&line);
            }
            for line in self.client_lines(self.seen) {
                self.seen += 1;
                self.narrator.client_line(&line);
                if let Some(found) = pick(&line) {
                    return Ok(Some(found));
                }
            }
            if let Some(client) = &mut self.client {
                client.check_alive()?;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(left.min(TICK));
        }
    }

    fn client_lines(&self, from: usize) -> Vec<Line> {
        self.client.as_ref().map(|client| client.lines(from)).unwrap_or_default()
    }

    fn peer_lines(&self) -> Vec<Line> {
        let client = self.peer.as_ref().and_then(|peer| peer.client.as_ref());
        client.map(|client| client.process.lines(self.peer_seen)).unwrap_or_default()
    }
}

/// Which server was lost.
#[derive(Debug)]
struct Lost {
    number: usize,
    fault: Fault,
}

impl PeerStage {
    /// Starts ptp4l's servers; `None`, and said so, where it is not installed.
    fn set(world: &World) -> Result<Option<Self>> {
        let installed =
            Command::new(PTP4L).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
        if !installed {
            println!("{PEER} is not installed (Debian package linuxptp): no figures of it beside ours.");
            return Ok(None);
        }
        println!("{PEER} does the same beside it; its server needs a few seconds to start serving.");
        let first = Self::start_server(world, Rank::First)?;
        first.wait_until_serving()?;
        Ok(Some(Self { client: None, first, second: None }))
    }

    fn start_server(world: &World, rank: Rank) -> Result<Ptp4l> {
        Ptp4l::start_server(Self::server_host(world, rank), Plane::Peer, Family::V4, rank)
    }

    /// The second one has a namespace of its own: it starts when ours already has the port in the others.
    fn server_host(world: &World, rank: Rank) -> &Host {
        match rank {
            Rank::First => &world.hosts()[0],
            Rank::Second => &world.hosts()[4],
        }
    }

    /// With the second server right before it, as [`Rank`] tells. In a namespace of its own: it could not open its sockets beside a client that already has.
    fn start_client(&mut self, world: &World) -> Result<()> {
        self.second = Some(Self::start_server(world, Rank::Second)?);
        let servers = [Rank::First, Rank::Second]
            .map(|rank| Self::server_host(world, rank).address(Plane::Peer, Family::V4));
        self.client =
            Some(Ptp4l::client(&world.hosts()[3], Plane::Peer, Family::V4, &servers, Rates::default())?);
        Ok(())
    }
}
