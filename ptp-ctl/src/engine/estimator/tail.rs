//! What a normal distribution is like below a bound.

use std::f64::consts::FRAC_1_SQRT_2;

/// ln √(2π).
pub(super) const LN_SQRT_TAU: f64 = 0.918_938_533_204_672_7;
/// Below this, in standard deviations, the asymptotic series is exact to 10⁻⁹ and the closed form cancels out.
const FAR: f64 = -30.0;
/// Below this the continued fraction is better than `erfc`.
const OUT: f64 = -5.0;

/// A standard normal variable, given that it is below a bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Below {
    /// ln of the probability to be below the bound.
    pub(super) ln_probability: f64,
    /// Mean.
    pub(super) mean: f64,
    /// Variance, in (0, 1].
    pub(super) variance: f64,
}

impl Below {
    /// Below `bound` standard deviations from the mean.
    ///
    /// Moments as in Johnson, Kotz, Balakrishnan: Continuous Univariate Distributions, 13.10; the tail by the continued
    /// fraction and the asymptotic series of the Mills ratio (Abramowitz, Stegun, 26.2.14 and 26.2.12).
    pub(super) fn new(bound: f64) -> Self {
        let (ln_probability, hazard) = if bound > OUT {
            let ln_probability = (0.5 * libm::erfc(-bound * FRAC_1_SQRT_2)).ln();
            (ln_probability, (-0.5 * bound * bound - LN_SQRT_TAU - ln_probability).exp())
        } else {
            let hazard = (1..=12).rev().fold(-bound, |rest, k| -bound + f64::from(k) / rest);
            (-0.5 * bound * bound - LN_SQRT_TAU - hazard.ln(), hazard)
        };
        if bound > FAR {
            Self { ln_probability, mean: -hazard, variance: 1.0 - bound * hazard - hazard * hazard }
        } else {
            let inverse = 1.0 / (bound * bound);
            let below = (1.0 - 2.0 * inverse + 10.0 * inverse * inverse) / bound;
            let variance = inverse * (1.0 - 6.0 * inverse + 50.0 * inverse * inverse);
            Self { ln_probability, mean: bound + below, variance }
        }
    }
}
