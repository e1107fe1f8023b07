//! Request ids, with what is asked under them.

use uuid::Uuid;
use waymark_catalog::{Order, Request, command_digest};

use crate::failure::Failure;

/// Reads a request id. `None` for an empty one.
pub(crate) fn read(id: &str) -> Result<Option<Uuid>, Failure> {
    if id.is_empty() {
        return Ok(None);
    }
    let parsed = Uuid::try_parse(id).ok().filter(|id| id.get_version_num() == 7);
    parsed.map(Some).ok_or_else(|| Failure::invalid_field("request_id", "must be a UUID of version 7"))
}

/// Reads a request id, and says what is asked under it. `None` for an empty one.
pub(crate) fn request(id: &str, order: &Order) -> Result<Option<Request>, Failure> {
    Ok(read(id)?.map(|id| Request { id, digest: command_digest(order) }))
}

#[cfg(test)]
mod tests {
    use waymark_catalog::Command;

    use super::*;

    #[test]
    fn only_ids_that_carry_their_time_are_taken() {
        let order = Command::Delete { handle: b"1/x".to_vec() }.into();
        assert!(request("", &order).unwrap().is_none());
        assert!(request("01976b9a-7c00-7000-8000-000000000000", &order).unwrap().is_some());
        for wrong in ["x", "f47ac10b-58cc-4372-a567-0e02b2c3d479"] {
            assert_eq!(request(wrong, &order).unwrap_err().violations()[0].field, "request_id");
        }
    }
}
