//! What the machine's first process has to do.

use super::Mode;
use anyhow::{Context as _, Result, bail};
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use std::fs;
use std::process::Command;

/// The second serial port, which ends in a file of the host.
pub(super) const REPORT: &str = "/dev/ttyS1";

const MOUNTS: [(&str, &str); 7] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/run"),
    ("tmpfs", "/tmp"),
    ("bpf", "/sys/fs/bpf"),
    ("debugfs", "/sys/kernel/debug"),
];

/// Of the kernel's, what the cases use.
const MODULES: [&str; 3] = ["veth", "8021q", "sch_netem"];

/// What the kernel's command line says.
pub(super) struct Parameters {
    pub(super) mode: Mode,
    /// Empty: all.
    pub(super) cases: Vec<String>,
}

pub(super) fn prepare() -> Result<Parameters> {
    for (kind, path) in MOUNTS {
        mount(Some(kind), path, Some(kind), MsFlags::empty(), None::<&str>)
            .with_context(|| format!("cannot mount {path}"))?;
    }
    // SAFETY: no other thread exists yet.
    unsafe { std::env::set_var("PATH", "/bin") };
    let linked = Command::new("ip").args(["link", "set", "lo", "up"]).status().context("cannot run ip")?;
    if !linked.success() {
        bail!("the loopback interface does not come up");
    }
    for module in MODULES {
        let loaded = Command::new("modprobe").arg(module).status().context("cannot run modprobe")?;
        if !loaded.success() {
            bail!("the kernel module {module} does not load");
        }
    }
    let line = fs::read_to_string("/proc/cmdline")?;
    let parameter = |key| line.split_whitespace().find_map(|word| word.strip_prefix(key));
    Ok(Parameters {
        mode: match parameter("ptplab.mode=") {
            Some("function") => Mode::Function,
            Some("figures") => Mode::Figures,
            other => bail!("ptplab.mode is {other:?}, not function or figures"),
        },
        cases: parameter("ptplab.cases=")
            .unwrap_or_default()
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// Lines of the kernel's log that no test may cause.
pub(super) fn kernel_complaints() -> Result<Vec<String>> {
    let output = Command::new("busybox").arg("dmesg").output().context("cannot run dmesg")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let bad = |line: &&str| ["BUG", "WARNING", "Oops", "leak"].iter().any(|word| line.contains(word));
    Ok(text.lines().filter(bad).map(str::to_owned).collect())
}

pub(super) fn power_off() -> ! {
    nix::unistd::sync();
    let never = reboot(RebootMode::RB_POWER_OFF);
    // The first process must not end: the kernel would panic.
    println!("lab: cannot switch off: {never:?}");
    loop {
        std::thread::park();
    }
}
