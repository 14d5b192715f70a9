//! `ptp-ctl stats`.

use super::controller::Controller;
use super::{print, print_json};
use crate::clock::realtime_nanos;
use crate::config::DEFAULT_BPFFS;
use crate::dataplane;
use crate::report::{PinnedCounters, PinnedDocument, VERSION};
use crate::runtime::Question;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    controller: Controller,
    /// Where bpffs is mounted
    #[arg(long, value_name = "DIR", default_value = DEFAULT_BPFFS)]
    bpffs: PathBuf,
    /// On one line, as the other subcommands do; without it, indented
    #[arg(long)]
    json: bool,
    /// Again and again, a line of JSON each time, every so many seconds, 0.1 to 3600; a controller that ends or starts meanwhile
    /// is told by `running`
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = interval)]
    watch: Option<Duration>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number of seconds".to_owned())?;
    if (0.1..=3600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("must be 0.1 to 3600 s".to_owned())
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(interval) = args.watch {
        return watch(args, interval);
    }
    let document = document(args)?.ok_or_else(|| {
        let interface = &args.controller.interface;
        args.controller.missing(&format!(
            ", and no program is attached to it; start `ptp-ctl client {interface} ...` or `ptp-ctl server {interface}`, \
             or name its --run-dir"
        ))
    })?;
    if args.json {
        print_json(&document)?;
    } else {
        print(serde_json::to_string_pretty(&document)? + "\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Until nobody reads any more, or somebody ends it.
fn watch(args: &Args, interval: Duration) -> anyhow::Result<ExitCode> {
    let mut next = Instant::now();
    loop {
        match document(args)? {
            Some(document) => print_json(&document)?,
            None => print_json(&alone(args))?,
        }
        next += interval;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// What the controller says; without one, what the attached program has counted.
fn document(args: &Args) -> anyhow::Result<Option<serde_json::Value>> {
    if let Some(document) = args.controller.ask(&Question::Stats)? {
        return Ok(Some(document));
    }
    let interface = &args.controller.interface;
    let Some(counters) = dataplane::read_pinned_counters(&args.bpffs, interface)? else { return Ok(None) };
    let document = PinnedDocument {
        data_plane: Some("xdp"),
        xdp_mode: dataplane::probe::attached(interface)?.map(|attached| attached.mode),
        counters: Some(PinnedCounters { xdp: counters.into_iter().collect() }),
        ..alone(args)
    };
    Ok(Some(serde_json::to_value(&document)?))
}

/// Neither controller nor program.
fn alone(args: &Args) -> PinnedDocument<'_> {
    PinnedDocument {
        version: VERSION,
        running: false,
        time_ns: realtime_nanos(),
        interface: &args.controller.interface,
        data_plane: None,
        xdp_mode: None,
        counters: None,
    }
}
