//! Enterprises, prefixes, the queue of messages, and what a command does to them. Without IO.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::asked::{Asked, ENT, EPP, PREFIX};
use super::fault::Kind;
use super::fields::{self, Wrong};
use super::held::{HeldEnterprise, Holdings, Ruling, Script};

/// A message of the queue.
#[derive(Clone, Debug)]
struct Message {
    id: String,
    about: String,
    server: String,
    ent_id: String,
    prefix: String,
    passed: bool,
    reason: String,
}

/// What is audited.
#[derive(Clone, Debug)]
struct Audit {
    about: String,
    server: String,
    ent_id: String,
    /// Empty for the enterprise itself.
    prefix: String,
    ruling: Ruling,
}

/// A top-level node's business system.
#[derive(Debug)]
pub(super) struct Platform {
    own_prefix: String,
    user: String,
    pub(super) script: Script,
    held: Holdings,
    queue: VecDeque<Message>,
    audits: Vec<Audit>,
    transactions: BTreeMap<String, ([u8; 32], Reply)>,
    counter: u64,
}

/// An answer, but for the identifiers of its transaction.
#[derive(Clone, Debug, Default)]
struct Reply {
    code: u16,
    text: String,
    /// The inside of `response` behind the result: queue and data.
    rest: String,
}

impl Reply {
    fn of(code: u16) -> Self {
        Self { code, text: words(code).to_owned(), rest: String::new() }
    }
}

impl From<Wrong> for Reply {
    fn from((code, detail): Wrong) -> Self {
        Self { code, text: format!("{}: {detail}", words(code)), rest: String::new() }
    }
}

/// Transactions whose answers are remembered.
const REMEMBERED: usize = 10_000;

/// The words of RFC 5730 section 3.
fn words(code: u16) -> &'static str {
    match code {
        1000 => "Command completed successfully",
        1001 => "Command completed successfully; action pending",
        1300 => "Command completed successfully; no messages",
        1301 => "Command completed successfully; ack to dequeue",
        2001 => "Command syntax error",
        2002 => "Command use error",
        2003 => "Required parameter missing",
        2004 => "Parameter value range error",
        2005 => "Parameter value syntax error",
        2201 => "Authorization error",
        2302 => "Object exists",
        2303 => "Object does not exist",
        2500 => "Command failed; server closing connection",
        _ => "Command failed",
    }
}

impl Platform {
    pub(super) fn new(own_prefix: &str, user: &str, script: Script) -> Self {
        Self {
            own_prefix: own_prefix.to_owned(),
            user: user.to_owned(),
            script,
            held: Holdings::default(),
            queue: VecDeque::new(),
            audits: Vec::new(),
            transactions: BTreeMap::new(),
            counter: 0,
        }
    }

    pub(super) fn holdings(&self) -> Holdings {
        Holdings { messages: self.queue.len(), ..self.held.clone() }
    }

    /// Carries a command out; the answer.
    pub(super) fn answer(&mut self, asked: Result<&Asked, &Wrong>) -> Vec<u8> {
        let (reply, id) = match asked {
            Err(wrong) => (Reply::from(wrong.clone()), String::new()),
            Ok(asked) => (self.carry_out(asked), asked.id.clone()),
        };
        self.write(&reply, &id)
    }

    /// An answer with a code and nothing else, and nothing done.
    pub(super) fn refuse(&mut self, code: u16, id: &str) -> Vec<u8> {
        self.write(&Reply::of(code), id)
    }

    fn write(&mut self, reply: &Reply, id: &str) -> Vec<u8> {
        *self.held.answered.entry(reply.code).or_default() += 1;
        let server = self.named("SV");
        let client = if id.is_empty() { String::new() } else { format!("<clTRID>{}</clTRID>", escaped(id)) };
        let Reply { code, text, rest } = reply;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?><epp xmlns=\"{EPP}\"><response><result code=\"{code}\"><msg>{}</msg></result>\
             {rest}<trID>{client}<svTRID>{server}</svTRID></trID></response></epp>",
            escaped(text)
        )
        .into_bytes()
    }

    fn named(&mut self, kind: &str) -> String {
        self.counter += 1;
        format!("{kind}-{:06}", self.counter)
    }

    fn carry_out(&mut self, asked: &Asked) -> Reply {
        let length = asked.id.chars().count();
        if !(3..=64).contains(&length) {
            return Reply::from((2003, "clTRID".to_owned()));
        }
        let is_transform = matches!(
            asked.kind,
            Kind::CreateEnterprise | Kind::CreatePrefix | Kind::ReplaceEnterprise | Kind::AmendEnterprise
        );
        if !is_transform {
            return self.look_up(asked).unwrap_or_else(Reply::from);
        }
        if self.script.remembers
            && let Some((body, reply)) = self.transactions.get(&asked.id)
        {
            let other = || Reply::from((2005, "clTRID was used for another command".to_owned()));
            return if *body == asked.body { reply.clone() } else { other() };
        }
        let reply = self.transform(asked).unwrap_or_else(Reply::from);
        // What was refused did nothing, and may be asked for again.
        if reply.code < 2000 {
            self.transactions.insert(asked.id.clone(), (asked.body, reply.clone()));
            // Identifiers begin with the moment they were made at.
            if self.transactions.len() > REMEMBERED {
                self.transactions.pop_first();
            }
        }
        reply
    }

    fn look_up(&mut self, asked: &Asked) -> Result<Reply, Wrong> {
        match asked.kind {
            Kind::CheckEnterprise => {
                let fields = map(fields::check(&asked.object, fields::ENT_CHECK)?);
                self.check_user(&fields)?;
                let code = of(&fields, "entCrtCode");
                let found = self.of_code(code).filter(|(_, held)| held.state != "refused").map(|(id, _)| id.clone());
                let id = found.as_ref().map_or_else(String::new, |id| format!("<ent:entId>{id}</ent:entId>"));
                let avail = u8::from(found.is_none());
                let rest = format!(
                    "<resData><ent:chkData xmlns:ent=\"{ENT}\"><ent:cd><ent:entCrtCode avail=\"{avail}\">{}</ent:entCrtCode>{id}</ent:cd></ent:chkData></resData>",
                    escaped(code)
                );
                Ok(Reply { rest, ..Reply::of(1000) })
            }
            Kind::CheckPrefix => {
                let fields = map(fields::check(&asked.object, fields::PREFIX_CHECK)?);
                self.check_own(&fields)?;
                let prefix = of(&fields, "prefix");
                let is_free = self.held.prefixes.get(prefix).is_none_or(|held| held.state == "refused");
                let rest = format!(
                    "<resData><prefix:chkData xmlns:prefix=\"{PREFIX}\"><prefix:cd><prefix:prefix avail=\"{}\">{}</prefix:prefix></prefix:cd></prefix:chkData></resData>",
                    u8::from(is_free),
                    escaped(prefix)
                );
                Ok(Reply { rest, ..Reply::of(1000) })
            }
            Kind::Poll => Ok(self.poll()),
            Kind::Acknowledge => {
                let id = asked.object.attribute("msgID").ok_or_else(|| (2003, "msgID".to_owned()))?;
                let at = self.queue.iter().position(|message| message.id == id);
                let at = at.ok_or_else(|| (2303, "msgID".to_owned()))?;
                self.queue.remove(at);
                Ok(Reply::of(1000))
            }
            _ => Err((2002, "not a command that is taken here".to_owned())),
        }
    }

    fn poll(&mut self) -> Reply {
        let mut due = Vec::new();
        self.audits.retain_mut(|audit| match &mut audit.ruling {
            Ruling::Later { polls: 0, .. } | Ruling::Reject(_) => {
                due.push(audit.clone());
                false
            }
            Ruling::Later { polls, .. } => {
                *polls -= 1;
                true
            }
            _ => true,
        });
        for audit in due {
            let (passed, reason) = match &audit.ruling {
                Ruling::Later { passed, reason, .. } => (*passed, reason.clone()),
                Ruling::Reject(reason) => (false, reason.clone()),
                _ => continue,
            };
            self.decided(&audit, passed, &reason);
        }
        let Some(first) = self.queue.front() else { return Reply::of(1300) };
        let Message { id, about, server, ent_id, prefix, passed, reason } = first;
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("<prefix:prefix>{}</prefix:prefix>", escaped(prefix))
        };
        let rest = format!(
            "<msgQ count=\"{}\" id=\"{id}\"><qDate>2026-11-30T00:00:00.0Z</qDate></msgQ><resData><prefix:pollData xmlns:prefix=\"{PREFIX}\">\
             <prefix:clTRID>{}</prefix:clTRID><prefix:svTRID>{server}</prefix:svTRID><prefix:entId>{ent_id}</prefix:entId>{prefix}\
             <prefix:state>1</prefix:state><prefix:auditResult>{}</prefix:auditResult><prefix:auditResultMsg>{}</prefix:auditResultMsg>\
             </prefix:pollData></resData>",
            self.queue.len(),
            escaped(about),
            if *passed { 1 } else { 2 },
            escaped(reason)
        );
        Reply { rest, ..Reply::of(1301) }
    }

    /// Decides on a prefix that is audited, or on an enterprise by what it is called.
    pub(super) fn decide(&mut self, subject: &str, passed: bool, reason: &str) -> bool {
        let is_it = |audit: &Audit| audit.prefix == subject || audit.prefix.is_empty() && audit.ent_id == subject;
        let Some(at) = self.audits.iter().position(is_it) else { return false };
        let audit = self.audits.remove(at);
        self.decided(&audit, passed, reason);
        true
    }

    fn decided(&mut self, audit: &Audit, passed: bool, reason: &str) {
        let state = if passed { "approved" } else { "refused" };
        if audit.prefix.is_empty() {
            if let Some(held) = self.held.enterprises.get_mut(&audit.ent_id) {
                held.state = state;
            }
        } else if let Some(held) = self.held.prefixes.get_mut(&audit.prefix) {
            held.state = state;
        }
        let message = Message {
            id: self.named("MSG"),
            about: audit.about.clone(),
            server: audit.server.clone(),
            ent_id: audit.ent_id.clone(),
            prefix: audit.prefix.clone(),
            passed,
            reason: reason.to_owned(),
        };
        self.queue.push_back(message);
    }

    /// Begins an audit; the code of the command.
    fn audit(&mut self, asked: &Asked, ent_id: &str, prefix: &str, ruling: Ruling) -> (u16, &'static str) {
        let audit = Audit {
            about: asked.id.clone(),
            server: self.named("AUD"),
            ent_id: ent_id.to_owned(),
            prefix: prefix.to_owned(),
            ruling,
        };
        if audit.ruling != Ruling::Approve {
            self.audits.push(audit);
            return (1001, "pending");
        }
        if self.script.announces {
            self.decided(&audit, true, "passed");
        }
        (1000, "approved")
    }

    fn transform(&mut self, asked: &Asked) -> Result<Reply, Wrong> {
        match asked.kind {
            Kind::CreateEnterprise => self.create_enterprise(asked),
            Kind::CreatePrefix => self.create_prefix(asked),
            Kind::ReplaceEnterprise => {
                let fields = map(fields::check(&asked.object, fields::ENT_REPLACE)?);
                self.check_own(&fields)?;
                self.update(of(&fields, "entId").to_owned(), fields, true)
            }
            _ => {
                let fields = map(fields::check(&asked.object, fields::ENT_AMEND)?);
                self.check_user(&fields)?;
                self.update(of(&fields, "entId").to_owned(), fields, false)
            }
        }
    }

    fn create_enterprise(&mut self, asked: &Asked) -> Result<Reply, Wrong> {
        let fields = map(fields::check(&asked.object, fields::ENT_CREATE)?);
        self.check_own(&fields)?;
        let former = self.of_code(of(&fields, "entCrCode")).map(|(id, held)| (id.clone(), held.state, held.made));
        if let Some((id, state, _)) = &former
            && *state != "refused"
        {
            return Err((2302, id.clone()));
        }
        let made = former.as_ref().map_or(0, |(_, _, made)| *made) + 1;
        let ent_id = former.map_or_else(|| self.named("ENT"), |(id, ..)| id);
        let ruling = self.script.enterprises.clone();
        let (code, state) = self.audit(asked, &ent_id, "", ruling);
        let held = HeldEnterprise { state, fields, made, ..HeldEnterprise::default() };
        self.held.enterprises.insert(ent_id.clone(), held);
        let rest = format!(
            "<resData><ent:creData xmlns:ent=\"{ENT}\"><ent:entId>{ent_id}</ent:entId></ent:creData></resData>"
        );
        Ok(Reply { rest, ..Reply::of(code) })
    }

    fn create_prefix(&mut self, asked: &Asked) -> Result<Reply, Wrong> {
        let fields = map(fields::check(&asked.object, fields::PREFIX_CREATE)?);
        self.check_own(&fields)?;
        let (prefix, ent_id) = (of(&fields, "prefix").to_owned(), of(&fields, "entId").to_owned());
        let beneath = prefix.strip_prefix(&self.own_prefix).and_then(|rest| rest.strip_prefix('.'));
        if beneath.is_none_or(str::is_empty) {
            return Err((2005, "prefix is not beneath shrPrefix".to_owned()));
        }
        let enterprise = self.held.enterprises.get(&ent_id).filter(|held| held.state != "refused");
        if enterprise.is_none() {
            return Err((2303, "entId".to_owned()));
        }
        if let Some(held) = self.held.prefixes.get_mut(&prefix)
            && held.state != "refused"
        {
            held.asked_for_under.insert(asked.id.clone());
            return Err((2302, prefix));
        }
        let ruling = self.script.named.get(&prefix).unwrap_or(&self.script.prefixes).clone();
        let (code, state) = self.audit(asked, &ent_id, &prefix, ruling);
        let held = self.held.prefixes.entry(prefix).or_default();
        held.made += 1;
        (held.state, held.ent_id) = (state, ent_id);
        held.asked_for_under = BTreeSet::from([asked.id.clone()]);
        Ok(Reply::of(code))
    }

    fn update(&mut self, ent_id: String, fields: BTreeMap<String, String>, is_full: bool) -> Result<Reply, Wrong> {
        let held = self.held.enterprises.get_mut(&ent_id).ok_or_else(|| (2303, "entId".to_owned()))?;
        if is_full {
            held.replaced += 1;
            held.fields = fields;
        } else {
            held.amended += 1;
            let changed = fields.into_iter().filter(|(name, _)| !matches!(name.as_str(), "shrUserId" | "entId"));
            held.fields.extend(changed);
        }
        Ok(Reply::of(1000))
    }

    fn of_code(&self, code: &str) -> Option<(&String, &HeldEnterprise)> {
        self.held.enterprises.iter().find(|(_, held)| held.fields.get("entCrCode").is_some_and(|own| own == code))
    }

    fn check_own(&self, fields: &BTreeMap<String, String>) -> Result<(), Wrong> {
        if of(fields, "shrPrefix") == self.own_prefix { Ok(()) } else { Err((2201, "shrPrefix".to_owned())) }
    }

    fn check_user(&self, fields: &BTreeMap<String, String>) -> Result<(), Wrong> {
        if of(fields, "shrUserId") == self.user { Ok(()) } else { Err((2201, "shrUserId".to_owned())) }
    }

    /// Every message once more, under its name.
    pub(super) fn duplicate_messages(&mut self) {
        let again: Vec<Message> = self.queue.iter().cloned().collect();
        self.queue.extend(again);
    }

    /// The queue in the opposite order.
    pub(super) fn reverse_messages(&mut self) {
        self.queue.make_contiguous().reverse();
    }
}

fn map(fields: Vec<(String, String)>) -> BTreeMap<String, String> {
    fields.into_iter().collect()
}

fn of<'a>(fields: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    fields.get(name).map_or("", String::as_str)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
