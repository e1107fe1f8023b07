//! Inputs that the fuzz targets of stored bytes and of requests begin with: real forms, as this program writes them today.
//!
//! Made by the code of the node, so they are the same whenever they are made, as long as no form changes. A test compares them with the corpora.

mod bootstrap;
mod catalog;
mod deposit;
mod docking;
mod import;
mod keys;
mod recursion;
mod requests;
mod sets;
mod store;
mod takeover;

/// An input: target, name, bytes.
pub type Seed = (&'static str, String, Vec<u8>);

/// All of them.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let all = [
        catalog::seeds(),
        store::seeds(),
        requests::seeds(),
        import::seeds(),
        keys::seeds(),
        recursion::seeds(),
        docking::seeds(),
        deposit::seeds(),
        takeover::seeds(),
        bootstrap::seeds(),
        sets::seeds(),
    ];
    all.concat()
}

/// The samples of real identifiers, a line each.
pub(crate) fn samples() -> impl Iterator<Item = &'static str> {
    include_str!("../../data/identifiers.jsonl").lines()
}
