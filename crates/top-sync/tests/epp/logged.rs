//! Listening to the log: of every thread, and of one's own.
//!
//! One subscriber for all tests, since one for each thread would race with what is cached about places that log.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Mutex, Once};

use tracing_subscriber::fmt::MakeWriter;

static ALL: Mutex<Vec<u8>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The log of this program from the first call on, at every level.
pub(crate) struct Logged;

impl Logged {
    /// Begins to listen.
    pub(crate) fn listen() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::TRACE);
            tracing::subscriber::set_global_default(subscriber.with_writer(Writer).finish()).unwrap();
        });
        Self
    }

    /// What all threads logged.
    pub(crate) fn all(&self) -> Vec<u8> {
        ALL.lock().unwrap().clone()
    }

    /// What this thread logged.
    pub(crate) fn own(&self) -> String {
        String::from_utf8(OWN.with_borrow(Clone::clone)).unwrap()
    }
}

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        ALL.lock().unwrap().extend_from_slice(bytes);
        OWN.with_borrow_mut(|own| own.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Writer {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
