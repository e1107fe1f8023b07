//! What people say of a node: faults it does not see itself, that one is over, maintenance.

use waymark_catalog::Timestamp;

use super::Watch;
use super::book::{BookError, Noted};
use super::config::AHEAD_MS;
use super::incident::{Event, Kind, Maintenance};

/// Why something people said was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SayError {
    /// There is no such fault.
    #[error("there is no fault {0}")]
    NoFault(String),
    /// The fault is over already, and nothing new was said of it.
    #[error("{0} is over already")]
    Over(String),
    /// A maintenance is under way.
    #[error("a maintenance is under way already")]
    Under,
    /// No maintenance is under way or planned.
    #[error("no maintenance is under way")]
    NoMaintenance,
    /// A time that cannot be.
    #[error("{0}")]
    Time(&'static str),
    /// It could not be kept.
    #[error(transparent)]
    Book(#[from] BookError),
}

/// A fault as people report it.
#[derive(Clone, Debug)]
pub struct Said {
    /// What kind.
    pub kind: Kind,
    /// Why.
    pub cause: String,
    /// The prefix it is about; the node's where empty.
    pub prefix: String,
    /// When it was; `None`: now.
    pub at: Option<Timestamp>,
    /// Who says so.
    pub by: String,
}

impl Watch {
    /// Notes a fault people report.
    ///
    /// # Errors
    /// See [`SayError`].
    pub fn report(&self, said: Said, now: Timestamp) -> Result<Event, SayError> {
        let time = said.at.unwrap_or(now);
        if time.0 > now.0.saturating_add(AHEAD_MS) {
            return Err(SayError::Time("it has not come yet"));
        }
        let prefix = if said.prefix.is_empty() { self.prefix.clone() } else { said.prefix.to_ascii_uppercase() };
        let noted = Noted {
            related: String::new(),
            time: time.min(now),
            cause: said.cause,
            kind: said.kind,
            prefix,
            remedy: String::new(),
            by: said.by,
            watched: String::new(),
        };
        Ok(self.lock().book.note(noted, now)?)
    }

    /// Notes that a fault is over, and what was done about it; of one that is over, the latter alone.
    ///
    /// # Errors
    /// See [`SayError`].
    pub fn recovered(&self, fault: &str, remedy: &str, by: &str, now: Timestamp) -> Result<Event, SayError> {
        let mut inner = self.lock();
        let known = inner.book.fault(fault).cloned().ok_or_else(|| SayError::NoFault(fault.to_owned()))?;
        if let Some(recovery) = inner.book.recovery(fault).cloned() {
            if remedy.is_empty() {
                return Err(SayError::Over(fault.to_owned()));
            }
            return Ok(inner.book.add_remedy(&recovery, remedy, now)?);
        }
        let noted = Noted {
            related: known.id.clone(),
            time: now.max(Timestamp(known.time)),
            cause: String::new(),
            kind: known.kind,
            prefix: known.prefix,
            remedy: remedy.to_owned(),
            by: by.to_owned(),
            watched: known.watched,
        };
        let event = inner.book.note(noted, now)?;
        inner.sentinel.over(fault);
        Ok(event)
    }

    /// Declares a maintenance, from now or a moment to come.
    ///
    /// # Errors
    /// See [`SayError`].
    pub fn begin_maintenance(
        &self,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
        reason: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Maintenance, SayError> {
        let mut inner = self.lock();
        let from = from.unwrap_or(now).max(now);
        if until.is_some_and(|until| until <= from) {
            return Err(SayError::Time("it ends before it begins"));
        }
        if inner.book.maintenances().any(|known| known.is_ahead_or_under_way(now.0)) {
            return Err(SayError::Under);
        }
        let maintenance = Maintenance {
            number: 0,
            from: from.0,
            until: until.map(|until| until.0),
            ended: None,
            reason: reason.to_owned(),
            by: by.to_owned(),
        };
        Ok(inner.book.put_maintenance(maintenance, now)?)
    }

    /// Ends the maintenance that is under way, or cancels the one that is planned.
    ///
    /// # Errors
    /// See [`SayError`].
    pub fn end_maintenance(&self, now: Timestamp) -> Result<Maintenance, SayError> {
        let mut inner = self.lock();
        let under = inner.book.maintenances().rev().find(|known| known.is_ahead_or_under_way(now.0)).cloned();
        let under = under.ok_or(SayError::NoMaintenance)?;
        Ok(inner.book.put_maintenance(Maintenance { ended: Some(now.0), ..under }, now)?)
    }
}
