//! The data sets of management (15.5.3), and three of linuxptp's own. All numbers are big-endian, but for the counters of
//! PORT_STATS_NP, which are little-endian.

use super::super::cursor::{Reader, Writer};
use super::super::{ClockIdentity, ClockQuality, EmitError, Flags, ParseError, PortIdentity};
use super::management_id as id;
use super::unicast_table::UnicastMasterTableNp;

/// Message types that PORT_STATS_NP counts: all that 4 bits can say.
pub(super) const MESSAGE_TYPES: usize = 16;

/// What a MANAGEMENT TLV can tell.
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack: there is nothing to box it in")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSet<'a> {
    /// NULL_PTP_MANAGEMENT.
    Null,
    /// DEFAULT_DATA_SET.
    Default(DefaultDs),
    /// CURRENT_DATA_SET.
    Current(CurrentDs),
    /// PARENT_DATA_SET.
    Parent(ParentDs),
    /// TIME_PROPERTIES_DATA_SET.
    TimeProperties(TimePropertiesDs),
    /// PORT_DATA_SET.
    Port(PortDs),
    /// TIME_STATUS_NP.
    TimeStatus(TimeStatusNp),
    /// PORT_STATS_NP.
    PortStats(PortStatsNp),
    /// UNICAST_MASTER_TABLE_NP.
    UnicastMasterTable(UnicastMasterTableNp<'a>),
}

/// Why octets are no data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DataSetError {
    /// A managementId without a data set here.
    #[error("no data set of that managementId")]
    UnknownId,
    /// Not as many octets as it has.
    #[error("a data set of another length")]
    Length,
    /// A value that it cannot have.
    #[error("a data set with a reserved value")]
    Reserved,
}

impl From<ParseError> for DataSetError {
    fn from(_: ParseError) -> Self {
        Self::Length
    }
}

impl<'a> DataSet<'a> {
    /// From the dataField of that managementId.
    ///
    /// # Errors
    /// See [`DataSetError`].
    pub fn parse(management_id: u16, data: &'a [u8]) -> Result<Self, DataSetError> {
        let mut reader = Reader::new(data, ParseError::TlvTruncated);
        let r = &mut reader;
        let data_set = match management_id {
            id::NULL_PTP_MANAGEMENT => Self::Null,
            id::DEFAULT_DATA_SET => Self::Default(DefaultDs::parse(r)?),
            id::CURRENT_DATA_SET => Self::Current(CurrentDs::parse(r)?),
            id::PARENT_DATA_SET => Self::Parent(ParentDs::parse(r)?),
            id::TIME_PROPERTIES_DATA_SET => Self::TimeProperties(TimePropertiesDs::parse(r)?),
            id::PORT_DATA_SET => Self::Port(PortDs::parse(r)?),
            id::TIME_STATUS_NP => Self::TimeStatus(TimeStatusNp::parse(r)?),
            id::PORT_STATS_NP => Self::PortStats(PortStatsNp::parse(r)?),
            id::UNICAST_MASTER_TABLE_NP => Self::UnicastMasterTable(UnicastMasterTableNp::parse(r)?),
            _ => return Err(DataSetError::UnknownId),
        };
        if reader.rest().is_empty() { Ok(data_set) } else { Err(DataSetError::Length) }
    }

    /// Its managementId.
    pub const fn management_id(&self) -> u16 {
        match self {
            Self::Null => id::NULL_PTP_MANAGEMENT,
            Self::Default(_) => id::DEFAULT_DATA_SET,
            Self::Current(_) => id::CURRENT_DATA_SET,
            Self::Parent(_) => id::PARENT_DATA_SET,
            Self::TimeProperties(_) => id::TIME_PROPERTIES_DATA_SET,
            Self::Port(_) => id::PORT_DATA_SET,
            Self::TimeStatus(_) => id::TIME_STATUS_NP,
            Self::PortStats(_) => id::PORT_STATS_NP,
            Self::UnicastMasterTable(_) => id::UNICAST_MASTER_TABLE_NP,
        }
    }

    /// Octets of its dataField.
    pub const fn buffer_len(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Default(_) => 20,
            Self::Current(_) => 18,
            Self::Parent(_) => 32,
            Self::TimeProperties(_) => 4,
            Self::Port(_) => 26,
            Self::TimeStatus(_) => 50,
            Self::PortStats(_) => 10 + 2 * 8 * MESSAGE_TYPES,
            Self::UnicastMasterTable(table) => table.buffer_len(),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        match self {
            Self::Null => Ok(()),
            Self::Default(data_set) => data_set.write(writer),
            Self::Current(data_set) => data_set.write(writer),
            Self::Parent(data_set) => data_set.write(writer),
            Self::TimeProperties(data_set) => data_set.write(writer),
            Self::Port(data_set) => data_set.write(writer),
            Self::TimeStatus(data_set) => data_set.write(writer),
            Self::PortStats(data_set) => data_set.write(writer),
            Self::UnicastMasterTable(data_set) => data_set.write(writer),
        }
    }
}

/// defaultDS (15.5.3.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultDs {
    /// twoStepFlag.
    pub two_step: bool,
    /// slaveOnly: it never serves.
    pub slave_only: bool,
    /// numberPorts.
    pub number_ports: u16,
    /// priority1.
    pub priority1: u8,
    /// clockQuality.
    pub clock_quality: ClockQuality,
    /// priority2.
    pub priority2: u8,
    /// clockIdentity.
    pub clock_identity: ClockIdentity,
    /// domainNumber.
    pub domain_number: u8,
}

impl DefaultDs {
    const TWO_STEP: u8 = 1 << 0;
    const SLAVE_ONLY: u8 = 1 << 1;

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let [flags, _] = reader.array()?;
        let data_set = Self {
            two_step: flags & Self::TWO_STEP != 0,
            slave_only: flags & Self::SLAVE_ONLY != 0,
            number_ports: reader.u16()?,
            priority1: reader.u8()?,
            clock_quality: clock_quality(reader)?,
            priority2: reader.u8()?,
            clock_identity: reader.clock_identity()?,
            domain_number: reader.u8()?,
        };
        reader.u8()?;
        Ok(data_set)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        let two_step = if self.two_step { Self::TWO_STEP } else { 0 };
        let slave_only = if self.slave_only { Self::SLAVE_ONLY } else { 0 };
        writer.put(&[two_step | slave_only, 0])?;
        writer.u16(self.number_ports)?;
        writer.u8(self.priority1)?;
        put_clock_quality(self.clock_quality, writer)?;
        writer.u8(self.priority2)?;
        writer.put(&self.clock_identity.0)?;
        writer.put(&[self.domain_number, 0])
    }
}

/// currentDS (15.5.3.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CurrentDs {
    /// stepsRemoved.
    pub steps_removed: u16,
    /// offsetFromMaster: client minus server, 2^-16 ns.
    pub offset_from_master: i64,
    /// meanPathDelay, 2^-16 ns.
    pub mean_path_delay: i64,
}

impl CurrentDs {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            steps_removed: reader.u16()?,
            offset_from_master: reader.i64()?,
            mean_path_delay: reader.i64()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        writer.u16(self.steps_removed)?;
        writer.put(&self.offset_from_master.to_be_bytes())?;
        writer.put(&self.mean_path_delay.to_be_bytes())
    }
}

/// parentDS (15.5.3.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentDs {
    /// parentPortIdentity: of the server in use.
    pub parent_port_identity: PortIdentity,
    /// parentStats: the two that follow are measured.
    pub parent_stats: bool,
    /// observedParentOffsetScaledLogVariance; 0xffff = unknown.
    pub observed_parent_offset_scaled_log_variance: u16,
    /// observedParentClockPhaseChangeRate; 0x7fff_ffff = unknown.
    pub observed_parent_clock_phase_change_rate: i32,
    /// grandmasterPriority1.
    pub grandmaster_priority1: u8,
    /// grandmasterClockQuality.
    pub grandmaster_clock_quality: ClockQuality,
    /// grandmasterPriority2.
    pub grandmaster_priority2: u8,
    /// grandmasterIdentity.
    pub grandmaster_identity: ClockIdentity,
}

impl ParentDs {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let parent_port_identity = reader.port_identity()?;
        let [stats, _] = reader.array()?;
        Ok(Self {
            parent_port_identity,
            parent_stats: stats & 1 != 0,
            observed_parent_offset_scaled_log_variance: reader.u16()?,
            observed_parent_clock_phase_change_rate: reader.u32()?.cast_signed(),
            grandmaster_priority1: reader.u8()?,
            grandmaster_clock_quality: clock_quality(reader)?,
            grandmaster_priority2: reader.u8()?,
            grandmaster_identity: reader.clock_identity()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        writer.port_identity(self.parent_port_identity)?;
        writer.put(&[self.parent_stats.into(), 0])?;
        writer.u16(self.observed_parent_offset_scaled_log_variance)?;
        writer.u32(self.observed_parent_clock_phase_change_rate.cast_unsigned())?;
        writer.u8(self.grandmaster_priority1)?;
        put_clock_quality(self.grandmaster_clock_quality, writer)?;
        writer.u8(self.grandmaster_priority2)?;
        writer.put(&self.grandmaster_identity.0)
    }
}

/// timePropertiesDS (15.5.3.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimePropertiesDs {
    /// currentUtcOffset, s.
    pub current_utc_offset: i16,
    /// leap61, leap59, currentUtcOffsetValid, ptpTimescale, timeTraceable, frequencyTraceable: the bits of an Announce.
    pub flags: Flags,
    /// timeSource.
    pub time_source: u8,
}

impl TimePropertiesDs {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            current_utc_offset: reader.i16()?,
            flags: Flags(reader.u8()?.into()),
            time_source: reader.u8()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        writer.put(&self.current_utc_offset.to_be_bytes())?;
        let [_, flags] = self.flags.0.to_be_bytes();
        writer.put(&[flags, self.time_source])
    }
}

/// portDS.portState (table 20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortState {
    /// LISTENING: no server yet, or none any more.
    Listening = 4,
    /// MASTER: it serves.
    Master = 6,
    /// UNCALIBRATED: it follows a server and has not settled.
    Uncalibrated = 8,
    /// SLAVE: it follows a server.
    Slave = 9,
}

impl PortState {
    const ALL: [Self; 4] = [Self::Listening, Self::Master, Self::Uncalibrated, Self::Slave];
}

/// portDS (15.5.3.7.1). delayMechanism is E2E, and what only P2P has is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortDs {
    /// portIdentity.
    pub port_identity: PortIdentity,
    /// portState.
    pub port_state: PortState,
    /// logMinDelayReqInterval.
    pub log_min_delay_req_interval: i8,
    /// logAnnounceInterval.
    pub log_announce_interval: i8,
    /// announceReceiptTimeout.
    pub announce_receipt_timeout: u8,
    /// logSyncInterval.
    pub log_sync_interval: i8,
    /// minorVersionNumber, 4 bits.
    pub minor_version: u8,
}

impl PortDs {
    /// delayMechanism.
    const E2E: u8 = 1;

    fn parse(reader: &mut Reader<'_>) -> Result<Self, DataSetError> {
        let port_identity = reader.port_identity()?;
        let state = reader.u8()?;
        let port_state = PortState::ALL.into_iter().find(|known| *known as u8 == state);
        let log_min_delay_req_interval = reader.i8()?;
        reader.i64()?;
        let data_set = Self {
            port_identity,
            port_state: port_state.ok_or(DataSetError::Reserved)?,
            log_min_delay_req_interval,
            log_announce_interval: reader.i8()?,
            announce_receipt_timeout: reader.u8()?,
            log_sync_interval: reader.i8()?,
            minor_version: {
                let [delay_mechanism, _, version] = reader.array()?;
                if delay_mechanism != Self::E2E {
                    return Err(DataSetError::Reserved);
                }
                version >> 4
            },
        };
        Ok(data_set)
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        writer.port_identity(self.port_identity)?;
        writer.u8(self.port_state as u8)?;
        writer.u8(self.log_min_delay_req_interval.cast_unsigned())?;
        writer.put(&[0; 8])?;
        writer.u8(self.log_announce_interval.cast_unsigned())?;
        writer.u8(self.announce_receipt_timeout)?;
        writer.u8(self.log_sync_interval.cast_unsigned())?;
        if self.minor_version > 0xf {
            return Err(EmitError::OutOfRange);
        }
        writer.put(&[Self::E2E, 0, (self.minor_version << 4) | super::super::VERSION_PTP])
    }
}

/// TIME_STATUS_NP; the changes of rate and phase that IEEE 802.1AS tells are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeStatusNp {
    /// master_offset: client minus server, ns.
    pub master_offset: i64,
    /// ingress_time: what the local clock read when the last Sync came in, ns.
    pub ingress_time: i64,
    /// gmPresent: the grandmaster is another clock.
    pub gm_present: bool,
    /// gmIdentity.
    pub gm_identity: ClockIdentity,
}

impl TimeStatusNp {
    /// cumulativeScaledRateOffset, scaledLastGmPhaseChange, gmTimeBaseIndicator, lastGmPhaseChange.
    const OF_802_1AS: usize = 4 + 4 + 2 + 12;

    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let (master_offset, ingress_time) = (reader.i64()?, reader.i64()?);
        reader.slice(Self::OF_802_1AS)?;
        Ok(Self {
            master_offset,
            ingress_time,
            gm_present: reader.u32()? != 0,
            gm_identity: reader.clock_identity()?,
        })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        writer.put(&self.master_offset.to_be_bytes())?;
        writer.put(&self.ingress_time.to_be_bytes())?;
        writer.put(&[0; Self::OF_802_1AS])?;
        writer.u32(self.gm_present.into())?;
        writer.put(&self.gm_identity.0)
    }
}

/// PORT_STATS_NP: messages by the four bits of their messageType.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortStatsNp {
    /// portIdentity.
    pub port_identity: PortIdentity,
    /// rxMsgType: received.
    pub received: [u64; MESSAGE_TYPES],
    /// txMsgType: sent.
    pub sent: [u64; MESSAGE_TYPES],
}

impl PortStatsNp {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let port_identity = reader.port_identity()?;
        let mut counters = || -> Result<[u64; MESSAGE_TYPES], ParseError> {
            let mut counters = [0; MESSAGE_TYPES];
            for counter in &mut counters {
                *counter = u64::from_le_bytes(reader.array()?);
            }
            Ok(counters)
        };
        Ok(Self { port_identity, received: counters()?, sent: counters()? })
    }

    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EmitError> {
        writer.port_identity(self.port_identity)?;
        for counter in self.received.iter().chain(&self.sent) {
            writer.put(&counter.to_le_bytes())?;
        }
        Ok(())
    }
}

pub(super) fn clock_quality(reader: &mut Reader<'_>) -> Result<ClockQuality, ParseError> {
    Ok(ClockQuality {
        clock_class: reader.u8()?,
        clock_accuracy: reader.u8()?,
        offset_scaled_log_variance: reader.u16()?,
    })
}

pub(super) fn put_clock_quality(quality: ClockQuality, writer: &mut Writer<'_>) -> Result<(), EmitError> {
    writer.put(&[quality.clock_class, quality.clock_accuracy])?;
    writer.u16(quality.offset_scaled_log_variance)
}
