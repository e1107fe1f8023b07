//! May this be sold, and is this identifier good: decided from what is known, nothing else.
//!
//! The rules are pure: facts, rules and the time in, a value out. [`Desk`] gathers what this node knows and has it judged. Names for programs and
//! texts for people are the doors' business. Two questions are answered:
//!
//! - [`checkout`]: a till scanned a GS1 bar code and has a list of what must not be sold;
//! - [`judge`]: somebody asks about an identifier of this node, or one it would have to ask others about.
//!
//! # Rules of a checkout, the first that applies
//!
//! | # | when | decision |
//! |---|---|---|
//! | 1 | the scan names no product (a container or a model) | deny, [`Reason::NotAProduct`] |
//! | 2 | a stop of all of the product, else of the lot, else of the serial number matches | deny, the stop's reason |
//! | 3 | the last day of sale is over | deny, [`Reason::Expired`] |
//! | 4 | no date is told, and the rules require one | deny, [`Reason::ExpiryMissing`] |
//! | 5 | the last day of sale is today or at most `warn_days` ahead, and `warn_days` is not 0 | warn, [`Reason::NearExpiry`] |
//! | 6 | otherwise | allow, [`Reason::Ok`] |
//!
//! Stops come before dates: that goods are dangerous is the graver news. The last day of sale is the earliest of the
//! expiration (AI 17), sell by (16) and best before date (15) told; the day itself still counts, and day `00` is the last
//! of the month. Best before ends sale because Chinese labels mean 保质期 by it, past which food must not be sold (Food
//! Safety Law, article 34). Lots and serial numbers are compared exactly, case included.
//!
//! # Rules of a judgement, the first that applies
//!
//! | # | what is known | verdict | sale |
//! |---|---|---|---|
//! | 1 | those who know could not be asked | [`Verdict::UpstreamDown`] | deny |
//! | 2 | no such identifier | [`Verdict::Absent`] | deny |
//! | 3 | of the form of a range, but with a wrong check character or a serial that was not issued | [`Verdict::NeverIssued`] | deny |
//! | 4 | recalled, itself or its batch | [`Verdict::Recalled`] | deny |
//! | 5 | suspended, revoked, or its code withdrawn | [`Verdict::Suspended`] | deny |
//! | 6 | its expiry day is over | [`Verdict::Expired`] | deny |
//! | 7 | otherwise | [`Verdict::Valid`] | by its date, as in rules 4 to 6 above |
//!
//! What lives at another node is asked for there: a recall is told by its values, days and batches are not read, since the
//! templates that mark them are that node's. So it is warned of, and not sold where the rules require a date.
//!
//! What is not known is never sold: whoever wants to go on while upstreams are down sees it by the verdict. An expiry
//! that cannot be read counts as none, and is warned of. Expiry ends with its day in the [`Zone`] of the node.

mod checkout;
mod date_text;
mod desk;
mod judge;
mod rules;
mod zone;

pub use checkout::{Decision, Reason, Stop, Stopped, checkout};
pub use date_text::{DateForm, DateText};
pub use desk::{Desk, Heard, Source, Told, VerdictOptions};
pub use judge::{Detail, Facts, Judgement, Known, Notice, Verdict, judge};
pub use rules::{Rules, Sale};
pub use zone::Zone;
