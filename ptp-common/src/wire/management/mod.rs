//! Management (15.4.1).

mod data_set;
mod tlv;
mod unicast_table;

pub use data_set::{
    CurrentDs, DataSet, DataSetError, DefaultDs, ParentDs, PortDs, PortState, PortStatsNp, TimePropertiesDs,
    TimeStatusNp,
};
pub use tlv::{ManagementError, ManagementTlv, management_id};
pub use unicast_table::{UnicastMaster, UnicastMasterTableNp, UnicastState};

use super::body::Reserved;
use super::cursor::{Reader, Writer};
use super::{EmitError, ParseError, PortIdentity};

/// What a Management message has before its TLV; the TLV is carried, not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Management {
    /// targetPortIdentity.
    pub target_port_identity: PortIdentity,
    /// startingBoundaryHops.
    pub starting_boundary_hops: u8,
    /// boundaryHops.
    pub boundary_hops: u8,
    /// actionField, 4 bits: one of [`action`], or reserved.
    pub action: u8,
}

/// actionField (15.4.1.6).
pub mod action {
    /// GET: the requester wants to know.
    pub const GET: u8 = 0;
    /// SET: it wants something changed.
    pub const SET: u8 = 1;
    /// RESPONSE, to GET and SET.
    pub const RESPONSE: u8 = 2;
    /// COMMAND: it wants something done.
    pub const COMMAND: u8 = 3;
    /// ACKNOWLEDGE, of a COMMAND.
    pub const ACKNOWLEDGE: u8 = 4;
}

pub(super) const LENGTH: usize = 14;

pub(super) fn parse(reader: &mut Reader<'_>) -> Result<(Management, Reserved), ParseError> {
    let target_port_identity = reader.port_identity()?;
    let starting_boundary_hops = reader.u8()?;
    let boundary_hops = reader.u8()?;
    let [action, last] = reader.array()?;
    let management =
        Management { target_port_identity, starting_boundary_hops, boundary_hops, action: action & 0xf };
    Ok((management, Reserved([action & 0xf0, last])))
}

pub(super) fn emit(
    management: &Management,
    Reserved([beside_action, last]): Reserved,
    writer: &mut Writer<'_>,
) -> Result<(), EmitError> {
    if management.action > 0xf {
        return Err(EmitError::OutOfRange);
    }
    writer.port_identity(management.target_port_identity)?;
    writer.u8(management.starting_boundary_hops)?;
    writer.u8(management.boundary_hops)?;
    writer.u8((beside_action & 0xf0) | management.action)?;
    writer.u8(last)
}
