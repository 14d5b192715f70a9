//! `ptp-ctl client`.

use crate::config::ClientOptions;
use crate::runtime;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    options: ClientOptions,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    runtime::run(&args.options.validate()?, None)?;
    Ok(ExitCode::SUCCESS)
}
