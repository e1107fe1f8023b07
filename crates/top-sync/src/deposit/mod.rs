//! Deposits: what the top-level node needs to take over, made once a day and restored in an emergency.
//!
//! A deposit is of one prefix with everything derived from it, and of one moment: the beginning of a day in UTC, which is eight in the morning in
//! Beijing, so that it can be made from then on. A FULL one holds everything; a DIFF what changed since the watermark of the deposit before it, which
//! it names. The deposit of a Sunday is a full one.
//!
//! ```text
//! catalog at a serial ─ XML document ─ ZIP ─ SM4-CCM in groups of 256 MB, keys by SM2 to the platform ─ parts of 1 GB ─ SM2 signature of each
//! ```
//! All of it is one stream: memory does not depend on how much there is. Nothing is ever on the disk in the clear.
//!
//! **The inner form is our own.** What is public of the platform's is the chain above but for the cipher mode, the names of files, and that the
//! root is `deposit` with a type, an id, the id before and a number of resending, then the watermark, a menu, deletions, contents; that is kept to. How
//! the platform's contents, cipher and signature files look is not published. The form has a version and a namespace of its own, and says so:
//!
//! ```xml
//! <deposit xmlns="urn:waymark:deposit:1" version="1" type="DIFF" id="32 hex digits" previous="32 hex digits" resend="0" prefix="88.990"
//!          created="2026-01-05T02:11:40Z" since="1200" serial="1431">
//!   <watermark>2026-12-01T00:00:00Z</watermark>
//!   <menu><object uri="urn:waymark:deposit:1:identifier"/>...</menu>
//!   <deletes><delete kind="identifier" name="88.990.1/X"/>...</deletes>
//!   <contents>
//!     <object kind="enterprise" name="E7"><text>{"v":1,...}</text><sealed>{...}</sealed></object>...
//!     <identifier handle="88.990.1/Y" status="suspended" since="1795910400" reason="">
//!       <value index="1" type="URL" ttl="86400" permissions="14" timestamp="1795910400"><data>https://...</data></value>...
//!     </identifier>...
//!   </contents>
//!   <counts><count kind="identifier" contents="1" deletes="1" values="3"/>...</counts>
//! </deposit>
//! ```
//! `created` is when the node was made; `since` and `serial` are the serials of the two watermarks. An object is told in the JSON it has in the log;
//! `sealed` is what the node keeps sealed of it, in the clear: what is said of people, the bytes of a file. Text that XML cannot say is in base64, and
//! said to be (`form="base64"`, an attribute `handle-base64`). Objects come in the order of [`Kind`](waymark_catalog::moment::Kind), code packages behind
//! the identifiers. A deposit holds the secrets of code packages and personal data, and so is for the platform alone; that personal data is read for it
//! is noted in the audit.
//!
//! | file | holds |
//! |---|---|
//! | `config` | limits |
//! | `name` | how files are called |
//! | `head` | what a deposit says of itself, days in UTC, counts |
//! | `write`, `read`, `tokens` | the document as a stream |
//! | `zip` | its container |
//! | `seal` | the envelope |
//! | `parts` | cutting, signing |
//! | `report` | the report |
//! | `keys` | key files |
//! | `table` | the deposits that were made |
//! | `make`, `verify`, `restore` | what is done with them |
//! | `schedule` | which is due, and what is to be done with it |
//! | `courier` | makes and brings them, for ever |
//! | `standing` | how they stand |
//! | `judgement` | what the platform says of one |

pub mod config;
mod courier;
#[cfg(test)]
mod document_tests;
mod head;
mod judgement;
pub mod keys;
mod make;
mod name;
mod parts;
mod read;
mod report;
mod restore;
mod schedule;
mod seal;
mod standing;
mod table;
mod tokens;
mod verify;
mod write;
mod zip;

pub use courier::{Account, Courier, Options, SendError};
pub use head::{Counts, DepositId, Head, VERSION, day_of, is_sunday, watermark};
pub use judgement::{ACCEPTED, Judgement};
pub use make::{Made, MakeError, Wanted, make};
pub use name::{Extension, Extent, FileName, FileNameError, parse_date};
pub use parts::{Part, PartError};
pub use read::{DocumentReader, Entry, Identifier};
pub use report::Report;
pub use restore::{RestoreError, Restored, restore};
pub use schedule::{Asked, Policy, Step, TimeOfDayError, due, next, parse_time_of_day};
pub use seal::SealError;
pub use standing::{Phase, Standing};
pub use table::{Delivery, Local, Platform, Row, Table, TableError};
pub use tokens::DocumentError;
pub use verify::{Files, Held, Verified, VerifyError, verify};
pub use zip::{Unzip, ZipError};
