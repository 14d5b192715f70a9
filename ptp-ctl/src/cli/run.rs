//! `ptp-ctl run`.

use crate::config::{Config, Source};
use crate::runtime;
use anyhow::Context as _;
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
    let text = Config::read(&args.config)?;
    let mut settings = Config::parse(&text).map_err(|error| error.in_file(&args.config))?;
    settings.common.json |= args.json;
    // SIGHUP finds it from wherever we were started.
    let path = std::path::absolute(&args.config).context("cannot tell the working directory")?;
    runtime::run(&settings, Some(Source { path, text }))?;
    Ok(ExitCode::SUCCESS)
}
