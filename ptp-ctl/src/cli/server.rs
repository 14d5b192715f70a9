//! `ptp-ctl server`.

use crate::config::ServerOptions;
use crate::runtime;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: ServerOptions,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    runtime::run(&args.options.validate()?, None)?;
    Ok(ExitCode::SUCCESS)
}
