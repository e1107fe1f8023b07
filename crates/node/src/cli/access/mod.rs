//! Who may do what: `waymark principal`, `token` and `quota`, on a server or, as the local operator, on the data folder of a stopped node.

pub(crate) mod form;
pub(crate) mod place;
pub(crate) mod principal;
pub(crate) mod quota;
pub(crate) mod token;
