//! Management (IEEE 1588-2019, 15): what a clock tells who asks for its data sets, as linuxptp's `pmc` does.
//!
//! Everything can be read and nothing be set: a running clock is changed by its settings.

#[cfg(test)]
mod tests;

use super::config::NO_INTERVAL;
use super::counters::counters;
use super::messages::MessageCounts;
use arrayvec::ArrayVec;
use ptp_common::wire::management::{
    CurrentDs, DataSet, DefaultDs, ManagementError, ManagementTlv, ParentDs, PortDs, PortStatsNp,
    TimePropertiesDs, TimeStatusNp, UnicastMaster, UnicastMasterTableNp, action, management_id as id,
};
use ptp_common::wire::{Body, ClockIdentity, Header, Management, Message, PortIdentity, Tlv};

/// Ports of a clock at most: of a boundary clock, one that faces its clients and one that faces its servers.
const MAX_PORTS: usize = 2;
/// Longest answer: what linuxptp's tools have room for.
const LONGEST: usize = 1500;
/// From here on managementIds are no longer those of the standard (table 59).
const IMPLEMENTATION_SPECIFIC: u16 = 0xc000;

counters! {
    /// What became of a request.
    enum Count / Counts {
        /// It was answered.
        Answered = "answered",
        /// It was answered by an error: an unknown managementId, or something to be set.
        Refused = "refused",
        /// No message, or none with one MANAGEMENT TLV.
        Malformed = "malformed",
        /// A message of another type.
        NotManagement = "not_management",
        /// domainNumber is not ours.
        WrongDomain = "wrong_domain",
        /// targetPortIdentity is another clock's.
        WrongTarget = "wrong_target",
        /// No request: a RESPONSE or an ACKNOWLEDGE.
        NotAsked = "not_asked",
    }
}

/// What a clock tells of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSets {
    /// defaultDS.
    pub default: DefaultDs,
    /// currentDS: offsetFromMaster is what the estimator makes of all packets.
    pub current: CurrentDs,
    /// parentDS.
    pub parent: ParentDs,
    /// timePropertiesDS.
    pub time_properties: TimePropertiesDs,
    /// linuxptp's TIME_STATUS_NP.
    pub time_status: TimeStatusNp,
    /// Port by port.
    pub ports: ArrayVec<PortDataSets, MAX_PORTS>,
}

/// What it tells of a port.
#[derive(Clone, Debug, PartialEq)]
pub struct PortDataSets {
    /// portDS.
    pub port: PortDs,
    /// For linuxptp's PORT_STATS_NP.
    pub messages: MessageCounts,
    /// For linuxptp's UNICAST_MASTER_TABLE_NP: the servers, if the port faces servers.
    pub servers: Vec<UnicastMaster>,
}

/// Answers requests, and counts them.
#[derive(Clone, Debug, Default)]
pub struct Responder {
    counts: Counts,
}

/// The request, as far as its answers depend on it.
struct Request {
    header: Header,
    management: Management,
    management_id: u16,
    own: ClockIdentity,
}

impl Responder {
    /// The answers: one of the clock, or one of each port that was asked; none of what is malformed or not for this clock.
    pub fn answer(&mut self, octets: &[u8], clock: &DataSets) -> ArrayVec<Vec<u8>, MAX_PORTS> {
        match Request::parse(octets, clock) {
            Ok(request) => {
                let (count, answers) = request.answers(clock);
                self.counts.count(count);
                answers
            }
            Err(count) => {
                self.counts.count(count);
                ArrayVec::new()
            }
        }
    }

    /// Requests by what became of them: name and count, in a fixed order.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter()
    }
}

impl Request {
    /// What is not to be answered is the reason why.
    fn parse(octets: &[u8], clock: &DataSets) -> Result<Self, Count> {
        let message = Message::parse(octets).map_err(|_| Count::Malformed)?;
        let Body::Management(management) = message.body else { return Err(Count::NotManagement) };
        let own = clock.default.clock_identity;
        let target = management.target_port_identity.clock_identity;
        if message.header.domain_number != clock.default.domain_number {
            return Err(Count::WrongDomain);
        }
        if target != own && target != PortIdentity::WILDCARD.clock_identity {
            return Err(Count::WrongTarget);
        }
        if !matches!(management.action, action::GET | action::SET | action::COMMAND) {
            return Err(Count::NotAsked);
        }
        let mut tlvs = message.suffix.iter();
        let (Some(tlv), None) = (tlvs.next(), tlvs.next()) else { return Err(Count::Malformed) };
        let ManagementTlv { management_id, .. } = ManagementTlv::of(&tlv).ok_or(Count::Malformed)?;
        Ok(Self { header: message.header, management, management_id, own })
    }

    fn answers(&self, clock: &DataSets) -> (Count, ArrayVec<Vec<u8>, MAX_PORTS>) {
        let refused = |error_id| (Count::Refused, [self.refusal(error_id)].into_iter().flatten().collect());
        let of_clock = match self.management_id {
            id::NULL_PTP_MANAGEMENT => Some(DataSet::Null),
            id::DEFAULT_DATA_SET => Some(DataSet::Default(clock.default)),
            id::CURRENT_DATA_SET => Some(DataSet::Current(clock.current)),
            id::PARENT_DATA_SET => Some(DataSet::Parent(clock.parent)),
            id::TIME_PROPERTIES_DATA_SET => Some(DataSet::TimeProperties(clock.time_properties)),
            id::TIME_STATUS_NP => Some(DataSet::TimeStatus(clock.time_status)),
            id::PORT_DATA_SET | id::PORT_STATS_NP | id::UNICAST_MASTER_TABLE_NP => None,
            id if id < IMPLEMENTATION_SPECIFIC => return refused(ManagementError::NOT_SUPPORTED),
            _ => return refused(ManagementError::NO_SUCH_ID),
        };
        match self.management.action {
            action::GET => {}
            action::SET => return refused(ManagementError::NOT_SETABLE),
            _ => return refused(ManagementError::NOT_SUPPORTED),
        }
        let answers: ArrayVec<_, MAX_PORTS> = match of_clock {
            Some(data_set) => [self.answer(0, &data_set)].into_iter().collect(),
            None => {
                let wanted = self.management.target_port_identity.port_number;
                let is_asked = |port: &&PortDataSets| {
                    let number = port.port.port_identity.port_number;
                    wanted == number || wanted == PortIdentity::WILDCARD.port_number
                };
                clock.ports.iter().filter(is_asked).map(|port| self.answer_of(port)).collect()
            }
        };
        if answers.is_empty() {
            return refused(ManagementError::WRONG_VALUE);
        }
        match answers.into_iter().collect() {
            Some(answers) => (Count::Answered, answers),
            None => refused(ManagementError::RESPONSE_TOO_BIG),
        }
    }

    /// `None` if it is too long.
    fn answer_of(&self, port: &PortDataSets) -> Option<Vec<u8>> {
        let port_identity = port.port.port_identity;
        let number = port_identity.port_number;
        match self.management_id {
            id::PORT_DATA_SET => self.answer(number, &DataSet::Port(port.port)),
            id::PORT_STATS_NP => {
                let MessageCounts { received, sent } = port.messages;
                self.answer(number, &DataSet::PortStats(PortStatsNp { port_identity, received, sent }))
            }
            _ => {
                let mut octets = [0; LONGEST];
                let table = UnicastMasterTableNp::new(&port.servers, &mut octets).ok()?;
                self.answer(number, &DataSet::UnicastMasterTable(table))
            }
        }
    }

    /// `None` if it is too long.
    fn answer(&self, port_number: u16, data_set: &DataSet<'_>) -> Option<Vec<u8>> {
        let mut octets = [0; LONGEST];
        self.message(port_number, &[ManagementTlv::of_data_set(data_set, &mut octets).ok()?])
    }

    fn refusal(&self, error_id: u16) -> Option<Vec<u8>> {
        let error = ManagementError { error_id, management_id: self.management_id };
        self.message(0, &[error.to_tlv(&mut [0; ManagementError::LENGTH])])
    }

    fn message(&self, port_number: u16, tlvs: &[Tlv<'_>]) -> Option<Vec<u8>> {
        let Header { sdo_id, domain_number, sequence_id, source_port_identity: asks, .. } = self.header;
        let header = Header {
            sdo_id,
            domain_number,
            sequence_id,
            source_port_identity: PortIdentity { clock_identity: self.own, port_number },
            log_message_interval: NO_INTERVAL,
            ..Header::default()
        };
        let Management { starting_boundary_hops, boundary_hops, action, .. } = self.management;
        // So many hops it took here, and may take back.
        let hops = starting_boundary_hops.saturating_sub(boundary_hops);
        let body = Body::Management(Management {
            target_port_identity: asks,
            starting_boundary_hops: hops,
            boundary_hops: hops,
            action: if action == action::COMMAND { action::ACKNOWLEDGE } else { action::RESPONSE },
        });
        let mut octets = vec![0; LONGEST];
        let length = Message::new(header, body).emit_with_tlvs(tlvs, &mut octets).ok()?;
        octets.truncate(length);
        Some(octets)
    }
}

/// A number of ns as a TimeInterval: units of 2^-16 ns.
pub(super) fn time_interval(nanos: f64) -> i64 {
    // A cast from f64 saturates, which is what the standard wants.
    (nanos * 65_536.0).round() as i64
}
