use core::iter::Sum;
use core::ops::{Add, AddAssign, Div, Neg, Sub, SubAssign};

/// A difference of two times in scaled nanoseconds (units of 2^-16 ns, IEEE 1588-2019, 5.3.2).
///
/// Wider than the wire's 64 bits: the difference of any two [`Timestamp`](super::Timestamp)s fits, so
/// arithmetic on measured values never overflows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    scaled: i128,
}

impl Interval {
    /// No difference.
    pub const ZERO: Self = Self { scaled: 0 };

    /// From units of 2^-16 ns.
    pub const fn from_scaled(scaled: i128) -> Self {
        Self { scaled }
    }

    /// From nanoseconds.
    pub const fn from_nanos(nanos: i128) -> Self {
        Self { scaled: nanos << 16 }
    }

    /// From whole seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self::from_nanos(seconds as i128 * super::NANOS_PER_SEC as i128)
    }

    /// Units of 2^-16 ns.
    pub const fn scaled(self) -> i128 {
        self.scaled
    }

    /// Nanoseconds, rounded to the nearest.
    pub const fn round_nanos(self) -> i128 {
        (self.scaled + (1 << 15)) >> 16
    }

    /// Nanoseconds, rounded down.
    pub const fn floor_nanos(self) -> i128 {
        self.scaled >> 16
    }

    /// Without its sign.
    pub const fn abs(self) -> Self {
        Self { scaled: self.scaled.abs() }
    }
}

impl Add for Interval {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { scaled: self.scaled + other.scaled }
    }
}

impl AddAssign for Interval {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Interval {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { scaled: self.scaled - other.scaled }
    }
}

impl SubAssign for Interval {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Interval {
    type Output = Self;

    fn neg(self) -> Self {
        Self { scaled: -self.scaled }
    }
}

impl Div<i32> for Interval {
    type Output = Self;

    fn div(self, divisor: i32) -> Self {
        Self { scaled: self.scaled / i128::from(divisor) }
    }
}

impl Sum for Interval {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}
