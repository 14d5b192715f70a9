//! Named sets of defaults, each a file with the tables of a configuration.

#[cfg(test)]
mod tests;

use super::{ClientOptions, RoleName};
use clap::{Command, ValueEnum};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// Which defaults hold for what is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// 8 Sync per second, and few surprises
    #[default]
    Default,
    /// ITU-T G.8275.2: domain 44, 16 Sync per second, the waits of telecom
    #[serde(rename = "g8275.2")]
    #[value(name = "g8275.2")]
    Telecom,
    /// As devices with 1588 ATR: Announce every 2 s
    Atr,
    /// Many clients of few servers: 1 Sync per second
    Datacenter,
}

impl Profile {
    /// As written in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Telecom => "g8275.2",
            Self::Atr => "atr",
            Self::Datacenter => "datacenter",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Default => include_str!("profiles/default.toml"),
            Self::Telecom => include_str!("profiles/g8275.2.toml"),
            Self::Atr => include_str!("profiles/atr.toml"),
            Self::Datacenter => include_str!("profiles/datacenter.toml"),
        }
    }

    /// What it sets for a role.
    pub(super) fn defaults(self, role: RoleName) -> Table {
        // A test reads every one of them.
        let mut tables: Table = toml::from_str(self.text()).unwrap_or_default();
        match tables.remove(role.name()) {
            Some(Value::Table(table)) => table,
            _ => Table::new(),
        }
    }

    /// Puts its defaults under what a table of a file sets.
    pub(super) fn complete(self, role: RoleName, given: &mut Table) {
        if let Some(Value::Table(upstream)) = given.get_mut("upstream") {
            // What is for both sides stands in the server's own table.
            let own = self.defaults(role);
            let other = self.defaults(RoleName::Client).into_iter().filter(|(key, _)| !own.contains_key(key));
            add(upstream, other);
        }
        add(given, self.defaults(role));
    }

    /// A client that sets nothing.
    pub(super) fn client(self) -> ClientOptions {
        self.defaults(RoleName::Client).try_into().unwrap_or_default()
    }

    /// The command line with its defaults for the flags of a role's subcommand.
    pub fn apply(self, command: Command, role: RoleName) -> Command {
        command.mut_subcommand(role.name(), |mut subcommand| {
            for (key, value) in self.defaults(role) {
                let text = match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                subcommand = subcommand.mut_arg(key.replace('-', "_"), |flag| flag.default_value(text));
            }
            subcommand
        })
    }
}

fn add(given: &mut Table, defaults: impl IntoIterator<Item = (String, Value)>) {
    for (key, value) in defaults {
        given.entry(key).or_insert(value);
    }
}
