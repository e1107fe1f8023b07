//! Everything a person asks of a registration server, each verb family in its file.

pub(crate) mod answer;
pub(crate) mod cache;
mod change;
pub(crate) mod connection;
pub(crate) mod docking;
pub(crate) mod failed_rows;
pub(crate) mod form;
pub(crate) mod incident;
pub(crate) mod job;
pub(crate) mod look_up;
pub(crate) mod maintenance;
pub(crate) mod pack;
pub(crate) mod range;
pub(crate) mod recall;
pub(crate) mod register;
pub(crate) mod rows;
pub(crate) mod sync;
pub(crate) mod trace;
pub(crate) mod traffic;
mod under_way;
pub(crate) mod upload;
pub(crate) mod verdict;
pub(crate) mod watch;
pub(crate) mod who_am_i;
pub(crate) mod withdraw;
