//! What stands in a request: path, query, conditions, body.

use axum::body::{Body, Bytes};
use axum::http::header::{AsHeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, Uri};
use futures_util::StreamExt as _;
use prost_types::Timestamp as ProtoTime;
use tokio::time::timeout;
use waymark_catalog::{ContentHash, Expect, Serial};

use crate::config::{Limits, PAGE_MAX};
use crate::failure::Failure;
use crate::reasons::Reason;

/// A header as text; `None` when it is absent or not text.
pub(crate) fn header(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The rest of the path behind `lead`, decoded.
pub(crate) fn decoded(uri: &Uri, lead: &str) -> Result<String, Failure> {
    let rest = uri.path().strip_prefix(lead).unwrap_or_default();
    decode(rest, false)
        .ok_or_else(|| Failure::invalid_field("path", "is not UTF-8 with percent signs before two hexadecimal digits"))
}

/// The handle of a path.
pub(super) fn handle(uri: &Uri, lead: &str) -> Result<String, Failure> {
    decoded(uri, lead)
}

/// Undoes percent encoding (RFC 3986 section 2.1); `None` when the result is not UTF-8.
fn decode(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        decoded.push(match byte {
            b'%' => {
                let (digits, behind) = rest.split_first_chunk::<2>()?;
                rest = behind;
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte).ok()?;
                let [byte] = byte;
                byte
            }
            b'+' if plus_is_blank => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// The fields behind the question mark; each is taken once, and none may be left.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

/// Fields looked at.
const FIELDS: usize = 256;

impl Query {
    pub(crate) fn of(uri: &Uri) -> Result<Self, Failure> {
        let wrong = || Failure::invalid_field("query", "is not UTF-8 with percent signs before two hexadecimal digits");
        let text = uri.query().unwrap_or_default();
        let mut fields = Vec::new();
        for field in text.split('&').filter(|field| !field.is_empty()) {
            if fields.len() >= FIELDS {
                return Err(Failure::invalid_field("query", format!("must have at most {FIELDS} fields")));
            }
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            fields.push((decode(name, true).ok_or_else(wrong)?, decode(value, true).ok_or_else(wrong)?));
        }
        Ok(Self(fields))
    }

    /// All values of a field.
    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        self.0.extract_if(.., |(field, _)| field == name).map(|(_, value)| value).collect()
    }

    fn one(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let mut all = self.all(name);
        let value = all.pop();
        if all.is_empty() { Ok(value) } else { Err(Failure::invalid_field(name, "stands twice")) }
    }

    /// A text; empty when it is absent.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, Failure> {
        Ok(self.one(name)?.unwrap_or_default())
    }

    pub(super) fn number(&mut self, name: &str) -> Result<Option<u64>, Failure> {
        let wrong = |_| Failure::invalid_field(name, "must be a whole number");
        self.one(name)?.map(|text| text.parse().map_err(wrong)).transpose()
    }

    pub(super) fn numbers(&mut self, name: &str) -> Result<Vec<u32>, Failure> {
        let wrong = |_| Failure::invalid_field(name, "must be a whole number");
        self.all(name).into_iter().map(|text| text.parse().map_err(wrong)).collect()
    }

    pub(super) fn size(&mut self) -> Result<u32, Failure> {
        let size = self.number("page_size")?.unwrap_or(0);
        let most = u32::try_from(PAGE_MAX).unwrap_or(u32::MAX);
        Ok(u32::try_from(size).unwrap_or(most).min(most))
    }

    pub(super) fn time(&mut self, name: &str) -> Result<Option<ProtoTime>, Failure> {
        let wrong = |_| Failure::invalid_field(name, "must be a time such as 2026-11-22T00:15:46Z");
        self.one(name)?.map(|text| text.parse().map_err(wrong)).transpose()
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Failure> {
        match self.one(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Failure::invalid_field(name, "must be true or false")),
        }
    }

    /// Refuses fields that nobody took: what was meant by them would be left out.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Failure::invalid_field(format!("query.{}", cut(&name)), "is not known here")),
        }
    }
}

/// Text of a caller, short enough to be told back.
pub(super) fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TOLD_BYTES)).unwrap_or_default()
}

/// Bytes of a caller's text that are told back at most.
const TOLD_BYTES: usize = 200;

/// What must be so of the identifier, by `If-Match` (its serial or content hash) or `If-None-Match: *`.
pub(super) fn condition(headers: &HeaderMap) -> Result<Option<Expect>, Failure> {
    let matching = headers.get(IF_MATCH).map(|_| header(headers, IF_MATCH).unwrap_or_default());
    let none = headers.get(IF_NONE_MATCH).map(|_| header(headers, IF_NONE_MATCH).unwrap_or_default());
    match (matching, none) {
        (None, None) => Ok(None),
        (None, Some("*")) => Ok(Some(Expect::Absent)),
        (None, Some(_)) => Err(Failure::invalid_field("If-None-Match", "must be *")),
        (Some(_), Some(_)) => Err(Failure::invalid_field("If-None-Match", "must not stand beside If-Match")),
        (Some(tag), None) => expected(tag).map(Some).ok_or_else(|| {
            Failure::invalid_field("If-Match", "must be one serial, as ETag gave it, or one content hash, in quotes")
        }),
    }
}

fn expected(tag: &str) -> Option<Expect> {
    let tag = tag.trim();
    let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    let mut hash = [0; 32];
    if hex::decode_to_slice(tag, &mut hash).is_ok() {
        return Some(Expect::Content(ContentHash(hash)));
    }
    tag.parse().ok().map(|serial| Expect::Serial(Serial(serial)))
}

/// Reads a body that is not larger than a message may be and does not rest for long.
pub(super) async fn body(body: Body, limits: &Limits) -> Result<Bytes, Failure> {
    let most = limits.message_bytes;
    let too_large = || Failure::new(Reason::MessageTooLarge).with("detail", format!("a body may have {most} bytes"));
    if axum::body::HttpBody::size_hint(&body).lower() > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let mut whole = Vec::new();
    let mut parts = body.into_data_stream();
    while let Some(part) = next_part(&mut parts, limits).await? {
        if whole.len() + part.len() > most {
            return Err(too_large());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.into())
}

/// The next part of a body; a client that rests too long is cut off.
async fn next_part(parts: &mut axum::body::BodyDataStream, limits: &Limits) -> Result<Option<Bytes>, Failure> {
    let patience = limits.http_body_idle;
    let idle = |_| Failure::new(Reason::StreamIdle).with("seconds", patience.as_secs());
    let part = timeout(patience, parts.next()).await.map_err(idle)?;
    part.transpose().map_err(|_| Failure::invalid_field("body", "was cut off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Query, Failure> {
        Query::of(&text.parse().unwrap())
    }

    #[test]
    fn handles_come_plain_or_encoded() {
        let handle = |path: &str| handle(&path.parse().unwrap(), "/v1/identifiers/").ok();
        assert_eq!(handle("/v1/identifiers/88.1/a/b").as_deref(), Some("88.1/a/b"));
        assert_eq!(handle("/v1/identifiers/88.1%2Fa%20+%E4%BA%A7").as_deref(), Some("88.1/a +产"));
        for wrong in ["/v1/identifiers/88.1/%", "/v1/identifiers/88.1/%4", "/v1/identifiers/%zz", "/v1/identifiers/%ff"]
        {
            assert_eq!(handle(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn queries_are_read_strictly() {
        let mut read =
            query("/?prefix=88.1%2F+x&index=1&index=2&values=true&changed_from=2026-11-22T00:15:46Z").unwrap();
        assert_eq!(read.text("prefix").unwrap(), "88.1/ x");
        assert_eq!(read.numbers("index").unwrap(), [1, 2]);
        assert!(read.flag("values").unwrap());
        assert_eq!(read.time("changed_from").unwrap().unwrap().seconds, 1_795_306_546);
        read.finish().unwrap();
        assert!(query("/?a=1").unwrap().finish().is_err());
        assert!(query("/?a=1&a=2").unwrap().number("a").is_err());
        assert!(query("/?a=x").unwrap().number("a").is_err());
        assert!(query("/?a=yes").unwrap().flag("a").is_err());
        assert!(query("/?a=tomorrow").unwrap().time("a").is_err());
        assert!(query(&format!("/?{}", "a&".repeat(300))).is_err());
    }

    #[test]
    fn conditions_are_serials_hashes_or_absence() {
        let read = |name: axum::http::HeaderName, value: &str| {
            let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
            condition(&headers).map_err(|failure| failure.violations()[0].field.clone())
        };
        assert_eq!(read(IF_MATCH, "\"17\""), Ok(Some(Expect::Serial(Serial(17)))));
        assert_eq!(read(IF_MATCH, &"ab".repeat(32)), Ok(Some(Expect::Content(ContentHash([0xab; 32])))));
        assert_eq!(read(IF_NONE_MATCH, "*"), Ok(Some(Expect::Absent)));
        assert_eq!(read(IF_NONE_MATCH, "\"17\""), Err("If-None-Match".into()));
        for wrong in ["*", "W/\"17\"", "\"17\", \"18\"", ""] {
            assert_eq!(read(IF_MATCH, wrong), Err("If-Match".into()), "{wrong}");
        }
    }
}
