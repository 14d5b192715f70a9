//! `cargo xtask lab`: hardware stamps and PHC steering without hardware, in a virtual machine.
//!
//! The machine's kernel is Debian's, its network devices are those of `tests/lab/ptplab`, and its init is the program
//! `lab` of the tests. Packages are unpacked under `target/lab`, nothing of them is installed.

mod cpio;
mod image;
mod machine;
mod module;
mod packages;

use crate::build_ebpf;
use crate::toolchain::{target_dir, workspace_root};
use anyhow::{Context as _, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The functional run may take so long, from power-on to power-off: it ends what hangs, on a busy machine too.
const FUNCTION_LIMIT: Duration = Duration::from_secs(900);
/// The measurements may take so long.
const FIGURES_LIMIT: Duration = Duration::from_secs(1800);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write the figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only whether it works, as `cargo xtask test` runs it: short, and no bar is judged.
    #[arg(long)]
    function: bool,
    /// Only these cases.
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let lab = prepare()?;
    build_ebpf::run()?;
    build_programs(&lab.target_dir)?;
    let mode = if options.function { "function" } else { "figures" };
    let limit = if options.function { FUNCTION_LIMIT } else { FIGURES_LIMIT };
    let report = lab.boot(mode, &options.cases, limit)?;
    if let Some(path) = &options.json {
        std::fs::write(path, &report).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The functional run, for `cargo xtask test`: `None` with the reason printed where the lab cannot be had.
pub(crate) fn test() -> anyhow::Result<Outcome> {
    let lab = match prepare() {
        Ok(lab) => lab,
        Err(error) => return Ok(Outcome::Skipped(format!("{error:#}"))),
    };
    build_programs(&lab.target_dir)?;
    lab.boot("function", &[], FUNCTION_LIMIT)?;
    Ok(Outcome::Passed)
}

/// What became of the functional run.
pub(crate) enum Outcome {
    Passed,
    /// The machine cannot have the lab, and why.
    Skipped(String),
}

/// All that does not change from run to run.
struct Lab {
    target_dir: PathBuf,
    directory: PathBuf,
    packages: packages::Packages,
    module: PathBuf,
}

fn prepare() -> anyhow::Result<Lab> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "the lab's kernel and programs are those of Debian amd64"
    );
    let target_dir = target_dir()?;
    let directory = target_dir.join("lab");
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let packages = packages::unpacked(&directory)?;
    let sources = workspace_root().join("tests/lab/ptplab");
    let module = module::built(&sources, &directory.join("module"), &packages)?;
    Ok(Lab { target_dir, directory, packages, module })
}

/// Release builds: an emulated CPU is slow enough.
fn build_programs(target_dir: &Path) -> anyhow::Result<()> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "--package", "ptp-ctl", "--package", "ptp-tests"])
        .args(["--bin", "ptp-ctl", "--bin", "lab", "--target-dir"])
        .arg(target_dir)
        .current_dir(workspace_root())
        .status()
        .context("cannot run cargo")?;
    ensure!(built.success(), "building the lab's programs failed");
    Ok(())
}

impl Lab {
    /// Runs the cases in the machine; its report, as JSON.
    fn boot(&self, mode: &str, cases: &[String], limit: Duration) -> anyhow::Result<Vec<u8>> {
        let programs = self.target_dir.join("release");
        let image = self.directory.join("initramfs.cpio");
        image::write(
            &image,
            &self.packages,
            &self.module,
            &[&programs.join("lab"), &programs.join("ptp-ctl")],
        )
        .context("cannot make the machine's file system")?;
        let mut parameters = format!("ptplab.mode={mode}");
        if !cases.is_empty() {
            parameters += &format!(" ptplab.cases={}", cases.join(","));
        }
        let report = self.directory.join("report.json");
        let status = machine::run(&self.packages, &image, &parameters, &report, limit)?;
        let text = std::fs::read(&report).with_context(|| format!("cannot read {}", report.display()))?;
        match status {
            Some(0) => Ok(text),
            Some(1) => bail!("the lab's cases failed: see above"),
            _ => bail!("the lab's machine died before it was done: see above"),
        }
    }
}
