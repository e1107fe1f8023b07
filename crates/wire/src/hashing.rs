//! Which server of a site is responsible for a handle.
