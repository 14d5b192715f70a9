//! What a controller tells people and programs: JSON lines, the `stats` document, and log lines without `--json`.

mod document;
mod line;
mod sink;
mod summary;

#[cfg(test)]
mod tests;

pub use document::{
    ClockStatus, CounterSet, Counters, Document, PinnedCounters, PinnedDocument, RoleStatus,
    SystemClockStatus, VERSION,
};
pub use line::{ClockReading, Start};
pub use sink::Sink;

use crate::engine::client::Sample;
use crate::engine::event::Event;
use line::Line;
use serde::Serialize;
use std::collections::VecDeque;
use std::fmt;
use summary::Summary;

/// Events kept for the `stats` document.
pub const HISTORY: usize = 200;

/// An event and its time: an entry of the history, and a JSON line.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    summary: Summary,
}

impl Reporter {
    /// With a sink, everything goes there; without, to the log.
    pub fn new(sink: Option<Sink>) -> Self {
        let history = VecDeque::with_capacity(HISTORY);
        Self { sink, record: None, history, summary: Summary::default() }
    }

    /// Every exchange is kept there, too.
    #[must_use]
    pub fn with_record(self, record: Option<Sink>) -> Self {
        Self { record, ..self }
    }

    /// The controller runs. `time_ns` is CLOCK_REALTIME here and below.
    pub fn start(&mut self, time_ns: u64, start: &Start) {
        match &mut self.sink {
            Some(sink) => sink.write(&Line { kind: "start", time_ns, body: start }),
            None => tracing::info!("{start}"),
        }
    }

    /// Something happened.
    pub fn event(&mut self, time_ns: u64, event: Event) {
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
