//! What `cargo xtask bench NAME` measures. Every bench prints its figures as one table and writes them as one document.

pub mod accuracy;

use crate::figures::Report;
use anyhow::{Result, bail};
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
    /// Time error under packet delay variation.
    Accuracy,
}

/// Measures and reports. Fails if a figure missed its bar.
pub fn run(options: &Options) -> Result<()> {
    let report = match options.bench {
        Bench::Accuracy => accuracy::run()?,
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
