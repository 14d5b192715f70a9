//! `ptp-ctl config`: configuration files written, shown and translated.

use super::print;
use crate::config::{self, Config, ConfigError, Profile, RoleName};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print a new file: what must be given, and every other key with its help and default as a comment
    Init {
        /// What the controller shall be
        #[arg(long, value_enum, value_name = "ROLE")]
        role: RoleName,
        /// With the defaults of this profile
        #[arg(long, value_enum, value_name = "NAME", default_value_t)]
        profile: Profile,
    },
    /// Print the settings of a file
    Show {
        /// The file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// With all defaults: everything that is in force
        #[arg(long)]
        effective: bool,
    },
    /// Print a file that does what a unicast configuration of linuxptp's ptp4l does, and name what it cannot
    FromPtp4l {
        /// ptp4l's file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Init { role, profile } => print(config::init(*role, *profile))?,
        Command::Show { config, effective } => {
            let text = Config::read(config)?;
            let shown = config::show(&text, *effective).map_err(|error| error.in_file(config))?;
            print(shown)?;
        }
        Command::FromPtp4l { file } => {
            let translation = config::translate(&Config::read(file)?)?;
            for line in &translation.left_out {
                eprintln!("ptp-ctl: {}: not translated: {line}", file.display());
            }
            print(translation.text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether an error is about settings or a file with settings.
pub(super) fn is_mistake(error: &anyhow::Error) -> bool {
    error.is::<ConfigError>() || error.is::<config::TranslationError>()
}
