//! What `ptp-ctl top` shows of a client with two servers, as a picture for the book.

use crate::interrupt;
use crate::netns::{Family, World};
use crate::program::PtpCtl;
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::time::Duration;

/// The client's clock at its start, as in the demo: 5 ms ahead, 30 ppm fast.
const CLOCK: [&str; 4] = ["--virtual-offset", "5000000", "--virtual-frequency", "30000"];
/// How long the client runs before the screen is drawn, and how long that may take at the most.
const WATCHED_S: &str = "40";
const PATIENCE: Duration = Duration::from_secs(60);

/// The command line.
#[derive(Debug, clap::Parser)]
#[command(name = "pictures", about = "What the book shows of running programs")]
pub struct Options {
    /// The ptp-ctl program.
    #[arg(long, value_name = "FILE")]
    pub ptp_ctl: PathBuf,
    /// Write what `ptp-ctl top` shows of a client to this SVG file.
    #[arg(long, value_name = "FILE")]
    pub top: PathBuf,
}

/// Lets a client follow two servers, and makes the picture.
pub fn run(options: &Options) -> Result<()> {
    interrupt::install()?;
    let programs = PtpCtl::new(&options.ptp_ctl)?;
    let world = World::new(&["east", "west", "client"])?;
    let [east, west, client_host] = world.hosts() else { unreachable!("three names were given") };
    let _east = programs.server(east, "server east", &[])?;
    let _west = programs.server(west, "server west", &[])?;
    let mut client = programs.client(client_host, Family::V4, &[east, west], &CLOCK)?;
    let mut top = programs.command("top");
    top.arg("--run-dir").arg(programs.run_dir());
    top.arg("--picture").arg(&options.top).args(["--after", WATCHED_S]);
    let mut top = client_host.spawn("top", top)?;
    let ended = top.wait_exit(PATIENCE)?;
    ensure!(ended.success(), "top ended with {ended}\n{}", top.tail());
    client.check_alive()
}
