use std::io;

/// What can go wrong with clocks; each message names the cause and, where there is one, the way out.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// The interface has no PHC.
    #[error("{interface} has no PTP hardware clock; use `--clock system`, or an interface whose NIC has one")]
    NoPhc {
        /// The interface.
        interface: String,
    },
    /// The device node is not there.
    #[error(
        "{device} is missing: the driver has a hardware clock, but this system (or container) has no device for it"
    )]
    DeviceMissing {
        /// /dev/ptpN.
        device: String,
    },
    /// EPERM, or EACCES on the device.
    #[error("not permitted to {action}: run as root or with {needed}, or measure only with `--clock none`")]
    Privilege {
        /// What was tried.
        action: String,
        /// A capability or a file permission.
        needed: String,
    },
    /// Stepped or steered although it was opened for reading.
    #[error("the {clock} clock was opened for reading only")]
    ReadOnly {
        /// Its kind.
        clock: &'static str,
    },
    /// Not a number, or infinite.
    #[error("a frequency of {ppb} ppb cannot be set")]
    Frequency {
        /// What was asked for.
        ppb: f64,
    },
    /// A clock could not be opened.
    #[error("cannot open {device}: {source}")]
    Open {
        /// /dev/ptpN.
        device: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A clock could not be read.
    #[error("cannot read {clock}: {source}")]
    Read {
        /// What was to be read.
        clock: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A clock could not be stepped or steered.
    #[error("cannot {action} the {clock} clock: {source}")]
    Adjust {
        /// What was tried.
        action: &'static str,
        /// Its kind.
        clock: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}
