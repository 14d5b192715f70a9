use core::fmt;
use core::str::FromStr;

/// clockIdentity (7.5.2.2). Written as linuxptp does: `001122.fffe.334455`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockIdentity(pub [u8; 8]);

impl ClockIdentity {
    /// An EUI-64 made from a MAC address: FF FE in the middle (IEEE 1588-2008, 7.5.2.2.2; linuxptp does so too).
    pub const fn from_mac(mac: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = mac;
        Self([a, b, c, 0xff, 0xfe, d, e, f])
    }
}

impl fmt::Display for ClockIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i] = self.0;
        write!(f, "{a:02x}{b:02x}{c:02x}.{d:02x}{e:02x}.{g:02x}{h:02x}{i:02x}")
    }
}

impl FromStr for ClockIdentity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let mut octets = text.bytes();
        let mut identity = [0; 8];
        for (position, octet) in identity.iter_mut().enumerate() {
            if matches!(position, 3 | 5) && octets.next() != Some(b'.') {
                return Err(IdentityError);
            }
            *octet = (hex_digit(octets.next())? << 4) | hex_digit(octets.next())?;
        }
        if octets.next().is_some() { Err(IdentityError) } else { Ok(Self(identity)) }
    }
}

fn hex_digit(octet: Option<u8>) -> Result<u8, IdentityError> {
    let digit = octet.and_then(|octet| char::from(octet).to_digit(16)).ok_or(IdentityError)?;
    u8::try_from(digit).map_err(|_| IdentityError)
}

/// portIdentity (5.3.5). Written as linuxptp does: `001122.fffe.334455-1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortIdentity {
    /// The clock.
    pub clock_identity: ClockIdentity,
    /// Its port, from 1; 0xffff stands for all ports.
    pub port_number: u16,
}

impl PortIdentity {
    /// Every port of every clock (all ones).
    pub const WILDCARD: Self = Self { clock_identity: ClockIdentity([0xff; 8]), port_number: 0xffff };

    /// As on the wire.
    pub const fn to_bytes(self) -> [u8; 10] {
        let [a, b, c, d, e, f, g, h] = self.clock_identity.0;
        let [i, j] = self.port_number.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j]
    }

    /// From the wire.
    pub const fn from_bytes(octets: [u8; 10]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j] = octets;
        Self {
            clock_identity: ClockIdentity([a, b, c, d, e, f, g, h]),
            port_number: u16::from_be_bytes([i, j]),
        }
    }
}

impl fmt::Display for PortIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.clock_identity, self.port_number)
    }
}

impl FromStr for PortIdentity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let (clock, port) = text.split_once('-').ok_or(IdentityError)?;
        Ok(Self { clock_identity: clock.parse()?, port_number: port.parse().map_err(|_| IdentityError)? })
    }
}

/// A text is no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identity looks like 001122.fffe.334455 (clock) or 001122.fffe.334455-1 (port)")]
pub struct IdentityError;
