//! Draws from the distributions that delays, stamps and oscillators are made of.

use fastrand::Rng;
use std::net::IpAddr;

/// Chances of their own for whatever is known by these addresses.
pub(super) fn stream(seed: u64, addresses: &[IpAddr]) -> Rng {
    let mut state = seed;
    for address in addresses {
        let octets = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        for octet in octets {
            // Every octet changes every bit that follows.
            state = Rng::with_seed(state ^ u64::from(octet)).u64(..);
        }
    }
    Rng::with_seed(state)
}

/// Uniform in (0, 1]: its logarithm is finite.
fn positive(random: &mut Rng) -> f64 {
    1.0 - random.f64()
}

/// Exponential, mean 1.
pub(super) fn exponential(random: &mut Rng) -> f64 {
    -positive(random).ln()
}

/// Normal, mean 0, deviation 1 (Box and Muller, 1958).
pub(super) fn normal(random: &mut Rng) -> f64 {
    (2.0 * exponential(random)).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// Gamma with this shape and scale 1 (Marsaglia and Tsang, 2000).
pub(super) fn gamma(random: &mut Rng, shape: f64) -> f64 {
    if shape < 1.0 {
        return gamma(random, shape + 1.0) * positive(random).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        if v > 0.0 && positive(random).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

/// Pareto with this shape, at least 1.
pub(super) fn pareto(random: &mut Rng, shape: f64) -> f64 {
    positive(random).powf(-1.0 / shape)
}
