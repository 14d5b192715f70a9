//! `ptp-ctl run`.

use crate::config::Config;
use crate::runtime;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// TOML file with a table [client] or [server]; its keys are the flags of that subcommand, and `interface`
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Report as JSON lines on standard output, whatever the file says
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut settings = Config::load(&args.config)?;
    settings.common.json |= args.json;
    runtime::run(&settings)?;
    Ok(ExitCode::SUCCESS)
}
