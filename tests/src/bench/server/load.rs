//! The load: live frames from every CPU, and what comes back.

use super::request::{self, Request};
use super::stage::{FIRST_CLIENT, Link, SPARE, Stage};
use crate::interrupt;
use anyhow::{Context, Result, anyhow};
use aya::maps::{Array, HashMap, MapData, PerCpuArray};
use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode};
use aya::{Ebpf, Pod};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use ptp_common::wire::MessageType;
use ptp_load::{
    ANSWER_COUNTERS, BINS, Client, Collecting, IP, Lane, MAX_FRAME, OFF, UDP, WRONG, least_of, names,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Names the object with the programs; `cargo xtask bench` builds it and says where it is.
const OBJECT: &str = "PTP_LOAD_OBJECT";
/// Frames of one call at full rate: about a millisecond.
const FULL_BATCHES: u32 = 8_192;
/// Frames that are made before the first of them goes, at full rate.
const FULL_BATCH: u32 = 64;
/// How often a paced load sends.
const SLOT: Duration = Duration::from_micros(500);
/// From the last frame until all of its answers are there.
const LAST_ANSWERS: Duration = Duration::from_millis(200);
/// Between two looks at what is counted.
const STEP: Duration = Duration::from_millis(100);
/// From the first frame until everything is warm.
const WARM_UP: Duration = Duration::from_millis(500);

/// A layout that is shared with the programs.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(super) struct Plain<T>(pub(super) T);

// SAFETY: integers only, no padding.
unsafe impl Pod for Plain<Lane> {}
// SAFETY: integers only, no padding.
unsafe impl Pod for Plain<Collecting> {}
// SAFETY: integers only, no padding.
unsafe impl Pod for Plain<Client> {}

/// Who sends it, and how fast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) request: Request,
    pub(super) clients: u32,
    /// Frames a second, all CPUs together; `None`: as fast as possible.
    pub(super) rate: Option<f64>,
    /// The CPUs that send it: the first so many.
    pub(super) cpus: usize,
    /// Frames are made, but go nowhere.
    pub(super) dropped: bool,
    /// Times of answers are wanted.
    pub(super) latencies: bool,
    /// Of a paced load: frames that are made before the first of them goes.
    pub(super) batch: u32,
    /// Goes on as if so many frames had been sent: with the client whose turn it would be. Of a load on one CPU.
    pub(super) after: u64,
}

impl Load {
    pub(super) fn new(request: Request, clients: u32, rate: Option<f64>) -> Self {
        Self {
            request,
            clients,
            rate,
            cpus: cpus(),
            dropped: false,
            latencies: false,
            batch: FULL_BATCH,
            after: 0,
        }
    }
}

/// What was seen while a load ran.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) seconds: f64,
    /// Frames handed to the link each second.
    pub(super) offered: f64,
    /// Answers each second, by messageType.
    pub(super) answered: [f64; 16],
    /// Answers that name another client.
    pub(super) wrong: u64,
    /// Intervals that were off by more than a tenth, so far, again and again.
    pub(super) off: Vec<(Instant, u64)>,
    /// Frames that each load made, from its first to its last.
    pub(super) made: Vec<u64>,
    /// Delay_Resp from the first frame until some time after the last.
    pub(super) all_delay_resps: u64,
    /// CPU time of the whole machine, cores.
    pub(super) busy: f64,
    latencies: Vec<u64>,
}

impl Seen {
    pub(super) fn of(&self, message_type: MessageType) -> f64 {
        self.answered[usize::from(message_type.nibble())]
    }

    pub(super) fn delay_resps(&self) -> f64 {
        self.of(MessageType::DelayResp)
    }

    /// The time that so many of 1 are answered in, µs.
    pub(super) fn latency_us(&self, share: f64) -> Option<f64> {
        let total: u64 = self.latencies.iter().sum();
        let wanted = (share * total as f64).ceil() as u64;
        let mut count = 0;
        let bin = self.latencies.iter().position(|bin| {
            count += bin;
            count >= wanted.max(1)
        })?;
        Some(least_of(bin as u32) as f64 / 1000.0)
    }
}

/// The programs, loaded; what is attached goes with it.
pub(super) struct Generator {
    ebpf: Ebpf,
    lanes: Array<MapData, Plain<Lane>>,
    answers: PerCpuArray<MapData, u64>,
    latencies: PerCpuArray<MapData, u64>,
    clients: Array<MapData, Plain<Client>>,
    collecting: Array<MapData, Plain<Collecting>>,
    granted: HashMap<MapData, u32, u32>,
    intervals_us: [u32; 2],
}

impl Generator {
    /// Loads the programs and attaches the generator where it does not matter.
    pub(super) fn new(stage: &Stage) -> Result<Self> {
        let path: PathBuf = std::env::var_os(OBJECT)
            .with_context(|| format!("{OBJECT} does not name the load's object: use `cargo xtask bench`"))?
            .into();
        let object = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut ebpf = Ebpf::load(&object).context("cannot load the programs of the load")?;
        let mut map = |name: &str| ebpf.take_map(name).with_context(|| format!("no map {name}"));
        let (lanes, answers, latencies) = (map(names::LANES)?, map(names::ANSWERS)?, map(names::LATENCIES)?);
        let (clients, collecting) = (map(names::CLIENTS)?, map(names::COLLECTING)?);
        let granted = map(names::GRANTED)?;
        let mut generator = Self {
            lanes: lanes.try_into()?,
            answers: answers.try_into()?,
            latencies: latencies.try_into()?,
            clients: clients.try_into()?,
            collecting: collecting.try_into()?,
            granted: granted.try_into()?,
            intervals_us: [0; 2],
            ebpf,
        };
        for name in [names::GENERATE, names::COLLECT, names::PASS, names::REFLECT, names::RESPOND] {
            generator.program(name)?.load().with_context(|| format!("the kernel refuses {name}"))?;
        }
        let generate = generator.program(names::GENERATE)?;
        stage.load.enter(|| attach(generate, SPARE))?;
        Ok(generator)
    }

    /// Counts what comes back over this link.
    pub(super) fn listen(&mut self, stage: &Stage, link: &Link) -> Result<()> {
        let collect = self.program(names::COLLECT)?;
        stage.load.enter(|| attach(collect, &link.interface))
    }

    /// Puts a reference program at the server's end.
    pub(super) fn serve(&mut self, link: &Link, name: &str) -> Result<()> {
        let program = self.program(name)?;
        link.server.namespace().enter(|| attach(program, link.plane.interface()))
    }

    /// Grants to so many clients, in the reference responder.
    pub(super) fn grant(&mut self, clients: u32) -> Result<()> {
        for number in 0..clients {
            let address = u32::from(FIRST_CLIENT) + number;
            self.granted.insert(u32::from_ne_bytes(address.to_be_bytes()), 1, 0)?;
        }
        Ok(())
    }

    /// Sends for a while and counts what comes back meanwhile.
    pub(super) fn run(&mut self, stage: &Stage, link: &Link, load: Load, duration: Duration) -> Result<Seen> {
        self.run_all(stage, link, &[load], duration)
    }

    /// The same with several loads, each on CPUs of its own, in their order.
    pub(super) fn run_all(
        &mut self,
        stage: &Stage,
        link: &Link,
        loads: &[Load],
        duration: Duration,
    ) -> Result<Seen> {
        let collecting = Collecting {
            latencies: loads.iter().any(|load| load.latencies).into(),
            first_address: FIRST_CLIENT.into(),
            intervals_us: self.intervals_us,
        };
        self.collecting.set(0, Plain(collecting), 0)?;
        let mut lanes = Vec::new();
        for load in loads {
            for lane in 0..load.cpus {
                let cpu = lanes.len();
                self.lanes.set(cpu as u32, Plain(self.lane(link, load, lane)?), 0)?;
                lanes.push((cpu, *load));
            }
        }
        let program: &Xdp = self
            .ebpf
            .program(names::GENERATE)
            .with_context(|| format!("no program {}", names::GENERATE))?
            .try_into()?;
        let before = self.counted(lanes.len())?;
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let workers: Vec<_> = lanes
                .iter()
                .map(|&(cpu, load)| {
                    let stop = &stop;
                    scope.spawn(move || {
                        stage.load.enter(|| {
                            pin(cpu)?;
                            pace(&load, stop, |count, batch| send(program, link, &load, count, batch))
                        })
                    })
                })
                .collect();
            let seen = self.observe(lanes.len(), duration);
            stop.store(true, Ordering::Relaxed);
            for worker in workers {
                worker.join().map_err(|_| anyhow!("a load ended in a panic"))??;
            }
            let mut seen = seen?;
            thread::sleep(LAST_ANSWERS);
            let after = self.counted(lanes.len())?;
            let mut made = after.made.iter();
            seen.made = loads.iter().map(|load| made.by_ref().take(load.cpus).sum()).collect();
            let delay_resp = usize::from(MessageType::DelayResp.nibble());
            seen.all_delay_resps = after.answers[delay_resp] - before.answers[delay_resp];
            Ok(seen)
        })
    }

    /// What every client has received since [`Self::look_at`].
    pub(super) fn clients(&self, clients: u32) -> Result<Vec<Client>> {
        (0..clients).map(|number| Ok(self.clients.get(&number, 0)?.0)).collect()
    }

    /// Looks at the intervals of so many clients from now on: of Sync and Announce, µs, or 0.
    pub(super) fn look_at(&mut self, clients: u32, intervals_us: [u32; 2]) -> Result<()> {
        self.intervals_us = intervals_us;
        for number in 0..clients {
            self.clients.set(number, Plain(Client::default()), 0)?;
        }
        Ok(())
    }

    fn observe(&self, lanes: usize, duration: Duration) -> Result<Seen> {
        pause(WARM_UP)?;
        let (start, before) = (Instant::now(), self.counted(lanes)?);
        let mut off = vec![(start, before.answers[OFF as usize])];
        while start.elapsed() < duration {
            pause(STEP.min(duration.saturating_sub(start.elapsed())))?;
            off.push((Instant::now(), self.answers.get(&OFF, 0)?.iter().sum()));
        }
        let (seconds, after) = (start.elapsed().as_secs_f64(), self.counted(lanes)?);
        let per_second = |after: u64, before: u64| after.wrapping_sub(before) as f64 / seconds;
        let made: u64 = after.made.iter().zip(&before.made).map(|(after, before)| after - before).sum();
        let bins = after.latencies.iter().zip(&before.latencies);
        let seen = Seen {
            seconds,
            offered: made as f64 / seconds,
            answered: std::array::from_fn(|index| per_second(after.answers[index], before.answers[index])),
            wrong: after.answers[WRONG as usize] - before.answers[WRONG as usize],
            off,
            busy: cpus() as f64 - (after.idle_s - before.idle_s) / seconds,
            latencies: bins.map(|(after, before)| after - before).collect(),
            ..Seen::default()
        };
        Ok(seen)
    }

    fn counted(&self, lanes: usize) -> Result<Counted> {
        let sum = |map: &PerCpuArray<MapData, u64>, index: u32| -> Result<u64> {
            Ok(map.get(&index, 0)?.iter().sum())
        };
        Ok(Counted {
            made: (0..lanes as u32)
                .map(|lane| Ok(self.lanes.get(&lane, 0)?.0.made))
                .collect::<Result<_>>()?,
            answers: (0..ANSWER_COUNTERS).map(|index| sum(&self.answers, index)).collect::<Result<_>>()?,
            latencies: (0..BINS).map(|index| sum(&self.latencies, index)).collect::<Result<_>>()?,
            idle_s: idle_s()?,
        })
    }

    fn program(&mut self, name: &str) -> Result<&mut Xdp> {
        let program = self.ebpf.program_mut(name).with_context(|| format!("no program {name}"))?;
        Ok(program.try_into()?)
    }

    fn lane(&self, link: &Link, load: &Load, number: usize) -> Result<Lane> {
        let mut template = [0; MAX_FRAME];
        let length = request::frame(link, load.request, &mut template)?;
        let words = |range: std::ops::Range<usize>| -> u32 {
            let octets = &template[range];
            octets.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0))).sum()
        };
        let server = u32::from(link.server_address);
        let pseudo = (server >> 16) + (server & 0xffff) + 17 + (length - UDP) as u32;
        let first_address = u32::from(FIRST_CLIENT);
        // A client's packets come to one CPU, as a NIC's receive-side scaling has it, if there are enough clients.
        let from = |lane: usize| (u64::from(load.clients) * lane as u64 / load.cpus as u64) as u32;
        let first = from(number).min(load.clients - 1);
        let clients = (from(number + 1) - first).max(1);
        Ok(Lane {
            ip_sum: words(IP..UDP),
            udp_sum: pseudo + words(UDP..length),
            template,
            length: length as u32,
            first,
            clients,
            next: (load.after % u64::from(clients) * u64::from(step(clients)) % u64::from(clients)) as u32,
            step: step(clients),
            first_address: match load.request {
                Request::Stranger => first_address + (1 << 21),
                _ => first_address,
            },
            dropped: load.dropped.into(),
            stamped: load.latencies.into(),
            sequence_id: 0,
            made: 0,
            padding: [0; 3],
        })
    }
}

/// All counters at one time.
struct Counted {
    made: Vec<u64>,
    answers: Vec<u64>,
    latencies: Vec<u64>,
    idle_s: f64,
}

/// How many CPUs there are.
pub(super) fn cpus() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Lets the calling thread run there only.
pub(super) fn pin(cpu: usize) -> Result<()> {
    pin_process(Pid::from_raw(0), cpu)
}

/// Lets a process, or a thread of one, run there only.
pub(super) fn pin_process(pid: Pid, cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(pid, &set).context("cannot pin a thread to a CPU")
}

fn attach(program: &mut Xdp, interface: &str) -> Result<()> {
    program
        .attach(interface, XdpMode::Driver)
        .with_context(|| format!("cannot attach a program to {interface}"))?;
    Ok(())
}

/// Lets the program fill so many frames that leave through the link; `batch` of them are made before the first goes. The
/// calling thread must be in the load's namespace.
fn send(program: &Xdp, link: &Link, load: &Load, count: u32, batch: u32) -> Result<()> {
    // A frame comes with one octet more than it gets.
    let octets = &[0; MAX_FRAME + 1][..=request::frame_length(load.request)];
    // `xdp_md` of linux/bpf.h: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
    let context = [0, octets.len() as u32, 0, link.ifindex, 0, 0].map(u32::to_ne_bytes);
    let options = TestRunOptions {
        data_in: Some(octets),
        ctx_in: Some(context.as_flattened()),
        repeat: count,
        attrs: TestRunAttrs::new().xdp_live_frames(batch),
        ..TestRunOptions::new()
    };
    program.test_run(options).context("cannot send live frames (BPF_PROG_TEST_RUN)")?;
    Ok(())
}

/// Calls `send` with a number of frames and of how many go together, until it is told to stop.
fn pace(load: &Load, stop: &AtomicBool, send: impl Fn(u32, u32) -> Result<()>) -> Result<()> {
    let Some(rate) = load.rate.map(|rate| rate / load.cpus as f64) else {
        while !stop.load(Ordering::Relaxed) {
            send(FULL_BATCHES, FULL_BATCH)?;
        }
        return Ok(());
    };
    let (start, mut sent) = (Instant::now(), 0_u64);
    let mut slot = start;
    while !stop.load(Ordering::Relaxed) {
        let due = (start.elapsed().as_secs_f64() * rate) as u64;
        // Who is late is late: what was missed is sent, but not more than that.
        let count = (due - sent).min(65_536) as u32;
        if count > 0 {
            send(count, load.batch.min(count))?;
        }
        sent = due;
        slot += SLOT;
        thread::sleep(slot.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// From one client to the next: around the circle in no order that a cache could know.
fn step(clients: u32) -> u32 {
    let divides = |step: u32, by: u32| step.is_multiple_of(by) && clients.is_multiple_of(by);
    // 0.618…: the golden section spreads best.
    let wanted = (f64::from(clients) * 0.618_034) as u32;
    let coprime = |step: &u32| (2..=*step.min(&1_000)).all(|by| !divides(*step, by));
    (wanted..clients).find(|step| *step > 0 && coprime(step)).unwrap_or(clients.min(1))
}

/// Idle time of all CPUs so far, s, with what was taken from them (proc(5)).
///
/// It is measured, while the times of what runs are counted at the kernel's ticks: work that begins with every slot of a
/// timer, as a paced load's does, hides from them or is all that they see.
fn idle_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.context("no clock tick")? as f64;
    // idle, iowait, steal: what the hypervisor gave to others is nobody's work here.
    Ok([3, 4, 7].iter().filter_map(|&column| ticks.get(column)).sum::<f64>() / per_second)
}

/// Sleeps, unless the user wants to stop.
fn pause(duration: Duration) -> Result<()> {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        interrupt::check()?;
        thread::sleep(STEP.min(end.saturating_duration_since(Instant::now())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::step;

    #[test]
    fn every_client_has_its_turn() {
        for clients in [1, 2, 3, 10, 1_000, 100_000] {
            let mut seen = vec![false; clients as usize];
            let mut next = 0;
            for _ in 0..clients {
                seen[next as usize] = true;
                next = (next + step(clients)) % clients;
            }
            assert!(seen.iter().all(|seen| *seen), "{clients}");
        }
    }
}
