//! One command for everything a contributor does: `cargo xtask <subcommand>`.

mod bench;
mod build_ebpf;
mod chrony;
mod container;
mod demo;
mod dist;
mod lab;
mod layers;
mod pictures;
mod test;
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
    /// Build everything and show it: two servers, a router, a client, and what happens when a server dies.
    Demo(demo::Options),
    /// Make the book's pictures anew: the demo's plot, and a screen of `ptp-ctl top`.
    Pictures,
    /// Measure: `bench accuracy`, …
    Bench(bench::Options),
    /// Hardware stamps and PHC steering in a virtual machine, with figures beside ptp4l's.
    Lab(lab::Options),
    /// Make the Debian package, and try it out.
    Dist(dist::Options),
    /// Make the container image, and try it out.
    Container(container::Options),
    /// Run every test there is.
    Test(test::Options),
    /// Check who imports whom against ARCHITECTURE.
    Layers,
    /// Build the XDP object that ptp-ctl embeds.
    BuildEbpf,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Pictures => pictures::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Lab(options) => lab::run(&options),
        Command::Dist(options) => dist::run(&options),
        Command::Container(options) => container::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Layers => layers::run(),
        Command::BuildEbpf => build_ebpf::run(),
    }
}
