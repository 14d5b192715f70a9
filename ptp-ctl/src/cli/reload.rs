//! `ptp-ctl reload`.

use super::controller::Controller;
use super::{print, print_json};
use crate::report::words;
use crate::runtime::Question;
use anyhow::bail;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    controller: Controller,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let answer = args
        .controller
        .ask(&Question::Reload)?
        .ok_or_else(|| args.controller.missing(": nothing to reload"))?;
    if args.json {
        print_json(&answer)?;
    }
    if let Some(error) = answer["error"].as_str() {
        bail!("{error}");
    }
    if !args.json {
        let keys = |name: &str| {
            words::list(&answer[name])
                .iter()
                .map(words::text)
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let lines = [("applied", keys("applied")), ("needs a restart", keys("needs_restart"))];
        let lines: Vec<_> = lines.iter().filter(|(_, keys)| !keys.is_empty()).collect();
        for (what, keys) in &lines {
            print(format_args!("{what}: {keys}\n"))?;
        }
        if lines.is_empty() {
            print("nothing has changed\n")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
