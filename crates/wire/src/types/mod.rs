//! Data formats of the predefined value types.
