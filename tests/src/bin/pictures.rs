//! The screens that the book shows, started by `cargo xtask pictures`.

use clap::Parser;
use ptp_tests::pictures::{self, Options};
use std::process::ExitCode;

fn main() -> ExitCode {
    match pictures::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pictures: {error:#}");
            ExitCode::FAILURE
        }
    }
}
