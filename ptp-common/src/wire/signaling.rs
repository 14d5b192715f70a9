//! Signaling (13.12): what it says is in its TLVs.

use super::cursor::{Reader, Writer};
use super::{Body, EmitError, ParseError, PortIdentity};

pub(super) const LENGTH: usize = 10;

pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Body, ParseError> {
    Ok(Body::Signaling { target_port_identity: reader.port_identity()? })
}

pub(super) fn emit(target_port_identity: PortIdentity, writer: &mut Writer<'_>) -> Result<(), EmitError> {
    writer.port_identity(target_port_identity)
}
