//! What happened, for people.
/// SKELETON
#[derive(Clone, Debug, PartialEq)]
pub struct Event;
