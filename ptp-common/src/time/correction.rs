use super::Interval;

/// The wire's `correctionField`: scaled nanoseconds in 64 bits (IEEE 1588-2019, 13.3.2.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Correction(i64);

impl Correction {
    /// No correction.
    pub const ZERO: Self = Self(0);
    /// "Too big to be represented" (IEEE 1588-2019, 13.3.2.9).
    pub const TOO_BIG: Self = Self(i64::MAX);

    /// From the field's value, units of 2^-16 ns.
    pub const fn from_scaled(scaled: i64) -> Self {
        Self(scaled)
    }

    /// The field's value, units of 2^-16 ns.
    pub const fn scaled(self) -> i64 {
        self.0
    }

    /// The interval it stands for; `None` for [`Correction::TOO_BIG`].
    pub const fn interval(self) -> Option<Interval> {
        if self.0 == i64::MAX { None } else { Some(Interval::from_scaled(self.0 as i128)) }
    }
}
