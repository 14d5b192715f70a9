//! What is made from the program for the book is up to date.

use super::super::Cli;
use crate::config::RoleName;
use crate::report::schema::{Fields, schema};
use clap::{Arg, ArgAction, CommandFactory as _};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Set, it is made anew.
const UPDATE: &str = "UPDATE_REFERENCE";

#[test]
fn references_are_those_of_the_program() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    for (name, text) in [
        ("stats.schema.json", schema),
        ("stats-reference.md", Fields::new().reference()),
        ("settings-reference.md", settings()),
    ] {
        let path = docs.join(name);
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&path, &text).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert!(published == text, "docs/{name} is out of date: {UPDATE}=1 cargo test -p ptp-ctl reference");
    }
}

/// The page of all settings.
fn settings() -> String {
    let mut text = "# Every setting\n\n\
        Made from the program. A key of the file, with `--` before it, is a flag of `ptp-ctl client` or `ptp-ctl server`; `interface` is their \
        argument. What they are for: [A client](client.md), [A server](server.md), [The configuration file](configuration.md).\n"
        .to_owned();
    for role in RoleName::ALL {
        let (cli, role) = (Cli::command(), role.name());
        let _ = write!(text, "\n## `[{role}]`\n\n| key | default | |\n| --- | --- | --- |\n");
        for setting in cli.find_subcommand(role).unwrap().get_arguments() {
            text += &row(setting);
        }
    }
    text
}

fn row(setting: &Arg) -> String {
    let name = setting.get_long().unwrap_or(setting.get_id().as_str());
    let is_switch = matches!(setting.get_action(), ArgAction::SetTrue);
    let defaults: Vec<_> =
        setting.get_default_values().iter().map(|value| format!("`{}`", value.to_string_lossy())).collect();
    let default = match &defaults[..] {
        _ if setting.is_required_set() => "must be given".to_owned(),
        _ if is_switch => "`false`".to_owned(),
        [] => "none".to_owned(),
        defaults => defaults.join(", "),
    };
    let mut row = format!("| `{name}` | {default} | {}", setting.get_help().unwrap());
    for value in setting.get_possible_values().iter().filter(|_| !is_switch) {
        let meaning = value.get_help().map(|help| format!(": {help}")).unwrap_or_default();
        let _ = write!(row, "<br>`{}`{meaning}", value.get_name());
    }
    row + " |\n"
}
