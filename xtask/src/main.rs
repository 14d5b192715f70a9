//! One command for everything a contributor does: `cargo xtask <subcommand>`.

mod build_ebpf;
mod toolchain;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and shows the project")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the XDP object that ptp-ctl embeds.
    BuildEbpf,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::BuildEbpf => build_ebpf::run(),
    }
}
