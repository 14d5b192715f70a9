//! The report for people.

use super::{Played, Report};
use crate::cli::drawing::Ns;
use crate::report::EventText;
use crate::sim::statistics::{Point, Statistics};
use std::fmt::{self, Display, Formatter};

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.title.is_empty() {
            writeln!(f, "{}", self.title)?;
        }
        let Self { duration_s, measured_from_s, settled_within_ns, all, runs, .. } = self;
        let limit = Ns(*settled_within_ns);
        writeln!(f, "{duration_s} s, measured from {measured_from_s} s on")?;
        if let [run] = runs.as_slice() {
            return run.write(f, limit);
        }
        writeln!(
            f,
            "{:>8} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "seed", "mean", "rms", "99 %", "max", "settled"
        )?;
        for Played { seed, statistics, .. } in runs {
            let Statistics { mean_ns, rms_ns, p99_ns, max_ns, settled_s, .. } = statistics;
            let cells = [Ns(*mean_ns), Ns(*rms_ns), Ns(*p99_ns), Ns(*max_ns)].map(|ns| ns.to_string());
            let [mean, rms, p99, max] = cells;
            let settled = seconds(*settled_s);
            writeln!(f, "{seed:>8} {mean:>10} {rms:>10} {p99:>10} {max:>10} {settled:>10}")?;
        }
        let (rms, max) = (Ns(all.rms_ns.unwrap_or(0.0)).to_string(), Ns(all.max_ns).to_string());
        let settled = seconds(all.settled_s);
        writeln!(f, "{:>8} {:>10} {rms:>10} {:>10} {max:>10} {settled:>10}", "all", "", "")?;
        writeln!(f, "settled: within {limit} for good")?;
        if let Some(held) = all.bound_held {
            writeln!(f, "99 % bound: held {:.2} % of the time", 100.0 * held)?;
        }
        writeln!(f, "at the end: {} rms", Ns(all.last_rms_ns.unwrap_or(0.0)))
    }
}

impl Played<'_> {
    fn write(&self, f: &mut Formatter<'_>, limit: Ns) -> fmt::Result {
        let Statistics { mean_ns, rms_ns, p99_ns, max_ns, last_ns, settled_s, bound, mtie, tdev } =
            &self.statistics;
        writeln!(f, "seed         {}", self.seed)?;
        writeln!(f, "true error   mean {}, rms {}", Ns(*mean_ns), Ns(*rms_ns))?;
        writeln!(f, "             99 % {}, max {}, at the end {}", Ns(*p99_ns), Ns(*max_ns), Ns(*last_ns))?;
        writeln!(f, "settled      within {limit} for good: {}", seconds(*settled_s))?;
        if let Some(bound) = bound {
            let (held, mean) = (100.0 * bound.held, Ns(bound.mean_ns));
            let rms = Ns(bound.estimate_rms_ns);
            writeln!(
                f,
                "99 % bound   held {held:.2} % of the time, mean {mean}, estimate's own error {rms} rms"
            )?;
        }
        writeln!(f, "{:<12} {:>9} {:>9}", "tau", "MTIE", "TDEV")?;
        for Point { tau_s, ns } in mtie {
            let tdev = tdev.iter().find(|point| point.tau_s == *tau_s);
            let tdev = tdev.map_or(String::new(), |point| Ns(point.ns).to_string());
            writeln!(f, "{:<12} {:>9} {tdev:>9}", format!("{tau_s} s"), Ns(*ns).to_string())?;
        }
        for happening in &self.run.events {
            writeln!(f, "{:>10.3} s  {}", happening.at_s, EventText(&happening.event))?;
        }
        Ok(())
    }
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds} s"))
}
