//! `moonbell explain`: the gates of a message, why it may be otherwise than expected, and what is around them.

pub(crate) mod causes;
pub(crate) mod gates;
pub(crate) mod refusals;
pub(crate) mod show;
