//! Options of ptp4l, and what they are with us.

use super::RoleName;
use toml::{Table, Value};

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
pub(super) struct Entry<'a> {
    pub(super) line: usize,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// Why an option is not translated.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is for the other role.
    OtherRole,
    /// Anything else.
    Because(String),
}

impl From<&str> for Refusal {
    fn from(why: &str) -> Self {
        Self::Because(why.to_owned())
    }
}

impl Entry<'_> {
    /// Puts the counterpart into the table. The error says why there is none.
    pub(super) fn translate(&self, role: RoleName, table: &mut Table) -> Result<(), Refusal> {
        match (self.name, self.value) {
            ("network_transport", "UDPv4" | "UDPv6") | ("delay_mechanism", "E2E") => return Ok(()),
            ("network_transport", _) => return Err("only UDPv4 and UDPv6 are built".into()),
            ("delay_mechanism", _) => return Err("only E2E is built".into()),
            ("boundary_clock_jbod", "0") => return Ok(()),
            ("boundary_clock_jbod", _) => {
                return Err("not needed: the clock of a second NIC follows the first one's by itself".into());
            }
            _ => {}
        }
        let of_name = || OPTIONS.iter().filter(|(name, ..)| *name == self.name);
        let Some((_, into, _)) = of_name().find(|(_, _, roles)| roles.contains(&role)) else {
            return Err(match of_name().next() {
                Some(_) => Refusal::OtherRole,
                None => "no counterpart".into(),
            });
        };
        let mut set = |key: &str, value: Value| {
            table.insert(key.to_owned(), value);
            Ok(())
        };
        match *into {
            Counterpart::Integer(key) => set(key, self.integer()?.into()),
            Counterpart::NotZero(key) => match self.integer()? {
                0 => Err("cannot be switched off; the default is in force".into()),
                value => set(key, value.into()),
            },
            Counterpart::Nanoseconds(key) => {
                let seconds: f64 = self.value.parse().map_err(|_| "no number")?;
                // Far below what a double can hold exactly.
                set(key, Value::Integer((seconds * 1e9).round() as i64))
            }
            Counterpart::MajorSdoId => set("sdo-id", (self.integer()? << 8).into()),
            Counterpart::Switch(key, words) => set(key, words[usize::from(self.integer()? != 0)].into()),
            Counterpart::Path(key) => set(key, self.value.into()),
            Counterpart::TimeStamping => match self.value {
                "hardware" => set("clock", "phc".into()),
                "software" => set("clock", "system".into()),
                _ => Err("only hardware and software are built; clock = \"phc\" is nearest".into()),
            },
            Counterpart::Nothing => Ok(()),
        }
    }

    fn integer(&self) -> Result<i64, Refusal> {
        let number = match self.value.strip_prefix("0x").or_else(|| self.value.strip_prefix("0X")) {
            Some(digits) => i64::from_str_radix(digits, 16),
            None => self.value.parse(),
        };
        number.map_err(|_| "no whole number".into())
    }
}
