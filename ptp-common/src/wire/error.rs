/// Why octets are no message. Nothing is learned from such octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ParseError {
    /// Fewer octets than the common header has.
    #[error("shorter than the common header")]
    Truncated,
    /// versionPTP is not 2.
    #[error("versionPTP is not 2")]
    UnsupportedVersion,
    /// A peer-delay message or a reserved messageType.
    #[error("a messageType that is not supported")]
    UnsupportedMessageType,
    /// messageLength counts more octets than there are.
    #[error("messageLength is longer than the packet")]
    LengthBeyondPacket,
    /// messageLength counts fewer octets than the header and the body of that messageType have.
    #[error("messageLength is too short for the messageType")]
    LengthTooShort,
    /// 10^9 nanoseconds or more.
    #[error("a timestamp with 10^9 nanoseconds or more")]
    TimestampOutOfRange,
    /// A TLV that does not fit into what messageLength leaves, or fewer octets than a TLV's type and length at the
    /// end.
    #[error("a TLV reaches beyond messageLength")]
    TlvTruncated,
    /// A TLV's lengthField is odd (against 14.1.2).
    #[error("a TLV of odd length")]
    TlvOddLength,
    /// A TLV of unicast negotiation with a lengthField that its type does not have.
    #[error("a unicast negotiation TLV of wrong length")]
    UnicastTlvLength,
}

impl ParseError {
    /// How many kinds there are.
    pub const COUNT: usize = 9;

    /// Every kind, each at its [`ParseError::index`]: counters by reason are an array of this length.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Truncated,
        Self::UnsupportedVersion,
        Self::UnsupportedMessageType,
        Self::LengthBeyondPacket,
        Self::LengthTooShort,
        Self::TimestampOutOfRange,
        Self::TlvTruncated,
        Self::TlvOddLength,
        Self::UnicastTlvLength,
    ];

    /// Position in [`ParseError::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Stable short name, for counters and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::UnsupportedVersion => "unsupported_version",
            Self::UnsupportedMessageType => "unsupported_message_type",
            Self::LengthBeyondPacket => "length_beyond_packet",
            Self::LengthTooShort => "length_too_short",
            Self::TimestampOutOfRange => "timestamp_out_of_range",
            Self::TlvTruncated => "tlv_truncated",
            Self::TlvOddLength => "tlv_odd_length",
            Self::UnicastTlvLength => "unicast_tlv_length",
        }
    }
}

/// Why a value cannot be written. Nothing of use is in the buffer then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum EmitError {
    /// The buffer is shorter than the message.
    #[error("the buffer is too small")]
    BufferTooSmall,
    /// More octets than messageLength or a TLV's lengthField can count (65535).
    #[error("too long for its 16-bit length field")]
    TooLong,
    /// A number wider than its field: sdoId (12 bits), minorVersionPTP or actionField (4 bits).
    #[error("a number does not fit into its field")]
    OutOfRange,
    /// A TLV value of odd length (against 14.1.2).
    #[error("a TLV of odd length")]
    TlvOddLength,
    /// The message has no originTimestamp: only Sync, Delay_Req and Announce have.
    #[error("the message has no originTimestamp")]
    NoOriginTimestamp,
}
