//! The loop.

use super::chrony::ChronyFeed;
use super::control::{Control, Reader};
use super::counters::Counters;
use super::drift::Drift;
use super::guard::ClockGuard;
use super::management::{self, ManagementSocket};
use super::notify;
use super::port::{Port, Taken};
use super::questions::Searching;
use super::reload::Reload;
use super::role::Role;
use super::schedule::Schedule;
use super::second_clock::{SecondClock, facing_clients};
use super::system_clock::{SystemSide, Utc};
use super::time_page::TimeKeeper;
use super::timer::{Monotonic, Now, Timer};
use crate::clock::{Clock, realtime_nanos};
use crate::engine::boundary::Side;
use crate::engine::{Input, Instant, KernelClock, nanos};
use crate::report::{ClockReading, Reporter, Start};
use std::collections::VecDeque;
use tokio::signal::unix::Signal;

/// Rounds of taking packets before timers have their turn, so that a flood stops nothing.
const ROUNDS: usize = 64;

/// Everything that runs.
pub(super) struct Driver {
    pub(super) role: Role,
    pub(super) clock: Box<dyn Clock>,
    /// The only one, or the one that faces a boundary clock's clients.
    pub(super) port: Port,
    /// Of a boundary clock whose servers have an interface of their own.
    pub(super) upstream: Option<Port>,
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
    /// Readers who wait for clients that are looked for.
    pub(super) searching: VecDeque<Searching>,
    /// Where the NIC of `upstream` has another clock than ours: ours.
    pub(super) second_clock: Option<SecondClock>,
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

    async fn turn_until_stopped(&mut self) -> anyhow::Result<()> {
        while !self.reporter.reader_gone() {
            match self.turn().await? {
                Wake::Reload => {
                    self.reload();
                }
                Wake::Stop => return Ok(()),
                _ => {}
            }
        }
        tracing::info!("standard output was closed");
        Ok(())
    }

    /// Until the other side has heard that it is over, or has had its time to; a second signal ends it at once.
    async fn turn_until_finished(&mut self) -> anyhow::Result<()> {
        while !self.role.is_finished() {
            if matches!(self.turn().await?, Wake::Stop) {
                break;
            }
        }
        Ok(())
    }

    /// Does what there is to do, waits for more, and answers who asks.
    async fn turn(&mut self) -> anyhow::Result<Wake> {
        let taken = self.take_inputs();
        let exhausted = self.search() && taken;
        self.fire()?;
        let rests = exhausted && !self.is_behind();
        if !rests {
            // A flood, or more to send than can be sent: go on at once, but let signals and readers in.
            tokio::task::yield_now().await;
        }
        let wake = self.wait(rests).await?;
        match wake {
            Wake::Reader(reader) => self.take_question(reader),
            Wake::Management(request) => self.answer_management(&request),
            Wake::Work | Wake::Reload | Wake::Stop => return Ok(wake),
        }
        Ok(Wake::Work)
    }

    /// Both, where there are two.
    pub(super) fn ports(&mut self) -> impl Iterator<Item = &mut Port> {
        [&mut self.port].into_iter().chain(&mut self.upstream)
    }

    /// Is there something that the engine should have done?
    fn is_behind(&self) -> bool {
        self.role.poll_timeout().is_some_and(|due| due <= self.monotonic.now().instant)
    }

    /// Leaves the clock as it should run on.
    fn stop(&mut self) {
        // Taking the program off resets some NICs, rate of the clock included.
        for port in self.ports() {
            port.plane = None;
        }
        self.settle_clock();
    }

    /// Gives the engine all that came in, and does what it asks for. False if more may be waiting.
    fn take_inputs(&mut self) -> bool {
        for _ in 0..ROUNDS {
            self.turn = self.monotonic.now();
            let more = self.take_own() | self.take_upstream();
            self.perform();
            if !more {
                return true;
            }
        }
        false
    }

    /// All that came to our own port. True if there may be more.
    fn take_own(&mut self) -> bool {
        // Where there is another port, this one faces the clients only.
        let side = self.upstream.as_ref().map(|_| Side::Downstream);
        let Self { port, role, clock, second_clock, counters, turn, tai_offset, .. } = self;
        let clock = facing_clients(&**clock, second_clock);
        let to = |input: Input<'_>| role.handle_at(side, turn.instant, input);
        let taken = port.take(turn.std, clock, *tai_offset, counters, to);
        self.look_at_tai_offset(&taken);
        taken.more
    }

    /// The same of the port that faces a boundary clock's servers.
    fn take_upstream(&mut self) -> bool {
        let Self { upstream: Some(port), role, clock, counters, turn, tai_offset, .. } = self else {
            return false;
        };
        let to = |input: Input<'_>| role.handle_at(Some(Side::Upstream), turn.instant, input);
        let taken = port.take(turn.std, &**clock, *tai_offset, counters, to);
        self.look_at_tai_offset(&taken);
        taken.more
    }

    fn look_at_tai_offset(&mut self, taken: &Taken) {
        if taken.tai_changed {
            self.refresh_tai_offset();
        }
    }

    /// Whatever is due by the clock.
    fn fire(&mut self) -> anyhow::Result<()> {
        let now = self.turn.instant;
        if self.role.poll_timeout().is_some_and(|due| due <= now) {
            self.role.engine().handle_timeout(now);
            self.perform();
        }
        if self.schedule.heartbeat.take(now) {
            for plane in self.ports().filter_map(|port| port.plane.as_mut()) {
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
        if self.schedule.clock_line.as_mut().is_some_and(|line| line.take(now)) {
            self.tell_true_error();
        }
        if self.schedule.summary.take(now) {
            self.reporter.summary();
        }
        self.set_timer()
    }

    fn tell_true_error(&mut self) {
        if let Some(error) = self.clock.true_error() {
            let reading = ClockReading { true_error_ns: nanos(error), frequency_ppb: self.clock.frequency() };
            self.reporter.clock(realtime_nanos(), &reading);
        }
    }

    fn set_timer(&mut self) -> anyhow::Result<()> {
        let ports = [Some(&self.port), self.upstream.as_ref()].into_iter().flatten();
        let stamps = ports.filter_map(|port| port.sockets.next_deadline());
        let stamps = stamps.map(|deadline| self.monotonic.instant(deadline));
        let engine = self.role.poll_timeout();
        self.timer.set(engine.into_iter().chain(stamps).fold(self.schedule.next(), Instant::min))
    }

    /// Sleeps until there is something to do; with `block` false only looks.
    async fn wait(&mut self, block: bool) -> anyhow::Result<Wake> {
        let Self { port, upstream, control, management, timer, signals, hangup, .. } = self;
        let [interrupt, terminate] = signals;
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
        tokio::select! {
            biased;
            _ = interrupt.recv() => Ok(Wake::Stop),
            _ = terminate.recv() => Ok(Wake::Stop),
            _ = hangup.recv() => Ok(Wake::Reload),
            reader = control.question() => Ok(Wake::Reader(reader)),
            request = asked => Ok(request.map_or_else(
                |error| {
                    tracing::debug!(%error, "a management request could not be read");
                    Wake::Work
                },
                Wake::Management,
            )),
            () = std::future::ready(()), if !block => Ok(Wake::Work),
            ready = port.ready() => ready.map(|()| Wake::Work),
            ready = other => ready.map(|()| Wake::Work),
            expired = timer.expired() => expired.map(|()| Wake::Work),
        }
    }
}
