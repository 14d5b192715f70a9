//! Delay_Resp (13.8).

use super::cursor::{Reader, Writer};
use super::{Body, EmitError, ParseError, PortIdentity, offset};
use crate::time::Timestamp;

pub(super) const LENGTH: usize = offset::DELAY_RESP_END - offset::BODY;

pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Body, ParseError> {
    Ok(Body::DelayResp {
        receive_timestamp: reader.timestamp()?,
        requesting_port_identity: reader.port_identity()?,
    })
}

pub(super) fn emit(
    receive_timestamp: Timestamp,
    requesting_port_identity: PortIdentity,
    writer: &mut Writer<'_>,
) -> Result<(), EmitError> {
    writer.timestamp(receive_timestamp)?;
    writer.port_identity(requesting_port_identity)
}
