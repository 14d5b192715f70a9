//! `cargo xtask layers`: who may import whom, as ARCHITECTURE has it.

mod paths;
#[cfg(test)]
mod tests;

use crate::toolchain::workspace_root;
use anyhow::{Context as _, bail};
use paths::Mention;
use std::fmt;
use std::path::{Path, PathBuf};

/// A crate of ours and the crates of ours that its manifest may name.
struct CrateRule {
    directory: &'static str,
    may_depend_on: &'static [&'static str],
}

const CRATES: &[CrateRule] = &[
    CrateRule { directory: "ptp-common", may_depend_on: &[] },
    CrateRule { directory: "ptp-ebpf", may_depend_on: &["ptp-common"] },
    CrateRule { directory: "ptp-ctl", may_depend_on: &["ptp-common"] },
    CrateRule { directory: "tests", may_depend_on: &["ptp-common", "ptp-ctl", "ptp-load"] },
    CrateRule { directory: "tests/ebpf", may_depend_on: &[] },
    CrateRule { directory: "xtask", may_depend_on: &[] },
];

/// A room (top-level module) and the other rooms of its crate that it may import.
struct RoomRule {
    crate_directory: &'static str,
    room: &'static str,
    may_import: &'static [&'static str],
}

const ROOMS: &[RoomRule] = &[
    RoomRule { crate_directory: "ptp-common", room: "time", may_import: &[] },
    RoomRule { crate_directory: "ptp-common", room: "net", may_import: &[] },
    RoomRule { crate_directory: "ptp-common", room: "wire", may_import: &["time"] },
    RoomRule { crate_directory: "ptp-common", room: "abi", may_import: &["time", "wire"] },
    RoomRule {
        crate_directory: "ptp-ctl",
        room: "cli",
        may_import: &["runtime", "config", "dataplane", "net", "clock", "report", "sim", "engine", "process"],
    },
    RoomRule {
        crate_directory: "ptp-ctl",
        room: "runtime",
        may_import: &["config", "dataplane", "net", "clock", "report", "engine", "process"],
    },
    RoomRule { crate_directory: "ptp-ctl", room: "report", may_import: &["engine"] },
    RoomRule { crate_directory: "ptp-ctl", room: "sim", may_import: &["engine", "config"] },
    RoomRule { crate_directory: "ptp-ctl", room: "config", may_import: &["engine"] },
    RoomRule { crate_directory: "ptp-ctl", room: "dataplane", may_import: &["process"] },
    RoomRule { crate_directory: "ptp-ctl", room: "net", may_import: &[] },
    RoomRule { crate_directory: "ptp-ctl", room: "clock", may_import: &["process"] },
    RoomRule { crate_directory: "ptp-ctl", room: "process", may_import: &[] },
    RoomRule { crate_directory: "ptp-ctl", room: "engine", may_import: &[] },
];

/// What the engine may not name: it does no IO and reads no clock.
const ENGINE_MAY_NOT_NAME: &[&str] = &[
    "tokio",
    "aya",
    "libc",
    "nix",
    "std::fs",
    "std::io",
    "std::thread",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::time::Instant",
    "std::time::SystemTime",
];

pub(crate) fn run() -> anyhow::Result<()> {
    let violations = check(workspace_root())?;
    for violation in &violations {
        eprintln!("{violation}");
    }
    if !violations.is_empty() {
        bail!("{} imports against ARCHITECTURE's \"Who may import whom\"", violations.len());
    }
    eprintln!("Imports are as ARCHITECTURE has them.");
    Ok(())
}

/// One import that is not allowed.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    file: PathBuf,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

fn check(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for rule in CRATES {
        let manifest = Path::new(rule.directory).join("Cargo.toml");
        violations.extend(check_manifest(rule, &manifest, &read(&root.join(&manifest))?));
        let source = Path::new(rule.directory).join("src");
        for file in rust_files(&root.join(&source))? {
            let text = read(&file)?;
            let file = file.strip_prefix(root).unwrap_or(&file);
            let module = module_path(file.strip_prefix(&source).unwrap_or(file));
            violations.extend(check_file(rule.directory, file, &module, &text));
        }
    }
    Ok(violations)
}

/// Dependencies on our own crates that the rule does not have.
fn check_manifest(rule: &CrateRule, file: &Path, text: &str) -> Vec<Violation> {
    let mut in_dependencies = false;
    let mut violations = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        if let Some(table) = content.strip_prefix('[') {
            in_dependencies = table.trim_end_matches(']').ends_with("dependencies");
        }
        let name = content.split(['.', '=', ' ']).next().unwrap_or_default();
        let ours = matches!(name, "xtask" | "ptp-tests" | "ptp-common" | "ptp-ctl" | "ptp-ebpf" | "ptp-load");
        if in_dependencies && ours && !rule.may_depend_on.contains(&name) {
            let what = format!("{} may not depend on {name}", rule.directory);
            violations.push(Violation { file: file.to_owned(), line, what });
        }
    }
    violations
}

/// Imports of a source file, whose path in its crate is `module`, that the rules do not have.
fn check_file(crate_directory: &str, file: &Path, module: &[String], text: &str) -> Vec<Violation> {
    let rule = ROOMS
        .iter()
        .find(|rule| rule.crate_directory == crate_directory && Some(rule.room) == room_of(module));
    let Some(rule) = rule else { return Vec::new() };
    let is_room =
        |name: &str| ROOMS.iter().any(|rule| rule.crate_directory == crate_directory && rule.room == name);
    let mut violations = Vec::new();
    for Mention { line, path } in paths::mentions(text) {
        let inner = within_crate(&path, module);
        if let Some(room) = inner.as_deref().and_then(room_of)
            && is_room(room)
            && room != rule.room
            && !rule.may_import.contains(&room)
        {
            let what = format!("{} may not import {room}: {}", rule.room, path.join("::"));
            violations.push(Violation { file: file.to_owned(), line, what });
        }
        let full = path.join("::");
        let forbidden = |name: &&&str| full == **name || full.starts_with(&format!("{name}::"));
        if rule.room == "engine" && ENGINE_MAY_NOT_NAME.iter().find(forbidden).is_some() {
            let what = format!("engine may not name {full}: it does no IO and reads no clock");
            violations.push(Violation { file: file.to_owned(), line, what });
        }
    }
    violations
}

/// The path from the crate's root, if it starts with `crate` or `super`.
fn within_crate(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        // More `super` than there are modules does not compile.
        "super" => Some([module.get(..module.len().checked_sub(supers)?)?, &path[supers..]].concat()),
        _ => None,
    }
}

fn room_of(path: &[String]) -> Option<&str> {
    path.first().map(String::as_str)
}

/// `engine/client/mod.rs` is `engine::client`, `engine/time.rs` is `engine::time`, `lib.rs` the root.
fn module_path(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

fn rust_files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries =
            std::fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
