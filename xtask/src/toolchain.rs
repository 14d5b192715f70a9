//! The one place that knows how the XDP object is built, and how missing packages come onto a machine.
//!
//! Two toolchains can do it, because two have a `core` for the BPF target:
//!
//! - Debian's own: `rustc-web` with the ready-made `core` of `libstd-rust-web-dev-bpf`. No nightly, no build-std.
//! - rustup's nightly, which builds `core` from `rust-src`.
//!
//! Both link with bpf-linker, which must be built for the very LLVM that the compiler has: it reads its bitcode.

use anyhow::{Context as _, bail, ensure};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

const BPF_LINKER_VERSION: &str = "0.13.0";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// Where the library of the BPF target is in a sysroot.
const BPF_CORE: &str = "lib/rustlib/bpfel-unknown-none/lib";
/// First compiler of Debian's that was seen to build the object.
const OLDEST_DEBIAN_RUSTC: (u32, u32) = (1, 96);

/// A Debian package that something here needs.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    /// Its name for apt.
    pub(crate) name: String,
    /// What tells that it, or something as good, is there.
    pub(crate) probe: Probe,
    /// What it is needed for, to be read after "for".
    pub(crate) why: &'static str,
}

/// How to see that a package is there.
#[derive(Clone, Debug)]
pub(crate) enum Probe {
    /// A program of this name is in `PATH` or in one of the system's directories for programs.
    Command(&'static str),
    /// This path exists.
    Path(PathBuf),
}

impl Package {
    /// A package with a program.
    pub(crate) fn command(name: &str, command: &'static str, why: &'static str) -> Self {
        Self { name: name.to_owned(), probe: Probe::Command(command), why }
    }

    /// A package with a file.
    pub(crate) fn path(name: &str, path: impl Into<PathBuf>, why: &'static str) -> Self {
        Self { name: name.to_owned(), probe: Probe::Path(path.into()), why }
    }

    fn is_there(&self) -> bool {
        match &self.probe {
            Probe::Command(command) => in_path(command).is_some(),
            Probe::Path(path) => path.exists(),
        }
    }
}

/// Makes sure that all packages are there: says which are missing and what for, and installs them. Without root or
/// without apt it fails, and the error has the command to run.
pub(crate) fn ensure_packages(packages: &[Package]) -> anyhow::Result<()> {
    let missing: Vec<_> = packages.iter().filter(|package| !package.is_there()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|package| package.name.as_str()).collect();
    let reasons: Vec<_> =
        missing.iter().map(|package| format!("  {} for {}", package.name, package.why)).collect();
    if let Some(obstacle) = cannot_install() {
        bail!("missing packages:\n{}\n{obstacle}; please run:\n{}", reasons.join("\n"), apt_commands(&names));
    }
    eprintln!("Installing Debian packages that are missing:\n{}", reasons.join("\n"));
    apt_get(&["update", "--quiet"])?;
    // --no-remove: nothing that the user has installed goes for our sake (rustc-web conflicts with Debian's rustup).
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-remove", "--no-install-recommends"];
    arguments.extend(&names);
    apt_get(&arguments)?;
    let absent: Vec<_> =
        missing.iter().filter(|package| !package.is_there()).map(|package| package.name.as_str()).collect();
    ensure!(
        absent.is_empty(),
        "apt-get succeeded, but does not provide what is needed of: {}",
        absent.join(" ")
    );
    Ok(())
}

/// The directory that cargo builds into: the one that this program was built into.
pub(crate) fn target_dir() -> anyhow::Result<PathBuf> {
    let program = env::current_exe().context("cannot find this program's own path")?;
    // Marked by cargo itself; this holds for CARGO_TARGET_DIR, --target-dir and --target alike.
    program
        .ancestors()
        .find(|directory| {
            directory.join(".rustc_info.json").is_file() || directory.join("CACHEDIR.TAG").is_file()
        })
        .map(Path::to_owned)
        .with_context(|| format!("{} is in no cargo target directory", program.display()))
}

/// The directory of the workspace's Cargo.toml.
pub(crate) fn workspace_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a directory of the workspace")
}

/// A compiler with a `core` for the BPF target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BpfToolchain {
    /// Debian's rustc-web.
    Debian,
    /// rustup's nightly with rust-src.
    Nightly,
}

impl BpfToolchain {
    /// The toolchain to use; where there is none, Debian's is installed.
    pub(crate) fn find_or_install() -> anyhow::Result<Self> {
        if debian_rustc_is_there() {
            return Ok(Self::Debian);
        }
        if nightly_is_there() {
            return Ok(Self::Nightly);
        }
        eprintln!(
            "The XDP object needs a Rust compiler with a core library for the BPF target; there is none yet."
        );
        let llvm_of_today = "22";
        if let Some(obstacle) = cannot_install() {
            let mut packages = debian_compiler();
            packages.extend(linker_packages(llvm_of_today));
            let names: Vec<_> = packages.iter().map(|package| package.name.as_str()).collect();
            bail!(
                "no Rust compiler for the BPF target, and {obstacle}. Two ways to get one:\n\
                 On Debian 12 or later:\n{}\n\
                 With rustup (bpf-linker must have the LLVM of that nightly, see `rustc +nightly -vV`; its README has ready-made ones):\n  \
                 rustup toolchain install nightly --component rust-src\n  \
                 cargo install bpf-linker --version {BPF_LINKER_VERSION} --locked\n\
                 Then run this command again.",
                apt_commands(&names)
            );
        }
        ensure_packages(&debian_compiler())?;
        ensure!(
            debian_rustc_is_there(),
            "{DEBIAN_RUSTC} is older than {}.{} or has no core for the BPF target; the other way: \
             `rustup toolchain install nightly --component rust-src` and `cargo install bpf-linker`",
            OLDEST_DEBIAN_RUSTC.0,
            OLDEST_DEBIAN_RUSTC.1
        );
        Ok(Self::Debian)
    }

    /// For messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Debian => "Debian's rustc-web",
            Self::Nightly => "rustup's nightly",
        }
    }

    /// cargo, set up for the BPF target; bpf-linker is built first if it is not there.
    pub(crate) fn cargo(&self, target_dir: &Path) -> anyhow::Result<Command> {
        let linker = self.bpf_linker(target_dir)?;
        let mut cargo = match self {
            Self::Debian => {
                let mut cargo = Command::new(own_cargo());
                // Only `asm_experimental_arch` of aya-ebpf needs the bootstrap switch.
                cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                cargo
            }
            Self::Nightly => {
                let mut cargo = Command::new("rustup");
                cargo.args(["run", "nightly", "cargo", "-Zbuild-std=core"]).env_remove("RUSTC");
                cargo
            }
        };
        cargo
            .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &linker)
            .env("CARGO_TARGET_BPFEB_UNKNOWN_NONE_LINKER", &linker)
            // What is meant for the host's compiler would go to this one.
            .env_remove("RUSTC_WRAPPER")
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .env_remove("RUSTFLAGS")
            .env_remove("RUSTUP_TOOLCHAIN");
        Ok(cargo)
    }

    /// The pinned bpf-linker: from `PATH` for the nightly, else built into `tools` of the target directory.
    fn bpf_linker(&self, target_dir: &Path) -> anyhow::Result<PathBuf> {
        let llvm = self.llvm()?;
        // One directory for each LLVM: a compiler that was upgraded gets a linker of its own.
        let root = target_dir.join("tools").join(format!("llvm-{llvm}"));
        let built = root.join("bin/bpf-linker");
        if is_pinned_linker(&built) {
            return Ok(built);
        }
        if *self == Self::Nightly
            && let Some(path) = in_path("bpf-linker")
        {
            // Installed by the user, who chose its LLVM.
            return Ok(path);
        }
        ensure_packages(&linker_packages(&llvm))?;
        eprintln!(
            "Building bpf-linker {BPF_LINKER_VERSION} for LLVM {llvm} into {} (half a minute)",
            root.display()
        );
        let status = Command::new(own_cargo())
            .args(["install", "bpf-linker", "--locked", "--quiet", "--version"])
            .arg(format!("={BPF_LINKER_VERSION}"))
            .args(["--no-default-features", "--features", &format!("llvm-{llvm}"), "--root"])
            .arg(&root)
            .env("LLVM_PREFIX", llvm_prefix(&llvm))
            .env_remove("CARGO_TARGET_DIR")
            .status()
            .context("cannot run cargo install")?;
        ensure!(status.success(), "building bpf-linker {BPF_LINKER_VERSION} for LLVM {llvm} failed");
        Ok(built)
    }

    /// Major version of the compiler's LLVM.
    fn llvm(&self) -> anyhow::Result<String> {
        let text = match self {
            Self::Debian => output(DEBIAN_RUSTC, &["-vV"]),
            Self::Nightly => output("rustup", &["run", "nightly", "rustc", "-vV"]),
        }
        .with_context(|| format!("{} does not run", self.name()))?;
        text.lines()
            .find_map(|line| line.strip_prefix("LLVM version: "))
            .and_then(|version| version.split('.').next())
            .map(str::to_owned)
            .with_context(|| format!("{} does not tell the version of its LLVM", self.name()))
    }
}

fn debian_compiler() -> Vec<Package> {
    // Both or none: Debian's own old rustc has the same paths as rustc-web, but no core for BPF.
    let core = Path::new("/usr").join(BPF_CORE);
    vec![
        Package::path("rustc-web", &core, "a Rust compiler that knows the BPF target"),
        Package::path("libstd-rust-web-dev-bpf", &core, "Rust's core library for the BPF target"),
    ]
}

fn linker_packages(llvm: &str) -> Vec<Package> {
    let prefix = llvm_prefix(llvm);
    vec![
        Package::path(&format!("llvm-{llvm}-dev"), prefix.join("bin/llvm-config"), "building bpf-linker"),
        Package::path(&format!("libpolly-{llvm}-dev"), prefix.join("lib/libPolly.a"), "building bpf-linker"),
        Package::path("libzstd-dev", "/usr/include/zstd.h", "building bpf-linker"),
        Package::path("zlib1g-dev", "/usr/include/zlib.h", "building bpf-linker"),
        Package::command("g++", "g++", "linking bpf-linker with LLVM"),
    ]
}

/// Where Debian puts that version of LLVM.
fn llvm_prefix(llvm: &str) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{llvm}"))
}

fn is_pinned_linker(path: &Path) -> bool {
    path.exists()
        && output(path, &["--version"])
            .is_some_and(|text| text.split_whitespace().any(|word| word == BPF_LINKER_VERSION))
}

fn debian_rustc_is_there() -> bool {
    // "rustc 1.96.0 (hash date)"; rustup never installs to this path.
    let new_enough = output(DEBIAN_RUSTC, &["-V"]).is_some_and(|text| {
        let mut numbers = text.split_whitespace().nth(1).unwrap_or_default().split('.').map_while(|n| n.parse().ok());
        matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) >= OLDEST_DEBIAN_RUSTC)
    });
    new_enough && Path::new("/usr").join(BPF_CORE).is_dir()
}

/// rust-src counts: without it there is no `core` to build.
fn nightly_is_there() -> bool {
    output("rustup", &["run", "nightly", "rustc", "--print", "sysroot"])
        .is_some_and(|sysroot| Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core").is_dir())
}

/// Why packages cannot be installed from here, to be read in the middle of a sentence.
fn cannot_install() -> Option<&'static str> {
    let is_root = output("id", &["-u"]).is_some_and(|uid| uid.trim() == "0");
    match (in_path("apt-get"), is_root) {
        (None, _) => Some("this machine has no apt-get to install them with"),
        (Some(_), false) => Some("installing them needs root"),
        (Some(_), true) => None,
    }
}

fn apt_commands(names: &[&str]) -> String {
    format!("  sudo apt-get update\n  sudo apt-get install --no-install-recommends {}", names.join(" "))
}

fn apt_get(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("cannot run apt-get")?;
    ensure!(status.success(), "`apt-get {}` failed: see its messages above", arguments.join(" "));
    Ok(())
}

/// The cargo that runs this program.
fn own_cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

fn in_path(command: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // A user's PATH on Debian lacks the two directories of the administrator's tools, tc and ethtool among them.
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(command))
        .find(|candidate| candidate.is_file())
}

/// What a program prints, if it runs and succeeds.
fn output(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
