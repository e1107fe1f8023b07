//! Writing responses into the caller's memory.

use super::digest_for;
use crate::codes::{OpFlags, ResponseCode};
use crate::crypto::digest::RequestDigest;
use crate::dialect::Age;
use crate::error::NoRoom;
use crate::message::{Head, write_message};
use crate::primitives::{Sink, Writer};
use crate::request::put_digest;
use crate::value::{EncodeValue, Values, put_values};

/// Writes one response into the caller's bytes. Never allocates; when the room is too small, [`NoRoom`] tells the
/// exact need and the content of the room is of no use.
///
/// Each body method writes the whole message: head with correct lengths, request digest where the version puts it,
/// body, empty credential. It returns the length. An answer that is to be signed gets its credential afterwards.
#[derive(Debug)]
pub struct ResponseWriter<'b> {
    out: Writer<'b>,
    head: Head,
    digest: Option<RequestDigest>,
}

impl<'b> ResponseWriter<'b> {
    /// A response with this head to the request of which `signed_request` is header and body. The digest is computed
    /// only when the answer must carry it.
    #[must_use]
    pub fn answer(room: &'b mut [u8], head: &Head, signed_request: &[u8]) -> Self {
        Self::begin(room, head, digest_for(head, signed_request))
    }

    /// A response with this head and, unless `None`, this digest of the request.
    ///
    /// The RRDG flag is set or cleared to say what the body holds: before version 2.1 there is no such flag, and only
    /// challenges carry a digest.
    #[must_use]
    pub fn begin(room: &'b mut [u8], head: &Head, digest: Option<RequestDigest>) -> Self {
        let mut head = *head;
        let has_digest_in_front = digest.is_some() && head.formats().at_least_2(1);
        head.header.flags = if has_digest_in_front {
            head.header.flags.with(OpFlags::RRDG)
        } else {
            head.header.flags.without(OpFlags::RRDG)
        };
        Self { out: Writer::new(room), head, digest }
    }

    /// A code other than those with a body of their own, and a text that may be empty.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn error(self, text: &[u8]) -> Result<usize, NoRoom> {
        self.message(|out| out.put_bytes(text))
    }

    /// Success without a body.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn done(self) -> Result<usize, NoRoom> {
        self.message(|_| ())
    }

    /// Operation 1: the handle exactly as asked, and the values chosen.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn resolution<V: EncodeValue>(
        self,
        handle: &[u8],
        values: impl IntoIterator<Item = V>,
    ) -> Result<usize, NoRoom> {
        self.message(|out| {
            out.put_bytes(handle);
            put_values(out, values);
        })
    }

    /// Operation 1 with the age of the answer behind the values, and the flag that says so.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn resolution_aged<V: EncodeValue>(
        mut self,
        handle: &[u8],
        values: impl IntoIterator<Item = V>,
        age: Age,
    ) -> Result<usize, NoRoom> {
        self.head.header.flags = self.head.header.flags.with(OpFlags::AGED);
        self.message(|out| {
            out.put_bytes(handle);
            put_values(out, values);
            age.write(out);
        })
    }

    /// Operation 1: the handle exactly as asked, and all values of its record in one copy.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn whole_record(self, handle: &[u8], values: &Values<'_>) -> Result<usize, NoRoom> {
        self.message(|out| {
            out.put_bytes(handle);
            values.write(out);
        })
    }

    /// Operation 2: the bytes of an HS_SITE value.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn site_info(self, site: &[u8]) -> Result<usize, NoRoom> {
        self.message(|out| out.put(site))
    }

    /// Operation 100: the handle that was created.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn created(self, handle: &[u8]) -> Result<usize, NoRoom> {
        self.message(|out| out.put_bytes(handle))
    }

    /// Operations 105, 106 and 302: names, of which one message holds at most
    /// [`MAX_LISTED_HANDLES`](crate::limits::MAX_LISTED_HANDLES). Set CONT in the head when more messages follow.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn listing<'n>(self, names: impl IntoIterator<Item = &'n [u8]>) -> Result<usize, NoRoom> {
        self.message(|out| {
            let count_at = out.position();
            out.put_u32(0);
            let mut count = 0_u32;
            for name in names {
                out.put_bytes(name);
                count = count.saturating_add(1);
            }
            out.patch_u32(count_at, count);
        })
    }

    /// Operation 201: whether the answer to the challenge was right.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn verified(self, valid: bool) -> Result<usize, NoRoom> {
        self.message(|out| out.put_u8(u8::from(valid)))
    }

    /// Operation 400: mode and data of the key exchange. The session id goes into the head.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn session_setup(self, mode: u16, data: &[u8]) -> Result<usize, NoRoom> {
        self.message(|out| {
            out.put_u16(mode);
            out.put_bytes(data);
            out.put_u16(0);
        })
    }

    /// Operation 1000: a transaction number.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn transaction_id(self, id: i64) -> Result<usize, NoRoom> {
        self.message(|out| out.put_i64(id))
    }

    /// Codes 302 and 303 with the values that say whom to ask; the handle may be empty.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn referral<V: EncodeValue>(self, handle: &[u8], values: impl IntoIterator<Item = V>) -> Result<usize, NoRoom> {
        self.resolution(handle, values)
    }

    /// Codes 302 and 303 with the handle of a service alone.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn referral_to(self, handle: &[u8]) -> Result<usize, NoRoom> {
        self.message(|out| out.put_bytes(handle))
    }

    /// Code 402: a challenge with this nonce. The session id in the head names the challenge; the digest must have
    /// been given, as [`answer`](Self::answer) does for heads with this code.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn challenge(self, nonce: &[u8]) -> Result<usize, NoRoom> {
        let old_digest = if self.head.formats().at_least_2(1) { None } else { self.digest };
        debug_assert_eq!(self.head.header.response_code, ResponseCode::AUTHENTICATION_NEEDED);
        self.message(|out| {
            out.put_bytes(nonce);
            if let Some(digest) = old_digest {
                out.put_bytes(digest.as_bytes());
            }
        })
    }

    /// A body of the caller's making, behind the digest.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn raw(self, body: &[u8]) -> Result<usize, NoRoom> {
        self.message(|out| out.put(body))
    }

    /// The whole message.
    fn message(self, body: impl FnOnce(&mut Writer<'b>)) -> Result<usize, NoRoom> {
        let Self { out, head, digest } = self;
        let in_front = if head.header.flags.has(OpFlags::RRDG) { digest } else { None };
        let out = write_message(out, &head, true, |out| {
            if let Some(digest) = in_front {
                put_digest(out, &digest);
            }
            body(out);
        });
        out.finish()
    }
}
