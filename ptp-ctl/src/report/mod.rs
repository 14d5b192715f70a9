//! What a controller tells people and programs: JSON lines, the `stats` document, and log lines without `--json`.

mod document;
mod line;
pub mod metrics;
mod page;
pub mod schema;
mod sink;
mod summary;
pub mod words;

#[cfg(test)]
mod tests;

pub use document::{
    ClockStatus, CounterSet, Counters, Document, PinnedCounters, PinnedDocument, RoleStatus,
    SystemClockStatus, UpstreamCounters, VERSION,
};
pub use line::{ClockReading, ProcessStatus, ServerStart, Setup, Start};
pub use page::page;
pub use sink::Sink;

use crate::engine::client::Sample;
use crate::engine::event::{Event, Kind};
use line::Line;
use metrics::{Events, Offsets};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;
use summary::Summary;

/// Events kept for the `stats` document.
pub const HISTORY: usize = 200;

/// An event and its time: an entry of the history, and a JSON line.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Entry {
    /// CLOCK_REALTIME, ns.
    pub time_ns: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Takes what happens and tells it: as JSON lines where there is a sink for them, else in the log.
#[derive(Debug)]
pub struct Reporter {
    sink: Option<Sink>,
    record: Option<Sink>,
    history: VecDeque<Entry>,
    allowance: Allowance,
    summary: Summary,
    offsets: Offsets,
    events: Events,
}

/// How many events about single grants may be told: a server with a million clients has more than anybody reads.
#[derive(Debug)]
struct Allowance {
    left: f64,
    /// When it was looked at last, ns.
    time_ns: u64,
    withheld: u64,
}

impl Allowance {
    /// Told at once.
    const BURST: f64 = HISTORY as f64;
    /// Told from then on.
    const PER_NS: f64 = 20e-9;

    fn take(&mut self, time_ns: u64) -> bool {
        let passed = time_ns.saturating_sub(self.time_ns) as f64;
        self.time_ns = time_ns;
        self.left = (self.left + passed * Self::PER_NS).min(Self::BURST);
        let may = self.left >= 1.0;
        self.left -= f64::from(u8::from(may));
        self.withheld += u64::from(!may);
        may
    }
}

impl Reporter {
    /// With a sink, everything goes there; without, to the log.
    pub fn new(sink: Option<Sink>) -> Self {
        let history = VecDeque::with_capacity(HISTORY);
        let allowance = Allowance { left: Allowance::BURST, time_ns: 0, withheld: 0 };
        Self {
            sink,
            record: None,
            history,
            allowance,
            summary: Summary::default(),
            offsets: Offsets::default(),
            events: Events::default(),
        }
    }

    /// Every exchange is kept there, too.
    #[must_use]
    pub fn with_record(self, record: Option<Sink>) -> Self {
        Self { record, ..self }
    }

    /// Lets the lines be written, by threads that do `first` before anything else.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn run(&mut self, first: fn()) -> std::io::Result<()> {
        self.sink.iter_mut().chain(&mut self.record).try_for_each(|sink| sink.run(first))
    }

    /// The controller runs. `time_ns` is CLOCK_REALTIME here and below.
    pub fn start(&mut self, time_ns: u64, start: &Start) {
        match &mut self.sink {
            Some(sink) => sink.write(&Line { kind: "start", time_ns, body: start }),
            None => tracing::info!("{start}"),
        }
    }

    /// Something happened. Of what happens to single grants, only so much is told as can be read.
    pub fn event(&mut self, time_ns: u64, event: Event) {
        self.events.count(event.kind);
        let is_about_a_grant =
            matches!(event.kind, Kind::Granted | Kind::Denied | Kind::Expired | Kind::Cancelled);
        if is_about_a_grant && !self.allowance.take(time_ns) {
            return;
        }
        match &mut self.sink {
            Some(sink) => sink.write(&Line { kind: "event", time_ns, body: &event }),
            None => tracing::info!("{}", EventText(&event)),
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Entry { time_ns, event });
    }

    /// An exchange is complete.
    pub fn sample(&mut self, time_ns: u64, sample: &Sample) {
        if let Some(record) = &mut self.record {
            record.write(&sample.record());
        }
        if sample.selected {
            self.offsets.observe(sample.offset_ns);
        }
        match &mut self.sink {
            Some(sink) => sink.write(&Line { kind: "sample", time_ns, body: sample }),
            None => {
                tracing::trace!(?sample);
                self.summary.add(sample);
            }
        }
    }

    /// The clock's distance from the truth; only told as JSON.
    pub fn clock(&mut self, time_ns: u64, reading: &ClockReading) {
        if let Some(sink) = &mut self.sink {
            sink.write(&Line { kind: "clock", time_ns, body: reading });
        }
    }

    /// What happened since the summary before; nothing with a sink, or if there was no sample of the server in use.
    pub fn summary(&mut self) {
        if let Some(summary) = self.summary.take() {
            tracing::info!("{summary}");
        }
    }

    /// The last events, oldest first.
    pub const fn history(&self) -> &VecDeque<Entry> {
        &self.history
    }

    /// How often which offset was measured with the server in use.
    pub const fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// How often what happened.
    pub const fn events(&self) -> &Events {
        &self.events
    }

    /// Events that were not told because there were too many.
    pub const fn withheld(&self) -> u64 {
        self.allowance.withheld
    }

    /// Whoever read the JSON lines has gone.
    pub fn reader_gone(&self) -> bool {
        self.sink.as_ref().is_some_and(Sink::reader_gone)
    }
}

/// An event as one line for people.
#[derive(Debug)]
pub struct EventText<'a>(pub &'a Event);

impl fmt::Display for EventText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { kind, peer, reason, detail } = self.0;
        f.write_str(&name(kind))?;
        if let Some(peer) = peer {
            write!(f, " {peer}")?;
        }
        if let Some(reason) = reason {
            write!(f, " ({})", name(reason))?;
        }
        if let Some(detail) = detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

/// The name that serde gives to a variant without fields.
fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::from("?"),
    }
}
