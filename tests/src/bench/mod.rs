//! What `cargo xtask bench NAME` measures. Every bench prints its figures as one table and writes them as one document.

pub mod accuracy;
pub mod cost;
mod limit;
pub mod packets;

use crate::figures::Report;
use crate::interrupt;
use anyhow::{Result, bail};
use packets::Condition;
use std::path::PathBuf;

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
