//! Whether a stream connection stays open after an answer.
