//! Configuration files written, not read: all keys of a table with help and default, taken from the flags of the role's
//! subcommand, which are the same structs. So nothing here can be out of date.

#[cfg(test)]
mod tests;

use super::{ClientOptions, Config, ConfigError, Profile, ServerOptions};
use clap::{Arg, ArgAction, Args, Command, ValueEnum};
use std::fmt::Write;
use toml::{Table, Value};

/// What a controller is, and the table of the file that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Follows servers
    Client,
    /// Serves time
    Server,
}

impl RoleName {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Client, Self::Server];

    /// The table's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    pub(super) fn keys(self, profile: Profile) -> Vec<Key> {
        let command = Command::new(self.name());
        let command = match self {
            Self::Client => ClientOptions::augment_args(command),
            Self::Server => ServerOptions::augment_args(command),
        };
        let defaults = profile.defaults(self);
        let key = |argument| {
            let mut key = Key::of(argument);
            if let Some(value) = defaults.get(&key.name) {
                (key.default, key.of_profile) = (Some(value.clone()), true);
            }
            key
        };
        command.get_arguments().map(key).collect()
    }

    /// What holds for what is not set.
    pub(super) fn defaults(self, profile: Profile) -> impl Iterator<Item = (String, Value)> {
        self.keys(profile).into_iter().filter_map(|key| Some((key.name, key.default?)))
    }
}

/// What must be given has no default: these stand for it in a new file.
const EXAMPLES: [(&str, &str); 2] = [("interface", "eth0"), ("server", "192.0.2.1")];

/// The key that names the profile.
const PROFILE: &str = "profile";

/// A key, and the flag that it is.
pub(super) struct Key {
    pub(super) name: String,
    help: String,
    /// Allowed values and what they mean; empty where any of a type is.
    values: Vec<(String, String)>,
    /// Stands for the value in the help.
    placeholder: String,
    required: bool,
    default: Option<Value>,
    /// The default is the profile's.
    of_profile: bool,
}

impl Key {
    fn of(argument: &Arg) -> Self {
        let name = argument.get_long().unwrap_or(argument.get_id().as_str()).to_owned();
        let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
        let is_list = matches!(argument.get_action(), ArgAction::Append);
        let required = argument.is_required_set();
        let example = EXAMPLES.iter().find(|(key, _)| *key == name && required);
        let mut defaults: Vec<Value> = match example {
            Some((_, text)) => vec![Value::String((*text).to_owned())],
            None => argument.get_default_values().iter().map(|text| typed(&text.to_string_lossy())).collect(),
        };
        let values = argument.get_possible_values();
        Self {
            help: argument.get_help().map(ToString::to_string).unwrap_or_default(),
            values: values
                .iter()
                .filter(|_| !is_switch)
                .map(|value| {
                    let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                    (value.get_name().to_owned(), help)
                })
                .collect(),
            placeholder: argument
                .get_value_names()
                .and_then(|names| names.first())
                .map_or_else(|| name.to_uppercase(), ToString::to_string),
            required,
            default: match (is_switch, is_list) {
                (true, _) => Some(Value::Boolean(false)),
                (_, true) => Some(Value::Array(defaults)),
                _ => defaults.pop(),
            },
            of_profile: false,
            name,
        }
    }
}

/// The TOML value that a flag's text is: a number where it is one.
fn typed(text: &str) -> Value {
    let integer = text.parse().map(Value::Integer);
    integer.or_else(|_| text.parse().map(Value::Float)).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// A new file: what must be given, with an example, and everything else as a comment with its default.
pub fn init(role: RoleName, profile: Profile) -> String {
    let mut text = format!(
        "# Settings of `ptp-ctl run --config FILE`. `ptp-ctl check --config FILE` finds mistakes.\n\
         # A line that is a comment without a space behind its # shows a default: take the # away to change it.\n\n\
         [{}]\n",
        role.name()
    );
    for key in role.keys(profile) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# {}", key.help);
        for (value, help) in &key.values {
            let _ = writeln!(text, "#   {value}: {help}");
        }
        let _ = match (&key.default, key.required) {
            (Some(_), _) if key.name == PROFILE && profile != Profile::Default => {
                writeln!(text, "{PROFILE} = \"{}\"\n", profile.name())
            }
            (Some(value), true) => writeln!(text, "{} = {value}\n", key.name),
            (Some(value), false) => writeln!(text, "#{} = {value}\n", key.name),
            (None, _) => writeln!(text, "# {} = {} (not set)\n", key.name, key.placeholder),
        };
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The settings of a file, `effective` with all defaults, each marked as such.
///
/// # Errors
/// As [`Config::parse`].
pub fn show(text: &str, effective: bool) -> Result<String, ConfigError> {
    Config::parse(text)?;
    let config: Config = toml::from_str(text)?;
    let profile = config.role().map(|(_, profile)| profile).unwrap_or_default();
    let document: Table = toml::from_str(text)?;
    let mut shown = String::new();
    for role in RoleName::ALL {
        if let Some(Value::Table(given)) = document.get(role.name()) {
            show_table(&mut shown, role, profile, given, effective);
        }
    }
    Ok(shown)
}

fn show_table(shown: &mut String, role: RoleName, profile: Profile, given: &Table, effective: bool) {
    let _ = writeln!(shown, "[{}]", role.name());
    for key in role.keys(profile) {
        let _ = match (given.get(&key.name), &key.default) {
            // Below.
            (Some(Value::Table(_)), _) => Ok(()),
            (Some(value), _) => writeln!(shown, "{} = {value}", key.name),
            (None, Some(value)) if effective && key.of_profile => {
                writeln!(shown, "{} = {value}  # profile {}", key.name, profile.name())
            }
            (None, Some(value)) if effective => writeln!(shown, "{} = {value}  # default", key.name),
            (None, None) if effective => writeln!(shown, "# {} is not set", key.name),
            (None, _) => Ok(()),
        };
    }
    if let Some(Value::Table(upstream)) = given.get("upstream") {
        let _ = writeln!(shown, "\n[{}.upstream]", role.name());
        for Key { name, .. } in RoleName::Client.keys(profile) {
            if let Some(value) = upstream.get(&name) {
                let _ = writeln!(shown, "{name} = {value}");
            }
        }
    }
}
