//! The Debian package: a tree of files, and what dpkg must know of it.

use super::maintainer::Maintainer;
use crate::toolchain::workspace_root;
use anyhow::{Context as _, ensure};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNIT: &str = include_str!("../../dist/ptp-ctl.service");
/// Scripts that dpkg runs.
const SCRIPTS: [(&str, &str); 3] = [
    ("postinst", include_str!("../../dist/postinst")),
    ("prerm", include_str!("../../dist/prerm")),
    ("postrm", include_str!("../../dist/postrm")),
];
const CONFIGURATION: &str = "/etc/ptp-ctl.toml";
const DOCUMENTATION: &str = "usr/share/doc/ptp-ctl";
const DESCRIPTION: &str = "PTP (IEEE 1588) over routed networks, client and server
 Synchronises clocks across ordinary routers by unicast PTP, with packets
 taken and stamped by an XDP program. Needs Linux 6.1 or later.";

/// Builds the package of this program in the directory; returns its path.
pub(super) fn build(
    program: &Path,
    directory: &Path,
    version: &str,
    maintainer: &Maintainer,
) -> anyhow::Result<PathBuf> {
    let tree = directory.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    }
    install_program(program, &tree)?;
    install_pages(program, &tree.join("usr/share"), &directory.join("pages"))?;
    install_documentation(&tree)?;
    let new_file = output(Command::new(program).args(["config", "init", "--role", "client"]))?;
    write(&tree.join(&CONFIGURATION[1..]), &new_file, 0o644)?;
    let units = tree.join("lib/systemd/system");
    write(&units.join("ptp-ctl.service"), UNIT, 0o644)?;
    let instances = UNIT.replace(CONFIGURATION, "/etc/ptp-ctl/%i.toml");
    write(&units.join("ptp-ctl@.service"), &instances, 0o644)?;

    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
    let control = tree.join("DEBIAN");
    write(
        &control.join("control"),
        &control_file(program, &tree, version, &architecture, maintainer)?,
        0o644,
    )?;
    write(&control.join("conffiles"), &format!("{CONFIGURATION}\n"), 0o644)?;
    for (name, text) in SCRIPTS {
        write(&control.join(name), text, 0o755)?;
    }
    let package = directory.join(format!("ptp-ctl_{version}_{architecture}.deb"));
    run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).args([&tree, &package]))?;
    Ok(package)
}

fn install_program(program: &Path, tree: &Path) -> anyhow::Result<()> {
    let installed = tree.join("usr/bin/ptp-ctl");
    make_parent(&installed)?;
    run(Command::new("strip").arg("-o").args([installed.as_path(), program]))?;
    fs::set_permissions(&installed, Permissions::from_mode(0o755))?;
    Ok(())
}

/// Man pages and completions, as the program itself writes them.
fn install_pages(program: &Path, share: &Path, pages: &Path) -> anyhow::Result<()> {
    output(Command::new(program).arg("pages").arg(pages))?;
    for entry in fs::read_dir(pages.join("man"))? {
        let entry = entry?;
        let installed = share.join("man/man1").join(entry.file_name());
        write(&installed, &fs::read_to_string(entry.path())?, 0o644)?;
        run(Command::new("gzip").args(["--force", "--best", "--no-name"]).arg(&installed))?;
    }
    for (made, installed) in [
        ("ptp-ctl.bash", "bash-completion/completions/ptp-ctl"),
        ("_ptp-ctl", "zsh/vendor-completions/_ptp-ctl"),
        ("ptp-ctl.fish", "fish/vendor_completions.d/ptp-ctl.fish"),
    ] {
        let text = fs::read_to_string(pages.join("completions").join(made))?;
        write(&share.join(installed), &text, 0o644)?;
    }
    Ok(())
}

fn install_documentation(tree: &Path) -> anyhow::Result<()> {
    let (root, installed) = (workspace_root(), tree.join(DOCUMENTATION));
    for (from, to) in [("docs", "docs"), ("docs/images", "docs/images"), ("scenarios", "scenarios")] {
        for entry in fs::read_dir(root.join(from))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                write(
                    &installed.join(to).join(entry.file_name()),
                    &fs::read_to_string(entry.path())?,
                    0o644,
                )?;
            }
        }
    }
    for name in ["README.md", "CHANGELOG.md"] {
        write(&installed.join(name), &fs::read_to_string(root.join(name))?, 0o644)?;
    }
    let licences = ["LICENSE-MIT", "LICENSE-APACHE"].map(|name| fs::read_to_string(root.join(name)));
    let [mit, apache] = licences;
    let text = format!("MIT or Apache-2.0, at your choice.\n\n{}\n\n{}", mit?, apache?);
    write(&installed.join("copyright"), &text, 0o644)
}

fn control_file(
    program: &Path,
    tree: &Path,
    version: &str,
    architecture: &str,
    maintainer: &Maintainer,
) -> anyhow::Result<String> {
    let sizes = output(Command::new("du").args(["--summarize", "--block-size=1K"]).arg(tree))?;
    let size = sizes.split_whitespace().next().unwrap_or("0");
    let libc = newest_libc(&fs::read(program)?).context("the program names no version of the C library")?;
    Ok(format!(
        "Package: ptp-ctl\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: {maintainer}\n\
         Section: net\nPriority: optional\nInstalled-Size: {size}\nDepends: libc6 (>= {libc}), \
         libgcc-s1\nDescription: {DESCRIPTION}\n"
    ))
}

/// The newest version of the C library that symbols of the program ask for.
fn newest_libc(program: &[u8]) -> Option<String> {
    const PREFIX: &[u8] = b"GLIBC_";
    let positions = (0..program.len()).filter(|&at| program[at..].starts_with(PREFIX));
    let version = |at: usize| {
        let rest = &program[at + PREFIX.len()..];
        let length = rest.iter().take_while(|octet| octet.is_ascii_digit() || **octet == b'.').count();
        let text = str::from_utf8(&rest[..length]).ok()?;
        let numbers = text.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>().ok()?;
        Some((numbers, text.to_owned()))
    };
    positions.filter_map(version).max().map(|(_, text)| text)
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    make_parent(path)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(())
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().context("a path without a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))
}

/// What it prints, if it succeeds.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8(output.stdout)?)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    output(command).map(|_| ())
}
