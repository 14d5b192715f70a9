//! MANAGEMENT and MANAGEMENT_ERROR_STATUS (15.5.2 and 15.5.4).

use super::super::cursor::{Reader, Writer};
use super::super::{EmitError, ParseError, Tlv};
use super::DataSet;

const MANAGEMENT: u16 = 0x0001;
const MANAGEMENT_ERROR_STATUS: u16 = 0x0002;

/// managementId (table 59), and those of linuxptp, which has the numbers from 0xc000 on.
pub mod management_id {
    /// NULL_PTP_MANAGEMENT: nothing, but an answer.
    pub const NULL_PTP_MANAGEMENT: u16 = 0x0000;
    /// DEFAULT_DATA_SET.
    pub const DEFAULT_DATA_SET: u16 = 0x2000;
    /// CURRENT_DATA_SET.
    pub const CURRENT_DATA_SET: u16 = 0x2001;
    /// PARENT_DATA_SET.
    pub const PARENT_DATA_SET: u16 = 0x2002;
    /// TIME_PROPERTIES_DATA_SET.
    pub const TIME_PROPERTIES_DATA_SET: u16 = 0x2003;
    /// PORT_DATA_SET.
    pub const PORT_DATA_SET: u16 = 0x2004;
    /// TIME_STATUS_NP of linuxptp.
    pub const TIME_STATUS_NP: u16 = 0xc000;
    /// PORT_STATS_NP of linuxptp.
    pub const PORT_STATS_NP: u16 = 0xc005;
    /// UNICAST_MASTER_TABLE_NP of linuxptp.
    pub const UNICAST_MASTER_TABLE_NP: u16 = 0xc008;
}

/// A MANAGEMENT TLV: what is asked for, or told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagementTlv<'a> {
    /// One of [`management_id`], or another.
    pub management_id: u16,
    /// dataField: of a GET, nothing or octets that mean nothing.
    pub data: &'a [u8],
}

impl<'a> ManagementTlv<'a> {
    /// `None` of any other TLV, and of one without a managementId.
    pub fn of(tlv: &Tlv<'a>) -> Option<Self> {
        let Tlv::Unknown { tlv_type: MANAGEMENT, value } = *tlv else { return None };
        let mut reader = Reader::new(value, ParseError::TlvTruncated);
        Some(Self { management_id: reader.u16().ok()?, data: reader.rest() })
    }

    /// The TLV with this data set; `octets` holds its value.
    ///
    /// # Errors
    /// [`EmitError::BufferTooSmall`].
    pub fn of_data_set<'b>(data_set: &DataSet<'_>, octets: &'b mut [u8]) -> Result<Tlv<'b>, EmitError> {
        let length = 2 + data_set.buffer_len();
        let value = octets.get_mut(..length).ok_or(EmitError::BufferTooSmall)?;
        let mut writer = Writer::new(value);
        writer.u16(data_set.management_id())?;
        data_set.write(&mut writer)?;
        Ok(Tlv::Unknown { tlv_type: MANAGEMENT, value })
    }
}

/// A MANAGEMENT_ERROR_STATUS TLV, without displayData.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagementError {
    /// managementErrorId: one of the constants here, or another.
    pub error_id: u16,
    /// managementId of the request.
    pub management_id: u16,
}

impl ManagementError {
    /// RESPONSE_TOO_BIG: the answer does not fit into a message.
    pub const RESPONSE_TOO_BIG: u16 = 0x0001;
    /// NO_SUCH_ID: a managementId that nobody knows.
    pub const NO_SUCH_ID: u16 = 0x0002;
    /// WRONG_VALUE; also for a port that does not exist.
    pub const WRONG_VALUE: u16 = 0x0004;
    /// NOT_SETABLE: it can be read only.
    pub const NOT_SETABLE: u16 = 0x0005;
    /// NOT_SUPPORTED: a managementId of the standard that is not built.
    pub const NOT_SUPPORTED: u16 = 0x0006;

    /// Octets of the TLV's value.
    pub const LENGTH: usize = 8;

    /// `None` of any other TLV, and of one that is too short.
    pub fn of(tlv: &Tlv<'_>) -> Option<Self> {
        let Tlv::Unknown { tlv_type: MANAGEMENT_ERROR_STATUS, value } = *tlv else { return None };
        let mut reader = Reader::new(value, ParseError::TlvTruncated);
        let error = Self { error_id: reader.u16().ok()?, management_id: reader.u16().ok()? };
        reader.slice(Self::LENGTH - 4).ok()?;
        Some(error)
    }

    /// The TLV; `octets` holds its value.
    pub fn to_tlv(self, octets: &mut [u8; Self::LENGTH]) -> Tlv<'_> {
        let [a, b] = self.error_id.to_be_bytes();
        let [c, d] = self.management_id.to_be_bytes();
        *octets = [a, b, c, d, 0, 0, 0, 0];
        Tlv::Unknown { tlv_type: MANAGEMENT_ERROR_STATUS, value: octets }
    }
}
