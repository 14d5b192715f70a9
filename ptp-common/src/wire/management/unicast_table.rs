//! The servers of a client, as linuxptp tells them.

use super::super::cursor::{Reader, Writer};
use super::super::{ClockQuality, EmitError, ParseError, PortIdentity};
use super::DataSetError;
use super::data_set::{clock_quality, put_clock_quality};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// networkProtocol (7.4.1).
const UDP_IPV4: u16 = 1;
const UDP_IPV6: u16 = 2;

/// How far the negotiation with a server is, as linuxptp tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnicastState {
    /// Nothing is granted.
    Wait = 0,
    /// Announce is granted.
    HaveAnnounce = 1,
    /// The server is to be used, and Sync and Delay_Resp are not granted yet.
    NeedSyncAndDelay = 2,
    /// All is granted.
    HaveSyncAndDelay = 3,
}

impl UnicastState {
    const ALL: [Self; 4] = [Self::Wait, Self::HaveAnnounce, Self::NeedSyncAndDelay, Self::HaveSyncAndDelay];
}

/// One server of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnicastMaster {
    /// Its sourcePortIdentity; zero before it is known.
    pub port_identity: PortIdentity,
    /// grandmasterClockQuality that it announces.
    pub clock_quality: ClockQuality,
    /// It is the one in use.
    pub selected: bool,
    /// How far the negotiation is.
    pub state: UnicastState,
    /// grandmasterPriority1 that it announces.
    pub priority1: u8,
    /// grandmasterPriority2 that it announces.
    pub priority2: u8,
    /// Its address.
    pub address: IpAddr,
}

impl UnicastMaster {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, DataSetError> {
        let port_identity = reader.port_identity()?;
        let clock_quality = clock_quality(reader)?;
        let [selected, state, priority1, priority2] = reader.array()?;
        let address = match (reader.u16()?, reader.u16()?) {
            (UDP_IPV4, 4) => IpAddr::V4(Ipv4Addr::from(reader.array()?)),
            (UDP_IPV6, 16) => IpAddr::V6(Ipv6Addr::from(reader.array::<16>()?)),
            _ => return Err(DataSetError::Reserved),
        };
        let state = UnicastState::ALL.into_iter().find(|known| *known as u8 == state);
        Ok(Self {
            port_identity,
            clock_quality,
            selected: selected != 0,
            state: state.ok_or(DataSetError::Reserved)?,
            priority1,
            priority2,
            address,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        writer.port_identity(self.port_identity)?;
        put_clock_quality(self.clock_quality, writer)?;
        writer.put(&[self.selected.into(), self.state as u8, self.priority1, self.priority2])?;
        let mut put = |protocol, address: &[u8], length| {
            writer.u16(protocol)?;
            writer.u16(length)?;
            writer.put(address)
        };
        match self.address {
            IpAddr::V4(address) => put(UDP_IPV4, &address.octets(), 4),
            IpAddr::V6(address) => put(UDP_IPV6, &address.octets(), 16),
        }
    }
}

/// UNICAST_MASTER_TABLE_NP: the servers of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnicastMasterTableNp<'a> {
    count: u16,
    /// A whole number of entries.
    octets: &'a [u8],
}

impl<'a> UnicastMasterTableNp<'a> {
    /// The table of these servers; `octets` holds it.
    ///
    /// # Errors
    /// [`EmitError::BufferTooSmall`].
    pub fn new(servers: &[UnicastMaster], octets: &'a mut [u8]) -> Result<Self, EmitError> {
        let entry = |server: &UnicastMaster| if server.address.is_ipv4() { 26 } else { 38 };
        let length = servers.iter().map(entry).sum();
        let octets = octets.get_mut(..length).ok_or(EmitError::BufferTooSmall)?;
        let mut writer = Writer::new(octets);
        for server in servers {
            server.write(&mut writer)?;
        }
        let count = u16::try_from(servers.len()).map_err(|_| EmitError::TooLong)?;
        Ok(Self { count, octets })
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = UnicastMaster> + use<'a> {
        let mut reader = Reader::new(self.octets, ParseError::TlvTruncated);
        // Checked as a whole: this fails at the end only.
        core::iter::from_fn(move || UnicastMaster::parse(&mut reader).ok())
    }

    pub(super) const fn buffer_len(&self) -> usize {
        2 + self.octets.len()
    }

    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DataSetError> {
        let count = reader.u16()?;
        let all = reader.rest();
        for _ in 0..count {
            UnicastMaster::parse(reader)?;
        }
        let length = all.len() - reader.rest().len();
        let octets = all.get(..length).ok_or(DataSetError::Length)?;
        Ok(Self { count, octets })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        writer.u16(self.count)?;
        writer.put(self.octets)
    }
}
