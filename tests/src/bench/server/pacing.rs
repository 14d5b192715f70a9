//! How evenly a thousand clients are sent 128 Sync a second each, and what of it is the machine's doing: a twin of the thread
//! that sends sleeps beside it, on the same CPU, from slot to slot, and does nothing else.

use super::fleet::{negotiate, rows, start};
use super::load::{cpus, pin};
use super::responder::hundredths;
use crate::figures::{Report, Row};
use anyhow::{Context, Result, anyhow};
use nix::sys::time::{TimeSpec, TimeValLike as _};
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use ptp_common::wire::MessageType;
use ptp_ctl::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: u32 = 1_000;
/// 128 Sync a second.
const LOG_INTERVAL: i8 = -7;
const INTERVAL_US: f64 = 1e6 / 128.0;
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// The twin's steps: those of the thread that sends.
const SLOTS_PER_SEC: i64 = 1_024;
const SLOTS_PER_INTERVAL: usize = 8;
/// Slots: what is sent at their start comes a little later.
const MARGIN: usize = 16;
const TWIN: &str = "a thread that only sleeps";
const NANOS_PER_SEC: i64 = 1_000_000_000;

pub(super) fn run(report: &mut Report) -> Result<()> {
    let (stage, mut generator, link, controller) = start(CLIENTS)?;
    let cpu = cpus() - 1;
    controller.pin_sender(cpu)?;
    negotiate(&stage, &mut generator, &link, &controller, CLIENTS, LOG_INTERVAL)?;
    // The first intervals part clients that came in together.
    generator.run_all(&stage, &link, &[], Duration::from_secs(1))?;
    generator.look_at(CLIENTS, [INTERVAL_US as u32, 0])?;
    let stop = AtomicBool::new(false);
    let (seen, twin) = thread::scope(|scope| {
        let twin = scope.spawn(|| Twin::run(cpu, &stop));
        let seen = generator.run_all(&stage, &link, &[], WATCHED);
        stop.store(true, Ordering::Relaxed);
        let twin = twin.join().map_err(|_| anyhow!("the twin ended in a panic"))?;
        anyhow::Ok((seen?, twin?))
    })?;
    let case = "1 k clients, 128 Sync/s each";
    let sent = seen.of(MessageType::Sync);
    let wanted = f64::from(CLIENTS) * 1e6 / INTERVAL_US;
    report.rows.push(Row::new(case, "Sync sent", "% of what was granted", hundredths(100.0 * sent / wanted)));
    let clients = generator.clients(CLIENTS)?;
    let streams: Vec<_> = clients.iter().map(|client| client.streams[0]).collect();
    report.rows.extend(rows(case, "Sync", &streams, INTERVAL_US));
    let windows = twin.windows(&seen.off);
    let on_time = || windows.iter().filter(|window| window.on_time);
    let of_a_million = |off: usize, all: f64| hundredths(1e6 * off as f64 / all);
    report.rows.push(
        Row::new(
            case,
            "Sync: intervals off by more than 10 %",
            "of a million",
            of_a_million(windows.iter().map(|window| window.sync).sum(), sent * seen.seconds),
        )
        .beside(
            TWIN,
            of_a_million(windows.iter().map(|window| window.twin).sum(), seen.seconds * SLOTS_PER_SEC as f64),
        ),
    );
    report.rows.push(Row::new(
        case,
        &format!(
            "the same in the {} of {} tenths of a second in which that thread was on time",
            on_time().count(),
            windows.len()
        ),
        "",
        on_time().map(|window| window.sync).sum::<usize>(),
    ));
    let latest = twin.late.iter().max().copied().unwrap_or_default();
    report.rows.push(
        Row::new(
            case,
            "latest start of a slot",
            "µs",
            (controller.fan_out(&link, "longest_lag_ns")? as f64 / 1e3).round(),
        )
        .beside(TWIN, (latest as f64 / 1e3).round()),
    );
    Ok(())
}

/// A thread that sleeps from slot to slot.
struct Twin {
    /// When its first slot began.
    start: Instant,
    /// How late it woke up in each, ns.
    late: Vec<i64>,
}

/// Intervals that were off by more than a tenth, between two looks at their count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// All clients' intervals.
    sync: usize,
    /// The twin's, had it sent somebody something in every slot.
    twin: usize,
    /// All of the twin's were right, a little before and after, too.
    on_time: bool,
}

impl Twin {
    /// Until it is told to stop.
    fn run(cpu: usize, stop: &AtomicBool) -> Result<Self> {
        pin(cpu)?;
        process::take_precedence(1)?;
        let now = || -> Result<i64> { Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.num_nanoseconds()) };
        let mut late = Vec::with_capacity(2 * WATCHED.as_secs() as usize * SLOTS_PER_SEC as usize);
        let began = (Instant::now(), now()?);
        // Slots are counted from a whole second on, as those of the thread that sends.
        let second = began.1 / NANOS_PER_SEC * NANOS_PER_SEC;
        let due = |slot: i64| second + slot * NANOS_PER_SEC / SLOTS_PER_SEC;
        let first = (began.1 - second) * SLOTS_PER_SEC / NANOS_PER_SEC + 1;
        for slot in first.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let due = due(slot);
            clock_nanosleep(
                ClockId::CLOCK_MONOTONIC,
                ClockNanosleepFlags::TIMER_ABSTIME,
                &TimeSpec::nanoseconds(due),
            )
            .context("cannot sleep")?;
            late.push(now()? - due);
        }
        Ok(Self { start: began.0 + Duration::from_nanos((due(first) - began.1).cast_unsigned()), late })
    }

    /// What happened between every two looks at the count of intervals that were off.
    fn windows(&self, off: &[(Instant, u64)]) -> Vec<Window> {
        let slot = |time: Instant| {
            (time.saturating_duration_since(self.start).as_secs_f64() * SLOTS_PER_SEC as f64) as usize
        };
        let window = |pair: &[(Instant, u64)]| {
            let [(from, before), (to, after)] = [pair[0], pair[1]];
            let (first, last) = (slot(from), slot(to));
            let around = self.off_within(first.saturating_sub(MARGIN), last + MARGIN);
            Window {
                sync: (after - before) as usize,
                twin: self.off_within(first, last),
                on_time: around == 0,
            }
        };
        off.windows(2).map(window).collect()
    }

    /// Intervals that were off by more than a tenth and ended in these slots.
    fn off_within(&self, first: usize, last: usize) -> usize {
        let most = NANOS_PER_SEC / SLOTS_PER_SEC * SLOTS_PER_INTERVAL as i64 / 10;
        let ends = first.max(SLOTS_PER_INTERVAL)..last.min(self.late.len());
        ends.filter(|&end| (self.late[end] - self.late[end - SLOTS_PER_INTERVAL]).abs() > most).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_of_the_machine_is_told_from_the_servers_own() {
        let mut twin = Twin { start: Instant::now(), late: vec![20_000; 300] };
        assert_eq!(twin.off_within(0, 300), 0);
        // Three slots wake up together; the last of them hardly late.
        twin.late[150..153].copy_from_slice(&[2_500_000, 1_500_000, 520_000]);
        assert_eq!(twin.off_within(0, 300), 4);
        let at = |slot: u64| twin.start + Duration::from_nanos(slot * 1_000_000_000 / 1_024);
        let window = |sync, twin| Window { sync, twin, on_time: twin == 0 };
        assert_eq!(
            twin.windows(&[(at(0), 5), (at(100), 6), (at(200), 16), (at(290), 16)]),
            [window(1, 0), window(10, 4), window(0, 0)]
        );
    }
}
