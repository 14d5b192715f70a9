//! The benches, started by `cargo xtask bench`.

use clap::Parser;
use ptp_tests::bench::{self, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    match bench::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
