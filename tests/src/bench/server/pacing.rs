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
use std::time::Duration;

const CLIENTS: u32 = 1_000;
/// 128 Sync a second.
const LOG_INTERVAL: i8 = -7;
const INTERVAL_US: f64 = 1e6 / 128.0;
/// How long it is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// The twin's steps: those of the thread that sends.
const SLOTS_PER_SEC: i64 = 1_024;
const SLOTS_PER_INTERVAL: usize = 8;
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
    let (seen, late) = thread::scope(|scope| {
        let twin = scope.spawn(|| twin(cpu, &stop));
        let seen = generator.run_all(&stage, &link, &[], WATCHED);
        stop.store(true, Ordering::Relaxed);
        let late = twin.join().map_err(|_| anyhow!("the twin ended in a panic"))?;
        anyhow::Ok((seen?, late?))
    })?;
    let case = "1 k clients, 128 Sync/s each";
    let sent = seen.of(MessageType::Sync);
    let wanted = f64::from(CLIENTS) * 1e6 / INTERVAL_US;
    report.rows.push(Row::new(case, "Sync sent", "% of what was granted", hundredths(100.0 * sent / wanted)));
    let clients = generator.clients(CLIENTS)?;
    let streams: Vec<_> = clients.iter().map(|client| client.streams[0]).collect();
    report.rows.extend(rows(case, "Sync", &streams, INTERVAL_US));
    let twin = "a thread that only sleeps";
    let off = |count: f64, slots: f64| hundredths(1e6 * count / slots);
    report.rows.push(
        Row::new(
            case,
            "Sync: intervals off by more than 10 %",
            "of a million",
            off(seen.off as f64, sent * seen.seconds),
        )
        .beside(twin, off(intervals_off(&late) as f64, late.len() as f64)),
    );
    let latest = late.iter().max().copied().unwrap_or_default();
    report.rows.push(
        Row::new(
            case,
            "latest start of a slot",
            "µs",
            (controller.fan_out(&link, "longest_lag_ns")? as f64 / 1e3).round(),
        )
        .beside(twin, (latest as f64 / 1e3).round()),
    );
    Ok(())
}

/// Sleeps from slot to slot until it is told to stop; how late it woke up in each, ns.
fn twin(cpu: usize, stop: &AtomicBool) -> Result<Vec<i64>> {
    pin(cpu)?;
    process::take_precedence(1)?;
    let now = || -> Result<i64> { Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.num_nanoseconds()) };
    let mut late = Vec::with_capacity(2 * WATCHED.as_secs() as usize * SLOTS_PER_SEC as usize);
    let start = now()? / NANOS_PER_SEC * NANOS_PER_SEC + NANOS_PER_SEC;
    for slot in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let due = start + slot * NANOS_PER_SEC / SLOTS_PER_SEC;
        clock_nanosleep(
            ClockId::CLOCK_MONOTONIC,
            ClockNanosleepFlags::TIMER_ABSTIME,
            &TimeSpec::nanoseconds(due),
        )
        .context("cannot sleep")?;
        late.push(now()? - due);
    }
    Ok(late)
}

/// Intervals that would have been off by more than a tenth if somebody had been sent to in every slot.
fn intervals_off(late: &[i64]) -> usize {
    let interval = NANOS_PER_SEC / SLOTS_PER_SEC * SLOTS_PER_INTERVAL as i64;
    let pairs = late.iter().zip(late.iter().skip(SLOTS_PER_INTERVAL));
    pairs.filter(|(first, second)| (**second - **first).abs() > interval / 10).count()
}

#[cfg(test)]
mod tests {
    use super::intervals_off;

    #[test]
    fn a_stop_of_the_machine_puts_two_intervals_off_for_each_slot_of_it() {
        let mut late = vec![20_000; 100];
        assert_eq!(intervals_off(&late), 0);
        // Three slots wake up together; the last of them hardly late.
        late[50..53].copy_from_slice(&[2_500_000, 1_500_000, 520_000]);
        assert_eq!(intervals_off(&late), 4);
    }
}
