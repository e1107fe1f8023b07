//! What a request asks, as a hash: the same for the same order, whichever door it came by.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use waymark_catalog::{AddMode, Command, Expect, Order, PutMode, Request, Timestamps, ValueSet};

use crate::failure::Failure;

/// Reads a request id, and says what is asked under it. `None` for an empty one.
pub(crate) fn request(id: &str, order: &Order) -> Result<Option<Request>, Failure> {
    if id.is_empty() {
        return Ok(None);
    }
    let parsed = Uuid::try_parse(id).ok().filter(|id| id.get_version_num() == 7);
    let id = parsed.ok_or_else(|| Failure::invalid_field("request_id", "must be a UUID of version 7"))?;
    Ok(Some(Request { id, digest: digest(order) }))
}

/// Hashes an order: kind, options, then each part behind its length.
fn digest(order: &Order) -> [u8; 32] {
    let mut hasher = Hasher(Sha256::new_with_prefix(b"waymark request 1"));
    match &order.command {
        Command::Put { handle, values, timestamps, mode } => {
            let mode = match mode {
                PutMode::Create => 0,
                PutMode::Replace => 1,
                PutMode::CreateOrSame => 2,
            };
            hasher.head("put", mode, handle).values(values, *timestamps);
        }
        Command::AddValues { handle, values, timestamps, mode } => {
            let mode = match mode {
                AddMode::New => 0,
                AddMode::Overwrite => 1,
                AddMode::NewOrSame => 2,
            };
            hasher.head("add", mode, handle).values(values, *timestamps);
        }
        Command::ModifyValues { handle, values, timestamps } => {
            hasher.head("modify", 0, handle).values(values, *timestamps);
        }
        Command::RemoveValues { handle, indexes } => {
            hasher.head("remove", 0, handle);
            for index in indexes {
                hasher.0.update(index.to_be_bytes());
            }
        }
        Command::Delete { handle } => _ = hasher.head("delete", 0, handle),
        Command::Suspend { handle, reason } => _ = hasher.head("suspend", 0, handle).part(reason.as_bytes()),
        Command::Resume { handle } => _ = hasher.head("resume", 0, handle),
        Command::Revoke { handle, reason } => _ = hasher.head("revoke", 0, handle).part(reason.as_bytes()),
        // Others have no request ids; their description tells them apart well enough.
        other => _ = hasher.head("other", 0, format!("{other:?}").as_bytes()),
    }
    match order.expect {
        None => {}
        Some(Expect::Absent) => _ = hasher.part(b"absent"),
        Some(Expect::Serial(serial)) => _ = hasher.part(b"serial").part(&serial.0.to_be_bytes()),
        Some(Expect::Content(content)) => _ = hasher.part(b"content").part(&content.0),
    }
    hasher.0.finalize().into()
}

struct Hasher(Sha256);

impl Hasher {
    fn head(&mut self, kind: &str, mode: u8, handle: &[u8]) -> &mut Self {
        self.part(kind.as_bytes()).part(&[mode]).part(handle)
    }

    fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(bytes);
        self
    }

    fn values(&mut self, values: &ValueSet, timestamps: Timestamps) {
        let keep = u8::from(timestamps == Timestamps::Keep);
        self.part(&[keep]).part(values.wire());
    }
}

#[cfg(test)]
mod tests {
    use waymark_catalog::Serial;

    use super::*;

    fn delete(handle: &[u8]) -> Order {
        Command::Delete { handle: handle.to_vec() }.into()
    }

    #[test]
    fn other_orders_have_other_digests() {
        let orders = [
            delete(b"1/x"),
            delete(b"1/y"),
            Order { expect: Some(Expect::Absent), ..delete(b"1/x") },
            Order { expect: Some(Expect::Serial(Serial(1))), ..delete(b"1/x") },
            Command::Resume { handle: b"1/x".to_vec() }.into(),
            Command::RemoveValues { handle: b"1/x".to_vec(), indexes: vec![1] }.into(),
            Command::RemoveValues { handle: b"1/x".to_vec(), indexes: vec![1, 2] }.into(),
        ];
        let digests: std::collections::HashSet<_> = orders.iter().map(digest).collect();
        assert_eq!(digests.len(), orders.len());
        assert_eq!(digest(&delete(b"1/x")), digest(&orders[0]));
    }

    #[test]
    fn only_ids_that_carry_their_time_are_taken() {
        let order = delete(b"1/x");
        assert!(request("", &order).unwrap().is_none());
        assert!(request("01976b9a-7c00-7000-8000-000000000000", &order).unwrap().is_some());
        for wrong in ["x", "f47ac10b-58cc-4372-a567-0e02b2c3d479"] {
            assert_eq!(request(wrong, &order).unwrap_err().violations()[0].field, "request_id");
        }
    }
}
