//! What the demo tells while it runs.

use super::measure::{Event, Sample};
use crate::peers::Reading;
use crate::process::Line;

/// A dead server is asked again and again: nothing new.
const UNANSWERED: &str = "unanswered";

/// Prints lines with the time since the client's start, and keeps what the plot shall mark.
#[derive(Debug, Default)]
pub(super) struct Narrator {
    started_ns: i64,
    next_second: i64,
    recent_offsets_ns: Vec<f64>,
    true_error_ns: Option<f64>,
    peer_server: String,
    peer_measures: bool,
    marks: Vec<Event>,
}

impl Narrator {
    /// Time zero is the client's start.
    pub(super) fn new(started_ns: i64) -> Self {
        Self { started_ns, next_second: 1, ..Self::default() }
    }

    /// What happened that the plot shall mark.
    pub(super) fn marks(&self) -> &[Event] {
        &self.marks
    }

    /// Something that the demo itself has to tell.
    pub(super) fn tell(&self, time_ns: i64, text: &str) {
        self.say(time_ns, "demo", text);
    }

    /// Something that the demo does; short enough to be a mark in the plot.
    pub(super) fn act(&mut self, time_ns: i64, label: &str) {
        self.say(time_ns, "demo", label);
        self.mark(time_ns, label);
    }

    /// A line of our client.
    pub(super) fn client_line(&mut self, line: &Line) {
        let time_ns = line.time_ns().unwrap_or(line.arrived_ns);
        if line.is("clock") {
            self.true_error_ns = line.number_of("true_error_ns");
        } else if line.is("start") {
            let word = |key| line.text_of(key).unwrap_or("-");
            let (plane, mode) = (word("data_plane"), word("xdp_mode"));
            let (rx, tx) = (word("rx_timestamp_source"), word("tx_timestamp_source"));
            self.say(time_ns, "client", &format!("data plane {plane} ({mode}), stamps: RX {rx}, TX {tx}"));
        } else if let Some(sample) = Sample::read(line) {
            self.sample(&sample, line);
        } else if let Some(event) = line.text_of("event").filter(|event| *event != UNANSWERED) {
            let mut text = event.to_owned();
            for key in ["server", "reason", "detail"] {
                if let Some(value) = line.text_of(key) {
                    text += " ";
                    text += value;
                }
            }
            self.say(time_ns, "client", &text);
            if event == "selected" {
                self.mark(time_ns, &format!("uses {}", line.text_of("server").unwrap_or("?")));
            }
        }
    }

    /// A line of ptp4l's client.
    pub(super) fn peer_line(&mut self, line: &Line) {
        match Reading::parse(&line.text) {
            Some(Reading::Selected(identity)) if identity != self.peer_server => {
                self.say(line.arrived_ns, "ptp4l", &format!("selected {identity}"));
                self.peer_server = identity;
                self.peer_measures = false;
            }
            Some(Reading::Exchange { .. }) if !self.peer_measures => {
                self.peer_measures = true;
                self.say(line.arrived_ns, "ptp4l", "first complete exchange");
            }
            _ => {}
        }
    }

    /// One line each second is enough of eight samples: their median.
    fn sample(&mut self, sample: &Sample, line: &Line) {
        if !sample.used {
            return;
        }
        self.recent_offsets_ns.push(sample.offset_ns);
        let second = (sample.time_ns - self.started_ns) / 1_000_000_000;
        if second < self.next_second {
            return;
        }
        self.next_second = second + 1;
        let mut offsets = std::mem::take(&mut self.recent_offsets_ns);
        offsets.sort_by(f64::total_cmp);
        let offset_ns = offsets[offsets.len() / 2];
        let truth = self.true_error_ns.map_or_else(|| "unknown".to_owned(), duration);
        let text = format!(
            "{:<11} {:>11} measured, {:>11} in truth, path {:>8}, rate {:>+9.0} ppb, from {}",
            line.text_of("state").unwrap_or("-"),
            duration(offset_ns),
            truth,
            line.number_of("path_delay_ns").map_or_else(|| "-".to_owned(), duration),
            line.number_of("frequency_ppb").unwrap_or(0.0),
            sample.server,
        );
        self.say(sample.time_ns, "client", &text);
    }

    fn say(&self, time_ns: i64, who: &str, text: &str) {
        let seconds = (time_ns - self.started_ns) as f64 / 1e9;
        println!("{seconds:8.3} s  {who:<6}  {text}");
    }

    fn mark(&mut self, time_ns: i64, label: &str) {
        self.marks.push(Event { time_ns, label: label.to_owned() });
    }
}

/// Nanoseconds in the unit that reads best.
pub(super) fn duration(ns: f64) -> String {
    match ns.abs() {
        size if size < 10_000.0 => format!("{ns:.0} ns"),
        size if size < 10_000_000.0 => format!("{:.1} us", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}
