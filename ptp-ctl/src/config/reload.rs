//! A file that was changed while a controller runs by it: what of it can be applied, and what needs a restart.

#[cfg(test)]
mod tests;

use super::{Config, ConfigError, Profile, RoleName, Settings};
use serde::Serialize;
use std::path::PathBuf;
use toml::{Table, Value};

/// The file that a controller was started with.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What it said then.
    pub text: String,
}

/// What has become of a file's changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Keys whose new values are in force.
    pub applied: Vec<String>,
    /// Keys whose new values would be after a restart.
    pub needs_restart: Vec<String>,
}

/// What each table's controller looks up whenever it needs it. `profile` does nothing but through other keys.
const LIVE_CLIENT: [&str; 16] = [
    "server",
    "profile",
    "log-announce-interval",
    "log-sync-interval",
    "log-delay-resp-interval",
    "duration",
    "min-duration",
    "max-duration",
    "retry",
    "check-interval",
    "select",
    "announce-receipt-timeout",
    "sync-receipt-timeout",
    "wait-to-restore",
    "max-steps-removed",
    "max-variation",
];
const LIVE_SERVER: [&str; 14] = [
    "profile",
    "priority1",
    "priority2",
    "clock-class",
    "clock-accuracy",
    "offset-scaled-log-variance",
    "time-source",
    "max-duration",
    "max-rate",
    "max-client-rate",
    "min-log-interval",
    "min-log-announce-interval",
    "allow",
    "holdover-limit",
];

impl RoleName {
    const fn live(self) -> &'static [&'static str] {
        match self {
            Self::Client => &LIVE_CLIENT,
            Self::Server => &LIVE_SERVER,
        }
    }
}

impl Source {
    /// Takes from `wanted`, the file as it is now, what can be applied: the settings that are in force with it.
    ///
    /// # Errors
    /// As [`Config::parse`]: then nothing is taken.
    pub fn reload(&mut self, wanted: &str) -> Result<(Settings, Changes), ConfigError> {
        let (role, mut running) = effective(&self.text)?;
        let (new_role, wanted) = effective(wanted)?;
        let mut changes = Changes::default();
        if role == new_role {
            apply(&mut running, wanted, role, "", &mut changes);
        } else {
            changes.needs_restart.push(new_role.name().to_owned());
        }
        let document = Table::from_iter([(role.name().to_owned(), Value::Table(running))]);
        let text = document.to_string();
        let settings = Config::parse(&text)?;
        self.text = text;
        Ok((settings, changes))
    }
}

fn apply(running: &mut Table, mut wanted: Table, role: RoleName, under: &str, changes: &mut Changes) {
    let mut keys: Vec<String> = running.keys().chain(wanted.keys()).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let new = wanted.remove(&key);
        if same(running.get(&key), new.as_ref()) {
            continue;
        }
        match (running.get_mut(&key), new) {
            (Some(Value::Table(old)), Some(Value::Table(new))) if key == "upstream" => {
                apply(old, new, RoleName::Client, "upstream.", changes);
            }
            (_, new) if role.live().contains(&key.as_str()) => {
                changes.applied.push(format!("{under}{key}"));
                match new {
                    Some(new) => running.insert(key, new),
                    None => running.remove(&key),
                };
            }
            _ => changes.needs_restart.push(format!("{under}{key}")),
        }
    }
}

/// 30 and 30.0 are.
fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    let number =
        |value: &Value| value.as_float().or_else(|| value.as_integer().map(|integer| integer as f64));
    match (a, b) {
        (Some(a), Some(b)) => a == b || number(a).is_some_and(|a| Some(a) == number(b)),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Everything that is in force by a file.
fn effective(text: &str) -> Result<(RoleName, Table), ConfigError> {
    Config::parse(text)?;
    let config: Config = toml::from_str(text)?;
    let (role, profile) = config.role().unwrap_or((RoleName::Client, Profile::Default));
    let mut document: Table = toml::from_str(text)?;
    let mut table = match document.remove(role.name()) {
        Some(Value::Table(table)) => table,
        _ => Table::new(),
    };
    // A list of servers says what a table does that has nothing but them.
    if let Some(upstream) = table.get_mut("upstream")
        && upstream.as_array().is_some_and(|servers| !servers.is_empty())
    {
        let servers = std::mem::replace(upstream, Value::Table(Table::new()));
        *upstream = Value::Table(Table::from_iter([("server".to_owned(), servers)]));
    }
    profile.complete(role, &mut table);
    for (key, default) in role.defaults(profile) {
        table.entry(key).or_insert(default);
    }
    Ok((role, table))
}
