#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample;
