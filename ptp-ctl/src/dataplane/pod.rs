//! The one place that tells aya which types of the ABI are plain octets. The orphan rule asks for a wrapper.

use aya::Pod;
use ptp_common::abi::{ClientGrant, ClientKey, Config, LocalKey, ServerKey};

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

plain!(Config, LocalKey, ServerKey, ClientKey, ClientGrant);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_implicit_padding() {
        assert_eq!(size_of::<Config>(), 4 + 4);
        assert_eq!(size_of::<LocalKey>(), 16);
        assert_eq!(size_of::<ServerKey>(), 16);
        assert_eq!(size_of::<ClientKey>(), 16 + 10 + 2);
        assert_eq!(size_of::<ClientGrant>(), 8);
    }
}
