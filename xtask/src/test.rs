//! `cargo xtask test`: everything there is, and at the end what was skipped and why.

use crate::toolchain::{Package, ensure_packages, target_dir, workspace_root};
use crate::{build_ebpf, chrony, container, lab};
use anyhow::{Context as _, bail, ensure};
use std::io::Write as _;
use std::process::Command;

/// Names the file that tests append a line to when they skip themselves.
const SKIP_LOG: &str = "PTP_SKIP_LOG";
/// Names the ptp-ctl program that the tests run.
const PTP_CTL: &str = "PTP_CTL";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A test that skips itself is an error.
    #[arg(long)]
    no_skip: bool,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let packages = ensure_packages(&[
        Package::command("iproute2", "ip", "tests in network namespaces"),
        Package::command("linuxptp", "ptp4l", "tests together with ptp4l"),
        Package::command("tshark", "tshark", "a second opinion on the packets that are sent"),
        Package::command("prometheus", "promtool", "a second opinion on metrics, dashboard and alert rules"),
    ]);
    if let Err(error) = packages {
        if options.no_skip {
            return Err(error);
        }
        eprintln!("{error:#}\nTests that need them will be skipped.");
    }
    build_ebpf::run()?;

    let target_dir = target_dir()?;
    let path = match chrony::path(&target_dir) {
        Ok(path) => path,
        Err(error) if options.no_skip => return Err(error),
        Err(error) => {
            eprintln!("{error:#}\nTests together with chrony will be skipped.");
            std::env::var_os("PATH").unwrap_or_default()
        }
    };
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).arg("--target-dir").arg(&target_dir).current_dir(workspace_root());
        cargo
    };
    // Tests of another package do not get a binary built by themselves.
    let built = cargo(&["build", "--locked", "--package", "ptp-ctl"]).status().context("cannot run cargo")?;
    ensure!(built.success(), "building ptp-ctl failed");

    let program = target_dir.join("debug/ptp-ctl");
    let skip_log = target_dir.join("skipped-tests.log");
    std::fs::write(&skip_log, "").with_context(|| format!("cannot write {}", skip_log.display()))?;
    let passed = cargo(&["test", "--locked", "--workspace", "--exclude", "ptp-ebpf", "--no-fail-fast"])
        .env(SKIP_LOG, &skip_log)
        .env(PTP_CTL, &program)
        .env("PATH", path)
        .status()
        .context("cannot run cargo")?;
    for (name, outcome) in [("container", container::test(&program)?), ("lab", lab::test()?)] {
        if let lab::Outcome::Skipped(why) = outcome {
            let mut log = std::fs::File::options().append(true).open(&skip_log)?;
            writeln!(log, "SKIPPED: {name}: {}", why.replace('\n', " "))?;
        }
    }

    let skipped = std::fs::read_to_string(&skip_log)?;
    let count = skipped.lines().count();
    eprint!("\n{skipped}");
    ensure!(passed.success(), "tests failed; {count} skipped");
    if options.no_skip && count > 0 {
        bail!("{count} tests were skipped, and --no-skip forbids it");
    }
    eprintln!("All tests passed; {count} skipped.");
    Ok(())
}
