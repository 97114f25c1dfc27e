//! Messages that are too long for one payload.

use alloc::boxed::Box;
use core::iter;

use lattice_presence::{
    Asked, Body, CausalContext, ClockSet, Digest, Message, PresenceDelta, Question, ReplicaDigest,
    ReplicaId,
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
        let whole = encode(self.encoder, self.message, usize::MAX)?;
        if whole.text.len() <= self.encoder.limits.max_bytes {
            return Ok(vec![whole]);
        }
        let long = whole.text.len();
        match &self.message.body {
            Body::Push { number, delta } => self.pushes(*number, delta, long),
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
        let message = Message::new(cluster.clone(), *shard, from.clone(), body);
        let encoded = encode(self.encoder, &message, usize::MAX)?;
        let bytes = encoded.text.len();
        Ok(if bytes <= self.encoder.limits.max_bytes {
            Tried::Fits(encoded)
        } else {
            Tried::TooLong(bytes)
        })
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

    /// Parts of a push carry its number, each: whoever misses one notices by the sender's
    /// line.
    fn pushes(&self, number: u64, delta: &PresenceDelta<M>, long: usize) -> Result<Vec<Encoded>> {
        let mut parts = Vec::new();
        let mut left_out = LeftOut::default();
        let mut wrap = |delta| Body::Push { number, delta };
        let mut keep = |encoded| {
            parts.push(encoded);
            true
        };
        self.split(delta, long, &mut wrap, &mut keep, &mut left_out)?;
        if parts.is_empty() {
            // Nothing of it fits; its number still counts.
            parts.push(self.fitting(wrap(self.empty()?))?);
        }
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
        long: usize,
        wrap: &mut impl FnMut(PresenceDelta<M>) -> Body<M>,
        keep: &mut impl FnMut(Encoded) -> bool,
        left_out: &mut LeftOut,
    ) -> Result<bool> {
        let claims: usize = delta.context().interval_count();
        let units = delta.len() + claims;
        // As much as should fit, and a little less, so that it mostly does.
        let limit = self.encoder.limits.max_bytes;
        let each = (units.saturating_mul(limit) / long.max(1)).saturating_mul(7) / 8;
        let each = each.clamp(1, units.saturating_sub(1).max(1));
        for part in delta.split(each) {
            let (entries, alone) = (part.len(), part.len() + part.context().interval_count());
            match self.attempt(wrap(part.clone()))? {
                Tried::Fits(encoded) => {
                    if !keep(encoded) {
                        return Ok(false);
                    }
                }
                Tried::TooLong(bytes) if entries <= 1 && (alone <= 2 || each == 1) => {
                    self.leave_out(&part, bytes, left_out)?;
                }
                Tried::TooLong(bytes) => {
                    if !self.split(&part, bytes, wrap, keep, left_out)? {
                        return Ok(false);
                    }
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
        let (mut told, mut chosen) = (None, None);
        let mut left_out = LeftOut::default();
        let mut wrap = |part: PresenceDelta<M>| {
            told = Some(part.clone());
            answer(part, CausalContext::new())
        };
        let mut keep = |encoded| {
            chosen = Some(encoded);
            false
        };
        self.split(delta, long, &mut wrap, &mut keep, &mut left_out)?;
        let fits = chosen.is_some();
        let mut encoded = match chosen {
            Some(encoded) => encoded,
            None => match self.attempt(answer(self.empty()?, differs.clone()))? {
                Tried::Fits(encoded) => encoded,
                Tried::TooLong(_) => self.fitting(answer(self.empty()?, CausalContext::new()))?,
            },
        };
        // What did not fit differs still. Where there is no room to say so, the asker finds
        // out by itself.
        if let Some(part) = told.filter(|_| fits) {
            let rest = delta.context().difference(part.context());
            if let Tried::Fits(more) = self.attempt(answer(part, differs.union(&rest)))? {
                encoded = more;
            }
        }
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
                [] => halve(&mut missed),
                [(_, asked)] => halve_asked(asked),
                _ => {
                    asks.truncate(asks.len() / 2);
                    true
                }
            };
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
        match parts.first_mut() {
            Some(first) => first.left_out.add(left_out),
            None => return Err(self.too_long()),
        }
        Ok(parts)
    }
}

/// Leaves half of the intervals, the lower ones; false where there is nothing to leave.
fn halve(clocks: &mut ClockSet) -> bool {
    let intervals = clocks.interval_count();
    let mut kept = ClockSet::new();
    for interval in clocks.intervals().take(intervals / 2) {
        kept.insert_range(interval);
    }
    *clocks = kept;
    intervals > 0
}

/// Asks about less of one replica; false where there is nothing to leave.
fn halve_asked(asked: &mut Asked) -> bool {
    if asked.parts.is_empty() {
        return halve(&mut asked.unwanted) || halve(&mut asked.seen);
    }
    asked.parts.truncate(asked.parts.len() / 2);
    true
}
