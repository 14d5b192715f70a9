use super::*;

#[test]
fn no_implicit_padding() {
    assert_eq!(size_of::<Config>(), 4 + 4 + 4);
    assert_eq!(size_of::<Controller>(), 8 + 4 + 4);
    assert_eq!(size_of::<LocalKey>(), 16);
    assert_eq!(size_of::<ServerKey>(), 16);
    assert_eq!(size_of::<ClientKey>(), 16 + 10 + 2);
    assert_eq!(size_of::<ClientGrant>(), 8);
}
