//! Switches the NIC's hardware timestamps on and, when no longer needed, back to what they were.

use super::error::NetError;
use super::sys;
use std::io;

/// Smallest first: what is needed, what many NICs offer instead, what serves everything.
const FILTERS: [libc::c_uint; 3] =
    [libc::HWTSTAMP_FILTER_PTP_V2_L4_EVENT, libc::HWTSTAMP_FILTER_PTP_V2_EVENT, libc::HWTSTAMP_FILTER_ALL];

/// Hardware timestamps of PTP event packets over UDP, in both directions, while this lives.
#[derive(Debug)]
pub(super) struct HardwareStamps {
    interface: String,
    /// What to go back to; `None` if nothing was changed or the driver does not tell.
    previous: Option<libc::hwtstamp_config>,
}

impl HardwareStamps {
    /// Switches them on, with the smallest filter that serves (kernel: Documentation/networking/timestamping.rst).
    pub(super) fn enable(interface: &str) -> Result<Self, NetError> {
        let previous = sys::hwtstamp(interface).ok();
        if previous.as_ref().is_some_and(serves) {
            return Ok(Self { interface: interface.to_owned(), previous: None });
        }
        switch_on(interface)?;
        Ok(Self { interface: interface.to_owned(), previous })
    }

    /// Switches them on again if they are off: some drivers forget the mode in a reset. True if so.
    pub(super) fn restore(&mut self) -> Result<bool, NetError> {
        // A driver that does not tell is left alone.
        if sys::hwtstamp(&self.interface).map_or(true, |present| serves(&present)) {
            return Ok(false);
        }
        switch_on(&self.interface).map(|()| true)
    }
}

fn switch_on(interface: &str) -> Result<(), NetError> {
    let mut refusal = io::Error::from_raw_os_error(libc::ERANGE);
    for filter in FILTERS {
        let wanted = libc::hwtstamp_config {
            flags: 0,
            tx_type: libc::HWTSTAMP_TX_ON as libc::c_int,
            rx_filter: filter as libc::c_int,
        };
        match sys::set_hwtstamp(interface, wanted) {
            Ok(config) if serves(&config) => return Ok(()),
            Ok(_) => {}
            // The driver cannot do this filter, perhaps a wider one.
            Err(error) if error.raw_os_error() == Some(libc::ERANGE) => refusal = error,
            Err(error) => return Err(explain(interface, error)),
        }
    }
    Err(NetError::NoHardwareStamps { interface: interface.to_owned(), source: refusal })
}

impl Drop for HardwareStamps {
    fn drop(&mut self) {
        if let Some(previous) = self.previous.take()
            && let Err(error) = sys::set_hwtstamp(&self.interface, previous)
        {
            tracing::warn!(interface = self.interface, %error, "hardware timestamping mode was not restored");
        }
    }
}

fn serves(config: &libc::hwtstamp_config) -> bool {
    config.tx_type == libc::HWTSTAMP_TX_ON as libc::c_int
        && FILTERS.iter().any(|filter| config.rx_filter == *filter as libc::c_int)
}

fn explain(interface: &str, error: io::Error) -> NetError {
    match error.raw_os_error() {
        Some(libc::ENODEV) => NetError::NoInterface { interface: interface.to_owned() },
        Some(libc::EPERM) => {
            NetError::Privilege { action: "switch on hardware timestamps", capability: "CAP_NET_ADMIN" }
        }
        _ => NetError::NoHardwareStamps { interface: interface.to_owned(), source: error },
    }
}
