/// flagField (13.3.2.8), its first octet in the high byte. Bits without a name here are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// alternateMasterFlag.
    pub const ALTERNATE_MASTER: Self = Self(0x0100);
    /// twoStepFlag: a Follow_Up has the precise origin timestamp.
    pub const TWO_STEP: Self = Self(0x0200);
    /// unicastFlag.
    pub const UNICAST: Self = Self(0x0400);
    /// leap61: the last minute of the UTC day has 61 seconds.
    pub const LEAP_61: Self = Self(0x0001);
    /// leap59: the last minute of the UTC day has 59 seconds.
    pub const LEAP_59: Self = Self(0x0002);
    /// currentUtcOffsetValid.
    pub const CURRENT_UTC_OFFSET_VALID: Self = Self(0x0004);
    /// ptpTimescale: TAI if set, else an arbitrary timescale.
    pub const PTP_TIMESCALE: Self = Self(0x0008);
    /// timeTraceable.
    pub const TIME_TRACEABLE: Self = Self(0x0010);
    /// frequencyTraceable.
    pub const FREQUENCY_TRACEABLE: Self = Self(0x0020);

    /// Whether every bit of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other` set too.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
