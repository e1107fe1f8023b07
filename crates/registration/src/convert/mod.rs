//! Between the words of the interface and those of the catalog. All syntax of a request is checked here, once; what is wrong is named by its
//! path within the message.

pub(crate) mod answer;
pub(crate) mod application;
pub(crate) mod change;
pub(crate) mod enterprise;
pub(crate) mod identifier;
pub(crate) mod operator_record;
pub(crate) mod package;
pub(crate) mod page;
pub(crate) mod prefix_case;
pub(crate) mod principal;
pub(crate) mod request_id;
pub(crate) mod value;

use crate::failure::{Failure, Violation};

/// What is wrong with a message, gathered while it is read.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<Violation>,
}

impl Faults {
    /// Notes a fault; of a message full of them, no more than are ever listed.
    pub(crate) fn note(&mut self, field: impl FnOnce() -> String, description: impl Into<String>) {
        if self.found.len() <= crate::config::VIOLATIONS {
            self.found.push(Violation { field: field(), description: description.into() });
        }
    }

    /// Whether nothing was wrong.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        if self.found.is_empty() { Ok(()) } else { Err(Failure::invalid(self.found)) }
    }
}
