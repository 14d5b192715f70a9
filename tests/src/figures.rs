//! Figures in one form: everything that measures writes the same JSON and prints the same table.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// What a bench or the demo found out.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Its name.
    pub bench: String,
    /// Where it ran: figures of different machines do not compare.
    pub machine: Machine,
    /// One figure each.
    pub rows: Vec<Row>,
}

/// The machine that the figures are from.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub kernel: String,
    pub cpu: String,
    pub cores: usize,
}

/// One figure, beside a peer's where it has the same.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub case: String,
    pub metric: String,
    /// Empty for words.
    pub unit: String,
    pub ours: Value,
    pub peer: Value,
    pub peer_name: Option<String>,
    /// A bound that physics or the wire sets, in the same unit; not a bar.
    pub limit: Option<f64>,
    pub bar: Option<String>,
    /// Whether the bar is met; `None` without a bar.
    pub ok: Option<bool>,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// Smaller than this.
    Below(f64),
    /// No larger than this.
    AtMost(f64),
    /// No smaller than this.
    AtLeast(f64),
    /// Neither smaller than the first nor larger than the second.
    Between(f64, f64),
    /// Smaller than the peer's; not judged where the peer has none.
    BelowPeer,
    /// Both.
    BelowBoth(f64),
}

impl Row {
    /// A figure without a bar; `None` where it could not be measured.
    pub fn new(case: &str, metric: &str, unit: &str, ours: impl Into<Value>) -> Self {
        Self {
            case: case.to_owned(),
            metric: metric.to_owned(),
            unit: unit.to_owned(),
            ours: ours.into(),
            peer: Value::Null,
            peer_name: None,
            limit: None,
            bar: None,
            ok: None,
        }
    }

    /// Puts a peer's figure beside ours.
    #[must_use]
    pub fn beside(mut self, peer_name: &str, peer: impl Into<Value>) -> Self {
        self.peer = peer.into();
        self.peer_name = Some(peer_name.to_owned());
        self
    }

    /// Puts a bound that physics or the wire sets beside it, in the same unit.
    #[must_use]
    pub fn limited(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Judges the figure; a figure that is missing misses its bar. Comes after [`beside`](Self::beside).
    #[must_use]
    pub fn judged(mut self, bar: Bar) -> Self {
        let below = |limit: f64| self.ours.as_f64().is_some_and(|ours| ours < limit);
        let within =
            |least: f64, most: f64| self.ours.as_f64().is_some_and(|ours| (least..=most).contains(&ours));
        // A peer that stands beside ours and came to no figure is no peer that was beaten.
        let below_peer = || self.peer_name.is_none() || self.peer.as_f64().is_some_and(below);
        let (text, ok) = match bar {
            Bar::Below(limit) => (format!("< {limit}"), below(limit)),
            Bar::AtMost(limit) => (format!("<= {limit}"), within(f64::MIN, limit)),
            Bar::AtLeast(limit) => (format!(">= {limit}"), within(limit, f64::MAX)),
            Bar::Between(least, most) => (format!("{least} to {most}"), within(least, most)),
            Bar::BelowPeer => ("< peer".to_owned(), self.ours.is_number() && below_peer()),
            Bar::BelowBoth(limit) => (format!("< {limit}, < peer"), below(limit) && below_peer()),
        };
        self.bar = Some(text);
        self.ok = Some(ok);
        self
    }
}

impl Report {
    /// An empty report of this machine.
    pub fn new(bench: &str) -> Self {
        Self { bench: bench.to_owned(), machine: Machine::this(), rows: Vec::new() }
    }

    /// The rows that miss their bars.
    pub fn missed(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.ok == Some(false))
    }

    /// Writes the JSON document.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The same as a table.
    pub fn table(&self) -> String {
        let mut lines =
            vec![["case", "metric", "ours", "peer", "unit", "limit", "bar", ""].map(str::to_owned)];
        for row in &self.rows {
            let peer = match &row.peer_name {
                Some(name) => format!("{} ({name})", cell(&row.peer)),
                None => String::new(),
            };
            let verdict = match row.ok {
                Some(true) => "ok",
                Some(false) => "MISSED",
                None => "",
            };
            lines.push([
                row.case.clone(),
                row.metric.clone(),
                cell(&row.ours),
                peer,
                row.unit.clone(),
                row.limit.map_or(String::new(), |limit| cell(&limit.into())),
                row.bar.clone().unwrap_or_default(),
                verdict.to_owned(),
            ]);
        }
        let widths: Vec<usize> =
            (0..8).map(|i| lines.iter().map(|line| line[i].len()).max().unwrap_or(0)).collect();
        let mut text = String::new();
        for line in &lines {
            let mut shown = String::new();
            for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let number = i == 2;
                // Writing to a String cannot fail.
                let _ = if number {
                    write!(shown, "{cell:>width$}  ")
                } else {
                    write!(shown, "{cell:<width$}  ")
                };
            }
            text += shown.trim_end();
            text.push('\n');
        }
        text
    }
}

impl Machine {
    fn this() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu: cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(value) if value.fract() != 0.0 && value.abs() < 10.0 => format!("{value:.2}"),
            Some(value) if value.fract() != 0.0 => format!("{value:.1}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Mean, root mean square and largest magnitude of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub mean: f64,
    pub rms: f64,
    pub max: f64,
}

impl Spread {
    /// `None` of an empty series.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        Some(Self {
            mean: values.iter().sum::<f64>() / count,
            rms: (values.iter().map(|value| value * value).sum::<f64>() / count).sqrt(),
            max: values.iter().fold(0.0, |max, value| value.abs().max(max)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_judged() {
        let row = |ours: Value| Row::new("sigkill", "failover_ms", "ms", ours);
        assert_eq!(row(900.into()).judged(Bar::Below(1000.0)).ok, Some(true));
        assert_eq!(row(1000.into()).judged(Bar::Below(1000.0)).ok, Some(false));
        assert_eq!(row(Value::Null).judged(Bar::Below(1000.0)).ok, Some(false));
        assert_eq!(row(1000.into()).judged(Bar::AtMost(1000.0)).ok, Some(true));
        assert_eq!(row(1001.into()).judged(Bar::AtMost(1000.0)).ok, Some(false));
        assert_eq!(row(Value::Null).judged(Bar::AtMost(1000.0)).ok, Some(false));
        assert_eq!(row(99.into()).judged(Bar::AtLeast(99.0)).ok, Some(true));
        assert_eq!(row(98.into()).judged(Bar::AtLeast(99.0)).ok, Some(false));
        assert_eq!(row(5.into()).judged(Bar::Between(4.0, 5.0)).ok, Some(true));
        assert_eq!(row(3.into()).judged(Bar::Between(4.0, 5.0)).ok, Some(false));
        assert_eq!(row(3.into()).beside("ptp4l", 4.0).judged(Bar::BelowPeer).ok, Some(true));
        assert_eq!(row(5.into()).beside("ptp4l", 4.0).judged(Bar::BelowBoth(9.0)).ok, Some(false));
        assert_eq!(row(5.into()).judged(Bar::BelowBoth(9.0)).ok, Some(true));
        assert_eq!(row(5.into()).beside("ptp4l", None::<f64>).judged(Bar::BelowBoth(9.0)).ok, Some(false));
    }

    #[test]
    fn the_document_has_nulls_where_there_is_nothing() {
        let mut report = Report::new("demo");
        report.rows.push(Row::new("start", "xdp_mode", "", "native"));
        let document = serde_json::to_value(&report).unwrap();
        let row = &document["rows"][0];
        assert_eq!(row["ours"], "native");
        for key in ["peer", "peer_name", "limit", "bar", "ok"] {
            assert!(row[key].is_null() && row.get(key).is_some(), "{key}");
        }
        assert!(report.table().contains("native"));
    }

    #[test]
    fn spread_of_a_series() {
        let spread = Spread::of(&[3.0, -4.0]).unwrap();
        assert_eq!((spread.mean, spread.max), (-0.5, 4.0));
        assert!((spread.rms - 12.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of(&[]), None);
    }
}
