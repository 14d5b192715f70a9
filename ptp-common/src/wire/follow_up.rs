//! Follow_Up (13.7).

use super::cursor::{Reader, Writer};
use super::{Body, EmitError, ParseError, offset};
use crate::time::Timestamp;

pub(super) const LENGTH: usize = offset::TIMESTAMP_END - offset::BODY;

pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Body, ParseError> {
    Ok(Body::FollowUp { precise_origin_timestamp: reader.timestamp()? })
}

pub(super) fn emit(precise_origin_timestamp: Timestamp, writer: &mut Writer<'_>) -> Result<(), EmitError> {
    writer.timestamp(precise_origin_timestamp)
}
