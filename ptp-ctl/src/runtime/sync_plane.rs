//! Who sends Sync and Announce: this process, or the kernel for it.

use crate::config::{ServerSettings, SyncPlane, XdpAttachMode};
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

/// Chooses for a server whose event messages are stamped like that, by a program attached in that mode.
///
/// # Errors
/// The massive plane was asked for, and cannot be had.
pub(super) fn choose(
    server: &ServerSettings,
    rx: StampSource,
    mode: XdpAttachMode,
) -> anyhow::Result<Choice> {
    choose_on(server, rx, mode, Feature::FanOut.is_there())
}

fn choose_on(
    server: &ServerSettings,
    rx: StampSource,
    mode: XdpAttachMode,
    live_frames: bool,
) -> anyhow::Result<Choice> {
    let precise = |reason| Ok(Choice { massive: false, reason });
    let obstacle = if !rx.is_xdp() {
        Some("the massive plane needs the XDP data plane")
    } else if mode == XdpAttachMode::Generic {
        // Where the driver cannot run programs, it cannot send their frames either.
        Some("the massive plane needs native XDP")
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

    fn server(settings: &str) -> ServerSettings {
        let text = format!("[server]\ninterface = \"eth0\"\n{settings}");
        match Config::parse(&text).unwrap().role {
            Role::Server(server) => server,
            Role::Client(_) => panic!("{text}"),
        }
    }

    #[test]
    fn the_number_of_clients_decides_unless_somebody_does() {
        let native = XdpAttachMode::Native;
        for (settings, rx, mode, live_frames, massive) in [
            ("", StampSource::XdpSw, native, true, false),
            ("max-clients = 4096", StampSource::XdpSw, native, true, false),
            ("max-clients = 4097", StampSource::XdpSw, native, true, true),
            ("max-clients = 4097", StampSource::XdpHw, native, true, true),
            ("max-clients = 4097", StampSource::XdpSw, native, false, false),
            ("max-clients = 4097", StampSource::XdpSw, XdpAttachMode::Generic, true, false),
            ("max-clients = 4097", StampSource::SocketSw, native, true, false),
            ("max-clients = 4097\nsync-plane = 'precise'", StampSource::XdpSw, native, true, false),
            ("sync-plane = 'massive'", StampSource::XdpSw, native, true, true),
        ] {
            let choice = choose_on(&server(settings), rx, mode, live_frames).unwrap();
            assert_eq!(choice.massive, massive, "{settings} {rx:?} {mode:?} {live_frames}");
        }
        for (rx, mode, live_frames) in [
            (StampSource::SocketSw, native, true),
            (StampSource::XdpSw, native, false),
            (StampSource::XdpSw, XdpAttachMode::Generic, true),
        ] {
            let error = choose_on(&server("sync-plane = 'massive'"), rx, mode, live_frames).unwrap_err();
            assert!(error.to_string().contains("--sync-plane precise"), "{error}");
        }
    }
}
