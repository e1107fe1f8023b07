//! Operation codes, response codes and operation flags (RFC 3652 sections 2.2.2.1 to 2.2.2.3).
//!
//! Numbers without a name here are carried through unchanged.

use core::fmt;

use crate::version::Version;

/// Declares named constants of an integer newtype, and the table their names are printed from.
macro_rules! named_codes {
    ($type:ident, $($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)+) => {
        impl $type {
            $($(#[$doc])* pub const $name: Self = Self($number);)+

            /// The name of the code in the words of the protocol; `None` when it has none.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{} ({name})", self.0),
                    None => write!(f, "{}", self.0),
                }
            }
        }
    };
}

/// What a message asks for, or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpCode(pub u32);

named_codes! { OpCode,
    /// No operation; answers to messages that could not be read carry it.
    RESERVED = 0, "reserved";
    /// Resolution of a handle.
    RESOLUTION = 1, "resolution";
    /// The HS_SITE value of the server asked.
    GET_SITE_INFO = 2, "get site info";
    /// Creation of a handle.
    CREATE_HANDLE = 100, "create handle";
    /// Deletion of a handle.
    DELETE_HANDLE = 101, "delete handle";
    /// New values for a handle.
    ADD_VALUES = 102, "add values";
    /// Removal of values by index.
    REMOVE_VALUES = 103, "remove values";
    /// Change of values.
    MODIFY_VALUES = 104, "modify values";
    /// The handles of a prefix.
    LIST_HANDLES = 105, "list handles";
    /// The prefixes below a prefix; version 3.0 only.
    LIST_DERIVED_PREFIXES = 106, "list derived prefixes";
    /// The answer to a challenge.
    CHALLENGE_ANSWER = 200, "challenge answer";
    /// Verification of somebody else's answer to a challenge.
    VERIFY_ANSWER = 201, "verify challenge answer";
    /// Makes the server responsible for a prefix.
    HOME_PREFIX = 300, "home prefix";
    /// Ends that.
    UNHOME_PREFIX = 301, "unhome prefix";
    /// The prefixes the server is responsible for.
    LIST_HOMED_PREFIXES = 302, "list homed prefixes";
    /// Setup of a session.
    SESSION_SETUP = 400, "session setup";
    /// End of a session.
    SESSION_TERMINATE = 401, "session terminate";
    /// The client's session key, encrypted for the server.
    SESSION_EXCHANGE_KEY = 402, "session exchange key";
    /// The next transaction number of a server.
    GET_NEXT_TRANSACTION_ID = 1000, "get next transaction id";
    /// Replication: transactions since a point.
    RETRIEVE_TRANSACTIONS = 1001, "retrieve transaction log";
    /// Replication: everything.
    DUMP_HANDLES = 1002, "dump handles";
    /// Consistent backup of a server.
    BACKUP_SERVER = 1003, "backup server";
    /// Login of a connection; Teleinfo dialect only.
    LOGIN = 2001, "login";
}

impl OpCode {
    /// Tells whether an interface must serve administration to accept this operation.
    #[must_use]
    pub const fn is_administrative(self) -> bool {
        matches!(self.0, 100..=106 | 300..=302 | 1000..=1003)
    }

    /// Tells whether an interface must serve queries to accept this operation.
    #[must_use]
    pub const fn is_query(self) -> bool {
        matches!(self.0, 1 | 2 | 200 | 201 | 400..=402 | 2001)
    }
}

/// How an operation ended; 0 in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseCode(pub u32);

named_codes! { ResponseCode,
    /// No response: what requests carry.
    REQUEST = 0, "request";
    /// Success.
    SUCCESS = 1, "success";
    /// An error without a code of its own.
    ERROR = 2, "error";
    /// The server has too much to do.
    SERVER_TOO_BUSY = 3, "server too busy";
    /// The message breaks the protocol.
    PROTOCOL_ERROR = 4, "protocol error";
    /// The server does not do this operation.
    OPERATION_NOT_SUPPORTED = 5, "operation not supported";
    /// The request went through too many servers.
    RECURSION_LIMIT_EXCEEDED = 6, "recursion limit exceeded";
    /// A backup is under way and the server does not change.
    SERVER_READ_ONLY = 7, "server read-only";
    /// No such handle.
    HANDLE_NOT_FOUND = 100, "handle not found";
    /// The handle exists already.
    HANDLE_ALREADY_EXISTS = 101, "handle already exists";
    /// The handle breaks the rules for handles.
    INVALID_HANDLE = 102, "invalid handle";
    /// The handle has no value that was asked for.
    VALUES_NOT_FOUND = 200, "values not found";
    /// A value of that index exists already.
    VALUE_ALREADY_EXISTS = 201, "value already exists";
    /// The value breaks the rules for values.
    INVALID_VALUE = 202, "invalid value";
    /// The client's site information is out of date.
    OUT_OF_DATE_SITE_INFO = 300, "out of date site info";
    /// Another server is responsible for the handle.
    SERVER_NOT_RESPONSIBLE = 301, "server not responsible";
    /// Another service is responsible; the body says which.
    SERVICE_REFERRAL = 302, "service referral";
    /// Another service is responsible for the prefix; the body says which.
    PREFIX_REFERRAL = 303, "prefix referral";
    /// Authenticated, but without the right that is needed.
    INVALID_ADMIN = 400, "not authorized";
    /// The value may not be read, or not be written.
    ACCESS_DENIED = 401, "access denied";
    /// Authentication is needed: the body is a challenge.
    AUTHENTICATION_NEEDED = 402, "authentication needed";
    /// The answer to the challenge was wrong.
    AUTHENTICATION_FAILED = 403, "authentication failed";
    /// The type of credential is unknown.
    INVALID_CREDENTIAL = 404, "invalid credential";
    /// The challenge is unknown or too old.
    AUTHENTICATION_TIMED_OUT = 405, "authentication timed out";
    /// The server could not authenticate.
    AUTHENTICATION_ERROR = 406, "authentication error";
    /// The session is unknown or has ended.
    SESSION_TIMED_OUT = 500, "session timed out";
    /// The session cannot be used, or decryption failed.
    SESSION_FAILED = 501, "session failed";
    /// There is no session key, or it is not valid.
    INVALID_SESSION_KEY = 502, "invalid session key";
    /// The exchange asked for needs an RSA key.
    NEED_RSA_KEY = 503, "need RSA key";
    /// The session setup is not valid.
    INVALID_SESSION_SETUP = 504, "invalid session setup";
    /// The message counter was seen before.
    SESSION_MESSAGE_REJECTED = 505, "session message rejected";
    /// Teleinfo dialect: a client's connection failed. Made by clients, not by servers.
    CLIENT_CHANNEL = 601, "client channel";
    /// Teleinfo dialect: a client's time is up. Made by clients, not by servers.
    CLIENT_TIMED_OUT = 602, "client timed out";
    /// Teleinfo dialect: the daily limit is used up.
    DAILY_LIMIT = 603, "daily limit";
    /// Teleinfo dialect: the limit of registrations is used up.
    REGISTRATION_LIMIT = 604, "registration limit";
    /// Teleinfo dialect: the limit of prefixes is used up.
    PREFIX_LIMIT = 605, "prefix limit";
    /// Work goes on, wait (RFC 3652 section 2.2.2.2); the reference never sends it.
    TRYING = 900, "trying";
    /// Ask another service (RFC 3652 section 2.2.2.2); the reference never sends it.
    FORWARDED = 901, "forwarded";
    /// Queued (RFC 3652 section 2.2.2.2); the reference never sends it.
    QUEUED = 902, "queued";
}

impl ResponseCode {
    /// The code to send in a response of `version`: clients before 2.5 know neither 7 (they get 303, which meant
    /// nothing else then) nor 202 (they get 201).
    #[must_use]
    pub const fn for_version(self, version: Version) -> Self {
        match self {
            Self::SERVER_READ_ONLY if !version.at_least_2(5) => Self::PREFIX_REFERRAL,
            Self::INVALID_VALUE if !version.at_least_2(5) => Self::VALUE_ALREADY_EXISTS,
            code => code,
        }
    }

    /// What a code received in a response of `version` means: 303 before 2.5 is 7. The 201 that stands for 202 cannot
    /// be told from a true one.
    #[must_use]
    pub const fn received_in(self, version: Version) -> Self {
        match self {
            Self::PREFIX_REFERRAL if !version.at_least_2(5) => Self::SERVER_READ_ONLY,
            code => code,
        }
    }

    /// Tells whether the body is a referral: 302 or 303.
    #[must_use]
    pub const fn is_referral(self) -> bool {
        matches!(self, Self::SERVICE_REFERRAL | Self::PREFIX_REFERRAL)
    }
}

/// The flags of an operation. Bits without a name survive.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct OpFlags(pub u32);

impl OpFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// Request: answer authoritatively. Response: a primary answered.
    pub const AUTH: Self = Self(0x8000_0000);
    /// Request: sign the response. Also set on messages that carry a signature or MAC.
    pub const CERT: Self = Self(0x4000_0000);
    /// Encrypt the response.
    pub const ENCR: Self = Self(0x2000_0000);
    /// The server may resolve recursively on the client's behalf.
    pub const RECU: Self = Self(0x1000_0000);
    /// Cached answers must be certified.
    pub const CACR: Self = Self(0x0800_0000);
    /// More messages of this response follow.
    pub const CONT: Self = Self(0x0400_0000);
    /// Keep the connection open.
    pub const KPAL: Self = Self(0x0200_0000);
    /// Public values only.
    pub const PUBL: Self = Self(0x0100_0000);
    /// The digest of the request at the start of the response.
    pub const RRDG: Self = Self(0x0080_0000);
    /// Request: existing values may be overwritten. Response: some were.
    pub const OVRW: Self = Self(0x0040_0000);
    /// The server completes the handle that is created.
    pub const MINT: Self = Self(0x0020_0000);
    /// Do not answer with a referral.
    pub const DNRF: Self = Self(0x0010_0000);
    /// Teleinfo dialect: the resolution carries the end user's identity token.
    pub const IDENTITY_TOKEN: Self = Self(0x0000_0004);
    /// Request, between nodes and clients of this project: tell how old an answer is. Response: its [`Age`](crate::dialect::Age) stands behind the
    /// values. Others ignore the bit.
    pub const AGED: Self = Self(0x0000_0008);

    /// What clients usually set: recursion allowed, cached answers certified, public values only.
    pub const USUAL: Self = Self(Self::RECU.0 | Self::CACR.0 | Self::PUBL.0);

    /// Every flag a request passes on to its response.
    pub const COPIED_TO_RESPONSE: Self =
        Self(Self::CERT.0 | Self::CACR.0 | Self::ENCR.0 | Self::PUBL.0 | Self::DNRF.0 | Self::RRDG.0);

    /// Tells whether all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags and `flags`.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// These flags but `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }

    /// Those of these flags that are in `flags`.
    #[must_use]
    pub const fn only(self, flags: Self) -> Self {
        Self(self.0 & flags.0)
    }

    /// The names of the flags that are set, highest bit first; bits without a name are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        FLAG_NAMES.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, name)| *name)
    }
}

/// The names of the flags, highest bit first.
const FLAG_NAMES: [(OpFlags, &str); 14] = [
    (OpFlags::AUTH, "AUTH"),
    (OpFlags::CERT, "CERT"),
    (OpFlags::ENCR, "ENCR"),
    (OpFlags::RECU, "RECU"),
    (OpFlags::CACR, "CACR"),
    (OpFlags::CONT, "CONT"),
    (OpFlags::KPAL, "KPAL"),
    (OpFlags::PUBL, "PUBL"),
    (OpFlags::RRDG, "RRDG"),
    (OpFlags::OVRW, "OVRW"),
    (OpFlags::MINT, "MINT"),
    (OpFlags::DNRF, "DNRF"),
    (OpFlags::AGED, "AGED"),
    (OpFlags::IDENTITY_TOKEN, "TOKEN"),
];

impl fmt::Debug for OpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpFlags({:08x}", self.0)?;
        for name in self.names() {
            write!(f, " {name}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_clients_get_the_codes_they_know() {
        let (old, new) = (Version::new(2, 4), Version::new(2, 5));
        assert_eq!(ResponseCode(7).for_version(old), ResponseCode(303));
        assert_eq!(ResponseCode(202).for_version(old), ResponseCode(201));
        assert_eq!(ResponseCode(7).for_version(Version::LEGACY_FIVE), ResponseCode(303));
        assert_eq!(ResponseCode(7).for_version(new), ResponseCode(7));
        assert_eq!(ResponseCode(202).for_version(new), ResponseCode(202));
        assert_eq!(ResponseCode(303).received_in(old), ResponseCode(7));
        assert_eq!(ResponseCode(303).received_in(new), ResponseCode(303));
    }

    #[test]
    fn unknown_numbers_survive_and_print() {
        assert_eq!(OpCode(9999).name(), None);
        assert_eq!(OpCode(9999).to_string(), "9999");
        assert_eq!(OpCode::RESOLUTION.to_string(), "1 (resolution)");
        assert_eq!(ResponseCode(999).for_version(Version::new(2, 0)), ResponseCode(999));
        assert!(!OpCode(9999).is_administrative() && !OpCode(9999).is_query());
    }

    #[test]
    fn the_usual_flags_are_those_of_the_field() {
        assert_eq!(OpFlags::USUAL, OpFlags(0x1900_0000));
        assert_eq!(format!("{:?}", OpFlags(0x9900_0001)), "OpFlags(99000001 AUTH RECU CACR PUBL)");
    }

    #[test]
    fn flags_set_clear_and_keep_unknown_bits() {
        let flags = OpFlags(0x0000_0040).with(OpFlags::CERT);
        assert!(flags.has(OpFlags::CERT) && !flags.has(OpFlags::CERT.with(OpFlags::AUTH)));
        assert_eq!(flags.without(OpFlags::CERT), OpFlags(0x40));
        assert_eq!(flags.only(OpFlags::CERT), OpFlags::CERT);
    }
}
