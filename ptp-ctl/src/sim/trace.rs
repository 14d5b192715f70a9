//! Delays that were measured: replayed in their order, again and again.

use crate::engine::client::Record;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The fastest that a clock changes without having been set, ppb.
const FASTEST_PPB: f64 = 1_000_000.0;

/// Delays from a file: a record of `ptp-ctl client`, or one delay on a line, ns. Lines that begin with # are for people.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "PathBuf")]
pub struct Trace {
    /// The file as the scenario names it.
    pub file: PathBuf,
    delays: Arc<Delays>,
}

#[derive(Clone, Debug, PartialEq)]
enum Delays {
    /// One after the other, ns.
    List(Vec<f64>),
    /// When (s, from zero on, rising) and how long (ns).
    Timed(Vec<(f64, f64)>),
}

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    ToClient,
    ToServer,
}

/// Why a file is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no delay.
    #[error(
        "{}:{line}: {text:?} is no delay: each line must be one number of ns, or one exchange as `ptp-ctl client \
         --record` writes it", file.display()
    )]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// There is nothing to replay in it.
    #[error("{}: no delays: a list needs 1, a record 2 exchanges with an estimate", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
}

impl From<PathBuf> for Trace {
    fn from(file: PathBuf) -> Self {
        Self { file, delays: Arc::new(Delays::List(Vec::new())) }
    }
}

impl Trace {
    /// Reads the file, which is named relative to `directory`; of a record, the delays of one way.
    ///
    /// # Errors
    /// It cannot be read, or has something else than delays in it.
    pub(super) fn load(&mut self, directory: &Path, way: Way) -> Result<(), TraceError> {
        let file = directory.join(&self.file);
        let text = std::fs::read_to_string(&file)
            .map_err(|source| TraceError::Read { file: file.clone(), source })?;
        let lines = (1..).zip(text.lines().map(str::trim));
        let lines = lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
        let wrong = |line, text: &str| TraceError::Line { file: file.clone(), line, text: text.to_owned() };
        let delays = if lines.clone().next().is_some_and(|(_, text)| text.starts_with('{')) {
            let record = |(line, text): (usize, &str)| {
                serde_json::from_str::<Record>(text).map_err(|_| wrong(line, text))
            };
            Delays::Timed(recorded(&lines.map(record).collect::<Result<Vec<_>, _>>()?, way))
        } else {
            let delay = |(line, text): (usize, &str)| {
                let delay = text.parse().ok().filter(|delay: &f64| delay.is_finite());
                delay.ok_or_else(|| wrong(line, text))
            };
            Delays::List(lines.map(delay).collect::<Result<_, _>>()?)
        };
        let enough = match &delays {
            Delays::List(list) => !list.is_empty(),
            Delays::Timed(list) => list.len() > 1,
        };
        if !enough {
            return Err(TraceError::Empty { file });
        }
        self.delays = Arc::new(delays);
        Ok(())
    }

    /// Of event packet `number`, sent at `at` (s); ns.
    pub(super) fn delay(&self, at: f64, number: u64) -> f64 {
        match &*self.delays {
            Delays::List(list) => {
                let place = number.checked_rem(list.len() as u64);
                place.map_or(0.0, |place| list[place as usize])
            }
            Delays::Timed(list) => {
                let Some(&(end, _)) = list.last() else { return 0.0 };
                let at = at % end;
                list[list.partition_point(|&(sent, _)| sent <= at).max(1) - 1].1
            }
        }
    }
}

/// What a record says of one way: when packets were sent, and how long they took by a clock without error.
///
/// Of the server that it begins with. The client's clock is taken out by its own estimate, on a straight line between
/// exchanges; so a difference between the shortest delays of both ways is not in it, for nobody could measure that.
fn recorded(records: &[Record], way: Way) -> Vec<(f64, f64)> {
    let mut delays: Vec<(f64, f64)> = Vec::new();
    let Some(first) = records.first() else { return delays };
    let mut before: Option<(u64, f64)> = None;
    for Record { server, stamps, estimated_offset } in records {
        let Some(offset) = estimated_offset.filter(|_| *server == first.server) else { continue };
        let (sent, took, local, sign) = match way {
            Way::ToClient => (stamps.t1, stamps.from_server(), stamps.t2, -1.0),
            Way::ToServer => (stamps.t4, stamps.to_server(), stamps.t3, 1.0),
        };
        let offset_then = match before.replace((stamps.t4, offset)) {
            Some((earlier, before)) if earlier < stamps.t4 => {
                let since = seconds(stamps.t4, earlier);
                let rate = (offset - before) / since;
                // A clock that was set in between had no rate.
                let rate = if rate.abs() < FASTEST_PPB { rate } else { 0.0 };
                offset - rate * (seconds(stamps.t4, local) + offset * 1e-9)
            }
            _ => offset,
        };
        let at = seconds(sent, first.stamps.t1).max(0.0);
        if delays.last().is_none_or(|&(last, _)| at > last) {
            delays.push((at, took + sign * offset_then));
        }
    }
    delays
}

/// From `earlier` to `later`.
fn seconds(later: u64, earlier: u64) -> f64 {
    later.wrapping_sub(earlier).cast_signed() as f64 * 1e-9
}

#[cfg(test)]
mod tests;
