//! Who stamps: the clock decides between NIC and kernel, then the better way is taken that driver and kernel have.

use super::interfaces;
use crate::config::{self, Common, DataPlaneKind, XdpAttachMode};
use crate::dataplane::{DataPlaneError, probe};
use crate::net::{TimestampingInfo, timestamping};
use anyhow::bail;
use ptp_common::time::StampSource;

/// Chosen at start, and not changed from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources {
    /// Who stamps what comes in.
    pub(super) rx: StampSource,
    /// Who stamps what goes out.
    pub(super) tx: StampSource,
    /// Why the XDP program does not stamp although the data plane would have it.
    pub(super) reason: Option<String>,
}

/// What an interface can do for XDP.
#[derive(Clone, Copy, Debug)]
struct Abilities {
    /// Programs run in the driver; `None` if the kernel does not tell.
    native: Option<bool>,
    nic_stamps: bool,
}

/// Chooses for all interfaces: what one of them has not, none uses.
///
/// # Errors
/// The NIC's stamps are needed and there are none, or not of one clock; a source was asked for that cannot be had, with the
/// reason.
pub(super) fn choose(common: &Common) -> anyhow::Result<Sources> {
    let mut phc_indexes = Vec::new();
    for interface in common.interfaces() {
        let stamps = timestamping(interface)?;
        check_stamps(common, interface, &stamps)?;
        phc_indexes.push(stamps.phc_index);
    }
    interfaces::check_clocks(common, &phc_indexes)?;
    let abilities = common.interfaces().map(abilities).collect::<Result<Vec<_>, _>>()?;
    choose_among(common, &abilities)
}

/// A clock and the stamps that it is compared with must count the same thing.
fn check_stamps(common: &Common, interface: &str, stamps: &TimestampingInfo) -> anyhow::Result<()> {
    if common.clock == config::Clock::Phc {
        if stamps.phc_index.is_none() || !stamps.hardware() {
            bail!(
                "clock = \"phc\" needs the NIC's stamps of PTP over UDP, and {interface} has no such stamps ({}); use \
                 --clock system, or an interface whose NIC has them (`ptp-ctl check {interface}` shows what there is)",
                missing(stamps)
            );
        }
    } else if !stamps.tx_software {
        // Drivers have been known not to tell, so this is no error.
        tracing::warn!(
            "{interface} does not say that its driver takes software TX stamps: without them no exchange completes"
        );
    }
    Ok(())
}

/// `abilities`: of each interface.
fn choose_among(common: &Common, abilities: &[Abilities]) -> anyhow::Result<Sources> {
    let hardware = common.clock == config::Clock::Phc;
    let (xdp, socket) = if hardware {
        (StampSource::XdpHw, StampSource::SocketHw)
    } else {
        (StampSource::XdpSw, StampSource::SocketSw)
    };
    let wants_xdp = match common.rx_timestamp {
        Some(source) => source.is_xdp(),
        None => common.data_plane == DataPlaneKind::Xdp,
    };
    // TX stamps come through the socket whoever takes them.
    let sources = |rx, reason| Sources { rx, tx: socket, reason };
    if !wants_xdp {
        return Ok(sources(socket, None));
    }
    let found = common.interfaces().zip(abilities).find_map(|(interface, abilities)| {
        Some((interface, obstacle(common.xdp_mode, hardware, *abilities)?))
    });
    match (found, common.rx_timestamp) {
        (None, _) => Ok(sources(xdp, None)),
        (Some((_, reason)), None) if common.also_interfaces.is_empty() => {
            Ok(sources(socket, Some(reason.to_owned())))
        }
        (Some((interface, reason)), None) => Ok(sources(socket, Some(format!("{interface}: {reason}")))),
        (Some((interface, reason)), Some(_)) => bail!(
            "--rx-timestamp {} cannot be had on {interface}: {reason}; use --rx-timestamp {}",
            xdp.name(),
            socket.name()
        ),
    }
}

/// What keeps the program from stamping, of what no user can change.
const fn obstacle(mode: XdpAttachMode, hardware: bool, abilities: Abilities) -> Option<&'static str> {
    match (hardware, mode) {
        (true, XdpAttachMode::Generic) => Some("only native XDP gives the NIC's stamps to programs"),
        (true, XdpAttachMode::Native) if !abilities.nic_stamps => {
            Some("driver or kernel give no NIC stamps to XDP programs")
        }
        (false, XdpAttachMode::Native) if matches!(abilities.native, Some(false)) => {
            Some("the driver has no native XDP; --xdp-mode generic works with every driver")
        }
        _ => None,
    }
}

fn abilities(interface: &str) -> Result<Abilities, DataPlaneError> {
    let native = probe::driver_features(interface)?.map(|features| features.native);
    Ok(Abilities { native, nic_stamps: probe::can_read_nic_stamps(interface)? })
}

/// What hardware stamping lacks, in words.
fn missing(stamps: &TimestampingInfo) -> &'static str {
    match stamps {
        TimestampingInfo { phc_index: None, .. } => "it has no PTP hardware clock",
        TimestampingInfo { tx_hardware: false, .. } => "it does not stamp what it sends",
        TimestampingInfo { rx_hardware: false, .. } => "it does not stamp what it receives",
        TimestampingInfo { raw_hardware: false, .. } => "it does not deliver its clock's reading",
        _ => "no filter of its takes PTP over UDP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const ALL: Abilities = Abilities { native: Some(true), nic_stamps: true };
    const NONE: Abilities = Abilities { native: Some(false), nic_stamps: false };

    fn common(settings: &str) -> Common {
        Config::parse(&format!("[server]\ninterface = \"eth0\"\n{settings}")).unwrap().common
    }

    fn chosen(settings: &str, abilities: Abilities) -> (&'static str, &'static str, bool) {
        let sources = choose_among(&common(settings), &[abilities]).unwrap();
        (sources.rx.name(), sources.tx.name(), sources.reason.is_some())
    }

    #[test]
    fn the_clock_decides_then_the_better_is_taken() {
        for (settings, abilities, expected) in [
            ("clock = 'phc'", ALL, ("xdp-hw", "socket-hw", false)),
            ("clock = 'phc'", NONE, ("socket-hw", "socket-hw", true)),
            ("clock = 'phc'\nxdp-mode = 'generic'", ALL, ("socket-hw", "socket-hw", true)),
            ("clock = 'phc'\ndata-plane = 'socket'", ALL, ("socket-hw", "socket-hw", false)),
            ("clock = 'phc'\nrx-timestamp = 'socket-hw'", ALL, ("socket-hw", "socket-hw", false)),
            ("clock = 'system'", ALL, ("xdp-sw", "socket-sw", false)),
            ("clock = 'system'", NONE, ("socket-sw", "socket-sw", true)),
            ("clock = 'system'", Abilities { native: None, ..NONE }, ("xdp-sw", "socket-sw", false)),
            ("clock = 'system'\nxdp-mode = 'generic'", NONE, ("xdp-sw", "socket-sw", false)),
            ("clock = 'virtual'\nrx-timestamp = 'socket-sw'", ALL, ("socket-sw", "socket-sw", false)),
        ] {
            assert_eq!(chosen(settings, abilities), expected, "{settings} {abilities:?}");
        }
    }

    #[test]
    fn what_one_interface_has_not_none_uses() {
        let common = common("also-interface = ['eth1']");
        let chosen = |abilities: [Abilities; 2]| choose_among(&common, &abilities).unwrap();
        assert_eq!((chosen([ALL, ALL]).rx, chosen([ALL, ALL]).reason), (StampSource::XdpSw, None));
        let Sources { rx, reason, .. } = chosen([ALL, NONE]);
        assert_eq!(rx, StampSource::SocketSw);
        assert!(reason.unwrap().starts_with("eth1: the driver has no native XDP"));
    }

    #[test]
    fn a_source_that_was_asked_for_is_had_or_refused() {
        for (settings, cause) in [
            ("clock = 'phc'\nrx-timestamp = 'xdp-hw'", "NIC stamps"),
            ("clock = 'virtual'\nrx-timestamp = 'xdp-sw'", "native XDP"),
        ] {
            let error = choose_among(&common(settings), &[NONE]).unwrap_err().to_string();
            assert!(error.contains(cause) && error.contains("use --rx-timestamp socket"), "{error}");
        }
    }
}
