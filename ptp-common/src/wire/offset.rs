//! Where the fields are, in octets from the start of the UDP payload: for code that cannot call the parser (the XDP
//! program), and for patching.

/// majorSdoId in the high nibble, messageType in the low one (13.3.1).
pub const MESSAGE_TYPE: usize = 0;
/// minorVersionPTP in the high nibble, versionPTP in the low one.
pub const VERSION: usize = 1;
/// messageLength, 2 octets.
pub const MESSAGE_LENGTH: usize = 2;
/// domainNumber, 1 octet.
pub const DOMAIN_NUMBER: usize = 4;
/// minorSdoId, 1 octet.
pub const MINOR_SDO_ID: usize = 5;
/// flagField, 2 octets.
pub const FLAGS: usize = 6;
/// correctionField, 8 octets.
pub const CORRECTION_FIELD: usize = 8;
/// messageTypeSpecific, 4 octets.
pub const MESSAGE_TYPE_SPECIFIC: usize = 16;
/// sourcePortIdentity, 10 octets.
pub const SOURCE_PORT_IDENTITY: usize = 20;
/// sequenceId, 2 octets.
pub const SEQUENCE_ID: usize = 30;
/// controlField, 1 octet.
pub const CONTROL_FIELD: usize = 32;
/// logMessageInterval, 1 octet.
pub const LOG_MESSAGE_INTERVAL: usize = 33;
/// The first octet behind the common header; so the header's length.
pub const BODY: usize = 34;
/// The 10-octet timestamp that Sync, Delay_Req, Follow_Up, Delay_Resp and Announce begin with.
pub const TIMESTAMP: usize = BODY;
/// requestingPortIdentity of a Delay_Resp, 10 octets.
pub const REQUESTING_PORT_IDENTITY: usize = 44;
/// targetPortIdentity of Signaling and Management, 10 octets.
pub const TARGET_PORT_IDENTITY: usize = BODY;
/// The end of Sync, Delay_Req and Follow_Up without TLVs; so their length.
pub const TIMESTAMP_END: usize = 44;
/// The end of a Delay_Resp without TLVs; so its length.
pub const DELAY_RESP_END: usize = 54;
