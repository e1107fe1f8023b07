//! Answers, and how they are read: hostile until proven otherwise, within [`ANSWER_BYTES`](crate::epp::config::ANSWER_BYTES).

use super::xml::{Element, XmlError};
use super::{Code, EntId, MessageId, TransactionId, is_object};
use crate::epp::config::MESSAGE_CHARS;

/// An answer of the top-level node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What came of the command.
    pub code: Code,
    /// The same for people, cut to [`MESSAGE_CHARS`] and without control characters.
    pub text: String,
    /// The queue of messages, where the answer tells of it.
    pub queue: Option<Queue>,
    /// What the command asked for.
    pub data: Data,
    /// The identifier the command was sent under.
    pub client: Option<TransactionId>,
    /// What the top-level node calls the transaction.
    pub server: Option<TransactionId>,
}

/// The queue of messages and its first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many messages wait, this one too.
    pub count: u64,
    /// What the first is called.
    pub id: MessageId,
}

/// What an answer carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data {
    /// Nothing that is known here.
    #[default]
    Nothing,
    /// Of a check: whether what was asked for is free, and for an enterprise what it is called where it is not.
    Checked {
        /// Nobody has it.
        is_free: bool,
        /// What the enterprise is called.
        ent_id: Option<EntId>,
    },
    /// Of a create: what the enterprise is called from now on.
    Created {
        /// What it is called.
        ent_id: EntId,
    },
    /// Of a poll: what an audit came to.
    Message(Message),
}

/// A message about an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The transaction it is about, by the identifier this node gave it.
    pub about: TransactionId,
    /// The same transaction as the top-level node calls it.
    pub server: Option<TransactionId>,
    /// The enterprise, where it names one.
    pub ent_id: Option<EntId>,
    /// The prefix, where it names one.
    pub prefix: Option<Box<str>>,
    /// What the audit came to; `None` where the message only says how things stand.
    pub verdict: Option<Verdict>,
}

/// What an audit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it was passed (`auditResult` 1).
    pub passed: bool,
    /// Why, for people; bounded like [`Answer::text`].
    pub reason: String,
}

/// Why an answer is not taken. Holds names of fields, never what was in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It is no XML that is accepted.
    #[error("the answer is {0}")]
    Xml(#[from] XmlError),
    /// It is XML, but no answer of EPP.
    #[error("the answer is not an EPP response")]
    NotEpp,
    /// A field that must be there is not.
    #[error("the answer has no {0}")]
    Missing(&'static str),
    /// A field holds what it cannot.
    #[error("the answer has a {0} that is none")]
    Wrong(&'static str),
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn read(bytes: &[u8], most_bytes: usize) -> Result<Self, AnswerError> {
        let root = Element::read(bytes, most_bytes)?;
        // Whether the namespace of EPP is declared as it should be decides nothing: names do.
        let response = Some(&root).filter(|root| &*root.name == "epp").and_then(|root| root.child("response"));
        let response = response.ok_or(AnswerError::NotEpp)?;
        let result = response.child("result").ok_or(AnswerError::Missing("result"))?;
        let code = result.attribute("code").ok_or(AnswerError::Missing("code"))?;
        let code = code.parse().ok().filter(|code| (1_000..3_000).contains(code)).map(Code);
        let code = code.ok_or(AnswerError::Wrong("code"))?;
        let queue = response.child("msgQ").map(read_queue).transpose()?.flatten();
        let identifiers = response.child("trID");
        let data = match response.child("resData") {
            Some(data) => read_data(data)?,
            None => Data::Nothing,
        };
        Ok(Self {
            code,
            text: for_people(result.child_text("msg").unwrap_or_default()),
            queue,
            data,
            client: optional(identifiers, "clTRID", TransactionId::new)?,
            server: optional(identifiers, "svTRID", TransactionId::new)?,
        })
    }
}

/// The queue; an empty one has no first message.
fn read_queue(queue: &Element) -> Result<Option<Queue>, AnswerError> {
    let count = queue.attribute("count").unwrap_or("1").parse().map_err(|_| AnswerError::Wrong("count"))?;
    match queue.attribute("id") {
        None => Ok(None),
        Some(id) => Ok(Some(Queue { count, id: MessageId::new(id).map_err(|_| AnswerError::Wrong("id"))? })),
    }
}

fn read_data(data: &Element) -> Result<Data, AnswerError> {
    // What the objects are called differs between drafts; that they are in a namespace of theirs does not.
    let Some(object) = data.children.iter().find(|child| is_object(&child.space)) else { return Ok(Data::Nothing) };
    match &*object.name {
        "chkData" => read_check(object),
        "creData" => {
            let ent_id = optional(find(object, "entId"), "", EntId::new).map_err(|_| AnswerError::Wrong("entId"))?;
            Ok(ent_id.map_or(Data::Nothing, |ent_id| Data::Created { ent_id }))
        }
        _ if find(object, "auditResult").is_some() || find(object, "clTRID").is_some() => {
            read_message(object).map(Data::Message)
        }
        _ => Ok(Data::Nothing),
    }
}

fn read_check(object: &Element) -> Result<Data, AnswerError> {
    let word = object.all().find_map(|each| each.attribute("avail"));
    let word = word.or_else(|| find(object, "avail").map(|each| each.text.as_str()));
    let is_free = match word {
        Some("1" | "true") => true,
        Some("0" | "false") => false,
        Some(_) => return Err(AnswerError::Wrong("avail")),
        None => return Err(AnswerError::Missing("avail")),
    };
    let ent_id = optional(find(object, "entId"), "", EntId::new).map_err(|_| AnswerError::Wrong("entId"))?;
    Ok(Data::Checked { is_free, ent_id })
}

fn read_message(object: &Element) -> Result<Message, AnswerError> {
    let about = find(object, "clTRID").ok_or(AnswerError::Missing("clTRID"))?;
    let about = TransactionId::new(&about.text).map_err(|_| AnswerError::Wrong("clTRID"))?;
    let reason = for_people(find(object, "auditResultMsg").map_or("", |each| &each.text));
    let verdict = match find(object, "auditResult").map(|each| each.text.as_str()) {
        None | Some("") => None,
        Some(number) => {
            let number: u8 = number.parse().map_err(|_| AnswerError::Wrong("auditResult"))?;
            Some(Verdict { passed: number == PASSED, reason })
        }
    };
    Ok(Message {
        about,
        server: optional(find(object, "svTRID"), "", TransactionId::new).map_err(|_| AnswerError::Wrong("svTRID"))?,
        ent_id: optional(find(object, "entId"), "", EntId::new).map_err(|_| AnswerError::Wrong("entId"))?,
        prefix: find(object, "prefix").filter(|each| !each.text.is_empty()).map(|each| each.text.as_str().into()),
        verdict,
    })
}

/// The `auditResult` of what was passed. What the others are is not published; all of them are refusals.
const PASSED: u8 = 1;

/// The first element within, at any depth, of a name.
fn find<'a>(object: &'a Element, name: &str) -> Option<&'a Element> {
    object.all().skip(1).find(|each| *each.name == *name)
}

/// The name in an element, or in the one of a name within it; `None` where there is none or it is empty.
fn optional<T, E>(
    element: Option<&Element>,
    name: &'static str,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, AnswerError> {
    let text = match element {
        Some(element) if name.is_empty() => Some(element.text.as_str()),
        Some(element) => element.child_text(name),
        None => None,
    };
    text.filter(|text| !text.is_empty()).map(|text| read(text).map_err(|_| AnswerError::Wrong(name))).transpose()
}

/// A text as it may be shown and kept: cut, with blanks for control characters, and without numbers of documents and telephones and addresses of
/// mail, should the top-level node repeat what it was told of people.
fn for_people(text: &str) -> String {
    let shown: String =
        text.chars().take(4 * MESSAGE_CHARS).map(|each| if each.is_control() { ' ' } else { each }).collect();
    let words = shown.split(' ').map(|word| if tells_of_people(word) { "…" } else { word });
    let kept: String = words.collect::<Vec<_>>().join(" ");
    kept.chars().take(MESSAGE_CHARS).collect::<String>().trim().to_owned()
}

/// Whether a word holds an address of mail, or as many digits in a row as no code of a result and no prefix has.
fn tells_of_people(word: &str) -> bool {
    let digits = |run: &[u8]| run.iter().all(u8::is_ascii_digit);
    word.contains('@') || word.as_bytes().windows(DIGITS).any(digits)
}

/// Digits in a row that are taken for a number of a document or a telephone.
const DIGITS: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(inner: &str) -> Result<Answer, AnswerError> {
        let text = format!("<epp xmlns=\"urn:ietf:params:xml:ns:epp-1.0\"><response>{inner}</response></epp>");
        Answer::read(text.as_bytes(), 64 << 10)
    }

    #[test]
    fn an_audit_message_is_read_with_all_it_says() {
        let read = answer(
            "<result code=\"1301\"><msg>Command completed successfully; ack to dequeue</msg></result>\
             <msgQ count=\"5\" id=\"12345\"><qDate>2026-11-30T00:00:00.0Z</qDate></msgQ>\
             <resData><p:pollData xmlns:p=\"urn:ietf:params:xml:ns:prefix-1.0\"><p:clTRID>WM-1</p:clTRID><p:svTRID>SV-9</p:svTRID>\
             <p:entId>77</p:entId><p:prefix>88.104.1</p:prefix><p:state>1</p:state><p:auditResult>2</p:auditResult>\
             <p:auditResultMsg>证照\u{7}模糊</p:auditResultMsg></p:pollData></resData>\
             <trID><clTRID>WM-2</clTRID><svTRID>SV-10</svTRID></trID>",
        )
        .unwrap();
        let id = |text: &str| TransactionId::new(text).unwrap();
        assert_eq!((read.code, read.client, read.server), (Code::MESSAGE, Some(id("WM-2")), Some(id("SV-10"))));
        assert_eq!(read.queue, Some(Queue { count: 5, id: MessageId::new("12345").unwrap() }));
        let Data::Message(message) = read.data else { panic!("{:?}", read.data) };
        assert_eq!((message.about, message.prefix.as_deref()), (id("WM-1"), Some("88.104.1")));
        assert_eq!(message.verdict, Some(Verdict { passed: false, reason: "证照 模糊".into() }));
    }

    #[test]
    fn checks_are_read_in_the_forms_there_are() {
        let checked =
            |inner: &str| answer(&format!("<result code=\"1000\"/><resData>{inner}</resData>")).map(|it| it.data);
        let free = |is_free, ent_id: Option<&str>| {
            Ok(Data::Checked { is_free, ent_id: ent_id.map(|id| EntId::new(id).unwrap()) })
        };
        let ent = "xmlns:e=\"urn:ietf:params:xml:ns:idis-ent-1.0\"";
        assert_eq!(
            checked(&format!(
                "<e:chkData {ent}><e:cd><e:entCrtCode avail=\"0\">X</e:entCrtCode><e:entId>7</e:entId></e:cd></e:chkData>"
            )),
            free(false, Some("7"))
        );
        assert_eq!(checked(&format!("<e:chkData {ent}><e:avail>true</e:avail></e:chkData>")), free(true, None));
        for space in
            ["urn:ietf:params:xml:ns:idis-entprefix-1.0", "urn:ietf:params:xml:ns:prefix-1.0", "http://x/prefix-1.0"]
        {
            let text = format!("<chkData xmlns=\"{space}\"><cd><prefix avail=\"1\">88.1</prefix></cd></chkData>");
            assert_eq!(checked(&text), free(true, None), "{space}");
        }
        assert_eq!(checked(&format!("<e:chkData {ent}/>")), Err(AnswerError::Missing("avail")));
        assert_eq!(checked(&format!("<e:chkData {ent} avail=\"2\"/>")), Err(AnswerError::Wrong("avail")));
        assert_eq!(checked("<chkData xmlns=\"urn:other\" avail=\"1\"/>"), Ok(Data::Nothing));
    }

    #[test]
    fn numbers_and_addresses_of_people_are_not_kept() {
        let read = answer(
            "<result code=\"2005\"><msg>idNo 33010619700101777X is wrong, ask a@b.cn (88.104.1, 2026-11-30)</msg></result>",
        );
        assert_eq!(read.unwrap().text, "idNo … is wrong, ask … (88.104.1, 2026-11-30)");
    }

    #[test]
    fn what_is_no_answer_is_refused_by_the_field_that_is_wrong() {
        let read = |text: &str| Answer::read(text.as_bytes(), 1_000);
        assert_eq!(read("<html/>"), Err(AnswerError::NotEpp));
        assert_eq!(read("<epp><greeting/></epp>"), Err(AnswerError::NotEpp));
        assert_eq!(answer(""), Err(AnswerError::Missing("result")));
        for code in ["", "x", "-1", "999", "3000", "99999999999"] {
            assert_eq!(answer(&format!("<result code=\"{code}\"/>")), Err(AnswerError::Wrong("code")), "{code}");
        }
        let long = "x".repeat(65);
        assert_eq!(
            answer(&format!("<result code=\"1000\"/><trID><clTRID>{long}</clTRID></trID>")),
            Err(AnswerError::Wrong("clTRID"))
        );
        let text = "语".repeat(1_000);
        assert_eq!(
            answer(&format!("<result code=\"1000\"><msg>{text}</msg></result>")).unwrap().text.chars().count(),
            256
        );
    }
}
