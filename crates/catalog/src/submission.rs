//! What a submission has to be, whatever the data is.

use crate::command::{Refusal, Submission};

impl Submission {
    /// Makes sure that a step of a stream and a request id fit the orders they come with.
    ///
    /// # Errors
    /// [`Refusal::InvalidSubmission`]: the door that made it is at fault.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let refuse = |problem| Err(Refusal::InvalidSubmission { problem });
        if let Some(step) = self.stream.as_ref().filter(|step| step.counts_orders) {
            let count = u64::try_from(self.orders.len()).unwrap_or(u64::MAX);
            if step.after.checked_add(count) != Some(step.position) {
                return refuse("is a step of other length than its orders");
            }
        }
        if self.request.as_ref().is_some_and(|request| request.id.get_version_num() != REQUEST_ID_VERSION) {
            return refuse("has a request id that is not a UUID of version 7");
        }
        if self.request.is_some() && (self.orders.len() != 1 || self.stream.is_some()) {
            return refuse("has a request id and not just one order");
        }
        Ok(())
    }
}

/// Version of the UUIDs that say when they were made.
const REQUEST_ID_VERSION: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::command::{Command, Request, StreamStep};

    fn submission(orders: usize) -> Submission {
        Submission::new(&Actor::operator(), vec![Command::Delete { handle: b"1/x".to_vec() }; orders])
    }

    fn refused(submission: &Submission) -> bool {
        matches!(submission.check(), Err(Refusal::InvalidSubmission { .. }))
    }

    #[test]
    fn a_step_that_counts_orders_is_as_long_as_they_are() {
        let step = |after, position, counts_orders| StreamStep { stream: [1; 16], after, position, counts_orders };
        assert_eq!(submission(2).as_step(step(5, 7, true)).check(), Ok(()));
        assert_eq!(submission(2).as_step(step(5, 9, false)).check(), Ok(()));
        assert!(refused(&submission(2).as_step(step(5, 8, true))));
        assert!(refused(&submission(2).as_step(step(u64::MAX, 1, true))));
    }

    #[test]
    fn a_request_id_is_for_one_order_outside_of_streams() {
        let id = uuid::Builder::from_unix_timestamp_millis(1, &[0; 10]).into_uuid();
        let request = Request { id, digest: [0; 32] };
        let step = StreamStep { stream: [1; 16], after: 0, position: 1, counts_orders: true };
        assert_eq!(submission(1).as_request(request).check(), Ok(()));
        assert!(refused(&submission(0).as_request(request)));
        assert!(refused(&submission(2).as_request(request)));
        assert!(refused(&submission(1).as_request(request).as_step(step)));
        let request = Request { id: uuid::Uuid::nil(), digest: [0; 32] };
        assert!(refused(&submission(1).as_request(request)), "no telling when it was made");
    }
}
