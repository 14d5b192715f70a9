//! What `cargo xtask bench NAME` measures. Every bench prints its figures as one table and writes them as one document.

pub mod accuracy;
pub mod cost;
pub mod failover;
mod limit;
pub mod packets;
pub mod server;

use crate::figures::Report;
use crate::interrupt;
use anyhow::{Result, bail};
use packets::Condition;
use std::path::PathBuf;
use std::time::Duration;

/// The program's command line.
#[derive(Debug, clap::Parser)]
#[command(name = "bench", about = "Measures, and compares with peers")]
pub struct Options {
    #[command(subcommand)]
    bench: Bench,
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// Time error under packet delay variation: simulated, then on real packets, and what that costs.
    Accuracy {
        /// Only this part; all of them if left out.
        #[arg(long, value_enum)]
        only: Option<Part>,
    },
    /// How long a client is without time when servers come and go: on real packets beside ptp4l, and simulated.
    Failover {
        /// Measure only this.
        #[arg(long, value_enum)]
        only: Option<FailoverPart>,
        /// Play 10,000 simulated hours of random faults as well, and 100,000 clients that start in one second.
        #[arg(long)]
        long: bool,
        /// Play so many hours instead.
        #[arg(long, value_name = "H", requires = "long", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(20..))]
        hours: u32,
    },
    /// What a server can do on this machine, beside the smallest possible responder and ptp4l.
    Server {
        /// Only this part; all of them if left out.
        #[arg(long, value_enum)]
        only: Option<server::Part>,
        /// How long each run of the responders takes, seconds. Figures for comparison take 10.
        #[arg(long, value_name = "S", default_value_t = 10.0)]
        seconds: f64,
    },
}

/// A part of `failover`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailoverPart {
    /// In the simulator.
    Simulated,
    /// On veth, beside ptp4l.
    Packets,
}

/// A part of `accuracy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// In the simulator.
    Simulated,
    /// On veth, both ends with one clock, nothing else going on.
    Idle,
    /// The same beside a busy CPU and bulk traffic.
    Loaded,
    /// CPU time and memory at 128 Sync a second.
    Cost,
}

/// Measures and reports. Fails if a figure missed its bar.
pub fn run(options: &Options) -> Result<()> {
    interrupt::install()?;
    let report = match options.bench {
        Bench::Accuracy { only } => {
            let mut report = Report::new("accuracy");
            let wanted = |part| only.is_none_or(|only| only == part);
            if wanted(Part::Simulated) {
                accuracy::run(&mut report)?;
            }
            for (part, condition) in [(Part::Idle, Condition::Idle), (Part::Loaded, Condition::Loaded)] {
                if wanted(part) {
                    packets::run(&mut report, condition)?;
                }
            }
            if wanted(Part::Cost) {
                cost::run(&mut report)?;
            }
            report
        }
        Bench::Failover { only, long, hours } => {
            let mut report = Report::new("failover");
            let wanted = |part| only.is_none_or(|only| only == part);
            if wanted(FailoverPart::Simulated) {
                failover::run_simulated(&mut report)?;
            }
            if wanted(FailoverPart::Packets) {
                failover::run_packets(&mut report)?;
            }
            if long {
                failover::run_long(&mut report, hours)?;
                failover::run_crowd(&mut report)?;
            }
            report
        }
        Bench::Server { only, seconds } => server::run(only, Duration::from_secs_f64(seconds))?,
    };
    println!("{}", report.table());
    if let Some(path) = &options.json {
        report.write_json(path)?;
        println!("figures: {}", path.display());
    }
    judge(&report)
}

fn judge(report: &Report) -> Result<()> {
    let missed: Vec<String> = report.missed().map(|row| format!("{} ({})", row.metric, row.case)).collect();
    if !missed.is_empty() {
        bail!("missed its bar: {}", missed.join(", "));
    }
    Ok(())
}
