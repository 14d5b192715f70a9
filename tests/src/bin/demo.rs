//! The demo, started by `cargo xtask demo`.

use clap::Parser;
use ptp_tests::demo::{self, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    match demo::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
