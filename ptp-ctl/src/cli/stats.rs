//! `ptp-ctl stats`.

use super::{print, print_json};
use crate::clock::realtime_nanos;
use crate::config::{DEFAULT_BPFFS, DEFAULT_RUN_DIR};
use crate::dataplane;
use crate::net::interface_index;
use crate::report::{PinnedCounters, PinnedDocument, VERSION};
use crate::runtime;
use anyhow::{Context, bail};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Interface that the controller runs on
    #[arg(value_name = "IFACE")]
    interface: String,
    /// Directory of the controller's socket
    #[arg(long, value_name = "DIR", default_value = DEFAULT_RUN_DIR)]
    run_dir: PathBuf,
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
    let interface = &args.interface;
    interface_index(interface)?;
    if let Some(interval) = args.watch {
        return watch(args, interval);
    }
    let Some(document) = document(args)? else {
        bail!(
            "no controller runs on {interface} ({} has no socket of one), and no program is attached to it; start \
             `ptp-ctl client {interface} ...` or `ptp-ctl server {interface}`, or name its --run-dir",
            args.run_dir.display()
        );
    };
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
        let nobody =
            || serde_json::json!({ "version": VERSION, "running": false, "interface": args.interface });
        let mut document = document(args)?.unwrap_or_else(nobody);
        document["time_ns"] = realtime_nanos().into();
        print_json(&document)?;
        next += interval;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// What the controller says; without one, what the attached program has counted.
fn document(args: &Args) -> anyhow::Result<Option<serde_json::Value>> {
    let interface = &args.interface;
    if let Some(document) = runtime::ask_running(&args.run_dir, interface, &runtime::Question::Stats)? {
        return serde_json::from_slice(&document).context("the controller's answer is no JSON").map(Some);
    }
    let Some(counters) = dataplane::read_pinned_counters(&args.bpffs, interface)? else { return Ok(None) };
    let document = PinnedDocument {
        version: VERSION,
        running: false,
        interface,
        data_plane: "xdp",
        xdp_mode: dataplane::probe::attached(interface)?.map(|attached| attached.mode),
        counters: PinnedCounters { xdp: counters.into_iter().collect() },
    };
    Ok(Some(serde_json::to_value(&document)?))
}
