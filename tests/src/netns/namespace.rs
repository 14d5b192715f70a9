//! One network namespace: made with `ip netns add`, entered by a thread with `setns`.
//!
//! `ip netns exec` is not used: it mounts a new /sys, which hides bpffs from the program it starts.

use crate::scratch;
use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const DIRECTORY: &str = "/run/netns";

/// A network namespace that is deleted on drop.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Makes a namespace whose name ends in `suffix`, with its loopback up.
    pub fn create(suffix: &str) -> Result<Self> {
        let name = scratch::name(suffix);
        ip(&["netns", "add", &name])?;
        let path = Path::new(DIRECTORY).join(&name);
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        let namespace = Self { name, file };
        namespace.batch("link set lo up\n")?;
        Ok(namespace)
    }

    /// The name that `ip netns` knows.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` in a thread of its own inside the namespace. Processes that it starts live there too.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                setns(&self.file, CloneFlags::CLONE_NEWNET)
                    .with_context(|| format!("cannot enter namespace {}", self.name))?;
                work()
            });
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Writes a sysctl of the namespace, e.g. `net/ipv4/ip_forward`.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{key}");
        self.enter(|| std::fs::write(&path, value).with_context(|| format!("cannot write {value} to {path}")))
    }

    /// Runs lines of `ip` commands inside the namespace; the first that fails ends it.
    pub fn batch(&self, commands: &str) -> Result<()> {
        self.batch_with(&["-batch", "-"], commands)
    }

    /// The same for commands that take the IP version from an option only, such as `rule`.
    pub fn batch_v6(&self, commands: &str) -> Result<()> {
        self.batch_with(&["-6", "-batch", "-"], commands)
    }

    fn batch_with(&self, options: &[&str], commands: &str) -> Result<()> {
        self.enter(|| {
            let mut child = Command::new("ip")
                .args(options)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .context("cannot start `ip` (Debian package iproute2)")?;
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(commands.as_bytes()).context("cannot write to `ip -batch`")?;
            }
            let output = child.wait_with_output()?;
            if !output.status.success() {
                let stderr = String::from_utf8_lossy(&output.stderr);
                bail!("`ip -batch` in {}: {}\n{commands}", self.name, stderr.trim());
            }
            Ok(())
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

/// Deletes what runs of ours left behind that were killed before they could clean up: a namespace whose maker no
/// longer lives, with the processes still in it.
pub(super) fn sweep() {
    let Ok(entries) = std::fs::read_dir(DIRECTORY) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if scratch::is_stale(&name) {
            if let Ok(pids) = ip(&["netns", "pids", &name]) {
                for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()) {
                    // It may have ended by itself in the meantime.
                    let _ =
                        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL);
                }
            }
            delete(&name);
        }
    }
}

fn delete(name: &str) {
    if let Err(error) = ip(&["netns", "del", name]) {
        eprintln!("cannot delete namespace {name}: {error:#}");
    }
}

/// Runs `ip` in the namespace of the caller and returns what it printed.
fn ip(arguments: &[&str]) -> Result<String> {
    let output =
        Command::new("ip").args(arguments).output().context("cannot start `ip` (Debian package iproute2)")?;
    if !output.status.success() {
        bail!("`ip {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
