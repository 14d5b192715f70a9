//! `ptp-ctl now`.

use super::{print, print_json};
use crate::clock::{TimePageReader, monotonic_raw_nanos};
use crate::config::DEFAULT_RUN_DIR;
use crate::runtime;
use anyhow::Context as _;
use ptp_common::abi::{TimePage, TimeSpan};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Version of the JSON document; raised when a field changes its meaning or goes away.
const VERSION: u32 = 1;
const NANOS: i64 = 1_000_000_000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Interface that the client runs on
    #[arg(value_name = "IFACE", required_unless_present = "page")]
    interface: Option<String>,
    /// Directory of the controller's socket, where the page is unless the client has another time-page
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RUN_DIR)]
    run_dir: PathBuf,
    /// The time page itself, instead of the interface
    #[arg(long, value_name = "FILE", conflicts_with = "interface")]
    page: Option<PathBuf>,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

/// What is told, in UTC where that is known.
#[derive(Serialize)]
struct Now {
    version: u32,
    /// "utc", "tai" or "arbitrary".
    timescale: &'static str,
    state: &'static str,
    /// ns since the epoch of the timescale; absent where the interval is not known.
    earliest_ns: Option<i64>,
    latest_ns: Option<i64>,
    /// Why not.
    unknown: Option<String>,
    /// In between.
    most_likely_ns: Option<i64>,
    offset_ns: i64,
    bound_ns: u64,
    asymmetry_bound_ns: u64,
    accuracy_ns: Option<u64>,
    age_ns: u64,
}

/// Exit code 1 where the interval is not known.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let path = match (&args.page, &args.interface) {
        (Some(page), _) => page.clone(),
        (None, interface) => {
            runtime::time_page_path(&args.run_dir, interface.as_deref().unwrap_or_default())?
        }
    };
    let reader = TimePageReader::open(&path)
        .context("no client has written the time here; start one, or name its --run-dir or its --page")?;
    let page = reader.page()?;
    let now = Now::of(&page, monotonic_raw_nanos());
    if args.json {
        print_json(&now)?;
    } else {
        print(format_args!("{}\n", now.text()))?;
    }
    Ok(if now.unknown.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Now {
    fn of(page: &TimePage, raw_ns: u64) -> Self {
        let (timescale, minus_s) = match (page.ptp_timescale, page.utc_offset) {
            (true, Some(offset)) => ("utc", offset.into()),
            (true, None) => ("tai", 0),
            (false, _) => ("arbitrary", 0),
        };
        let shift = |nanos: i64| nanos.saturating_sub(minus_s * NANOS);
        let span = page.at(raw_ns);
        Self {
            version: VERSION,
            timescale,
            state: page.state.name(),
            earliest_ns: span.ok().map(|TimeSpan { earliest_ns, .. }| shift(earliest_ns)),
            latest_ns: span.ok().map(|TimeSpan { latest_ns, .. }| shift(latest_ns)),
            unknown: span.err().map(|why| why.to_string()),
            most_likely_ns: page.most_likely_ns(raw_ns).ok().map(shift),
            offset_ns: page.offset_ns,
            bound_ns: page.bound_ns,
            asymmetry_bound_ns: page.asymmetry_bound_ns,
            accuracy_ns: page.accuracy_ns,
            age_ns: page.age_ns(raw_ns),
        }
    }

    fn text(&self) -> String {
        let timescale = match self.timescale {
            "arbitrary" => "in an arbitrary timescale",
            "tai" => "TAI",
            _ => "UTC",
        };
        let state = self.state;
        match (self.earliest_ns, self.latest_ns, self.most_likely_ns, &self.unknown) {
            (Some(earliest), Some(latest), ..) => format!(
                "earliest {} {timescale}\nlatest   {} {timescale}\n{state}, within {} ns either way",
                date(earliest),
                date(latest),
                (latest - earliest) / 2
            ),
            (.., Some(time), Some(why)) => {
                format!("about {} {timescale}, {state}; earliest and latest are unknown: {why}", date(time))
            }
            (.., why) => format!("unknown: {}", why.as_deref().unwrap_or_default()),
        }
    }
}

/// As in ISO 8601, without a zone.
fn date(nanos: i64) -> String {
    let (seconds, fraction) = (nanos.div_euclid(NANOS), nanos.rem_euclid(NANOS));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, in 400 years of 146097 days: a year that begins in March ends with the leap day.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + next;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptp_common::abi::TimeState;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01T00:00:00.000000000");
        assert_eq!(date(951_782_400_000_000_001), "2000-02-29T00:00:00.000000001");
        assert_eq!(date(1_704_067_199_999_999_999), "2023-12-31T23:59:59.999999999");
        assert_eq!(date(-1), "1969-12-31T23:59:59.999999999");
    }

    #[test]
    fn the_interval_is_told_in_utc_or_why_not() {
        let page = TimePage {
            time_ns: 37 * NANOS,
            reference_ns: 5,
            bound_ns: 10,
            asymmetry_bound_ns: 20,
            accuracy_ns: Some(30),
            state: TimeState::Locked,
            ptp_timescale: true,
            utc_offset: Some(37),
            ..TimePage::default()
        };
        let now = Now::of(&page, 5);
        assert_eq!((now.earliest_ns, now.latest_ns, now.timescale), (Some(-60), Some(60), "utc"));
        assert!(now.text().contains("latest   1970-01-01T00:00:00.000000060 UTC"), "{}", now.text());
        let silent = Now::of(&TimePage { accuracy_ns: None, utc_offset: None, ..page }, 5);
        assert_eq!((silent.earliest_ns, silent.timescale), (None, "tai"));
        assert!(silent.text().contains("clockAccuracy"), "{}", silent.text());
        let gone = Now::of(&page, 10 * 1_000_000_000);
        assert_eq!((gone.latest_ns, gone.most_likely_ns), (None, None));
        assert!(gone.text().contains("does not run"), "{}", gone.text());
    }
}
