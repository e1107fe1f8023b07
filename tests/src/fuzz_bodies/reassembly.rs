//! Datagrams in any order, damaged, repeated and from anybody.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::LazyLock;
use std::time::Duration;

use waymark_wire::frame::{
    DatagramSplitter, Outcome, Peer, Reassembly, ReassemblyLimits, TruncatedBit, Whole, config, is_part_of_request,
};
use waymark_wire::request::RequestWriter;
use waymark_wire::{DecodeError, Envelope, Head, OpFlags, Reader};

/// The input is a script: which part of which message arrives next, whether damaged, what else arrives, how much time passes.
///
/// After every step the memory charged is within its bound. A message of which only genuine parts arrived comes out as it went in;
/// whatever else comes out has the form of a message. At the end time passes, and nothing is left.
pub fn reassembly(input: &[u8]) {
    let mut script = Reader::new(input);
    let Ok([message_scale, source_scale, total_scale]) = script.array::<3>() else { return };
    let mut bench = Bench::new(limits(message_scale, source_scale, total_scale));
    while let Ok(step) = script.u8() {
        if bench.step(step, &mut script).is_err() {
            break;
        }
        bench.check();
    }
    bench.finish();
}

/// Limits from the smallest up; those below their range are moved into it by the code under test.
fn limits(message_scale: u8, source_scale: u8, total_scale: u8) -> ReassemblyLimits {
    ReassemblyLimits {
        message_bytes: usize::from(message_scale) * 256,
        source_bytes: usize::from(source_scale) * 1024,
        total_bytes: usize::from(total_scale) * 4096,
        ..ReassemblyLimits::default()
    }
}

/// A sender's message and its parts.
struct Sent {
    whole: Vec<u8>,
    parts: Vec<Vec<u8>>,
    peer: Peer,
}

/// What is sent, by number. The same for every script, and made once.
static SENT: LazyLock<Vec<Sent>> =
    LazyLock::new(|| (0..).zip(HANDLE_BYTES).map(|(number, bytes)| Sent::new(number, bytes)).collect());

/// The code under test and what it was given.
struct Bench {
    reassembly: Reassembly,
    now: Duration,
    /// By number of the message: whether something else may have arrived under its name.
    disturbed: [bool; HANDLE_BYTES.len()],
}

/// Lengths of the handles asked for: messages of 1 to 60 parts, together larger than the smallest limits.
const HANDLE_BYTES: [usize; 8] = [3, 440, 900, 1400, 6000, 19_000, 27_000, 50_000];

impl Bench {
    fn new(limits: ReassemblyLimits) -> Self {
        Self { reassembly: Reassembly::new(limits), now: Duration::from_secs(100), disturbed: Default::default() }
    }

    /// One step of the script; an error at its end.
    fn step(&mut self, step: u8, script: &mut Reader<'_>) -> Result<(), DecodeError> {
        match step {
            0..=159 => {
                let part = script.u8()?;
                self.genuine(usize::from(step % 8), usize::from(part));
            }
            160..=199 => {
                let (part, at, bits) = (script.u8()?, script.u8()?, script.u8()?);
                self.damaged(usize::from(step % 8), usize::from(part), usize::from(at), bits);
            }
            200..=229 => {
                let length = usize::from(script.u8()?).min(script.remaining());
                let peer = Peer { source: u64::from(step % 4), address: address(0) };
                let datagram = script.take(length)?;
                self.push(peer, datagram, None);
            }
            _ => {
                self.now += Duration::from_millis(u64::from(script.u8()?) * 40);
                self.reassembly.expire(self.now);
            }
        }
        Ok(())
    }

    /// A part as it was sent.
    fn genuine(&mut self, number: usize, part: usize) {
        let sent = &SENT[number];
        self.push(sent.peer, &sent.part(part), Some(number));
    }

    /// A part with some bits of one byte turned over.
    fn damaged(&mut self, number: usize, part: usize, at: usize, bits: u8) {
        let sent = &SENT[number];
        let mut datagram = sent.part(part).into_owned();
        if let Some(byte) = datagram.get_mut(at) {
            *byte ^= bits;
        }
        // The request id may be what is damaged: then it is another message that is disturbed, of the same peer.
        for (disturbed, each) in self.disturbed.iter_mut().zip(SENT.iter()) {
            *disturbed |= each.peer == sent.peer;
        }
        self.push(sent.peer, &datagram, None);
    }

    /// Whatever arrives; `genuine` names the message it is a part of, unless it is none.
    fn push(&mut self, peer: Peer, datagram: &[u8], genuine: Option<usize>) {
        let sent = genuine.filter(|number| !self.disturbed[*number]).map(|number| &SENT[number]);
        match self.reassembly.push(self.now, peer, datagram) {
            Outcome::Complete(whole) => {
                check_form(&whole);
                assert!(sent.is_none_or(|sent| sent.whole == whole.message), "a message comes out as it went in");
            }
            Outcome::Pending => {
                assert!(sent.is_none_or(|sent| sent.parts.len() > 1), "a message of one part is complete at once");
            }
            Outcome::Refused(reason) => assert!(self.reassembly.counts().refused(reason) > 0),
        }
    }

    /// What holds after every step.
    fn check(&self) {
        let limits = self.reassembly.limits();
        assert!(self.reassembly.memory_bytes() <= limits.total_bytes, "memory stays in its bound");
        let nothing = self.reassembly.incomplete() == 0;
        assert_eq!(self.reassembly.memory_bytes() == 0, nothing, "only incomplete messages are charged");
        assert_eq!(self.reassembly.next_expiry().is_none(), nothing);
        assert!(self.reassembly.next_expiry().is_none_or(|at| at > self.now && at <= self.now + limits.time));
    }

    /// Time passes; nothing is left.
    fn finish(mut self) {
        self.now += config::REASSEMBLY_TIME.max;
        self.reassembly.expire(self.now);
        assert_eq!((self.reassembly.incomplete(), self.reassembly.memory_bytes()), (0, 0));
    }
}

impl Sent {
    /// Message `number` asks for a handle of so many bytes; its datagrams are classic or large ones.
    fn new(number: u16, handle_bytes: usize) -> Self {
        let handle: Vec<u8> = (b'0'..b'z').cycle().skip(usize::from(number)).take(handle_bytes).collect();
        let head = Head::request(u32::from(number), OpFlags::USUAL, 0);
        let whole = RequestWriter::new(Vec::new(), head).resolution(&handle, &[], &[b"URL"], None);
        let datagram_bytes =
            if number.is_multiple_of(2) { config::CLASSIC_DATAGRAM_BYTES } else { config::DATAGRAM_BYTES.max };
        let splitter = DatagramSplitter::new(&whole, datagram_bytes, TruncatedBit::WhenSplit).expect("own message");
        let parts = splitter.map(|part| [&part.envelope[..], &whole[part.payload]].concat()).collect();
        let peer = Peer { source: u64::from(number % 3), address: address(1 + number / 4) };
        Self { whole, parts, peer }
    }

    /// One of the parts; from 128 on with padding when it is the last.
    fn part(&self, number: usize) -> Cow<'_, [u8]> {
        let at = number % self.parts.len();
        let part = &self.parts[at];
        if number < 128 || at + 1 < self.parts.len() {
            return part.into();
        }
        let mut padded = part.clone();
        padded.resize(part.len() + number, 0);
        padded.into()
    }
}

/// Whatever comes out has the form of a message.
fn check_form(whole: &Whole<'_>) {
    let envelope = Envelope::parse(whole.message).expect("an envelope in front");
    assert_eq!(envelope.checked_length().map(|length| length + Envelope::LEN), Ok(whole.message.len()));
    assert!(envelope.sequence == 0 && !is_part_of_request(&envelope));
    assert!(whole.largest_datagram <= whole.received_bytes);
    assert!(whole.received_bytes >= whole.message.len());
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
