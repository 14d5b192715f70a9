//! The ways that clients are reached by, numbered: what the program knows each by.

use super::routes::Way;
use ptp_common::abi::NextHop;
use std::collections::HashMap;
use std::net::IpAddr;

/// All of them. Number 0 is nowhere.
#[derive(Debug)]
pub(super) struct Hops {
    numbers: HashMap<Way, u16>,
    /// By number, from 1 on; with what the program was told last.
    hops: Vec<(Way, NextHop)>,
    capacity: u32,
    ethernet: [u8; 6],
}

impl Hops {
    /// Of an interface with that Ethernet address; a map with `capacity` entries, entry 0 included.
    pub(super) fn new(ethernet: [u8; 6], capacity: u32) -> Self {
        Self { numbers: HashMap::new(), hops: Vec::new(), capacity, ethernet }
    }

    /// The number of a way, and the way if it is new; `None` if there is no more room.
    pub(super) fn number(&mut self, way: Way) -> Option<u16> {
        if let Some(number) = self.numbers.get(&way) {
            return Some(*number);
        }
        let number = self.hops.len() + 1;
        let number = u16::try_from(number).ok().filter(|&number| u32::from(number) < self.capacity)?;
        self.numbers.insert(way, number);
        self.hops.push((way, self.next_hop(way, None)));
        Some(number)
    }

    /// What the program is to be told of one: `None` if it knows.
    pub(super) fn update(&mut self, number: u16, ethernet: Option<[u8; 6]>) -> Option<NextHop> {
        let (way, _) = *self.hops.get(usize::from(number).checked_sub(1)?)?;
        let next_hop = self.next_hop(way, ethernet);
        let known = &mut self.hops[usize::from(number) - 1].1;
        (*known != next_hop).then(|| {
            *known = next_hop;
            next_hop
        })
    }

    /// Number, neighbour, and whether it can be sent to.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, IpAddr, bool)> {
        (1..).zip(&self.hops).map(|(number, (way, hop))| (number, way.neighbour, hop.reachable != 0))
    }

    pub(super) fn len(&self) -> usize {
        self.hops.len()
    }

    fn next_hop(&self, way: Way, ethernet: Option<[u8; 6]>) -> NextHop {
        NextHop {
            destination: ethernet.unwrap_or_default(),
            source: self.ethernet,
            reachable: ethernet.is_some().into(),
            address: match way.source {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_keeps_its_number_and_changes_are_told_once() {
        let way = |neighbour: &str| Way {
            neighbour: neighbour.parse().unwrap(),
            source: "10.0.0.1".parse().unwrap(),
        };
        let mut hops = Hops::new([2; 6], 3);
        assert_eq!(hops.number(way("10.0.0.2")), Some(1));
        assert_eq!(hops.number(way("10.0.0.3")), Some(2));
        assert_eq!(hops.number(way("10.0.0.4")), None);
        assert_eq!(hops.number(way("10.0.0.2")), Some(1));
        assert_eq!(hops.update(1, None), None);
        let told = hops.update(1, Some([9; 6])).unwrap();
        assert_eq!((told.destination, told.source, told.reachable), ([9; 6], [2; 6], 1));
        assert_eq!(hops.update(1, Some([9; 6])), None);
        assert_eq!(hops.iter().map(|(_, _, reachable)| reachable).collect::<Vec<_>>(), [true, false]);
        assert_eq!(hops.update(1, None).unwrap().reachable, 0);
    }
}
