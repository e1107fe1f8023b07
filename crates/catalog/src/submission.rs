//! What a submission has to be, whatever the data is, and how one is taken apart.

use crate::command::{Command, Refusal, StepPlace, StreamStep, Submission};

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
        // What it can take is counted by the records as they are before it.
        if self.orders.len() > 1 && self.orders.iter().any(|order| matches!(order.command, Command::Link(_))) {
            return refuse("packs identifiers or takes them out beside other orders");
        }
        Ok(())
    }

    /// Keeps the first `most` orders, at least one, and gives the others. A step that counts orders becomes two steps; another one is taken apart at
    /// the last of its places within that, or, where it has none, stays where it was until its last order is done.
    pub(crate) fn split_off(&mut self, most: usize) -> Self {
        let most = most.max(1);
        let (at, between) = match &self.stream {
            Some(step) if step.counts_orders => {
                (most, step.after.saturating_add(u64::try_from(most).unwrap_or(u64::MAX)))
            }
            Some(step) => {
                let place = self.places.iter().rfind(|place| (1..=most).contains(&place.orders));
                place.map_or((most, step.after), |place| (place.orders, place.position))
            }
            None => (most, 0),
        };
        let orders = self.orders.split_off(at.min(self.orders.len()));
        let behind = |place: &StepPlace| {
            let orders = place.orders.checked_sub(at).filter(|orders| *orders > 0)?;
            Some(StepPlace { orders, ..*place })
        };
        let places = self.places.iter().filter_map(behind).collect();
        let stream = self.stream.map(|step| StreamStep { after: between, ..step });
        if let Some(step) = &mut self.stream {
            step.position = between;
        }
        Self { actor: self.actor.clone(), orders, request: None, stream, places }
    }
}

/// Version of the UUIDs that say when they were made.
const REQUEST_ID_VERSION: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Actor;
    use crate::command::{Request, StreamStep};
    use crate::link::LinkCommand;

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
    fn packing_stands_alone() {
        let pack = || Command::from(LinkCommand::Aggregate { parent: b"1/box".to_vec(), children: Vec::new() });
        assert_eq!(Submission::new(&Actor::operator(), [pack()]).check(), Ok(()));
        assert!(refused(&Submission::new(&Actor::operator(), [Command::Delete { handle: b"1/x".to_vec() }, pack()])));
    }

    #[test]
    fn a_step_that_is_taken_apart_becomes_steps_that_follow_each_other() {
        let stream = |submission: &Submission| submission.stream.map(|step| (step.after, step.position));
        let step = StreamStep { stream: [1; 16], after: 5, position: 9, counts_orders: true };
        let mut first = submission(4).as_step(step);
        let second = first.split_off(3);
        assert_eq!((first.orders.len(), stream(&first), first.check()), (3, Some((5, 8)), Ok(())));
        assert_eq!((second.orders.len(), stream(&second), second.check()), (1, Some((8, 9)), Ok(())));
        let mut alone = submission(4);
        let rest = alone.split_off(0);
        assert_eq!((alone.orders.len(), rest.orders.len(), rest.stream), (1, 3, None));
    }

    #[test]
    fn a_step_that_counts_something_else_is_taken_apart_at_its_places() {
        let step = StreamStep { stream: [1; 16], after: 100, position: 900, counts_orders: false };
        let place = |orders, position| StepPlace { orders, position };
        let places = vec![place(0, 110), place(2, 300), place(3, 400), place(6, 700)];
        let mut first = Submission { places, ..submission(7).as_step(step) };
        let mut second = first.split_off(5);
        let stream = |submission: &Submission| submission.stream.map(|step| (step.after, step.position));
        assert_eq!((first.orders.len(), stream(&first)), (3, Some((100, 400))));
        assert_eq!(second.places, [place(3, 700)]);
        let third = second.split_off(2);
        assert_eq!(
            (second.orders.len(), stream(&second)),
            (2, Some((400, 400))),
            "no place among them: repeated rather than lost"
        );
        assert_eq!((third.orders.len(), stream(&third)), (2, Some((400, 900))));
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
