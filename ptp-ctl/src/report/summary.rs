//! What people see of the samples: one line every few seconds.

use crate::engine::client::Sample;
use std::fmt;

/// Samples of the server in use since the last summary.
#[derive(Debug, Default)]
pub(super) struct Summary {
    last: Option<Sample>,
    count: u32,
    squares: f64,
    largest: f64,
}

impl Summary {
    pub(super) fn add(&mut self, sample: &Sample) {
        if sample.selected {
            self.last = Some(*sample);
            self.count += 1;
            self.squares += sample.offset_ns * sample.offset_ns;
            self.largest = self.largest.max(sample.offset_ns.abs());
        }
    }

    /// The summary, if there is anything to sum up; starts a new one.
    pub(super) fn take(&mut self) -> Option<impl fmt::Display + use<>> {
        let Self { last, count, squares, largest } = std::mem::take(self);
        let last = last?;
        Some(Text { last, count, rms: (squares / f64::from(count)).sqrt(), largest })
    }
}

struct Text {
    last: Sample,
    count: u32,
    rms: f64,
    largest: f64,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, count, rms, largest } = self;
        write!(
            f,
            "{} {}: offset {:+.0} ns (rms {rms:.0} ns, max {largest:.0} ns of {count}), path delay {:.0} ns, \
             frequency {:+.1} ppb",
            super::name(&last.state),
            last.server,
            last.offset_ns,
            last.path_delay_ns,
            last.frequency_ppb
        )
    }
}
