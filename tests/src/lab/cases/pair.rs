//! What most cases start from: a server of ours and a client of ours, locked.

use crate::lab::{Bench, ours};
use crate::process::{Line, Process};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(super) const SERVER: usize = 0;
pub(super) const CLIENT: usize = 1;
/// Within this, ns, for so long, the clock counts as locked.
pub(super) const LOCK: f64 = 1_000.0;
const HOLD: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Both, and where the client keeps its state.
pub(super) struct Pair {
    pub(super) bench: Bench,
    pub(super) server: Process,
    pub(super) client: Process,
    pub(super) state: TempDir,
}

impl Pair {
    /// The client's oscillator is 20 ppm fast and its clock 10 ms off.
    pub(super) fn locked(parameters: &[&str], options: &[&str]) -> Result<Self> {
        let mut all = vec!["drift_ppb=0,20000"];
        all.extend(parameters);
        let bench = Bench::new(2, &all)?;
        bench.step(CLIENT, 10_000_000)?;
        let server = ours::server(bench.node(SERVER), &[])?;
        let state = ours::state_directory()?;
        let client = ours::client(bench.node(CLIENT), &[bench.node(SERVER)], options, state.path())?;
        let pair = Self { bench, server, client, state };
        pair.settle(Instant::now())?;
        Ok(pair)
    }

    /// Waits for the lock, by the truth; how long after `since` it was there.
    pub(super) fn settle(&self, since: Instant) -> Result<Duration> {
        self.bench.settled(CLIENT, SERVER, LOCK, HOLD, since, TIMEOUT).with_context(|| self.client.tail())
    }

    pub(super) fn client_stats(&self) -> Result<Value> {
        ours::stats(self.bench.node(CLIENT))
    }

    /// Waits for an event of the client's, from line number `from` on.
    pub(super) fn event(&self, name: &str, from: usize) -> Result<Line> {
        let found = |line: &Line| line.is_event(name).then(|| line.clone());
        self.client.wait_after(from, &format!("the event {name}"), TIMEOUT, found)
    }

    /// Events of the client's with that name, from line number `from` on.
    pub(super) fn count(&self, name: &str, from: usize) -> usize {
        self.client.lines(from).iter().filter(|line| line.is_event(name)).count()
    }

    /// Watches for a while: the largest error, ns, which must stay below the lock's.
    pub(super) fn stays_locked(&self, during: Duration) -> Result<f64> {
        let offsets = self.bench.offsets(CLIENT, SERVER, during)?;
        let worst = offsets.into_iter().fold(0.0_f64, |worst, offset| worst.max(offset.abs()));
        ensure!(worst < LOCK, "the client's clock was {worst:.0} ns off\n{}", self.client.tail());
        Ok(worst)
    }
}

/// A number in a document, by JSON pointer.
pub(super) fn number(document: &Value, pointer: &str) -> Result<f64> {
    document.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer} in {document}"))
}
