//! `ptp-ctl pages`: what packages have beside the program, made from the command line itself.

use super::print;
use anyhow::Context;
use clap_complete::Shell;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory for man pages (`man`) and completions (`completions`); it is made
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(args: &Args, mut command: clap::Command) -> anyhow::Result<ExitCode> {
    let name = command.get_name().to_owned();
    let [man, completions] = ["man", "completions"].map(|part| args.directory.join(part));
    for directory in [&man, &completions] {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    clap_mangen::generate_to(command.clone(), &man)
        .with_context(|| format!("cannot write man pages into {}", man.display()))?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, &name, &completions)
            .with_context(|| format!("cannot write completions into {}", completions.display()))?;
    }
    print(format_args!("{}\n", args.directory.display()))?;
    Ok(ExitCode::SUCCESS)
}
