//! The one place that tells aya which types of the ABI are plain octets. The orphan rule asks for a wrapper.

#[cfg(test)]
mod tests;

use aya::Pod;
use ptp_common::abi::{Config, Controller, LocalKey, NextHop, ServerKey, Serving};

/// A type of the ABI as a key or value of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Plain<T>(pub(super) T);

macro_rules! plain {
    ($($abi:ty),+) => {
        $(
            // SAFETY: `repr(C)` of integers and octet arrays, without implicit padding (the sizes add up, see the
            // test), so that every octet is initialised and every pattern is a value.
            unsafe impl Pod for Plain<$abi> {}
        )+
    };
}

plain!(Config, Controller, LocalKey, ServerKey, Serving, NextHop);
