//! The book says nothing that is not so: its links, commands, flags, names and configuration files are checked.

use super::super::Cli;
use crate::config::Config;
use clap::{Command, CommandFactory};
use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Directories in which the names of reports are looked for.
const SOURCES: [&str; 4] = ["ptp-ctl/src", "ptp-common/src", "tests/src", "xtask/src"];
/// Ends of file names: what has one is no name of a report.
const FILE_ENDS: [&str; 9] = ["rs", "toml", "md", "json", "jsonl", "svg", "txt", "service", "yaml"];

struct Page {
    path: PathBuf,
    text: String,
}

/// The README and all chapters.
fn pages() -> Vec<Page> {
    let root = root();
    let chapters = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    chapters
        .chain([root.join("README.md")])
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| Page { text: fs::read_to_string(&path).unwrap(), path })
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl Page {
    fn name(&self) -> String {
        self.path.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Lines of code blocks, and text outside of them.
    fn split(&self) -> (Vec<&str>, String) {
        let (mut code, mut prose) = (Vec::new(), String::new());
        let (mut fenced, mut indented, mut blank) = (false, false, true);
        for line in self.text.lines() {
            if line.starts_with("```") {
                fenced = !fenced;
                continue;
            }
            indented = line.starts_with("    ") && (blank || indented);
            blank = line.trim().is_empty();
            if fenced || indented {
                code.push(line.trim());
            } else {
                prose.push_str(line);
                prose.push('\n');
            }
        }
        (code, prose)
    }

    /// What stands between backticks outside of code blocks.
    fn spans(&self) -> Vec<String> {
        let (_, prose) = self.split();
        let spans = prose.split('`').skip(1).step_by(2);
        spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// Fenced blocks of this language.
    fn blocks(&self, language: &str) -> Vec<&str> {
        let fence = format!("```{language}\n");
        self.text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
    }

    /// Anchors of the headings, as mdBook and GitHub make them.
    fn anchors(&self) -> HashSet<String> {
        let headings = self.text.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                let title = line.trim_start_matches('#').trim().to_lowercase();
                let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                kept.collect::<String>().replace(' ', "-")
            })
            .collect()
    }
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    for page in &pages {
        let (_, prose) = page.split();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.path.clone() } else { page.path.with_file_name(file) };
            assert!(path.exists(), "{}: no {target}", page.name());
            let linked = Page { text: fs::read_to_string(&path).unwrap_or_default(), path };
            assert!(anchor.is_empty() || linked.anchors().contains(anchor), "{}: no {target}", page.name());
        }
    }
}

#[test]
fn commands_and_flags_exist() {
    let mut program = Cli::command();
    program.build();
    let ours: BTreeSet<String> = program.get_subcommands().flat_map(flags).collect();
    // Of `cargo xtask` and of the demo and benches that it starts.
    let others = words(&["tests/src", "xtask/src"]);
    for page in pages() {
        let (code, _) = page.split();
        for text in code.iter().map(|line| (*line).to_owned()).chain(page.spans()) {
            for part in text.split(['#', ';', '|']).map(str::trim) {
                if let Some(line) = part.strip_prefix("ptp-ctl ") {
                    check_command(&program, line, &page.name());
                } else if let Some(flag) = part.split([' ', '=']).next().filter(|word| word.starts_with("--"))
                {
                    let name = flag.trim_start_matches('-').replace('-', "_");
                    let known = ours.contains(flag) || others.contains(&name);
                    assert!(known, "{}: no flag {flag}", page.name());
                }
            }
        }
    }
}

fn check_command(program: &Command, line: &str, page: &str) {
    let mut command = program;
    let mut words = line.split_whitespace().peekable();
    while let Some(next) = words.peek().and_then(|word| command.find_subcommand(word)) {
        command = next;
        words.next();
    }
    // A family of commands (`config`) is named without a member only in passing, where nothing follows.
    let complete = words.peek().is_none() || command.get_name() == "help" || !command.has_subcommands();
    assert!(complete, "{page}: no subcommand in `ptp-ctl {line}`");
    let known = flags(command);
    for word in words.map(|word| word.trim_matches(['[', ']', ',', '`'])) {
        let flag = word.split('=').next().unwrap_or(word);
        assert!(
            !flag.starts_with("--") || known.iter().any(|k| k == flag),
            "{page}: no {flag} in `ptp-ctl {line}`"
        );
    }
}

/// Long flags of a command and of those below it.
fn flags(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?)));
    own.chain(command.get_subcommands().flat_map(flags)).collect()
}

/// Fields of `stats`, events, reasons and counters that a chapter names are somewhere in the code.
#[test]
fn names_in_reports_exist() {
    let known = words(&SOURCES);
    // ptp4l's options; the metrics' names, which have a test of their own.
    let others = ["interop.md", "metrics.md"];
    for page in pages().iter().filter(|page| !others.contains(&page.name().as_str())) {
        for span in page.spans() {
            let segments: Vec<&str> = span.split('.').map(|segment| segment.trim_end_matches("[]")).collect();
            let is_name = (span.contains('.') || span.contains('_'))
                && segments.iter().all(|segment| {
                    segment.starts_with(|c: char| c.is_ascii_lowercase())
                        && segment.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                })
                && !segments.last().is_some_and(|last| FILE_ENDS.contains(last));
            for segment in segments.iter().filter(|_| is_name) {
                assert!(known.contains(*segment), "{}: no {segment} of {span} in the code", page.name());
            }
        }
    }
}

/// All words of the code below these directories, and names of types and variants in snake case too.
fn words(directories: &[&str]) -> HashSet<String> {
    let mut words = HashSet::new();
    let mut open: Vec<PathBuf> = directories.iter().map(|directory| root().join(directory)).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
                words.insert(snake_case(word));
                words.insert(word.to_owned());
            }
        }
    }
    words
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

#[test]
fn configuration_files_are_right() {
    let mut count = 0;
    for page in pages() {
        for text in page.blocks("toml").into_iter().filter(|text| text.contains("interface")) {
            if let Err(error) = Config::parse(text) {
                panic!("{}: {error}\n{text}", page.name());
            }
            count += 1;
        }
    }
    assert!(count > 0, "no file found");
}

/// What runs in a cluster is what runs under systemd: the same powers, and a configuration without mistakes.
#[test]
fn the_daemon_set_is_as_the_unit() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let unit = read("xtask/dist/ptp-ctl.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).unwrap();
    let of_unit: BTreeSet<_> = line.split(' ').filter_map(|name| name.strip_prefix("CAP_")).collect();
    let manifest = read("packaging/daemonset.yaml");
    let added = manifest.lines().skip_while(|line| line.trim() != "add:").skip(1);
    let of_manifest: BTreeSet<_> = added.map_while(|line| line.trim().strip_prefix("- ")).collect();
    assert_eq!(of_manifest, of_unit);
    let config = manifest.lines().skip_while(|line| line.trim() != "ptp-ctl.toml: |").skip(1);
    let config: Vec<_> = config.map_while(|line| line.strip_prefix("    ")).collect();
    let settings = Config::parse(&config.join("\n")).unwrap();
    let probe = format!("\"stats\", \"{}\"", settings.common.interface);
    assert!(manifest.contains(&probe), "the probe asks at another interface");
}
