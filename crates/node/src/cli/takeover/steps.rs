//! The changes that make an identifier what it should be, each an ordinary one.
//!
//! They begin at whatever the identifier is: an import that was killed between two of them goes on with what is left. The notice of a recall comes and
//! goes by changes of its own, and so does a suspension; what is suspended is resumed before it is changed.

use waymark_api::registration::v1::{self, change::Action};
use waymark_catalog::{ContentHash, ValueSet, recall};
use waymark_top_sync::takeover::{Change, Status};
use waymark_wire::ValueBuf;

use super::looking::Version;
use crate::cli::server::form::{self, NotSayable};

/// Values apart from the notice of a recall, and its reason.
struct Parted {
    values: ValueSet,
    recall: Option<String>,
}

impl Parted {
    fn of(values: &ValueSet) -> Self {
        let is_notice = |index, kind: &[u8]| index == recall::RECALL_INDEX && kind == recall::RECALL_TYPE.as_bytes();
        let all = values.values();
        let reason = all.iter().find(|value| is_notice(value.index, value.kind));
        let reason = reason.map(|value| String::from_utf8_lossy(value.data).into_owned());
        let rest: Vec<ValueBuf> =
            all.iter().filter(|value| !is_notice(value.index, value.kind)).map(ValueBuf::from).collect();
        // A part of a set is one.
        let rest = ValueSet::from_bufs(&rest).unwrap_or_else(|_| values.clone());
        Self { values: rest, recall: reason }
    }

    fn content(&self) -> ContentHash {
        ContentHash::of(self.values.values())
    }
}

/// What is to be done to an identifier that is `here` so that it is as `wanted`. Nothing where it is.
///
/// # Errors
/// A value the interface cannot say.
pub(super) fn steps(here: Option<&Version>, wanted: &Change) -> Result<Vec<Action>, NotSayable> {
    let here = here.filter(|version| version.here.status != Status::Deleted);
    let mut actions = Vec::new();
    let (now, recalled) = match here {
        Some(version) => {
            let parted = Parted::of(&version.values);
            (Some((parted.content(), version.here.status)), parted.recall)
        }
        None => (None, None),
    };
    if wanted.status == Status::Deleted {
        let Some((_, status)) = now else { return Ok(actions) };
        actions.extend((status == Status::Suspended).then_some(Action::Resume(v1::Resume {})));
        actions.extend(recalled.map(|_| Action::LiftRecall(v1::LiftRecall {})));
        actions.push(Action::Delete(v1::Delete {}));
        return Ok(actions);
    }
    let target = Parted::of(&wanted.values);
    let differs = now.is_none_or(|(content, _)| content != target.content());
    let recall_differs = recalled != target.recall;
    let is_suspended = now.is_some_and(|(_, status)| status == Status::Suspended);
    let resumes = is_suspended && (differs || recall_differs || wanted.status == Status::Active);
    actions.extend(resumes.then_some(Action::Resume(v1::Resume {})));
    if differs {
        let (values, keep_timestamps) = (form::to_interface(&target.values)?, true);
        actions.push(match now {
            None => Action::Create(v1::Create { values, keep_timestamps }),
            Some(_) => Action::Replace(v1::Replace { values, keep_timestamps }),
        });
    }
    if recall_differs {
        actions.extend(recalled.map(|_| Action::LiftRecall(v1::LiftRecall {})));
        actions.extend(target.recall.map(|reason| Action::Recall(v1::Recall { reason })));
    }
    let reason = wanted.reason.clone();
    match wanted.status {
        Status::Suspended if resumes || !is_suspended => actions.push(Action::Suspend(v1::Suspend { reason })),
        Status::Revoked if now.is_none_or(|(_, status)| status != Status::Revoked) || !actions.is_empty() => {
            actions.push(Action::Revoke(v1::Revoke { reason }));
        }
        _ => {}
    }
    Ok(actions)
}

#[cfg(test)]
mod tests {
    use waymark_top_sync::takeover::Here;

    use super::*;

    fn values(text: &str, recall: Option<&str>) -> ValueSet {
        let mut all = vec![ValueBuf::new(1, b"URL", text.as_bytes())];
        all.extend(recall.map(|reason| recall::notice(reason, 7)));
        ValueSet::from_bufs(&all).unwrap()
    }

    fn here(status: Status, values: ValueSet) -> Version {
        let content = ContentHash::of(values.values());
        Version { here: Here { serial: 1, time_ms: 1, status, content }, reason: String::new(), values }
    }

    fn wanted(status: Status, values: ValueSet) -> Change {
        let (reason, handle) = ("why".to_owned(), "88.990/A".to_owned());
        Change { serial: 2, time_ms: 2, status, reason, handle, values }
    }

    fn names(here: Option<&Version>, wanted: &Change) -> Vec<&'static str> {
        let name = |action: &Action| match action {
            Action::Create(_) => "create",
            Action::Replace(_) => "replace",
            Action::Delete(_) => "delete",
            Action::Suspend(_) => "suspend",
            Action::Resume(_) => "resume",
            Action::Revoke(_) => "revoke",
            Action::Recall(_) => "recall",
            Action::LiftRecall(_) => "lift",
            _ => "other",
        };
        steps(here, wanted).unwrap().iter().map(name).collect()
    }

    #[test]
    fn what_is_as_it_should_be_is_left_alone() {
        for status in [Status::Active, Status::Suspended, Status::Revoked] {
            let same = names(Some(&here(status, values("a", None))), &wanted(status, values("a", None)));
            assert!(same.is_empty(), "{status:?}: {same:?}");
        }
        let gone = wanted(Status::Deleted, ValueSet::default());
        assert!(names(None, &gone).is_empty());
        assert!(names(Some(&here(Status::Deleted, ValueSet::default())), &gone).is_empty());
    }

    #[test]
    fn each_status_is_reached_by_ordinary_changes() {
        let active = here(Status::Active, values("a", None));
        let suspended = here(Status::Suspended, values("a", None));
        let to = |status| wanted(status, values("b", None));
        assert_eq!(names(None, &to(Status::Active)), ["create"]);
        assert_eq!(names(None, &to(Status::Suspended)), ["create", "suspend"]);
        assert_eq!(names(Some(&active), &to(Status::Active)), ["replace"]);
        assert_eq!(names(Some(&active), &to(Status::Revoked)), ["replace", "revoke"]);
        assert_eq!(names(Some(&suspended), &to(Status::Active)), ["resume", "replace"]);
        assert_eq!(names(Some(&suspended), &to(Status::Suspended)), ["resume", "replace", "suspend"]);
        assert_eq!(names(Some(&suspended), &wanted(Status::Revoked, values("a", None))), ["revoke"]);
        let gone = wanted(Status::Deleted, ValueSet::default());
        assert_eq!(names(Some(&suspended), &gone), ["resume", "delete"]);
    }

    #[test]
    fn a_recall_comes_and_goes_by_itself() {
        let plain = here(Status::Active, values("a", None));
        let recalled = here(Status::Active, values("a", Some("leaks")));
        assert_eq!(names(Some(&plain), &wanted(Status::Active, values("a", Some("leaks")))), ["recall"]);
        assert_eq!(names(Some(&recalled), &wanted(Status::Active, values("a", None))), ["lift"]);
        assert_eq!(names(Some(&recalled), &wanted(Status::Active, values("b", Some("leaks")))), ["replace"]);
        assert_eq!(names(Some(&recalled), &wanted(Status::Active, values("a", Some("burns")))), ["lift", "recall"]);
        assert_eq!(names(None, &wanted(Status::Active, values("a", Some("leaks")))), ["create", "recall"]);
        assert_eq!(names(Some(&recalled), &wanted(Status::Deleted, ValueSet::default())), ["lift", "delete"]);
    }

    #[test]
    fn what_was_begun_is_gone_on_with() {
        // The first change of create and suspend was made before the import was killed.
        let begun = here(Status::Active, values("b", None));
        assert_eq!(names(Some(&begun), &wanted(Status::Suspended, values("b", None))), ["suspend"]);
    }
}
