//! From linuxptp's configuration of ptp4l to ours: what has a counterpart is translated, everything else is named.

mod options;
mod original;

#[cfg(test)]
mod tests;

use super::upstream::for_both_sides;
use super::{ClientOptions, ConfigError, RoleName, show};
use options::{Entry, Refusal};
use original::Original;
use std::fmt::Write;
use toml::{Table, Value};

/// A file of ours, and what could not be brought over.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// The file's text; it is valid.
    pub text: String,
    /// Each names the line of the original, the option, and why.
    pub left_out: Vec<String>,
}

/// Why nothing could be translated.
#[derive(Debug, thiserror::Error)]
pub enum TranslationError {
    /// Neither a client nor a server of unicast.
    #[error(
        "neither a [unicast_master_table] nor unicast_listen 1: this is no unicast configuration, and ptp-ctl has no \
         multicast"
    )]
    NoUnicast,
    /// Several ports that make no boundary clock of ours.
    #[error(
        "several interfaces ({0}): translate a file with one of them, or for a boundary clock one with two, of which one \
         has a unicast_master_table and the other unicast_listen 1"
    )]
    Interfaces(String),
    /// What came out is not valid.
    #[error("the translation is not valid: {0}")]
    Invalid(#[from] ConfigError),
}

/// Translates the text of a configuration of ptp4l.
///
/// # Errors
/// See [`TranslationError`].
pub fn translate(text: &str) -> Result<Translation, TranslationError> {
    let mut original = Original::parse(text);
    let (role, table) = match original.sides() {
        Some((upstream, downstream)) => (RoleName::Server, original.boundary_clock(upstream, downstream)),
        None => original.one_port()?,
    };
    let mut text = String::from("# Translated from a configuration of ptp4l.\n");
    for line in &original.left_out {
        let _ = writeln!(text, "# Not translated: {line}");
    }
    // In the order of a new file, and valid.
    let document = Table::from_iter([(role.name().to_owned(), Value::Table(table))]);
    let settings = show(&document.to_string(), false)?;
    let _ = write!(text, "\n{settings}");
    Ok(Translation { text, left_out: original.left_out })
}

impl Original<'_> {
    /// A client or a server.
    fn one_port(&mut self) -> Result<(RoleName, Table), TranslationError> {
        let listens = self.is_on(self.ports.first(), "unicast_listen");
        let role = match (self.has_servers(), listens) {
            (true, _) => RoleName::Client,
            (false, true) => RoleName::Server,
            (false, false) => return Err(TranslationError::NoUnicast),
        };
        let mut table = Self::clock();
        match &self.ports[..] {
            [port] => set(&mut table, "interface", port.interface),
            [] => {
                self.left_out
                    .push("the interface: the file names none (`ptp4l -i`); it is eth0 here".to_owned());
                set(&mut table, "interface", "eth0");
            }
            several => {
                let names: Vec<_> = several.iter().map(|port| port.interface).collect();
                return Err(TranslationError::Interfaces(names.join(", ")));
            }
        }
        if role == RoleName::Client {
            if listens {
                self.left_out.push(
                    "unicast_listen: a port of ptp4l's that follows does not serve, so it is a client; a boundary clock has two \
                     interfaces"
                        .to_owned(),
                );
            }
            let servers = self.take_servers(Some(0));
            table.insert("server".to_owned(), Value::Array(servers));
        }
        let options = self.global.iter().chain(self.ports.iter().flat_map(|port| &port.options));
        for option in options {
            if let Err(why) = option.translate(role, &mut table) {
                self.left_out.push(option.left_out(why, role));
            }
        }
        self.steer_nothing(&mut table);
        Ok((role, table))
    }

    /// A server with servers of its own, on another interface.
    fn boundary_clock(&mut self, upstream: usize, downstream: usize) -> Table {
        let servers = self.take_servers(Some(upstream));
        let (upstream, downstream) = (&self.ports[upstream], &self.ports[downstream]);
        let plain = ClientOptions::default();
        let of_clock = for_both_sides(&plain, &plain).map(|(key, _)| key);
        let (mut table, mut client) = (Self::clock(), Table::new());
        set(&mut table, "interface", downstream.interface);
        set(&mut client, "interface", upstream.interface);
        client.insert("server".to_owned(), Value::Array(servers));
        for option in &self.global {
            let [server, client] = [(RoleName::Server, &mut table), (RoleName::Client, &mut client)]
                .map(|(role, table)| option.translate(role, table).err().map(|why| (why, role)));
            // What is for one role only is for that side.
            let refused = [server, client].into_iter().flatten().find(|(why, _)| *why != Refusal::OtherRole);
            if let Some((why, role)) = refused {
                self.left_out.push(option.left_out(why, role));
            }
        }
        client.retain(|key, _| !of_clock.contains(&key));
        for option in &downstream.options {
            if let Err(why) = option.translate(RoleName::Server, &mut table) {
                self.left_out.push(option.left_out(why, RoleName::Server));
            }
        }
        for option in &upstream.options {
            let mut own = Table::new();
            if let Err(why) = option.translate(RoleName::Client, &mut own) {
                self.left_out.push(option.left_out(why, RoleName::Client));
            }
            for (key, value) in own {
                if of_clock.iter().all(|of_clock| *of_clock != key) {
                    client.insert(key, value);
                } else if table.get(&key) != Some(&value) {
                    let why = format!("{key} is for both sides, and [server] has another");
                    self.left_out.push(option.left_out(Refusal::Because(why), RoleName::Client));
                }
            }
        }
        self.steer_nothing(&mut table);
        table.insert("upstream".to_owned(), Value::Table(client));
        table
    }

    /// ptp4l's own default.
    fn clock() -> Table {
        Table::from_iter([("clock".to_owned(), "phc".into())])
    }

    /// It is no option of one side, and stronger than the kind of stamps.
    fn steer_nothing(&self, table: &mut Table) {
        let mut options = self.global.iter().chain(self.ports.iter().flat_map(|port| &port.options));
        if options.any(|option| option.name == "free_running" && option.value != "0") {
            set(table, "clock", "none");
        }
    }
}

impl Entry<'_> {
    /// As people are told.
    fn left_out(&self, why: Refusal, role: RoleName) -> String {
        let why = match why {
            Refusal::OtherRole => format!("means nothing for a {}", role.name()),
            Refusal::Because(why) => why,
        };
        format!("line {}: {} {}: {why}", self.line, self.name, self.value)
    }
}

fn set(table: &mut Table, key: &str, value: &str) {
    table.insert(key.to_owned(), value.into());
}
