//! `cargo xtask pictures`: the pictures of the book, made anew by the programs themselves.

use crate::demo::{build, command};
use crate::toolchain::workspace_root;
use anyhow::{Context as _, ensure};
use std::path::Path;

/// Where the book has them.
const DIRECTORY: &str = "docs/images";

pub(crate) fn run() -> anyhow::Result<()> {
    let programs = build(&["demo", "pictures"])?;
    let directory = workspace_root().join(DIRECTORY);
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    make(&programs, "demo", "--plot", &directory.join("demo.svg"))?;
    make(&programs, "pictures", "--top", &directory.join("top.svg"))
}

fn make(programs: &Path, program: &str, flag: &str, picture: &Path) -> anyhow::Result<()> {
    let status = command(programs, program).arg(flag).arg(picture).status();
    let status = status.with_context(|| format!("cannot run {}", programs.join(program).display()))?;
    ensure!(status.success(), "{program} failed: {} may be that of before", picture.display());
    println!("{}", picture.display());
    Ok(())
}
