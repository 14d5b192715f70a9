//! Tests that cannot run here say so, and `cargo xtask test` sums it up.

use crate::program::PtpCtl;
use nix::unistd::geteuid;
use std::io::Write;
use std::process::{Command, Stdio};

/// Names the file that `cargo xtask test` collects skipped tests in.
pub const SKIP_LOG: &str = "PTP_SKIP_LOG";

/// Reports that `test` does not run on this machine, and why.
pub fn skip(test: &str, why: &str) {
    let line = format!("SKIPPED: {test}: {why}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os(SKIP_LOG) {
        let written = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            eprintln!("cannot write {}: {error}", path.display());
        }
    }
}

/// What a test may need of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The super-user, for namespaces and XDP.
    Root,
    /// A program in the PATH.
    Program(&'static str),
    /// Our own program, built.
    PtpCtl,
}

/// Whether the machine has all of it; if not, `test` is reported as skipped.
pub fn have(test: &str, needs: &[Need]) -> bool {
    let missing = needs.iter().find_map(|need| match *need {
        Need::Root => (!geteuid().is_root()).then(|| "needs root".to_owned()),
        Need::Program(program) => (!runs(program)).then(|| format!("needs the program {program}")),
        Need::PtpCtl => PtpCtl::find().err().map(|error| error.to_string()),
    });
    if let Some(why) = &missing {
        skip(test, why);
    }
    missing.is_none()
}

/// Whether the program can be started at all; what it answers does not matter.
fn runs(program: &str) -> bool {
    Command::new(program).arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
