//! Things that make records durable, behind one trait, so that they can be measured in turns.

pub mod log;
pub mod raw;
pub mod records;
pub mod sled;

use std::error::Error;

use self::records::Record;

/// Makes groups of records durable.
pub trait Keeper {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Keeps the group as one piece; durable on return, as far as the keeper goes.
    ///
    /// # Errors
    /// The disk refuses, or the keeper does.
    fn keep(&mut self, group: &[Record]) -> Result<(), Box<dyn Error>>;

    /// Takes the group before anything is measured, in whatever way is quickest.
    ///
    /// # Errors
    /// As [`Keeper::keep`].
    fn load(&mut self, group: &[Record]) -> Result<(), Box<dyn Error>> {
        self.keep(group)
    }

    /// Has everything on the disk that was put off, so that it does not burden whoever has the next turn.
    ///
    /// # Errors
    /// The disk refuses.
    fn settle(&mut self) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}
