use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Addresses that begin alike: `10.0.0.0/8`, `2001:db8::/32`; an address alone stands for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix {
    network: IpAddr,
    length: u8,
}

/// Why a text is no [`Prefix`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// It is nothing of the kind.
    #[error("{0:?} is no prefix: write 10.0.0.0/8, 2001:db8::/32 or an address")]
    Syntax(String),
    /// Longer than an address.
    #[error("{0:?}: the length must be 0 to {1}")]
    Length(String, u8),
    /// There is something in the address behind the prefix.
    #[error("{0:?} has bits behind the prefix: write {1}")]
    HostBits(String, String),
}

impl Prefix {
    /// Whether the address begins like that.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.network.is_ipv4() == address.is_ipv4() && network(address, self.length) == self.network
    }
}

/// The address without what is behind the first `length` bits.
fn network(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let behind = u32::MAX.checked_shr(length.into()).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & !behind).into()
        }
        IpAddr::V6(address) => {
            let behind = u128::MAX.checked_shr(length.into()).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & !behind).into()
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let syntax = || PrefixError::Syntax(text.to_owned());
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| syntax())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Ok(longest), |length| length.parse::<u8>().map_err(|_| syntax()))?;
        if length > longest {
            return Err(PrefixError::Length(text.to_owned(), longest));
        }
        let network = network(address, length);
        if network != address {
            return Err(PrefixError::HostBits(text.to_owned(), format!("{network}/{length}")));
        }
        Ok(Self { network, length })
    }
}

impl TryFrom<String> for Prefix {
    type Error = PrefixError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_or_not() {
        for (prefix, address, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::/0", "192.0.2.1", false),
        ] {
            let contains = prefix.parse::<Prefix>().unwrap().contains(address.parse().unwrap());
            assert_eq!(contains, expected, "{prefix} {address}");
        }
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for (text, expected) in [
            ("10.0.0.0/33", "0 to 32"),
            ("10.0.0.1/8", "write 10.0.0.0/8"),
            ("ten/8", "is no prefix"),
            ("10.0.0.0/x", "is no prefix"),
        ] {
            let error = text.parse::<Prefix>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
