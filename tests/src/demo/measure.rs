//! From what the programs wrote to figures. No IO here.

use crate::figures::Spread;
use crate::peers::Reading;
use crate::process::Line;

/// The client is locked to within this, ns.
pub(super) const LOCK_NS: f64 = 2000.0;
/// The last seconds before the first fault are the steady phase, ns.
pub(super) const STEADY_NS: i64 = 10_000_000_000;

/// What the client in the demo wrote, sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientLog {
    /// CLOCK_REALTIME at its exec, ns.
    pub(super) started_ns: i64,
    pub(super) samples: Vec<Sample>,
    pub(super) truth: Vec<Truth>,
    pub(super) events: Vec<Event>,
    pub(super) xdp_mode: Option<String>,
    pub(super) rx_timestamp_source: Option<String>,
    pub(super) tx_timestamp_source: Option<String>,
}

/// A complete exchange.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) time_ns: i64,
    pub(super) server: String,
    pub(super) used: bool,
    pub(super) offset_ns: f64,
}

/// The clock against the known truth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    pub(super) time_ns: i64,
    pub(super) error_ns: f64,
}

/// Something that happened, for the plot.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) time_ns: i64,
    pub(super) label: String,
}

/// A server lost, and when.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) at_ns: i64,
    /// Address of the server that was in use.
    pub(super) server: String,
}

impl ClientLog {
    /// Takes what it needs from the client's lines. Events are the demo's own.
    pub(super) fn read(started_ns: i64, lines: &[Line], events: Vec<Event>) -> Self {
        let mut log = Self { started_ns, events, ..Self::default() };
        for line in lines {
            let Some(time_ns) = line.time_ns() else { continue };
            if line.is("start") {
                let word = |key| line.text_of(key).map(str::to_owned);
                log.xdp_mode = word("xdp_mode");
                log.rx_timestamp_source = word("rx_timestamp_source");
                log.tx_timestamp_source = word("tx_timestamp_source");
            } else if let Some(sample) = Sample::read(line) {
                log.samples.push(sample);
            } else if let (true, Some(error_ns)) = (line.is("clock"), line.number_of("true_error_ns")) {
                log.truth.push(Truth { time_ns, error_ns });
            }
        }
        log
    }

    /// From exec to the first complete exchange.
    pub(super) fn first_offset_ms(&self) -> Option<f64> {
        Some(milliseconds(self.samples.first()?.time_ns - self.started_ns))
    }

    /// From exec to the last moment, before `until_ns`, at which the true error was above the lock's bound.
    /// `None` if it still was at the end, or if there is nothing to judge by.
    pub(super) fn lock_ms(&self, until_ns: Option<i64>) -> Option<f64> {
        let until_ns = until_ns.unwrap_or(i64::MAX);
        let before: Vec<&Truth> = self.truth.iter().filter(|truth| truth.time_ns < until_ns).collect();
        let (last, earlier) = before.split_last()?;
        if last.error_ns.abs() > LOCK_NS {
            return None;
        }
        let off = earlier.iter().rev().find(|truth| truth.error_ns.abs() > LOCK_NS);
        Some(off.map_or(0.0, |truth| milliseconds(truth.time_ns - self.started_ns)))
    }

    /// The true error in the steady phase, which ends at `until_ns`.
    pub(super) fn steady_error(&self, until_ns: i64) -> Option<Spread> {
        let within = |truth: &&Truth| (until_ns - STEADY_NS..until_ns).contains(&truth.time_ns);
        let errors: Vec<f64> = self.truth.iter().filter(within).map(|truth| truth.error_ns).collect();
        Spread::of(&errors)
    }

    /// From the fault to the first sample of another server that the servo used.
    pub(super) fn failover_ms(&self, fault: &Fault) -> Option<f64> {
        let other =
            |sample: &&Sample| sample.used && sample.time_ns > fault.at_ns && sample.server != fault.server;
        Some(milliseconds(self.samples.iter().find(other)?.time_ns - fault.at_ns))
    }
}

impl Sample {
    pub(super) fn read(line: &Line) -> Option<Self> {
        if !line.is("sample") {
            return None;
        }
        let used = line.json.as_ref()?.get("used")?.as_bool()?;
        Some(Self {
            time_ns: line.time_ns()?,
            server: line.text_of("server")?.to_owned(),
            used,
            offset_ns: line.number_of("offset_ns")?,
        })
    }
}

/// What ptp4l's client logged. It steers nothing; both its ends count one clock, so the true offset is 0 and what it
/// measures is its error.
#[derive(Clone, Debug)]
pub(super) struct PeerLog {
    /// CLOCK_REALTIME at its exec, ns.
    pub(super) started_ns: i64,
    pub(super) readings: Vec<(i64, Reading)>,
}

impl PeerLog {
    /// From exec to the first complete exchange.
    pub(super) fn first_offset_ms(&self) -> Option<f64> {
        Some(milliseconds(self.exchanges().next()? - self.started_ns))
    }

    /// The offsets it measured in the steady phase, which ends at `until_ns`.
    pub(super) fn steady_error(&self, until_ns: i64) -> Option<Spread> {
        let within = |time_ns: i64| (until_ns - STEADY_NS..until_ns).contains(&time_ns);
        let offsets: Vec<f64> =
            self.offsets().filter(|(time_ns, _)| within(*time_ns)).map(|(_, offset_ns)| offset_ns).collect();
        Spread::of(&offsets)
    }

    /// From the fault to the first complete exchange after it decided for another server.
    pub(super) fn failover_ms(&self, fault_ns: i64) -> Option<f64> {
        let mut selected = self.readings.iter().filter_map(|(time_ns, reading)| match reading {
            Reading::Selected(identity) => Some((*time_ns, identity)),
            _ => None,
        });
        let before = selected.clone().take_while(|(time_ns, _)| *time_ns < fault_ns).last()?.1;
        let (decided_ns, _) =
            selected.find(|(time_ns, identity)| *time_ns > fault_ns && *identity != before)?;
        let first = self.exchanges().find(|time_ns| *time_ns > decided_ns)?;
        Some(milliseconds(first - fault_ns))
    }

    /// Offsets with their times, ns.
    pub(super) fn offsets(&self) -> impl Iterator<Item = (i64, f64)> {
        self.readings.iter().filter_map(|(time_ns, reading)| match reading {
            Reading::Offset { offset_ns, .. } => Some((*time_ns, *offset_ns)),
            _ => None,
        })
    }

    fn exchanges(&self) -> impl Iterator<Item = i64> {
        let complete =
            |reading: &Reading| matches!(reading, Reading::Exchange { .. } | Reading::Offset { .. });
        self.readings.iter().filter(move |(_, reading)| complete(reading)).map(|(time_ns, _)| *time_ns)
    }
}

fn milliseconds(ns: i64) -> f64 {
    // 0.1 ms is finer than any of these times repeats.
    (ns as f64 / 1e5).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    fn line(text: &str) -> Line {
        Line { arrived_ns: 0, text: text.to_owned(), is_error: false, json: serde_json::from_str(text).ok() }
    }

    fn sample(time_ns: i64, server: &str, used: bool) -> Line {
        line(&format!(
            r#"{{"type":"sample","time_ns":{time_ns},"server":"{server}","selected":{used},"used":{used},"offset_ns":5.0}}"#
        ))
    }

    fn clock(time_ns: i64, error_ns: f64) -> Line {
        line(&format!(r#"{{"type":"clock","time_ns":{time_ns},"true_error_ns":{error_ns:.1}}}"#))
    }

    #[test]
    fn figures_of_our_client() {
        let start = line(
            r#"{"type":"start","time_ns":1,"xdp_mode":"native","rx_timestamp_source":"xdp-sw","tx_timestamp_source":"socket-sw"}"#,
        );
        let log = ClientLog::read(
            10 * S,
            &[
                start,
                clock(10 * S + 1, 5e6),
                sample(10 * S + S / 5, "a", true),
                clock(11 * S, -2001.0),
                clock(12 * S, 300.0),
                clock(13 * S, -400.0),
                sample(14 * S, "b", false),
                sample(14 * S + S / 2, "b", true),
            ],
            Vec::new(),
        );
        let fault = Fault { at_ns: 14 * S - S / 4, server: "a".to_owned() };
        assert_eq!(log.xdp_mode.as_deref(), Some("native"));
        assert_eq!(log.first_offset_ms(), Some(200.0));
        assert_eq!(log.lock_ms(None), Some(1000.0));
        assert_eq!(log.lock_ms(Some(12 * S)), None, "still off at the end");
        assert_eq!(log.steady_error(14 * S).unwrap().max, 5e6);
        assert_eq!(log.steady_error(22 * S).unwrap().mean, -50.0, "the last ten seconds only");
        assert_eq!(log.failover_ms(&fault), Some(750.0), "samples of a standby do not count");
    }

    #[test]
    fn figures_of_ptp4l() {
        let offset = |offset_ns| Reading::Offset { offset_ns, path_delay_ns: 1000.0 };
        let exchange = Reading::Exchange { path_delay_ns: 1000.0 };
        let selected = |identity: &str| Reading::Selected(identity.to_owned());
        let log = PeerLog {
            started_ns: 0,
            readings: vec![
                (3 * S, selected("a")),
                (4 * S, exchange.clone()),
                (15 * S, offset(-800.0)),
                (16 * S, selected("a")),
                (17 * S, exchange.clone()),
                (19 * S, selected("b")),
                (20 * S, exchange),
            ],
        };
        assert_eq!(log.first_offset_ms(), Some(4000.0));
        assert_eq!(log.steady_error(16 * S).unwrap().rms, 800.0);
        assert_eq!(log.failover_ms(16 * S + 1), Some(4000.0));
        assert_eq!(log.failover_ms(21 * S), None);
    }
}
