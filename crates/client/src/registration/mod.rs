//! Registering identifiers over gRPC, so that a program never has to guess whether a write happened.
//!
//! [`Registrar`] makes single calls. A change travels under a request id made once, and is repeated under it while the network fails
//! and the deadline allows; the caller gets the server's answer, or [`CallError::Unknown`] with the id to ask again under.
//!
//! [`Exchange`] sends many changes as a named stream with numbered items. It keeps what was not answered, connects again after a break
//! and sends that again; the node answers items it has decided with what became of them. Every item's outcome is given once, in order.
//!
//! [`Watch`] follows the changes of a node and continues after a break behind the last one given.
//!
//! The types of questions and answers are those of `waymark-api`.

mod attempts;
mod call;
mod endpoint;
mod exchange;
mod operator;
mod packages;
mod registrar;
mod server_error;
mod stop;
mod templates;
mod traces;
mod url;
mod watch;
mod window;

pub use call::CallError;
pub use endpoint::{ClientCertificate, Endpoint, EndpointError, Retrying, ServerTrust};
pub use exchange::{Counts, Event, Exchange, ExchangeError, Start};
pub use registrar::Registrar;
pub use server_error::ServerError;
pub use stop::Stop;
pub use url::{GrpcUrl, GrpcUrlError};
pub use watch::{Watch, Watched};
