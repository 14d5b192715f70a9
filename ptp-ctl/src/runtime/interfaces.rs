//! The interfaces that one controller runs on: their addresses, their links, and what they must have in common.

use crate::config::{self, Common};
use crate::net::{NetError, interface_addresses, interface_index, is_local, link_is_up};
use anyhow::bail;
use std::net::IpAddr;

/// All are there, and so is `local-address`.
pub(super) fn check(common: &Common) -> anyhow::Result<()> {
    for interface in common.interfaces() {
        interface_index(interface)?;
    }
    for &address in &common.local_addresses {
        if !is_local(address)? {
            return Err(NetError::NotLocal { address }.into());
        }
    }
    Ok(())
}

/// What must have been sent to for us to take it: `local-address`, else all that the interfaces have, as the kernel lists them.
pub(super) fn addresses(common: &Common) -> Result<Vec<IpAddr>, NetError> {
    let mut addresses = common.local_addresses.clone();
    if addresses.is_empty() {
        for interface in common.interfaces() {
            for address in interface_addresses(interface)? {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
    }
    Ok(addresses)
}

/// One clock is steered and compared with the stamps of all NICs.
///
/// # Errors
/// With `clock = "phc"`: two have clocks of their own. `phc_indexes` are those of the interfaces.
pub(super) fn check_clocks(common: &Common, phc_indexes: &[Option<u32>]) -> anyhow::Result<()> {
    if common.clock != config::Clock::Phc {
        return Ok(());
    }
    for (interface, index) in common.interfaces().zip(phc_indexes).skip(1) {
        if index != &phc_indexes[0] {
            let name =
                |index: &Option<u32>| index.map_or("no clock".to_owned(), |index| format!("/dev/ptp{index}"));
            bail!(
                "clock = \"phc\" needs one clock behind all interfaces, but {} has {} and {interface} has {}; use --clock system, or a \
                 boundary clock (docs/server.md), which keeps two together",
                common.interface,
                name(&phc_indexes[0]),
                name(index)
            );
        }
    }
    Ok(())
}

/// Which of the interfaces have a link.
pub(super) struct Links(Vec<(String, bool)>);

impl Links {
    /// As they are now.
    pub(super) fn of<'a>(interfaces: impl Iterator<Item = &'a str>) -> Result<Self, NetError> {
        let links = interfaces.map(|interface| Ok((interface.to_owned(), link_is_up(interface)?)));
        Ok(Self(links.collect::<Result<_, NetError>>()?))
    }

    /// What has changed since they were looked at last.
    pub(super) fn look(&mut self) -> LinkNews {
        self.compare(|interface| link_is_up(interface).inspect_err(|error| tracing::debug!(%error)).ok())
    }

    fn compare(&mut self, now: impl Fn(&str) -> Option<bool>) -> LinkNews {
        let mut news = LinkNews::default();
        for (interface, known) in &mut self.0 {
            match now(interface) {
                Some(up) if up != *known => {
                    *known = up;
                    news.changes.push((interface.clone(), up));
                }
                Some(up) => news.one_stayed |= up,
                None => {}
            }
        }
        news
    }
}

/// Of the links of some interfaces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LinkNews {
    /// Those that are another way now.
    pub(super) changes: Vec<(String, bool)>,
    /// One was up before, and is.
    pub(super) one_stayed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn common(settings: &str) -> Common {
        let text = format!("[server]\ninterface = \"eth0\"\nalso-interface = [\"eth1\"]\n{settings}");
        Config::parse(&text).unwrap().common
    }

    #[test]
    fn one_clock_is_behind_all_interfaces() {
        let phc = common("clock = \"phc\"");
        check_clocks(&phc, &[Some(3), Some(3)]).unwrap();
        for (indexes, expected) in [
            ([Some(3), Some(4)], "eth0 has /dev/ptp3 and eth1 has /dev/ptp4"),
            ([Some(3), None], "eth1 has no clock"),
        ] {
            let error = check_clocks(&phc, &indexes).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("--clock system"), "{error}");
        }
        check_clocks(&common(""), &[Some(3), None]).unwrap();
    }

    #[test]
    fn a_link_that_stayed_is_told_from_one_that_came() {
        let up = |names: &'static [&'static str]| move |interface: &str| Some(names.contains(&interface));
        let mut links = Links(["eth0", "eth1"].map(|name| (name.to_owned(), true)).into());
        let changed = |name: &str, up| vec![(name.to_owned(), up)];
        for (now, changes, one_stayed) in [
            (&["eth0", "eth1"][..], vec![], true),
            (&["eth1"], changed("eth0", false), true),
            (&["eth0", "eth1"], changed("eth0", true), true),
            (&["eth1"], changed("eth0", false), true),
            (&[], changed("eth1", false), false),
            (&["eth0"], changed("eth0", true), false),
        ] {
            assert_eq!(links.compare(up(now)), LinkNews { changes, one_stayed }, "{now:?}");
        }
        // One that is gone has no link that could have stayed.
        assert_eq!(links.compare(|_| None), LinkNews::default());
    }

    #[test]
    fn a_local_address_stands_for_all() {
        let common = common("local-address = [\"192.0.2.1\"]");
        assert_eq!(addresses(&common).unwrap(), common.local_addresses);
    }
}
