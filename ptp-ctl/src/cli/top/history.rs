//! What the controller has said so far.

use serde_json::Value;
use std::collections::VecDeque;
use std::time::Instant;

/// Answers that are kept: ten minutes of them.
const KEPT: usize = 600;

/// What is drawn over time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    /// ns; the estimate where there is one, else the last measured offset.
    pub(super) offset: Option<f64>,
    /// ns.
    pub(super) bound: Option<f64>,
    /// ns.
    pub(super) delay: Option<f64>,
    /// Delay_Resp and Sync that a server sent, 1/s.
    pub(super) answers: Option<f64>,
    pub(super) syncs: Option<f64>,
}

/// The last answers, and what follows from two of them.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) points: VecDeque<Point>,
    /// The last one, when it came, and the one before.
    last: Option<(Instant, Value)>,
    before: Option<(Instant, Value)>,
}

impl History {
    /// Takes in an answer. Errors: it is of another version than this program knows.
    pub(super) fn push(&mut self, document: Value) -> Result<(), String> {
        self.push_at(Instant::now(), document)
    }

    pub(super) fn push_at(&mut self, at: Instant, document: Value) -> Result<(), String> {
        if document["version"] != crate::report::VERSION {
            return Err(format!("the controller speaks version {} of the stats", document["version"]));
        }
        // Another controller counts anew.
        self.before = self.last.take().filter(|(_, before)| before["role"] == document["role"]);
        self.last = Some((at, document));
        let client = self.client();
        let number = |key: &str| client.and_then(|client| client[key].as_f64());
        let point = Point {
            offset: number("estimated_offset_ns").or(number("offset_ns")),
            bound: number("bound_ns"),
            delay: number("path_delay_ns"),
            answers: self.rate(&["/counters/xdp/answered", "/counters/engine/delay_resp_sent"]),
            syncs: self.rate(&["/counters/fan_out/sync_sent", "/counters/engine/sync_sent"]),
        };
        if self.points.len() == KEPT {
            self.points.pop_front();
        }
        self.points.push_back(point);
        Ok(())
    }

    /// The last answer.
    pub(super) fn document(&self) -> Option<&Value> {
        self.last.as_ref().map(|(_, document)| document)
    }

    /// The part of it that a client has, also that of a boundary clock.
    pub(super) fn client(&self) -> Option<&Value> {
        let document = self.document()?;
        if document["role"] == "client" { Some(document) } else { document.get("upstream") }
    }

    /// How fast these counters grow together, 1/s; `None` before there are two answers.
    pub(super) fn rate(&self, pointers: &[&str]) -> Option<f64> {
        let ((then, before), (now, last)) = (self.before.as_ref()?, self.last.as_ref()?);
        let sum = |document: &Value| -> u64 {
            pointers.iter().filter_map(|pointer| document.pointer(pointer)?.as_u64()).sum()
        };
        let seconds = now.duration_since(*then).as_secs_f64();
        (seconds > 0.0).then(|| sum(last).saturating_sub(sum(before)) as f64 / seconds)
    }
}
