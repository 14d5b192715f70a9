//! `ptp-ctl status`.

use super::controller::Controller;
use super::print;
use crate::clock::realtime_nanos;
use crate::report;
use crate::runtime::Question;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    controller: Controller,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let controller = &args.controller;
    let document = controller.ask(&Question::Stats)?.ok_or_else(|| controller.missing(""))?;
    print(report::page(&document, realtime_nanos()))?;
    Ok(ExitCode::SUCCESS)
}
