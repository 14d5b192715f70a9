//! From linuxptp's configuration of ptp4l to ours: what has a counterpart is translated, everything else is named.

#[cfg(test)]
mod tests;

use super::{ConfigError, RoleName, show};
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
    /// Several ports.
    #[error(
        "several interfaces ({0}): one controller runs on one interface; translate a file with one of them"
    )]
    Interfaces(String),
    /// What came out is not valid.
    #[error("the translation is not valid: {0}")]
    Invalid(#[from] ConfigError),
}

/// How the value of an option becomes one of ours.
#[derive(Clone, Copy)]
enum Counterpart {
    /// The same number, which may be hexadecimal.
    Integer(&'static str),
    /// s to ns.
    Nanoseconds(&'static str),
    /// The same as [`Counterpart::Integer`], with 0 for "off", which we have not.
    NotZero(&'static str),
    /// majorSdoId: the upper four bits of the sdoId.
    MajorSdoId,
    /// One of two words of ours, for 0 and 1.
    Switch(&'static str, [&'static str; 2]),
    /// The same path.
    Path(&'static str),
    /// `hardware` or `software` (or what comes near to them) become the clock.
    TimeStamping,
    /// Taken account of in another place, or the same with us in any case.
    Nothing,
}

const BOTH: &[RoleName] = &RoleName::ALL;
const CLIENT: &[RoleName] = &[RoleName::Client];
const SERVER: &[RoleName] = &[RoleName::Server];

/// Options of ptp4l that have a counterpart, and the roles in which.
const OPTIONS: &[(&str, Counterpart, &[RoleName])] = &[
    ("domainNumber", Counterpart::Integer("domain"), BOTH),
    ("majorSdoId", Counterpart::MajorSdoId, BOTH),
    ("transportSpecific", Counterpart::MajorSdoId, BOTH),
    ("ptp_minor_version", Counterpart::Integer("minor-version"), BOTH),
    ("dscp_event", Counterpart::Integer("dscp"), BOTH),
    ("time_stamping", Counterpart::TimeStamping, BOTH),
    ("uds_address", Counterpart::Path("management-socket"), BOTH),
    ("priority1", Counterpart::Integer("priority1"), SERVER),
    ("priority2", Counterpart::Integer("priority2"), SERVER),
    ("clockClass", Counterpart::Integer("clock-class"), SERVER),
    ("clockAccuracy", Counterpart::Integer("clock-accuracy"), SERVER),
    ("offsetScaledLogVariance", Counterpart::Integer("offset-scaled-log-variance"), SERVER),
    ("timeSource", Counterpart::Integer("time-source"), SERVER),
    ("twoStepFlag", Counterpart::Switch("sync-mode", ["one-step", "two-step"]), SERVER),
    ("logAnnounceInterval", Counterpart::Integer("log-announce-interval"), CLIENT),
    ("logSyncInterval", Counterpart::Integer("log-sync-interval"), CLIENT),
    ("logMinDelayReqInterval", Counterpart::Integer("log-delay-resp-interval"), CLIENT),
    ("unicast_req_duration", Counterpart::Integer("duration"), CLIENT),
    ("announceReceiptTimeout", Counterpart::Integer("announce-receipt-timeout"), CLIENT),
    ("syncReceiptTimeout", Counterpart::NotZero("sync-receipt-timeout"), CLIENT),
    ("delayAsymmetry", Counterpart::Integer("delay-asymmetry"), CLIENT),
    ("step_threshold", Counterpart::Nanoseconds("step-threshold"), CLIENT),
    ("first_step_threshold", Counterpart::Nanoseconds("first-step-threshold"), CLIENT),
    // A client of ours is never a server, and a server never a client.
    ("priority1", Counterpart::Nothing, CLIENT),
    ("priority2", Counterpart::Nothing, CLIENT),
    ("clockClass", Counterpart::Nothing, CLIENT),
    ("slaveOnly", Counterpart::Nothing, BOTH),
    ("clientOnly", Counterpart::Nothing, BOTH),
    ("masterOnly", Counterpart::Nothing, BOTH),
    ("serverOnly", Counterpart::Nothing, BOTH),
    ("inhibit_multicast_service", Counterpart::Nothing, BOTH),
    ("unicast_listen", Counterpart::Nothing, BOTH),
    ("unicast_master_table", Counterpart::Nothing, BOTH),
    ("free_running", Counterpart::Nothing, BOTH),
    // Clients say how often they want what.
    ("logAnnounceInterval", Counterpart::Nothing, SERVER),
    ("logSyncInterval", Counterpart::Nothing, SERVER),
    ("logMinDelayReqInterval", Counterpart::Nothing, SERVER),
];

/// An option as it stands in the file.
struct Entry<'a> {
    line: usize,
    name: &'a str,
    value: &'a str,
}

/// The parts of a file.
#[derive(Default)]
struct Original<'a> {
    /// Of [global] and of the interface, in that order: the later rules.
    options: Vec<Entry<'a>>,
    interfaces: Vec<&'a str>,
    servers: Vec<Value>,
    left_out: Vec<String>,
}

/// Translates the text of a configuration of ptp4l.
///
/// # Errors
/// See [`TranslationError`].
pub fn translate(text: &str) -> Result<Translation, TranslationError> {
    let Original { options, interfaces, servers, mut left_out } = Original::parse(text);
    let is_on = |name| options.iter().any(|option| option.name == name && option.value != "0");
    let role = match (servers.is_empty(), is_on("unicast_listen")) {
        (false, listens) => {
            if listens {
                left_out.push(
                    "unicast_listen: it is translated as a client; a boundary clock needs two files"
                        .to_owned(),
                );
            }
            RoleName::Client
        }
        (true, true) => RoleName::Server,
        (true, false) => return Err(TranslationError::NoUnicast),
    };
    let mut table = Table::new();
    match interfaces[..] {
        [interface] => table.insert("interface".to_owned(), interface.into()),
        [] => {
            left_out.push("the interface: the file names none (`ptp4l -i`); it is eth0 here".to_owned());
            table.insert("interface".to_owned(), "eth0".into())
        }
        _ => return Err(TranslationError::Interfaces(interfaces.join(", "))),
    };
    if role == RoleName::Client {
        table.insert("server".to_owned(), Value::Array(servers));
    }
    // ptp4l's own default.
    table.insert("clock".to_owned(), "phc".into());
    for option in &options {
        if let Err(why) = option.translate(role, &mut table) {
            left_out.push(format!("line {}: {} {}: {why}", option.line, option.name, option.value));
        }
    }
    if is_on("free_running") {
        table.insert("clock".to_owned(), "none".into());
    }
    let mut text = String::from("# Translated from a configuration of ptp4l.\n");
    for line in &left_out {
        let _ = writeln!(text, "# Not translated: {line}");
    }
    // In the order of a new file, and valid.
    let settings = show(&format!("[{}]\n{table}", role.name()), false)?;
    let _ = write!(text, "\n{settings}");
    Ok(Translation { text, left_out })
}

impl<'a> Original<'a> {
    fn parse(text: &'a str) -> Self {
        let mut original = Self::default();
        let mut section = "global";
        for (index, line) in text.lines().enumerate() {
            let (number, line) = (index + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name.trim();
                if !section.contains("_table") && section != "global" {
                    original.interfaces.push(section);
                }
                continue;
            }
            let (name, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let option = Entry { line: number, name, value: value.trim() };
            match section {
                "unicast_master_table" => original.server(&option),
                section if section.contains("_table") => {
                    original
                        .left_out
                        .push(format!("line {number}: {line}: nothing of [{section}] has a counterpart"));
                }
                _ => original.options.push(option),
            }
        }
        original
    }

    /// A line of [unicast_master_table].
    fn server(&mut self, option: &Entry<'_>) {
        match option.name {
            "UDPv4" | "UDPv6" => self.servers.push(option.value.into()),
            // One table is all there is with us, and servers are asked as they need it.
            "table_id" | "logQueryInterval" => {}
            name => self.left_out.push(format!(
                "line {}: {name} {}: only UDPv4 and UDPv6 are built",
                option.line, option.value
            )),
        }
    }
}

impl Entry<'_> {
    /// Puts the counterpart into the table. The error says why there is none.
    fn translate(&self, role: RoleName, table: &mut Table) -> Result<(), String> {
        match (self.name, self.value) {
            ("network_transport", "UDPv4" | "UDPv6") | ("delay_mechanism", "E2E") => return Ok(()),
            ("network_transport", _) => return Err("only UDPv4 and UDPv6 are built".to_owned()),
            ("delay_mechanism", _) => return Err("only E2E is built".to_owned()),
            _ => {}
        }
        let of_name = || OPTIONS.iter().filter(|(name, ..)| *name == self.name);
        let Some((_, into, _)) = of_name().find(|(_, _, roles)| roles.contains(&role)) else {
            return Err(match of_name().next() {
                Some(_) => format!("means nothing for a {}", role.name()),
                None => "no counterpart".to_owned(),
            });
        };
        let mut set = |key: &str, value: Value| {
            table.insert(key.to_owned(), value);
            Ok(())
        };
        match *into {
            Counterpart::Integer(key) => set(key, self.integer()?.into()),
            Counterpart::NotZero(key) => match self.integer()? {
                0 => Err("cannot be switched off; the default is in force".to_owned()),
                value => set(key, value.into()),
            },
            Counterpart::Nanoseconds(key) => {
                let seconds: f64 = self.value.parse().map_err(|_| "no number".to_owned())?;
                // Far below what a double can hold exactly.
                set(key, Value::Integer((seconds * 1e9).round() as i64))
            }
            Counterpart::MajorSdoId => set("sdo-id", (self.integer()? << 8).into()),
            Counterpart::Switch(key, words) => set(key, words[usize::from(self.integer()? != 0)].into()),
            Counterpart::Path(key) => set(key, self.value.into()),
            Counterpart::TimeStamping => match self.value {
                "hardware" => set("clock", "phc".into()),
                "software" => set("clock", "system".into()),
                _ => Err("only hardware and software are built; clock = \"phc\" is nearest".to_owned()),
            },
            Counterpart::Nothing => Ok(()),
        }
    }

    fn integer(&self) -> Result<i64, String> {
        let number = match self.value.strip_prefix("0x").or_else(|| self.value.strip_prefix("0X")) {
            Some(digits) => i64::from_str_radix(digits, 16),
            None => self.value.parse(),
        };
        number.map_err(|_| "no whole number".to_owned())
    }
}
