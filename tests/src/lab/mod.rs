//! Cases that need PTP hardware clocks, in the virtual machine of `cargo xtask lab`: our programs and ptp4l on network
//! devices whose true errors can be read.
//!
//! [`run`] is the machine's init: it mounts what a Linux system has, runs the cases one after the other, reports on the
//! second serial port and switches the machine off.

mod bench;
mod cases;
mod init;
mod ours;
mod ptp4l;

pub use bench::{Bench, Node};

use crate::figures::Report;
use anyhow::{Context as _, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How thorough the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Whether everything works: short, no bar is judged.
    Function,
    /// Figures and their bars.
    Figures,
}

/// One run of the cases.
#[derive(Debug)]
pub struct Run {
    /// How thorough.
    pub mode: Mode,
    /// What was found out so far.
    pub report: Report,
}

impl Run {
    /// One duration or the other, in seconds.
    pub fn seconds(&self, function: u64, figures: u64) -> Duration {
        Duration::from_secs(if self.mode == Mode::Function { function } else { figures })
    }
}

/// Runs everything, then switches the machine off. Only to be called by the machine's first process.
pub fn run() {
    let passed = match init::prepare().and_then(|parameters| run_cases(&parameters)) {
        Ok(passed) => passed,
        Err(error) => {
            println!("lab: {error:#}");
            false
        }
    };
    println!("lab: ended with status {}", i32::from(!passed));
    init::power_off();
}

fn run_cases(parameters: &init::Parameters) -> Result<bool> {
    let mut run = Run { mode: parameters.mode, report: Report::new("lab") };
    let mut failed = Vec::new();
    for (name, case) in cases::ALL {
        if !parameters.cases.is_empty() && !parameters.cases.iter().any(|wanted| wanted == name) {
            continue;
        }
        let started = Instant::now();
        println!("lab: {name} …");
        let result = catch_unwind(AssertUnwindSafe(|| case(&mut run)))
            .unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked, see above")));
        match result {
            Ok(()) => println!("lab: {name}: ok ({:.1} s)", started.elapsed().as_secs_f64()),
            Err(error) => {
                println!("lab: {name}: FAILED ({:.1} s): {error:#}", started.elapsed().as_secs_f64());
                failed.push(*name);
            }
        }
    }
    println!("\n{}", run.report.table());
    let document = serde_json::to_vec(&run.report)?;
    std::fs::write(init::REPORT, document).with_context(|| format!("cannot write {}", init::REPORT))?;
    if run.mode == Mode::Figures {
        failed.extend(run.report.missed().map(|_| "a bar"));
    }
    let kernel = init::kernel_complaints()?;
    for line in &kernel {
        println!("lab: the kernel complains: {line}");
    }
    if !failed.is_empty() {
        println!("lab: failed: {}", failed.join(", "));
    }
    Ok(failed.is_empty() && kernel.is_empty())
}
