use super::*;
use ptp_common::abi::Client;

#[test]
fn no_implicit_padding() {
    assert_eq!(size_of::<Config>(), 4 + 4 + 4 + 4 + 8);
    assert_eq!(size_of::<Controller>(), 8 + 8 + 4 + 4);
    assert_eq!(size_of::<LocalKey>(), 16);
    assert_eq!(size_of::<ServerKey>(), 16);
    assert_eq!(size_of::<Serving>(), 24 + 24 + 32 + 34 + 1 + 1 + 44 + 64 + 124 + 4 + 4 + 4 + 4 + 4);
    assert_eq!(size_of::<NextHop>(), 6 + 6 + 4 + 16);
    assert_eq!(size_of::<Client>(), 16 + 10 + 3 + 1 + 2 + 12 + 4 + 8 + 4 + 4);
}
