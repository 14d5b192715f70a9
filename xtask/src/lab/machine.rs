//! The virtual machine, emulated: it needs no privilege and no KVM.

use super::packages::Packages;
use anyhow::{Context as _, bail};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What the program in the machine prints last, with its exit status.
const ENDED: &str = "lab: ended with status ";

/// Runs the machine until it powers itself off; shows its console. The report is what it writes to its second serial
/// port. Returns the status that the program in it ended with, `None` if the machine died first.
pub(super) fn run(
    packages: &Packages,
    image: &Path,
    parameters: &str,
    report: &Path,
    limit: Duration,
) -> anyhow::Result<Option<i32>> {
    let _ = fs::remove_file(report);
    let share = packages.root.join("usr/share");
    let mut command = packages.tool("usr/bin/qemu-system-x86_64", "qemu-system-x86_64");
    command
        .env("QEMU_MODULE_DIR", packages.root.join("usr/lib/x86_64-linux-gnu/qemu"))
        .arg("-L")
        .arg(share.join("qemu"))
        .arg("-L")
        .arg(share.join("seabios"))
        // With rdrand the kernel has random numbers from the start.
        .args([
            "-M",
            "q35",
            "-cpu",
            "qemu64,+rdrand",
            "-accel",
            "tcg,thread=multi",
            "-smp",
            "2",
            "-m",
            "512M",
        ])
        .args(["-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none", "-serial", "stdio"])
        .arg("-serial")
        .arg(format!("file:{}", report.display()))
        .arg("-kernel")
        .arg(packages.kernel.join(format!("boot/vmlinuz-{}", packages.version)))
        .arg("-initrd")
        .arg(image)
        .arg("-append")
        .arg(format!("console=ttyS0 quiet panic=-1 oops=panic tsc=reliable mitigations=off {parameters}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let started = Instant::now();
    let mut machine = Machine(command.spawn().context("cannot start QEMU")?);
    let console = machine.0.stdout.take().context("QEMU has no console")?;
    let reader = thread::spawn(move || {
        let mut status = None;
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            eprintln!("{line}");
            if let Some(ended) = line.strip_prefix(ENDED) {
                status = ended.parse().ok();
            }
        }
        status
    });
    while machine.0.try_wait()?.is_none() {
        if started.elapsed() > limit {
            bail!("the lab's machine still ran after {} s", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
    eprintln!("lab: {} s in all", started.elapsed().as_secs());
    Ok(reader.join().ok().flatten())
}

/// Ends with this.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
