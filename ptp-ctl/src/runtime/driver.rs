//! The loop.

use super::chrony::ChronyFeed;
use super::control::{Control, Reader};
use super::counters::Counters;
use super::drift::Drift;
use super::guard::ClockGuard;
use super::intake::{drain, reading, receive};
use super::interfaces::Links;
use super::management::{self, ManagementSocket};
use super::notify;
use super::plane::Plane;
use super::questions::Searching;
use super::reload::Reload;
use super::role::Role;
use super::second_clock::SecondClock;
use super::system_clock::{self, SystemSide, Utc};
use super::time_page::TimeKeeper;
use super::timer::{Monotonic, Now, Periodic, Timer};
use super::upstream::UpstreamPort;
use crate::clock::{Clock, ClockError, realtime_nanos};
use crate::engine::boundary::Side;
use crate::engine::servo::Decision;
use crate::engine::{Input, Instant, KernelClock, Output, Packet, TxToken};
use crate::net::Sockets;
use crate::report::{
    self, ClockReading, ClockStatus, CounterSet, Document, Reporter, Start, UpstreamCounters,
};
use anyhow::Context;
use ptp_common::net::Channel;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::set_origin_timestamp;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;
use tokio::signal::unix::Signal;

/// How often the XDP program hears of us: it takes packets for 2 s after the last time.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How often it is looked whether all is still as it was at start.
const REFRESH: Duration = Duration::from_secs(1);
/// How often it is looked whether somebody else moved the clock.
const GUARD: Duration = Duration::from_millis(250);
/// How often the clock's frequency is stored.
const STORE: Duration = Duration::from_secs(60);
/// How often a virtual clock's true error is told.
const CLOCK_LINE: Duration = Duration::from_millis(50);
/// How often people get a summary.
const SUMMARY: Duration = Duration::from_secs(10);
/// Rounds of taking packets before timers have their turn, so that a flood stops nothing.
const ROUNDS: usize = 64;

/// Everything that runs.
pub(super) struct Driver {
    pub(super) role: Role,
    pub(super) clock: Box<dyn Clock>,
    pub(super) sockets: Sockets<TxToken>,
    /// The XDP data plane; without it, event messages come from the sockets.
    pub(super) plane: Option<Plane>,
    pub(super) control: Control,
    /// With `--management-socket`.
    pub(super) management: Option<ManagementSocket>,
    /// With `--clock chrony`.
    pub(super) chrony: Option<ChronyFeed>,
    /// Of a client.
    pub(super) time_page: Option<TimeKeeper>,
    pub(super) reporter: Reporter,
    pub(super) start: Start,
    pub(super) monotonic: Monotonic,
    /// When this turn began to look for packets. Timers fire as of then: what came in while the machine stalled is
    /// seen before anything counts as lost.
    pub(super) turn: Now,
    pub(super) timer: Timer,
    pub(super) signals: [Signal; 2],
    pub(super) hangup: Signal,
    pub(super) reload: Reload,
    /// What the engine was told last.
    pub(super) tai_offset: Option<i32>,
    /// The same, of the kernel's clock.
    pub(super) kernel_clock: Option<KernelClock>,
    pub(super) counters: Counters,
    pub(super) schedule: Schedule,
    pub(super) guard: ClockGuard,
    /// Of a clock that we steer and that has a life of its own.
    pub(super) drift: Option<Drift>,
    /// With `--also-system-clock`.
    pub(super) system_side: Option<SystemSide>,
    /// What was last known of it.
    pub(super) followed_utc: Option<Utc>,
    pub(super) links: Links,
    /// Readers who wait for clients that are looked for.
    pub(super) searching: VecDeque<Searching>,
    /// Of a boundary clock whose servers have an interface of their own.
    pub(super) upstream: Option<UpstreamPort>,
    /// Where that one's NIC has another clock than ours: ours.
    pub(super) second_clock: Option<SecondClock>,
}

/// What the loop does by the clock.
pub(super) struct Schedule {
    heartbeat: Periodic,
    refresh: Periodic,
    clock_line: Option<Periodic>,
    summary: Periodic,
    guard: Periodic,
    system_clock: Option<Periodic>,
    alive: Option<Periodic>,
    pub(super) store: Periodic,
}

impl Schedule {
    /// `clock_lines`: somebody reads how far the clock is from the truth. `system_clock`: it follows, or is followed.
    pub(super) fn new(now: Instant, clock_lines: bool, system_clock: bool) -> Self {
        Self {
            heartbeat: Periodic::new(now + HEARTBEAT, HEARTBEAT),
            refresh: Periodic::new(now + REFRESH, REFRESH),
            clock_line: clock_lines.then(|| Periodic::new(now, CLOCK_LINE)),
            summary: Periodic::new(now + SUMMARY, SUMMARY),
            guard: Periodic::new(now, GUARD),
            system_clock: system_clock.then(|| Periodic::new(now, system_clock::INTERVAL)),
            alive: notify::alive_interval().map(|interval| Periodic::new(now, interval)),
            store: Periodic::new(now + STORE, STORE),
        }
    }

    fn next(&self) -> Instant {
        // Storing goes with a refresh.
        [self.heartbeat, self.refresh, self.summary, self.guard]
            .into_iter()
            .chain(self.clock_line)
            .chain(self.system_clock)
            .chain(self.alive)
            .map(|periodic| periodic.next())
            .fold(self.heartbeat.next(), Instant::min)
    }
}

/// Why the loop woke up.
enum Wake {
    /// A packet, a stamp or a timer: the loop looks at all of them.
    Work,
    /// Somebody asks something.
    Reader(Reader),
    /// A management message came in.
    Management(management::Request),
    /// The file is to be read again.
    Reload,
    /// A signal.
    Stop,
}

impl Driver {
    /// Runs until a signal, or until nobody reads the JSON lines any more.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        self.reporter.start(realtime_nanos(), &self.start);
        notify::ready(&self.start.to_string());
        let ended = self.turn_until_stopped().await;
        notify::stopping();
        self.role.shutdown(self.turn.instant);
        self.perform();
        let ended = match ended {
            Ok(()) => self.turn_until_finished().await,
            failed => failed,
        };
        self.stop();
        ended
    }

    /// Until the other side has heard that it is over, or has had its time to; a second signal ends it at once.
    async fn turn_until_finished(&mut self) -> anyhow::Result<()> {
        while !self.role.is_finished() {
            let exhausted = self.take_inputs();
            self.fire()?;
            if matches!(self.wait(exhausted).await?, Wake::Stop) {
                break;
            }
        }
        Ok(())
    }

    async fn turn_until_stopped(&mut self) -> anyhow::Result<()> {
        loop {
            let taken = self.take_inputs();
            let exhausted = self.search() && taken;
            self.fire()?;
            if self.reporter.reader_gone() {
                tracing::info!("standard output was closed");
                break;
            }
            let rests = exhausted && !self.is_behind();
            if !rests {
                // A flood, or more to send than can be sent: go on at once, but let signals and readers in.
                tokio::task::yield_now().await;
            }
            match self.wait(rests).await? {
                Wake::Work => {}
                Wake::Reader(reader) => self.take_question(reader),
                Wake::Management(request) => self.answer_management(&request),
                Wake::Reload => {
                    self.reload();
                }
                Wake::Stop => break,
            }
        }
        Ok(())
    }

    /// Is there something that the engine should have done?
    fn is_behind(&self) -> bool {
        self.role.poll_timeout().is_some_and(|due| due <= self.monotonic.now().instant)
    }

    /// Leaves the clock as it should run on.
    fn stop(&mut self) {
        // Taking the program off resets some NICs, rate of the clock included.
        self.plane = None;
        if let Some(port) = &mut self.upstream {
            port.plane = None;
        }
        self.settle_clock();
    }

    /// Gives the engine all that came in, and does what it asks for. False if more may be waiting.
    fn take_inputs(&mut self) -> bool {
        for _ in 0..ROUNDS {
            self.turn = self.monotonic.now();
            // A server's first Sync follows on its grant: the sockets come before the ring.
            let mut more = self.receive();
            self.take_sent();
            more |= self.take_events();
            more |= self.take_upstream();
            self.perform();
            if !more {
                return true;
            }
        }
        false
    }

    /// Which way our own port faces, where it does not face both ways.
    fn side(&self) -> Option<Side> {
        self.upstream.as_ref().map(|_| Side::Downstream)
    }

    /// Records of the ring. True if there may be more.
    fn take_events(&mut self) -> bool {
        let side = self.side();
        let Self { plane, role, clock, second_clock, counters, turn, tai_offset, .. } = self;
        let Some(plane) = plane else { return false };
        let clock = second_clock.as_ref().map_or(&**clock, |second| &*second.clock);
        let to = |input: Input<'_>| role.handle_at(side, turn.instant, input);
        let (more, unchanged) = drain(plane, clock, counters, *tai_offset, to);
        if !unchanged {
            self.refresh_tai_offset();
        }
        more
    }

    /// TX stamps, and tokens whose stamp was lost.
    fn take_sent(&mut self) {
        let Self { role, clock, second_clock, sockets, counters, turn, .. } = self;
        let clock = second_clock.as_ref().map_or(&**clock, |second| &*second.clock);
        let engine = role.engine();
        sockets.take_sent(turn.std, |token, stamp| {
            let tx = stamp.and_then(|stamp| reading(clock, stamp, &mut counters.tx_stamp_unusable));
            engine.handle(turn.instant, Input::Sent { token, tx });
        });
    }

    /// Datagrams. True if there may be more.
    fn receive(&mut self) -> bool {
        let side = self.side();
        let Self { role, clock, second_clock, sockets, counters, plane, turn, .. } = self;
        let clock = second_clock.as_ref().map_or(&**clock, |second| &*second.clock);
        let to = |input: Input<'_>| role.handle_at(side, turn.instant, input);
        receive(sockets, plane.is_some(), clock, counters, to)
    }

    /// All that came to the port that faces a boundary clock's servers. True if there may be more.
    fn take_upstream(&mut self) -> bool {
        let Self { role, clock, counters, turn, tai_offset, upstream: Some(port), .. } = self else {
            return false;
        };
        let mut to = |input: Input<'_>| role.handle_at(Some(Side::Upstream), turn.instant, input);
        let mut more = receive(&mut port.sockets, port.plane.is_some(), &**clock, counters, &mut to);
        port.sockets.take_sent(turn.std, |token, stamp| {
            let tx = stamp.and_then(|stamp| reading(&**clock, stamp, &mut counters.tx_stamp_unusable));
            to(Input::Sent { token, tx });
        });
        let mut unchanged = true;
        if let Some(plane) = &mut port.plane {
            let drained = drain(plane, &**clock, counters, *tai_offset, to);
            more |= drained.0;
            unchanged = drained.1;
        }
        if !unchanged {
            self.refresh_tai_offset();
        }
        more
    }

    /// Whatever is due by the clock.
    fn fire(&mut self) -> anyhow::Result<()> {
        let now = self.turn.instant;
        if self.role.poll_timeout().is_some_and(|due| due <= now) {
            self.role.engine().handle_timeout(now);
            self.perform();
        }
        if self.schedule.heartbeat.take(now) {
            let other = self.upstream.as_mut().and_then(|port| port.plane.as_mut());
            for plane in self.plane.iter_mut().chain(other) {
                plane.heartbeat(now);
            }
            self.serve();
            self.tell_time();
        }
        if self.schedule.guard.take(now) {
            self.look_at_clock()?;
        }
        if self.schedule.refresh.take(now) {
            self.supervise()?;
        }
        if self.schedule.system_clock.as_mut().is_some_and(|turn| turn.take(now)) {
            self.turn_system_clock();
            self.turn_second_clock();
        }
        if self.schedule.alive.as_mut().is_some_and(|alive| alive.take(now)) {
            notify::alive();
        }
        if let Some(line) = &mut self.schedule.clock_line
            && line.take(now)
            && let Some(error) = self.clock.true_error()
        {
            let reading = ClockReading { true_error_ns: nanos(error), frequency_ppb: self.clock.frequency() };
            self.reporter.clock(realtime_nanos(), &reading);
        }
        if self.schedule.summary.take(now) {
            self.reporter.summary();
        }
        let engine = self.role.poll_timeout();
        let other = self.upstream.as_ref().and_then(|port| port.sockets.next_deadline());
        let stamps = [self.sockets.next_deadline(), other].into_iter().flatten();
        let stamps = stamps.map(|deadline| self.monotonic.instant(deadline));
        let next = engine.into_iter().chain(stamps).fold(self.schedule.next(), Instant::min);
        self.timer.set(next)
    }

    /// A server's program answers by this clock.
    pub(super) fn serve(&mut self) {
        if let (Some(plane), Some(server)) = (&mut self.plane, self.role.server()) {
            let clock = self.second_clock.as_ref().map_or(&*self.clock, |second| &*second.clock);
            plane.serve(self.turn.instant, &server.templates(), clock, self.tai_offset);
        }
    }

    /// Sleeps until there is something to do; with `block` false only looks.
    async fn wait(&mut self, block: bool) -> anyhow::Result<Wake> {
        let Self {
            sockets,
            plane,
            control,
            management,
            timer,
            signals: [interrupt, terminate],
            hangup,
            upstream,
            ..
        } = self;
        let other = async {
            match upstream {
                Some(port) => port.ready().await,
                None => std::future::pending().await,
            }
        };
        let asked = async {
            match management {
                Some(management) => management.request().await,
                None => std::future::pending().await,
            }
        };
        let ring = async {
            match plane {
                Some(plane) => plane.ready().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = interrupt.recv() => Ok(Wake::Stop),
            _ = terminate.recv() => Ok(Wake::Stop),
            _ = hangup.recv() => Ok(Wake::Reload),
            reader = control.question() => match reader {
                Ok(reader) => Ok(Wake::Reader(reader)),
                // Too many open files, or a reader that has gone again: the next one may do better.
                Err(error) => {
                    tracing::debug!(%error, "a reader of the stats could not be let in");
                    Ok(Wake::Work)
                }
            },
            request = asked => Ok(request.map_or_else(
                |error| {
                    tracing::debug!(%error, "a management request could not be read");
                    Wake::Work
                },
                Wake::Management,
            )),
            () = std::future::ready(()), if !block => Ok(Wake::Work),
            ready = ring => ready.map(|()| Wake::Work),
            ready = sockets.ready() => ready.map(|_| Wake::Work).context("cannot wait for packets"),
            ready = other => ready.map(|()| Wake::Work),
            expired = timer.expired() => expired.map(|()| Wake::Work),
        }
    }

    /// Does everything that the engine asks for.
    pub(super) fn perform(&mut self) {
        let mut measured = false;
        while let Some((side, output)) = self.role.poll_output() {
            match output {
                // Nothing in it depends on when it leaves: it may wait for the rest of the batch.
                Output::Send { to, channel: Channel::General, packet, token: None, origin: None } => {
                    self.sockets_of(side).send_later(to, packet.as_bytes());
                }
                Output::Send { to, channel, packet, token, origin } => {
                    self.send(side, to, channel, packet, token, origin);
                }
                Output::Steer(decision) => self.steer(decision),
                Output::Grant { client, port_identity, message_type, log_interval, expires } => {
                    if let Some(plane) = &mut self.plane {
                        plane.grant(client, port_identity, message_type, log_interval, expires);
                    }
                }
                Output::Revoke { client, port_identity, message_type } => {
                    if let Some(plane) = &mut self.plane {
                        plane.revoke(client, port_identity, message_type);
                    }
                }
                Output::Sample(sample) => {
                    measured |= sample.selected;
                    self.reporter.sample(realtime_nanos(), &sample);
                }
                Output::Event(event) => self.reporter.event(realtime_nanos(), event),
            }
        }
        if measured {
            self.tell_time();
        }
        self.sockets.flush();
        if let Some(port) = &mut self.upstream {
            port.sockets.flush();
        }
    }

    /// Those of the port that faces that way.
    fn sockets_of(&mut self, side: Side) -> &mut Sockets<TxToken> {
        match &mut self.upstream {
            Some(port) if side == Side::Upstream => &mut port.sockets,
            _ => &mut self.sockets,
        }
    }

    fn send(
        &mut self,
        side: Side,
        to: IpAddr,
        channel: Channel,
        mut packet: Packet,
        token: Option<TxToken>,
        origin: Option<Interval>,
    ) {
        let unsent = match self.stamp_origin(side, &mut packet, origin) {
            Ok(()) => {
                let now = self.monotonic.now().std;
                match self.sockets_of(side).send(to, channel, packet.as_bytes(), token, now) {
                    Ok(()) => None,
                    Err((error, token)) => {
                        tracing::debug!(%error);
                        if error.is_unreachable() {
                            self.role.engine().handle(self.turn.instant, Input::Unreachable { to });
                        }
                        token
                    }
                }
            }
            Err(error) => {
                self.counters.origin_unreadable += 1;
                tracing::debug!(%error);
                token
            }
        };
        if let Some(token) = unsent {
            self.role.engine().handle(self.turn.instant, Input::Sent { token, tx: None });
        }
    }

    fn stamp_origin(&self, side: Side, packet: &mut Packet, origin: Option<Interval>) -> anyhow::Result<()> {
        if let Some(ahead) = origin {
            let clock = match &self.second_clock {
                Some(second) if side == Side::Downstream => &second.clock,
                _ => &self.clock,
            };
            set_origin_timestamp(packet.as_bytes_mut(), clock.now()? + ahead)?;
        }
        Ok(())
    }

    fn steer(&mut self, decision: Decision) {
        match self.steered(decision) {
            Ok(None) => {}
            Ok(Some(at)) => {
                self.role.engine().handle(self.turn.instant, Input::Steered { at });
                if matches!(decision, Decision::Step { .. }) {
                    if let Some(second) = &mut self.second_clock {
                        second.first_stepped();
                    }
                    self.turn_second_clock();
                }
                self.serve();
            }
            Err(error) => self.not_steered(&error),
        }
    }

    /// Does what was decided; what the clock read when its new frequency took effect.
    fn steered(&mut self, decision: Decision) -> Result<Option<Timestamp>, ClockError> {
        let frequency_ppb = match decision {
            Decision::Hold => return Ok(None),
            Decision::Slew { frequency_ppb } => frequency_ppb,
            Decision::Step { offset_ns, frequency_ppb } => {
                let by = -Interval::from_nanos(i128::from(offset_ns));
                self.clock.step(by)?;
                self.guard.stepped(by);
                frequency_ppb
            }
        };
        let before = self.clock.now()?;
        let set = self.clock.set_frequency(frequency_ppb)?;
        let after = self.clock.now()?;
        self.guard.steered(set);
        tracing::trace!(?decision, set);
        Ok(Some(before + (after - before) / 2))
    }

    /// Tells clock and engine.
    pub(super) fn tell_tai_offset(&mut self, offset: Option<i32>) {
        self.tai_offset = offset;
        self.clock.set_kernel_tai_offset(offset.unwrap_or(0));
        // Any real offset fits: a kernel that says otherwise is as good as one that does not know.
        let told = offset.and_then(|seconds| i16::try_from(seconds).ok());
        self.role.engine().handle(self.turn.instant, Input::TaiOffset(told));
        self.serve();
    }

    /// Of a boundary clock.
    fn upstream_counters(&self) -> Option<UpstreamCounters> {
        let Role::Boundary(boundary) = &self.role else { return None };
        let engine = boundary.client().counters().collect();
        let Some(port) = &self.upstream else {
            return Some(UpstreamCounters { engine, ..UpstreamCounters::default() });
        };
        let (xdp, _, records) = port.plane.as_ref().map(Plane::counters).unwrap_or_default();
        let sockets = port.sockets.counters();
        // What the loop counts itself, it counts for both ports.
        let none = Counters::default();
        Some(UpstreamCounters { engine, xdp, records, rx: none.rx(&sockets), tx: none.tx(&sockets) })
    }

    /// Of clock calls; and what chrony was given, if it steers.
    fn clock_counters(&self) -> CounterSet {
        let fed = self.chrony.as_ref();
        let fed = fed.map(|feed| [("samples_given", feed.given), ("samples_not_taken", feed.not_taken)]);
        self.counters.clock().into_iter().chain(fed.into_iter().flatten()).collect()
    }

    pub(super) fn document(&self) -> Document<'_> {
        let sockets = self.sockets.counters();
        let (xdp, fan_out, records) = self.plane.as_ref().map(Plane::counters).unwrap_or_default();
        Document {
            version: report::VERSION,
            running: true,
            time_ns: realtime_nanos(),
            setup: &self.start.setup,
            clock: ClockStatus {
                kind: self.clock.kind(),
                frequency_ppb: self.clock.frequency(),
                true_error_ns: self.clock.true_error().map(nanos),
            },
            system_clock: self.system_side.as_ref().map(SystemSide::status),
            second_clock: self.second_clock.as_ref().map(SecondClock::status),
            status: self.role.status(self.monotonic.now().instant),
            counters: report::Counters {
                xdp,
                fan_out,
                records,
                rx: self.counters.rx(&sockets),
                tx: self.counters.tx(&sockets),
                engine: self.role.counters(),
                upstream: self.upstream_counters(),
                management: self.management.as_ref().map(ManagementSocket::counters),
                clock: self.clock_counters(),
            },
            history: self.reporter.history(),
            history_withheld: self.reporter.withheld(),
        }
    }
}

/// In ns, for reports.
fn nanos(interval: Interval) -> f64 {
    interval.scaled() as f64 / 65_536.0
}
