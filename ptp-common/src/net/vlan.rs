//! VLAN tag (IEEE 802.1Q). Offsets are in octets from the end of the EtherType that announces the tag.

/// Tag control information and the EtherType of what follows.
pub const LENGTH: usize = 4;
/// Tag control information: two octets, big endian; priority in bits 13 to 15, VLAN identifier in bits 0 to 11.
pub const TCI: usize = 0;
/// EtherType of what follows the tag: two octets, big endian.
pub const ETHERTYPE: usize = 2;

/// EtherType that announces a customer's tag (802.1Q).
pub const TYPE_CUSTOMER: u16 = 0x8100;
/// EtherType that announces a provider's tag (802.1ad).
pub const TYPE_SERVICE: u16 = 0x88a8;

/// Does this EtherType announce a tag, of either kind?
pub const fn is_tag(ethertype: u16) -> bool {
    ethertype == TYPE_CUSTOMER || ethertype == TYPE_SERVICE
}
