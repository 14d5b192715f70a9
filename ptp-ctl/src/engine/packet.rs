use ptp_common::wire::{EmitError, Message, Tlv};

/// Longest message that an engine sends: Signaling with three TLVs of each kind fits.
const CAPACITY: usize = 192;

/// A message on its way out, held inline: sending allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    octets: [u8; CAPACITY],
    length: u8,
}

impl Packet {
    /// The message with these TLVs behind it.
    pub fn new(message: &Message<'_>, tlvs: &[Tlv<'_>]) -> Result<Self, EmitError> {
        let mut octets = [0; CAPACITY];
        let length = message.emit_with_tlvs(tlvs, &mut octets)?;
        Ok(Self { octets, length: length as u8 })
    }

    /// These octets; `None` if they are too many.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut octets = [0; CAPACITY];
        octets.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { octets, length: bytes.len() as u8 })
    }

    /// What goes on the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// The same, to patch the originTimestamp.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.octets[..usize::from(self.length)]
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packet({:02x?})", self.as_bytes())
    }
}
