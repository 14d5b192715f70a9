//! Who sends Sync and Announce: this process, or the kernel for it.

use crate::config::{Common, ServerSettings, SyncPlane, XdpAttachMode};
use crate::dataplane::Feature;
use anyhow::bail;
use ptp_common::time::StampSource;

/// For up to so many clients the precise plane is taken, unless somebody says otherwise.
pub(super) const PRECISE_CLIENTS: usize = 4096;

/// Chosen at start, and not changed from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// The kernel sends them, one-step, without waiting for anybody.
    pub(super) massive: bool,
    /// Why.
    pub(super) reason: &'static str,
}

/// Chooses for a server whose event messages are stamped like that.
///
/// # Errors
/// The massive plane was asked for, and cannot be had.
pub(super) fn choose(server: &ServerSettings, common: &Common, rx: StampSource) -> anyhow::Result<Choice> {
    choose_on(server, common, rx, Feature::FanOut.is_there())
}

fn choose_on(
    server: &ServerSettings,
    common: &Common,
    rx: StampSource,
    live_frames: bool,
) -> anyhow::Result<Choice> {
    let precise = |reason| Ok(Choice { massive: false, reason });
    let obstacle = if !rx.is_xdp() {
        Some("the massive plane needs the XDP data plane")
    } else if common.xdp_mode == XdpAttachMode::Generic {
        // Where the driver cannot run programs, it cannot send their frames either.
        Some("the massive plane needs native XDP")
    } else if !common.also_interfaces.is_empty() {
        Some("the massive plane sends over one interface only")
    } else if !live_frames {
        Some("the massive plane needs Linux 6.1")
    } else {
        None
    };
    match (server.sync_plane, obstacle) {
        (SyncPlane::Precise, _) => precise("asked for"),
        (SyncPlane::Massive, None) => Ok(Choice { massive: true, reason: "asked for" }),
        (SyncPlane::Massive, Some(obstacle)) => bail!("{obstacle}; use --sync-plane precise"),
        (SyncPlane::Auto, _) if server.policy.max_clients <= PRECISE_CLIENTS => {
            precise("max-clients is within what it serves, 4096")
        }
        (SyncPlane::Auto, Some(obstacle)) => precise(obstacle),
        (SyncPlane::Auto, None) => Ok(Choice { massive: true, reason: "max-clients is above 4096" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Role};

    fn chosen(settings: &str, rx: StampSource, live_frames: bool) -> anyhow::Result<Choice> {
        let settings = Config::parse(&format!("[server]\ninterface = \"eth0\"\n{settings}")).unwrap();
        let Role::Server(server) = &settings.role else { panic!("no server") };
        choose_on(server, &settings.common, rx, live_frames)
    }

    #[test]
    fn the_number_of_clients_decides_unless_somebody_does() {
        for (settings, rx, live_frames, massive) in [
            ("", StampSource::XdpSw, true, false),
            ("max-clients = 4096", StampSource::XdpSw, true, false),
            ("max-clients = 4097", StampSource::XdpSw, true, true),
            ("max-clients = 4097", StampSource::XdpHw, true, true),
            ("max-clients = 4097", StampSource::XdpSw, false, false),
            ("max-clients = 4097\nxdp-mode = 'generic'", StampSource::XdpSw, true, false),
            ("max-clients = 4097\nalso-interface = ['eth1']", StampSource::XdpSw, true, false),
            ("max-clients = 4097", StampSource::SocketSw, true, false),
            ("max-clients = 4097\nsync-plane = 'precise'", StampSource::XdpSw, true, false),
            ("sync-plane = 'massive'", StampSource::XdpSw, true, true),
        ] {
            let choice = chosen(settings, rx, live_frames).unwrap();
            assert_eq!(choice.massive, massive, "{settings} {rx:?} {live_frames}");
        }
        for (settings, rx, live_frames) in [
            ("", StampSource::SocketSw, true),
            ("", StampSource::XdpSw, false),
            ("xdp-mode = 'generic'", StampSource::XdpSw, true),
            ("also-interface = ['eth1']", StampSource::XdpSw, true),
        ] {
            let settings = format!("sync-plane = 'massive'\n{settings}");
            let error = chosen(&settings, rx, live_frames).unwrap_err();
            assert!(error.to_string().contains("--sync-plane precise"), "{error}");
        }
    }
}
