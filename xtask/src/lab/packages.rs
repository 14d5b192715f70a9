//! Debian packages that are unpacked, not installed: the machine's kernel and programs, and QEMU.

use crate::toolchain::Package;
use crate::toolchain::ensure_packages;
use anyhow::{Context as _, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages whose latest version depends on the kernel to use; the first that there is.
const KERNELS: [&str; 2] = ["linux-image-6.12-cloud-amd64", "linux-image-cloud-amd64"];
/// What the machine runs in, and runs.
const PROGRAMS: [&str; 6] = ["qemu-system-x86", "busybox-static", "kmod", "libelf1", "linuxptp", "iproute2"];
/// Says that everything was unpacked, and names the kernel's version.
const DONE: &str = "kernel-version";

/// Where everything is.
pub(super) struct Packages {
    /// Programs and the libraries that they need.
    pub(super) root: PathBuf,
    /// Kernel, modules, headers.
    pub(super) kernel: PathBuf,
    /// As `uname -r` says it.
    pub(super) version: String,
}

/// Unpacks what is not yet there.
pub(super) fn unpacked(directory: &Path) -> anyhow::Result<Packages> {
    let done = directory.join(DONE);
    if !done.exists() {
        let version = fetch(directory).context(
            "the lab needs packages of Debian 12 or later from apt, about 100 MB, once; nothing of them is installed",
        )?;
        fs::write(&done, version)?;
    }
    let version = fs::read_to_string(&done)?.trim().to_owned();
    Ok(Packages { root: directory.join("root"), kernel: directory.join("kernel"), version })
}

impl Packages {
    /// A program of the packages, with the libraries of the packages.
    pub(super) fn tool(&self, path: &str, name: &str) -> Command {
        let mut command = Command::new(self.loader());
        command
            .arg("--argv0")
            .arg(name)
            .arg("--library-path")
            .arg(self.library_path())
            .arg(self.root.join(path));
        command
    }

    pub(super) fn loader(&self) -> PathBuf {
        self.root.join("lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
    }

    /// Where the machine's libraries come from, in order.
    pub(super) fn library_directories(&self) -> [PathBuf; 2] {
        ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"].map(|path| self.root.join(path))
    }

    fn library_path(&self) -> String {
        self.library_directories().map(|path| path.display().to_string()).join(":")
    }
}

fn fetch(directory: &Path) -> anyhow::Result<String> {
    let [root, kernel, archives] = ["root", "kernel", "archives"].map(|name| directory.join(name));
    for path in [&root, &kernel, &archives] {
        if path.exists() {
            fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        fs::create_dir_all(path)?;
    }
    eprintln!("Fetching the lab's Debian packages (100 MB, once)");
    // Fails where only root may; what was fetched before may do.
    if let Err(error) = apt(directory, &["update"]) {
        eprintln!("{error:#}; going on with what apt knows");
    }
    let version = kernel_version()?;
    download_closure(directory, &archives)?;
    let mut headers = version.clone();
    let flavour = headers.rfind("-cloud").context("the kernel is no cloud kernel")?;
    headers.truncate(flavour);
    let names = [
        format!("linux-image-{version}"),
        format!("linux-headers-{version}"),
        format!("linux-headers-{headers}-common"),
        format!("linux-kbuild-{headers}"),
    ];
    let kernel_archives = directory.join("kernel-archives");
    fs::create_dir_all(&kernel_archives)?;
    let mut arguments = vec!["download"];
    arguments.extend(names.iter().map(String::as_str));
    apt(&kernel_archives, &arguments)?;

    unpack(&archives, &root)?;
    unpack(&kernel_archives, &kernel)?;
    for path in [&archives, &kernel_archives] {
        fs::remove_dir_all(path)?;
    }
    // The headers name each other by absolute paths.
    let makefile = kernel.join(format!("usr/src/linux-headers-{version}/Makefile"));
    let text = fs::read_to_string(&makefile)?;
    fs::write(&makefile, text.replace("/usr/src", &format!("{}/usr/src", kernel.display())))?;
    let packages = Packages { root, kernel, version };
    run(packages.tool("bin/kmod", "depmod").arg("-b").arg(&packages.kernel).arg(&packages.version))?;
    Ok(packages.version)
}

/// What `uname -r` will say.
fn kernel_version() -> anyhow::Result<String> {
    for package in KERNELS {
        let output = Command::new("apt-cache").args(["depends", package]).output().context("no apt-cache")?;
        let text = String::from_utf8_lossy(&output.stdout);
        if let Some(version) = text.lines().find_map(|line| line.trim().strip_prefix("Depends: linux-image-"))
        {
            return Ok(version.to_owned());
        }
    }
    bail!("apt knows none of {}", KERNELS.join(", "))
}

/// The programs and all that they depend on, as seen from a system without any package.
fn download_closure(directory: &Path, archives: &Path) -> anyhow::Result<()> {
    let nothing = directory.join("no-packages");
    fs::write(&nothing, "")?;
    fs::create_dir_all(archives.join("partial"))?;
    let status = format!("Dir::State::status={}", nothing.display());
    let cache = format!("Dir::Cache::archives={}", archives.display());
    let mut arguments = vec!["-o", &*status, "-o", &*cache, "-o", "Debug::NoLocking=1"];
    arguments.extend(["--no-install-recommends", "--download-only", "install"]);
    arguments.extend(PROGRAMS);
    apt(directory, &arguments)
}

fn apt(directory: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    run(Command::new("apt-get")
        .args(["--quiet=2", "--yes", "-o", "APT::Sandbox::User=root"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(std::process::Stdio::null())
        .current_dir(directory))
}

fn unpack(archives: &Path, into: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(archives)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("deb")) {
            run(Command::new("dpkg").arg("-x").arg(&path).arg(into))?;
        }
    }
    Ok(())
}

/// The compiler that the kernel was built with, installed if it is not there, and make.
pub(super) fn ensure_compiler(packages: &Packages) -> anyhow::Result<()> {
    let config = packages.kernel.join(format!("boot/config-{}", packages.version));
    let text = fs::read_to_string(&config).with_context(|| format!("cannot read {}", config.display()))?;
    let compiler = text
        .lines()
        .find_map(|line| line.strip_prefix("CONFIG_CC_VERSION_TEXT=\"")?.split_whitespace().next())
        .context("the kernel does not tell its compiler")?;
    let package = compiler.strip_prefix("x86_64-linux-gnu-").unwrap_or(compiler);
    let path = PathBuf::from("/usr/bin").join(compiler);
    ensure_packages(&[
        Package::path(package, path, "building the lab's kernel module"),
        Package::command("make", "make", "building the lab's kernel module"),
    ])
}

/// Runs it, and fails if it does.
pub(super) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
