//! The thread that keeps time: in every slot it lists what is due and lets the kernel send it.

use super::live;
use super::schedule::{SLOTS_PER_SEC, Schedule};
use crate::dataplane::mapping::Mapping;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use ptp_common::abi::{DUE_LENGTH, SERVICE_ANNOUNCE};
use std::mem;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const NANOS_PER_SEC: u64 = 1_000_000_000;
/// How long it sleeps while there is nobody to serve.
const IDLE_SLOTS: u64 = SLOTS_PER_SEC / 50;
/// What was missed is made up for unless it is more than this: then it is left out.
const MOST_BEHIND: u64 = SLOTS_PER_SEC;
/// Words before the messages of [`ptp_common::abi::Due`].
const DUE_HEADER: usize = 2;

/// What the thread and its owner share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) schedule: Schedule,
    pub(super) stop: AtomicBool,
    /// Announce to everyone, before anything else.
    pub(super) announce_all: AtomicBool,
    /// Messages to be sent at once, as [`ptp_common::abi::Due`] has them.
    pub(super) prompt: Mutex<Vec<u32>>,
    pub(super) figures: Figures,
}

/// How well it keeps time.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Runs of the program on live frames.
    pub(super) runs: AtomicU64,
    /// Runs that the kernel refused: nothing was sent.
    pub(super) run_errors: AtomicU64,
    /// Slots that were left out.
    pub(super) skipped_slots: AtomicU64,
    /// The latest start of a slot's work, ns after its time.
    pub(super) longest_lag_ns: AtomicU64,
    /// The longest that one batch took on average over a run, ns: a Sync leaves at most so long after its stamp, unless
    /// the batch was interrupted.
    pub(super) longest_batch_ns: AtomicU64,
    /// Time in all runs, and the batches in them: how long a batch takes.
    pub(super) busy_ns: AtomicU64,
    pub(super) batches: AtomicU64,
}

/// What only the thread needs.
pub(super) struct Pacer {
    pub(super) shared: Arc<Shared>,
    pub(super) program: OwnedFd,
    pub(super) ifindex: u32,
    pub(super) due: Mapping,
}

impl Pacer {
    /// Runs until it is told to stop.
    pub(super) fn run(self) {
        let mut list = Vec::with_capacity(DUE_LENGTH);
        let mut slot = slot_of(monotonic());
        let shared = Arc::clone(&self.shared);
        while !shared.stop.load(Relaxed) {
            if shared.schedule.is_empty() {
                slot = slot_of(monotonic()) + IDLE_SLOTS;
                sleep_until(start_of(slot));
                continue;
            }
            slot += 1;
            sleep_until(start_of(slot));
            let now = monotonic();
            shared.figures.longest_lag_ns.fetch_max(now.saturating_sub(start_of(slot)), Relaxed);
            let last = slot_of(now).max(slot);
            if last - slot > MOST_BEHIND {
                shared.figures.skipped_slots.fetch_add(last - slot, Relaxed);
                slot = last;
            }
            self.before_all(&mut list);
            for slot in slot..=last {
                shared.schedule.due(slot, |index, service| self.add(&mut list, index, service));
            }
            slot = last;
            self.send(&mut list);
        }
    }

    fn before_all(&self, list: &mut Vec<u32>) {
        if self.shared.announce_all.swap(false, Relaxed) {
            self.shared.schedule.everyone(SERVICE_ANNOUNCE, |index| self.add(list, index, SERVICE_ANNOUNCE));
        }
        let prompt = mem::take(&mut *self.shared.prompt.lock().unwrap_or_else(PoisonError::into_inner));
        for message in prompt {
            self.add(list, message >> 1, (message & 1) as usize);
        }
    }

    fn add(&self, list: &mut Vec<u32>, index: u32, service: usize) {
        list.push(index << 1 | service as u32);
        if list.len() == DUE_LENGTH {
            self.send(list);
        }
    }

    /// Lets the kernel send what is on the list.
    fn send(&self, list: &mut Vec<u32>) {
        if list.is_empty() {
            return;
        }
        let (header, messages) = self.due.split_at(DUE_HEADER);
        for (place, message) in messages.iter().zip(&*list) {
            place.store(*message, Relaxed);
        }
        header[0].store(0, Relaxed);
        let began = Instant::now();
        let figures = &self.shared.figures;
        if let Err(error) = live::run(self.program.as_fd(), self.ifindex, list.len() as u32) {
            if figures.run_errors.fetch_add(1, Relaxed) == 0 {
                tracing::error!(%error, "the kernel does not send Sync and Announce");
            }
        } else {
            let took = began.elapsed().as_nanos() as u64;
            let batches = (list.len() as u64).div_ceil(live::BATCH.into());
            figures.longest_batch_ns.fetch_max(took / batches, Relaxed);
            figures.busy_ns.fetch_add(took, Relaxed);
            figures.batches.fetch_add(batches, Relaxed);
        }
        figures.runs.fetch_add(1, Relaxed);
        list.clear();
    }
}

/// CLOCK_MONOTONIC, ns.
fn monotonic() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() as u64 * NANOS_PER_SEC + time.tv_nsec() as u64)
}

fn slot_of(nanos: u64) -> u64 {
    nanos / NANOS_PER_SEC * SLOTS_PER_SEC + nanos % NANOS_PER_SEC * SLOTS_PER_SEC / NANOS_PER_SEC
}

/// Rounded up, so that it is in the slot.
fn start_of(slot: u64) -> u64 {
    slot / SLOTS_PER_SEC * NANOS_PER_SEC + (slot % SLOTS_PER_SEC * NANOS_PER_SEC).div_ceil(SLOTS_PER_SEC)
}

fn sleep_until(nanos: u64) {
    let time = TimeSpec::new((nanos / NANOS_PER_SEC) as i64, (nanos % NANOS_PER_SEC) as i64);
    // A signal is handled by another thread; to wake up early is harmless.
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_begins_in_itself() {
        for slot in [0, 1, 2, 3, 1023, 1024, 1025, 123_456_789_012] {
            assert_eq!(slot_of(start_of(slot)), slot);
            assert!(slot == 0 || slot_of(start_of(slot) - 1) == slot - 1);
        }
    }
}
