//! Messages that are too long for one payload.

use alloc::boxed::Box;
use core::iter;

use lattice_presence::{
    Asked, Body, CausalContext, ClockSet, Digest, Message, Piece, PresenceDelta, Question,
    ReplicaDigest, ReplicaId,
};
use serde::Serialize;

use super::write::encode;
use crate::encode_error::EncodeError;
use crate::encoded::{Encoded, LeftOut};
use crate::encoder::Encoder;
use crate::entry_check::EntryError;
use crate::parts::Parts;

type Result<T> = core::result::Result<T, EncodeError>;

/// The message in payloads of at most the encoder's `max_bytes`.
pub(crate) fn parts<'p, M>(encoder: &Encoder, message: &'p Message<M>) -> Parts<'p>
where
    M: Serialize + 'static,
{
    let cut = Cut { encoder, message };
    let parts = cut.all();
    Parts(match parts {
        Ok(parts) => Box::new(parts.into_iter().map(Ok)),
        Err(error) => Box::new(iter::once(Err(error))),
    })
}

/// The piece whose numbers have the most digits.
const LONGEST: Piece = Piece {
    index: u16::MAX - 1,
    count: u16::MAX,
};

struct Cut<'c, M> {
    encoder: &'c Encoder,
    message: &'c Message<M>,
}

/// A part that fits, or how long it would be.
enum Tried {
    Fits(Encoded),
    TooLong(usize),
}

impl<M: Serialize + 'static> Cut<'_, M> {
    fn all(&self) -> Result<Vec<Encoded>> {
        let long = match self.tried(self.message)? {
            Tried::Fits(encoded) => return Ok(vec![encoded]),
            Tried::TooLong(bytes) => bytes,
        };
        match &self.message.body {
            Body::Push {
                number,
                piece: Piece::WHOLE,
                delta,
            } => self.pushes(*number, delta, long),
            Body::Answer { .. } => self.answer(long),
            Body::Question {
                id,
                missed,
                question,
            } => self.question(*id, missed, question),
            Body::Compare {
                fingerprint,
                digest,
                reply,
            } => self.comparisons(*fingerprint, digest, *reply),
            // Its own clocks have gaps without end: "there is nothing to compare".
            Body::Heartbeat { pushes, .. } => {
                let line = ReplicaDigest::default();
                let pushes = *pushes;
                Ok(vec![self.fitting(Body::Heartbeat { line, pushes })?])
            }
            _ => Err(self.too_long()),
        }
    }

    fn attempt(&self, body: Body<M>) -> Result<Tried> {
        let Message {
            cluster,
            shard,
            from,
            ..
        } = self.message;
        self.tried(&Message::new(cluster.clone(), *shard, from.clone(), body))
    }

    fn tried(&self, message: &Message<M>) -> Result<Tried> {
        let limit = self.encoder.limits.max_bytes;
        match encode(self.encoder, message, usize::MAX) {
            Ok(encoded) if encoded.text.len() <= limit => Ok(Tried::Fits(encoded)),
            Ok(encoded) => Ok(Tried::TooLong(encoded.text.len())),
            // Too much of something else: half of it may do.
            Err(EncodeError::TooMany { .. }) => Ok(Tried::TooLong(limit.saturating_mul(2))),
            Err(error) => Err(error),
        }
    }

    fn fitting(&self, body: Body<M>) -> Result<Encoded> {
        match self.attempt(body)? {
            Tried::Fits(encoded) => Ok(encoded),
            Tried::TooLong(_) => Err(self.too_long()),
        }
    }

    #[cold]
    fn too_long(&self) -> EncodeError {
        let (what, limit) = ("bytes", self.encoder.limits.max_bytes);
        EncodeError::TooMany { what, limit }
    }

    /// The pieces of a push carry its number, each, and how many there are: whoever misses
    /// one notices.
    fn pushes(&self, number: u64, delta: &PresenceDelta<M>, long: usize) -> Result<Vec<Encoded>> {
        let mut pieces = Vec::new();
        let mut left_out = LeftOut::default();
        let push = |piece, delta| Body::Push {
            number,
            piece,
            delta,
        };
        // How many there will be is not known yet: the longest numbers.
        let mut wrap = |delta| push(LONGEST, delta);
        let mut keep = |_, piece| {
            pieces.push(piece);
            true
        };
        self.split(
            delta,
            (long, usize::MAX),
            &mut wrap,
            &mut keep,
            &mut left_out,
        )?;
        if pieces.is_empty() {
            // Nothing of it fits; its number still counts.
            pieces.push(self.empty()?);
        }
        let (what, limit) = ("pieces", usize::from(u16::MAX));
        let count =
            u16::try_from(pieces.len()).map_err(|_| EncodeError::TooMany { what, limit })?;
        let pieces = (0..count).zip(pieces);
        let parts = pieces.map(|(index, delta)| self.fitting(push(Piece { index, count }, delta)));
        let mut parts = parts.collect::<Result<Vec<_>>>()?;
        if let Some(first) = parts.first_mut() {
            first.left_out.add(left_out);
        }
        Ok(parts)
    }

    fn empty(&self) -> Result<PresenceDelta<M>> {
        let from = self.message.from.clone();
        PresenceDelta::from_parts(from, CausalContext::new(), Vec::new())
            .map_err(|_| self.too_long())
    }

    /// Cuts a delta until its parts fit, and hands them on until somebody has enough.
    /// Whether to go on.
    fn split(
        &self,
        delta: &PresenceDelta<M>,
        (long, most): (usize, usize),
        wrap: &mut impl FnMut(PresenceDelta<M>) -> Body<M>,
        keep: &mut impl FnMut(Encoded, PresenceDelta<M>) -> bool,
        left_out: &mut LeftOut,
    ) -> Result<bool> {
        let units = delta.len() + delta.context().interval_count();
        // As much as should fit, and a little less, so that it mostly does.
        let limit = self.encoder.limits.max_bytes;
        let each = (units.saturating_mul(limit) / long.max(1)).saturating_mul(7) / 8;
        let each = each.clamp(1, most.max(1));
        for part in delta.split(each) {
            let go_on = match self.attempt(wrap(part.clone()))? {
                Tried::Fits(encoded) => keep(encoded, part),
                Tried::TooLong(bytes) if each == 1 => {
                    self.intervals(&part, bytes, wrap, keep, left_out)?
                }
                Tried::TooLong(bytes) => {
                    self.split(&part, (bytes, each - 1), wrap, keep, left_out)?
                }
            };
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Interval by interval: nothing smaller can be told.
    fn intervals(
        &self,
        part: &PresenceDelta<M>,
        bytes: usize,
        wrap: &mut impl FnMut(PresenceDelta<M>) -> Body<M>,
        keep: &mut impl FnMut(Encoded, PresenceDelta<M>) -> bool,
        left_out: &mut LeftOut,
    ) -> Result<bool> {
        if part.context().interval_count() <= 1 {
            self.leave_out(part, bytes, left_out)?;
            return Ok(true);
        }
        for (replica, seen) in part.context().iter() {
            for interval in seen.intervals() {
                let mut context = CausalContext::new();
                context.insert_range(replica.clone(), interval);
                let entries = part.entries().filter(|entry| context.contains(entry.dot()));
                let entries = entries.cloned().collect();
                let told = PresenceDelta::from_parts(part.replica().clone(), context, entries)
                    .map_err(|_| self.too_long())?;
                let go_on = match self.attempt(wrap(told.clone()))? {
                    Tried::Fits(encoded) => keep(encoded, told),
                    Tried::TooLong(bytes) => {
                        self.leave_out(&told, bytes, left_out)?;
                        true
                    }
                };
                if !go_on {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// One entry, or one claim, that has no room in a message of its own.
    fn leave_out(
        &self,
        part: &PresenceDelta<M>,
        bytes: usize,
        left_out: &mut LeftOut,
    ) -> Result<()> {
        let limit = self.encoder.limits.max_bytes;
        let mut reasons = Vec::new();
        for entry in part.entries() {
            let why = EntryError::TooLong { bytes, limit };
            reasons.push(EncodeError::entry(entry, why));
        }
        if self.encoder.strict {
            return Err(reasons.pop().unwrap_or_else(|| self.too_long()));
        }
        let entries = part.len() as u64;
        let clocks = part.context().iter().map(|(_, clocks)| clocks.len());
        let clocks = clocks.fold(0, u64::saturating_add);
        left_out.add(LeftOut {
            entries,
            claims: clocks.saturating_sub(entries),
            replicas: 0,
            reasons,
        });
        Ok(())
    }

    /// An answer is one message: it is cut, and says that there is more, and where.
    fn answer(&self, long: usize) -> Result<Vec<Encoded>> {
        let Body::Answer {
            id, delta, differs, ..
        } = &self.message.body
        else {
            return Err(self.too_long());
        };
        let answer = |delta, differs| Body::Answer {
            id: *id,
            delta,
            differs,
            resent: ClockSet::new(),
            more: true,
        };
        let mut chosen = None;
        let mut left_out = LeftOut::default();
        let mut wrap = |part| answer(part, CausalContext::new());
        let mut keep = |encoded, part| {
            chosen = Some((encoded, part));
            false
        };
        self.split(
            delta,
            (long, usize::MAX),
            &mut wrap,
            &mut keep,
            &mut left_out,
        )?;
        let mut encoded = match chosen {
            // What did not fit differs still. If there is no room to say so, the asker finds
            // out by itself.
            Some((encoded, part)) => {
                let rest = delta.context().difference(part.context());
                match self.attempt(answer(part, differs.union(&rest)))? {
                    Tried::Fits(more) => more,
                    Tried::TooLong(_) => encoded,
                }
            }
            None => match self.attempt(answer(self.empty()?, differs.clone()))? {
                Tried::Fits(encoded) => encoded,
                Tried::TooLong(_) => self.fitting(answer(self.empty()?, CausalContext::new()))?,
            },
        };
        encoded.left_out.add(left_out);
        Ok(vec![encoded])
    }

    /// A question is one message: it asks about less. What it does not say was seen is
    /// told again.
    fn question(
        &self,
        id: u64,
        missed: &ClockSet,
        question: &Question<ReplicaId>,
    ) -> Result<Vec<Encoded>> {
        let mut asks: Vec<(ReplicaId, Asked)> = question
            .iter()
            .map(|(replica, asked)| (replica.clone(), asked.clone()))
            .collect();
        let mut missed = missed.clone();
        loop {
            let mut question = Question::new();
            for (replica, asked) in &asks {
                question.insert(replica.clone(), asked.clone());
            }
            let body = Body::Question {
                id,
                missed: missed.clone(),
                question,
            };
            if let Tried::Fits(encoded) = self.attempt(body)? {
                return Ok(vec![encoded]);
            }
            let smaller = match &mut asks[..] {
                [] => false,
                // Down to "tell me all of it".
                [(_, asked)] => halve_asked(asked) || halve(&mut missed),
                _ => {
                    asks.truncate(asks.len() / 2);
                    true
                }
            };
            let smaller = smaller || halve(&mut missed);
            if !smaller {
                return Err(self.too_long());
            }
        }
    }

    /// Lines of a digest, in as many messages as they take.
    fn comparisons(
        &self,
        fingerprint: u64,
        digest: &Digest<ReplicaId>,
        reply: bool,
    ) -> Result<Vec<Encoded>> {
        let mut waiting: Vec<Vec<(ReplicaId, ReplicaDigest)>> = vec![
            digest
                .iter()
                .map(|(replica, known)| (replica.clone(), known.clone()))
                .collect(),
        ];
        let mut parts = Vec::new();
        let mut left_out = LeftOut::default();
        while let Some(mut lines) = waiting.pop() {
            let body = Body::Compare {
                fingerprint,
                digest: lines.iter().cloned().collect(),
                reply,
            };
            if let Tried::Fits(encoded) = self.attempt(body)? {
                parts.push(encoded);
                continue;
            }
            if lines.len() > 1 {
                let rest = lines.split_off(lines.len() / 2);
                waiting.push(rest);
                waiting.push(lines);
                continue;
            }
            let Some((_, line)) = lines.first_mut() else {
                return Err(self.too_long());
            };
            let shorter = halve(&mut line.unwanted) || halve(&mut line.seen);
            // A line that says nothing would be no line.
            if shorter && !(line.seen.is_empty() && line.unwanted.is_empty()) {
                waiting.push(lines);
            } else {
                left_out.replicas += 1;
                left_out.because(self.too_long());
            }
        }
        if self.encoder.strict && !left_out.is_empty() {
            return Err(self.too_long());
        }
        if parts.is_empty() {
            // No line fits: the fingerprint alone still asks for those of the other side.
            let digest = Digest::new();
            parts.push(self.fitting(Body::Compare {
                fingerprint,
                digest,
                reply,
            })?);
        }
        if let Some(first) = parts.first_mut() {
            first.left_out.add(left_out);
        }
        Ok(parts)
    }
}

/// Leaves half of the intervals, the lower ones; false if there is nothing to leave.
fn halve(clocks: &mut ClockSet) -> bool {
    let intervals = clocks.interval_count();
    let mut kept = ClockSet::new();
    for interval in clocks.intervals().take(intervals / 2) {
        kept.insert_range(interval);
    }
    *clocks = kept;
    intervals > 0
}

/// Asks about less of one replica; false if there is nothing to leave.
fn halve_asked(asked: &mut Asked) -> bool {
    if asked.parts.is_empty() {
        return halve(&mut asked.unwanted) || halve(&mut asked.seen);
    }
    asked.parts.truncate(asked.parts.len() / 2);
    true
}
