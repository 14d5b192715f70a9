//! The machine's file system: our programs, Debian's, kernel modules, and the libraries of them all.

use super::cpio::Archive;
use super::packages::Packages;
use anyhow::{Context as _, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAMS: [&str; 6] =
    ["bin/ip", "sbin/tc", "bin/busybox", "usr/sbin/ptp4l", "usr/sbin/pmc", "usr/sbin/hwstamp_ctl"];
/// Kernel modules by name, loaded when they are needed.
const MODULES: [&str; 3] = ["veth", "8021q", "sch_netem"];
const DIRECTORIES: [&str; 9] = ["bin", "dev", "lib", "lib64", "proc", "root", "run", "sys", "tmp"];
const LIBRARIES: &str = "lib/x86_64-linux-gnu";
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";

/// Writes it; the first of `ours` is what runs first.
pub(super) fn write(
    path: &Path,
    packages: &Packages,
    module: &Path,
    ours: &[&PathBuf],
) -> anyhow::Result<()> {
    let mut archive = Archive::new(BufWriter::new(File::create(path)?));
    for directory in DIRECTORIES {
        archive.directory(directory)?;
    }
    archive.directory(LIBRARIES)?;
    let programs = PROGRAMS.map(|program| packages.root.join(program));
    let mut libraries = BTreeMap::new();
    for program in programs.iter().chain(ours.iter().copied()) {
        let name = file_name(program)?;
        archive.file(&format!("bin/{name}"), &read(program)?)?;
        needed(program, packages, &mut libraries)?;
    }
    archive.symlink("init", &format!("bin/{}", file_name(ours[0])?))?;
    archive.symlink("bin/modprobe", "busybox")?;
    for (name, path) in &libraries {
        archive.file(&format!("{LIBRARIES}/{name}"), &read(path)?)?;
    }
    archive.file(LOADER, &read(&packages.loader())?)?;
    modules(&mut archive, packages, module)?;
    archive.finish()?;
    Ok(())
}

/// Adds the libraries that a program needs, by name: those of the packages, else this machine's.
fn needed(
    program: &Path,
    packages: &Packages,
    libraries: &mut BTreeMap<String, PathBuf>,
) -> anyhow::Result<()> {
    let output = Command::new("readelf").args(["--dynamic", "--wide"]).arg(program).output();
    let text = output.context("cannot run readelf (Debian package binutils)")?.stdout;
    for line in String::from_utf8_lossy(&text).lines().filter(|line| line.contains("(NEEDED)")) {
        let Some(name) = line.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')) else { continue };
        if name.starts_with("ld-linux") || libraries.contains_key(name) {
            continue;
        }
        let system = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"].map(PathBuf::from);
        let path = packages
            .library_directories()
            .into_iter()
            .chain(system)
            .map(|directory| directory.join(name))
            .find(|path| path.exists())
            .with_context(|| format!("no library {name} for {}", program.display()))?;
        libraries.insert(name.to_owned(), path.clone());
        needed(&path, packages, libraries)?;
    }
    Ok(())
}

/// Ours, those of the kernel that are wanted, all that they depend on, and the tables that modprobe reads.
fn modules<W: std::io::Write>(
    archive: &mut Archive<W>,
    packages: &Packages,
    ours: &Path,
) -> anyhow::Result<()> {
    let inside = format!("lib/modules/{}", packages.version);
    let directory = packages.kernel.join(&inside);
    archive.directory("lib/modules")?;
    archive.directory(&inside)?;
    let table = fs::read_to_string(directory.join("modules.dep"))?;
    let mut wanted = BTreeSet::new();
    let mut lines = String::new();
    for name in MODULES {
        // "kernel/a/name.ko.xz: kernel/b/other.ko.xz …", dependencies of dependencies included.
        let line = table
            .lines()
            .find(|line| line.split(':').next().is_some_and(|path| path.contains(&format!("/{name}.ko"))))
            .with_context(|| format!("the kernel has no module {name}"))?;
        wanted.extend(line.split([':', ' ']).filter(|path| !path.is_empty()));
    }
    for path in wanted {
        let packed = directory.join(path);
        let content = match path.strip_suffix(".xz") {
            Some(_) => unxz(packages, &packed)?,
            None => read(&packed)?,
        };
        let plain = flat(path);
        archive.file(&format!("{inside}/{plain}"), &content)?;
        let line = table.lines().find(|line| line.starts_with(&format!("{path}:"))).unwrap_or_default();
        let dependencies = line.split_once(':').map_or("", |(_, dependencies)| dependencies);
        lines += &format!("{plain}:");
        for dependency in dependencies.split_whitespace() {
            lines += &format!(" {}", flat(dependency));
        }
        lines.push('\n');
    }
    archive.file(&format!("{inside}/ptplab.ko"), &read(ours)?)?;
    lines += "ptplab.ko:\n";
    archive.file(&format!("{inside}/modules.dep"), lines.as_bytes())?;
    // Empty: what modprobe looks for besides.
    for name in ["modules.alias", "modules.symbols", "modules.builtin"] {
        archive.file(&format!("{inside}/{name}"), b"")?;
    }
    Ok(())
}

/// Where a module goes: beside all the others, unpacked.
fn flat(path: &str) -> &str {
    let path = path.strip_suffix(".xz").unwrap_or(path);
    path.rsplit('/').next().unwrap_or(path)
}

fn unxz(packages: &Packages, path: &Path) -> anyhow::Result<Vec<u8>> {
    let output = Command::new(packages.root.join("bin/busybox")).arg("xzcat").arg(path).output()?;
    ensure!(output.status.success(), "cannot unpack {}", path.display());
    Ok(output.stdout)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn file_name(path: &Path) -> anyhow::Result<&str> {
    path.file_name().and_then(|name| name.to_str()).context("a program without a name")
}
