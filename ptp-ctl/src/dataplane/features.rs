//! Since when the kernel has what each part of the data plane needs.

use super::error::DataPlaneError;
use nix::sys::utsname::uname;

/// A part of the data plane with a demand of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// The XDP program at all: the helper for CLOCK_TAI.
    Xdp,
    /// Delay_Resp by the program itself: mapped arrays (5.5), growing frames (5.8), the coarse clock (5.11).
    DelayResp,
    /// Sync and Announce: live frames (5.18), and with them CLOCK_TAI.
    FanOut,
    /// RX stamps of the NIC: the kernel function that reads them.
    NicStamps,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Xdp, Self::DelayResp, Self::FanOut, Self::NicStamps];

    /// As reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xdp => "the XDP data plane",
            Self::DelayResp => "Delay_Resp in XDP",
            Self::FanOut => "the massive plane",
            Self::NicStamps => "NIC stamps in XDP",
        }
    }

    /// Major and minor number of the first Linux that has it.
    pub const fn needed(self) -> (u32, u32) {
        match self {
            Self::Xdp | Self::DelayResp | Self::FanOut => (6, 1),
            Self::NicStamps => (6, 3),
        }
    }

    /// Is the running kernel new enough? One whose release cannot be read is.
    pub fn is_there(self) -> bool {
        release().1.is_none_or(|running| running >= self.needed())
    }

    /// The same, as an error.
    pub(super) fn check(self) -> Result<(), DataPlaneError> {
        if self.is_there() {
            return Ok(());
        }
        let (running, _) = release();
        Err(DataPlaneError::KernelTooOld { feature: self.name(), needed: self.needed(), running })
    }
}

/// What the kernel calls itself, and its first two numbers.
fn release() -> (String, Option<(u32, u32)>) {
    let release =
        uname().map_or_else(|_| String::new(), |name| name.release().to_string_lossy().into_owned());
    let numbers = numbers(&release);
    (release, numbers)
}

fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|character: char| !character.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read() {
        for (release, expected) in [
            ("6.18.44-fc-v595", Some((6, 18))),
            ("6.1.0-18-amd64", Some((6, 1))),
            ("5.15.153.1-microsoft-standard-WSL2", Some((5, 15))),
            ("6.8-rc1", Some((6, 8))),
            ("next", None),
        ] {
            assert_eq!(numbers(release), expected, "{release}");
        }
        assert!(numbers("5.19.0") < Some(Feature::Xdp.needed()));
    }
}
