//! Asking the demo's resolver what a name says.

use waymark_wire::{
    Head, OpFlags,
    limits::ResponseLimits,
    request::RequestWriter,
    response::{Response, ResponseBody},
};

use super::{Way, registering::failed};
use crate::problem::Problem;

/// A way to ask that stays open.
pub(super) struct Asking {
    pub(super) way: Way,
}

impl Asking {
    /// Texts of the public values of a name, in order of index; none for a name that is not there.
    pub(super) async fn told(&mut self, handle: &str) -> Result<Vec<String>, Problem> {
        let head = Head::request(1, OpFlags::USUAL, u32::MAX >> 1);
        let request = RequestWriter::new(Vec::new(), head).resolution(handle.as_bytes(), &[], &[], None);
        let (answer, _) = self.way.ask(&request).await.map_err(|cause| failed(&cause))?;
        let response = Response::parse(&answer, ResponseLimits::WHOLE_MESSAGE).map_err(|cause| failed(&cause))?;
        Ok(match response.body {
            ResponseBody::Resolution { values, .. } => {
                values.iter().map(|value| String::from_utf8_lossy(value.data).into_owned()).collect()
            }
            _ => Vec::new(),
        })
    }
}
