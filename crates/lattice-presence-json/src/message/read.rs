//! Reads messages.

use alloc::borrow::Cow;
use alloc::vec;

use lattice_presence::{
    Asked, Body, CausalContext, ClockSet, Dot, Held, MAX_CLOCK, MESSAGE_VERSION, Message, Part,
    PartsError, Piece, Presence, PresenceDelta, Question, Refusal, ReplicaId,
};
use serde::de::DeserializeOwned;

use super::header::{MessageHeader, header, one_of, small};
use crate::cloud::CloudReader;
use crate::cursor::{Cursor, Fields, Result};
use crate::digest::{self, LineReader, fingerprint};
use crate::error::{Category, DecodeError, Segment};
use crate::field::{once, required, set};
use crate::intern::{Replicas, Topics};
use crate::limits::Limits;
use crate::meta::{self, too_long};
use crate::payload::check_claims;
use crate::room;

/// Bytes that it takes at least to say something of a replica: `,"a":{}`.
const NAMED: usize = 7;

/// Bytes that an entry takes at least: `,[1,"","","",0]`.
const ENTRY: usize = 15;

pub(crate) fn decode<M>(text: &str, limits: &Limits) -> Result<Message<M>>
where
    M: DeserializeOwned + 'static,
{
    let mut cursor = Cursor::new(text);
    let (header, fields) = header(&mut cursor, limits)?;
    if header.version != MESSAGE_VERSION {
        let version = header.version;
        let reason = format!("version {version} of the messages; {MESSAGE_VERSION} is read here");
        return Err(DecodeError::new(Category::Version, 0, reason).within_field("v"));
    }
    let mut reader = Reader {
        cursor,
        limits,
        from: header.from.clone(),
        replicas: Replicas::new(text.len()),
        named: Named::default(),
        topics: Topics::default(),
        clouds: CloudReader::new(limits),
        entries: Vec::new(),
    };
    // The sender is one of the names.
    reader.replicas.intern(header.from.as_str(), 0, limits)?;
    let body = reader.body(fields)?;
    reader.cursor.finish()?;
    let MessageHeader {
        cluster,
        shard,
        from,
        ..
    } = header;
    Ok(Message::new(cluster, shard, from, body))
}

/// The parts of a message that have named each replica already, by the place of the
/// replica. Each replica takes one byte. A question can have many short names. Its cost is
/// mostly what is kept for each name.
#[derive(Default)]
struct Named {
    /// The sender has place 0. Most messages name nobody else.
    sender: u8,
    others: Vec<u8>,
}

impl Named {
    fn of_mut(&mut self, place: usize) -> &mut u8 {
        let Some(other) = place.checked_sub(1) else {
            return &mut self.sender;
        };
        if self.others.len() <= other {
            self.others.resize(other + 1, 0);
        }
        &mut self.others[other]
    }
}

const IN_DELTA: u8 = 1;
const IN_ASKS: u8 = 2;
const IN_DIFFERS: u8 = 4;

struct Reader<'a, 'l, M> {
    cursor: Cursor<'a>,
    limits: &'l Limits,
    from: ReplicaId,
    replicas: Replicas<()>,
    named: Named,
    topics: Topics,
    clouds: CloudReader<'l>,
    entries: Vec<Presence<M>>,
}

impl<'a, M: DeserializeOwned + 'static> Reader<'a, '_, M> {
    /// The kind comes first. The other fields of the body come in any order.
    fn body(&mut self, mut fields: Fields) -> Result<Body<M>> {
        let Some((kind, at)) = fields.next(&mut self.cursor)? else {
            let reason = "a message without a body";
            return Err(DecodeError::new(
                Category::Shape,
                self.cursor.offset() - 1,
                reason,
            ));
        };
        match &*kind {
            "heartbeat" => self.heartbeat(fields),
            "push" => self.push(fields),
            "question" => self.question(fields),
            "answer" => self.answer(fields),
            "compare" => self.compare(fields),
            "goodbye" => {
                self.flag().map_err(|e| e.within_field("goodbye"))?;
                self.skip_rest(fields)?;
                Ok(Body::Goodbye)
            }
            "refusal" => self.refusal(fields),
            _ => {
                let reason = "a kind of message that is not known here";
                Err(DecodeError::new(Category::Shape, at, reason).within(Segment::name(&kind)))
            }
        }
    }

    fn heartbeat(&mut self, mut fields: Fields) -> Result<Body<M>> {
        let pushes = self.number().map_err(|e| e.within_field("heartbeat"))?;
        let mut line = LineReader::default();
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            if !line.read(&name, at, &mut self.cursor, &mut self.clouds)? {
                self.cursor.skip_unknown()?;
            }
        }
        let end = self.cursor.offset() - 1;
        let line = line.of_heartbeat(end)?;
        Ok(Body::Heartbeat { line, pushes })
    }

    fn push(&mut self, mut fields: Fields) -> Result<Body<M>> {
        let number = self.number().map_err(|e| e.within_field("push"))?;
        let (mut piece, mut delta) = (None, None);
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "piece" => {
                    let what = "a piece is [index, count], its index below the count";
                    set(&mut piece, at, || one_of(&mut self.cursor, what))
                        .map_err(|e| e.within_field("piece"))?;
                }
                "delta" => {
                    set(&mut delta, at, || self.delta()).map_err(|e| e.within_field("delta"))?;
                }
                _ => self.cursor.skip_unknown()?,
            }
        }
        let delta = self.or_empty(delta)?;
        let piece = piece.map_or(Piece::WHOLE, |(index, count)| Piece { index, count });
        Ok(Body::Push {
            number,
            piece,
            delta,
        })
    }

    fn question(&mut self, mut fields: Fields) -> Result<Body<M>> {
        let id = self.number().map_err(|e| e.within_field("question"))?;
        let (mut missed, mut asks) = (None, None);
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "missed" => {
                    set(&mut missed, at, || self.clocks()).map_err(|e| e.within_field("missed"))?;
                }

                "asks" => {
                    set(&mut asks, at, || self.asks()).map_err(|e| e.within_field("asks"))?;
                }
                _ => self.cursor.skip_unknown()?,
            }
        }
        Ok(Body::Question {
            id,
            missed: missed.unwrap_or_default(),
            question: asks.unwrap_or_default(),
        })
    }

    fn answer(&mut self, mut fields: Fields) -> Result<Body<M>> {
        let id = self.number().map_err(|e| e.within_field("answer"))?;
        let (mut delta, mut differs, mut resent, mut more) = (None, None, None, None);
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "delta" => {
                    set(&mut delta, at, || self.delta()).map_err(|e| e.within_field("delta"))?;
                }
                "differs" => set(&mut differs, at, || self.differs())
                    .map_err(|e| e.within_field("differs"))?,
                "resent" => {
                    set(&mut resent, at, || self.clocks()).map_err(|e| e.within_field("resent"))?;
                }

                "more" => set(&mut more, at, || self.flag()).map_err(|e| e.within_field("more"))?,
                _ => self.cursor.skip_unknown()?,
            }
        }
        Ok(Body::Answer {
            id,
            delta: self.or_empty(delta)?,
            differs: differs.unwrap_or_default(),
            resent: resent.unwrap_or_default(),
            more: more.unwrap_or_default(),
        })
    }

    fn compare(&mut self, mut fields: Fields) -> Result<Body<M>> {
        let sum = fingerprint(&mut self.cursor).map_err(|e| e.within_field("compare"))?;
        let (mut digest, mut reply) = (None, None);
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "digest" => {
                    let Self {
                        cursor,
                        clouds,
                        limits,
                        ..
                    } = self;
                    set(&mut digest, at, || digest::read(cursor, clouds, limits))
                        .map_err(|e| e.within_field("digest"))?;
                }
                "reply" => {
                    set(&mut reply, at, || self.flag()).map_err(|e| e.within_field("reply"))?;
                }
                _ => self.cursor.skip_unknown()?,
            }
        }
        Ok(Body::Compare {
            fingerprint: sum,
            digest: digest.unwrap_or_default(),
            reply: reply.unwrap_or_default(),
        })
    }

    fn refusal(&mut self, mut fields: Fields) -> Result<Body<M>> {
        self.cursor.skip_space();
        let start = self.cursor.offset();
        let why = self
            .cursor
            .string()
            .map_err(|e| e.within_field("refusal"))?;
        let (mut reads, mut count) = (None, None);
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "reads" => set(&mut reads, at, || small(&mut self.cursor, 0))
                    .map_err(|e| e.within_field("reads"))?,
                "count" => set(&mut count, at, || small(&mut self.cursor, 1))
                    .map_err(|e| e.within_field("count"))?,
                _ => self.cursor.skip_unknown()?,
            }
        }
        let reason = match &*why {
            "version" => Refusal::Version {
                reads: required(reads, "reads", start)?,
            },
            "cluster" => Refusal::Cluster,
            "shards" => Refusal::Shards {
                count: required(count, "count", start)?,
            },
            _ => {
                let reason = "a reason that is not known here";
                return Err(
                    DecodeError::new(Category::Shape, start, reason).within_field("refusal")
                );
            }
        };
        Ok(Body::Refusal { reason })
    }

    /// A delta, replica by replica.
    fn delta(&mut self) -> Result<PresenceDelta<M>> {
        self.cursor.skip_space();
        let start = self.cursor.offset();
        let mut claims = Vec::new();
        let mut groups = self.cursor.items()?;
        while let Some(index) = groups.next(&mut self.cursor)? {
            let group = self.group().map_err(|e| e.within_index(index))?;
            room::push(&mut claims, group, self.cursor.left(), NAMED);
        }
        self.topics.forget();
        let context = context(claims);
        let entries = core::mem::take(&mut self.entries);
        check_claims(&context, entries.len(), self.limits, start)?;
        PresenceDelta::from_parts(self.from.clone(), context, entries).map_err(|error| {
            let category = match error {
                PartsError::Duplicate { .. } => Category::Duplicate,
                _ => Category::Coverage,
            };
            DecodeError::new(
                category,
                start,
                error.to_string().escape_debug().to_string(),
            )
        })
    }

    fn or_empty(&self, delta: Option<PresenceDelta<M>>) -> Result<PresenceDelta<M>> {
        let empty = || {
            PresenceDelta::from_parts(self.from.clone(), CausalContext::new(), Vec::new())
                .map_err(|error| DecodeError::new(Category::Shape, 0, error.to_string()))
        };
        delta.map_or_else(empty, Ok)
    }

    /// The group of one replica. `of` comes first, if the replica is not the sender.
    fn group(&mut self) -> Result<(ReplicaId, ClockSet)> {
        let (mut place, mut seen, mut told) = (None, None, None);
        let first = self.entries.len();
        let mut fields = self.cursor.fields()?;
        let start = self.cursor.offset() - 1;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "of" if seen.is_some() || told.is_some() => {
                    let reason = "comes behind what it is about";
                    return Err(DecodeError::new(Category::Shape, at, reason).within_field("of"));
                }
                "of" => set(&mut place, at, || {
                    self.cursor.skip_space();
                    let at = self.cursor.offset();
                    let name = self.cursor.name(self.limits)?;
                    self.named(&name, at, IN_DELTA)
                })
                .map_err(|e| e.within_field("of"))?,
                "seen" => {
                    set(&mut seen, at, || self.clocks()).map_err(|e| e.within_field("seen"))?;
                }
                "entries" => {
                    let place = self.place(&mut place, start)?;
                    set(&mut told, at, || self.read_entries(place))
                        .map_err(|e| e.within_field("entries"))?;
                }
                _ => self.cursor.skip_unknown()?,
            }
        }
        let place = self.place(&mut place, start)?;
        let entries = &mut self.entries[first..];
        if !entries.is_sorted_by_key(|entry| entry.dot().clock) {
            entries.sort_unstable_by_key(|entry| entry.dot().clock);
        }
        let clocks: ClockSet = entries.iter().map(|entry| entry.dot().clock).collect();
        let seen = match seen {
            Some(mut seen) if !seen.is_empty() => {
                seen.union_with(&clocks);
                seen
            }
            _ => clocks,
        };
        Ok((self.replicas.id(place).clone(), seen))
    }

    /// The replica of a group. It is the sender, if no other was named.
    fn place(&mut self, place: &mut Option<usize>, at: usize) -> Result<usize> {
        if let Some(place) = *place {
            return Ok(place);
        }
        let from = self.from.clone();
        let sender = self.named(from.as_str(), at, IN_DELTA)?;
        *place = Some(sender);
        Ok(sender)
    }

    fn read_entries(&mut self, place: usize) -> Result<()> {
        let mut items = self.cursor.items()?;
        while let Some(index) = items.next(&mut self.cursor)? {
            let entry = self.entry(place).map_err(|e| e.within_index(index))?;
            room::push(&mut self.entries, entry, self.cursor.left(), ENTRY);
        }
        Ok(())
    }

    /// `[clock, topic, key, pid, meta]`.
    fn entry(&mut self, place: usize) -> Result<Presence<M>> {
        let start = self.cursor.offset();
        if self.entries.len() >= self.limits.max_entries {
            let reason = format!("more than {} values", self.limits.max_entries);
            return Err(DecodeError::new(Category::Limit, start, reason));
        }
        let (mut clock, mut meta) = (None, None);
        let mut texts: [Option<Cow<'a, str>>; 3] = [const { None }; 3];
        let mut items = self.cursor.items()?;
        while let Some(index) = items.next(&mut self.cursor)? {
            let read = match index {
                0 => self.cursor.clock(1).map(|read| clock = Some(read)),
                1..=3 => {
                    let text = self.cursor.name(self.limits);
                    text.map(|text| texts[index - 1] = Some(text))
                }
                4 => self.meta().map(|read| meta = Some(read)),
                _ => Err(not_an_entry(self.cursor.offset())),
            };
            read.map_err(|e| e.within_index(index))?;
        }
        let (Some(clock), [Some(topic), Some(key), Some(pid)], Some(meta)) = (clock, texts, meta)
        else {
            return Err(not_an_entry(start));
        };
        let dot = Dot::new(self.replicas.id(place).clone(), clock);
        Ok(Presence::new(
            dot,
            self.topics.intern(&topic),
            &key,
            &pid,
            meta,
        ))
    }

    fn meta(&mut self) -> Result<M> {
        self.cursor.skip_space();
        let start = self.cursor.offset();
        let skipped = self.cursor.skip_value(self.limits.max_meta_depth)?;
        if skipped.text.len() > self.limits.max_meta_bytes {
            return Err(too_long(start, self.limits.max_meta_bytes));
        }
        meta::decode(&skipped).map_err(|source| DecodeError::meta(start, source))
    }

    fn differs(&mut self) -> Result<CausalContext<ReplicaId>> {
        let mut differing = Vec::new();
        let mut fields = self.cursor.fields()?;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            let read = self.named(&name, at, IN_DIFFERS).and_then(|place| {
                let clocks = self.clouds.read(&mut self.cursor)?;
                Ok((self.replicas.id(place).clone(), clocks))
            });
            let named = read.map_err(|e| e.within(Segment::name(&name)))?;
            // No clocks are no difference.
            if !named.1.is_empty() {
                room::push(&mut differing, named, self.cursor.left(), NAMED);
            }
        }
        Ok(context(differing))
    }

    fn asks(&mut self) -> Result<Question<ReplicaId>> {
        let mut asks = Vec::new();
        let mut fields = self.cursor.fields()?;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            let read = self.named(&name, at, IN_ASKS).and_then(|place| {
                let asked = self.asked()?;
                Ok((self.replicas.id(place).clone(), asked))
            });
            let named = read.map_err(|e| e.within(Segment::name(&name)))?;
            room::push(&mut asks, named, self.cursor.left(), NAMED);
        }
        Ok(in_order(asks).collect())
    }

    fn asked(&mut self) -> Result<Asked> {
        let (mut line, mut parts) = (LineReader::default(), None);
        let mut fields = self.cursor.fields()?;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            if name == "parts" {
                set(&mut parts, at, || self.parts()).map_err(|e| e.within_field("parts"))?;
            } else if !line.read(&name, at, &mut self.cursor, &mut self.clouds)? {
                self.cursor.skip_unknown()?;
            }
        }
        let mut asked = Asked::default();
        asked.seen = line.seen();
        asked.unwanted = line.unwanted.unwrap_or_default();
        asked.parts = parts.unwrap_or_default();
        Ok(asked)
    }

    /// Ascending, disjoint.
    fn parts(&mut self) -> Result<Vec<Part>> {
        let mut parts = Vec::<Part>::new();
        let mut items = self.cursor.items()?;
        while let Some(index) = items.next(&mut self.cursor)? {
            let start = self.cursor.offset();
            let part = self.part().map_err(|e| e.within_index(index))?;
            if parts.last().is_some_and(|last| last.last >= part.first) {
                let reason = "a part that begins before the one before it ends";
                let error = DecodeError::new(Category::Clock, start, reason);
                return Err(error.within_index(index));
            }
            parts.push(part);
        }
        Ok(parts)
    }

    /// `[first, last, fingerprint]`, and after it possibly the clocks that are held.
    fn part(&mut self) -> Result<Part> {
        let start = self.cursor.offset();
        let (mut ends, mut sum, mut held) = ([0; 2], None, None);
        let mut items = self.cursor.items()?;
        while let Some(index) = items.next(&mut self.cursor)? {
            let read = match index {
                0 | 1 => self.cursor.clock(1).map(|clock| ends[index] = clock),
                2 => fingerprint(&mut self.cursor).map(|read| sum = Some(read)),
                3 => self.clocks().map(|clocks| held = Some(clocks)),
                _ => Err(not_a_part(self.cursor.offset())),
            };
            read.map_err(|e| e.within_index(index))?;
        }
        let ([first, last], Some(fingerprint)) = (ends, sum) else {
            return Err(not_a_part(start));
        };
        let range = ClockSet::from(first..=last.min(MAX_CLOCK));
        let inside = held.as_ref().is_none_or(|clocks| clocks.is_subset(&range));
        if first > last || !inside {
            let reason = "a part of no clocks, or with clocks outside of it";
            return Err(DecodeError::new(Category::Clock, start, reason));
        }
        let held = match held {
            None => Held::Fingerprint(fingerprint),
            Some(clocks) => Held::Dots {
                clocks,
                fingerprint,
            },
        };
        Ok(Part { first, last, held })
    }

    /// The place of a replica that `part` of the message may name only once.
    fn named(&mut self, name: &str, at: usize, part: u8) -> Result<usize> {
        self.limits.check_string(name, at)?;
        let place = self.replicas.intern(name, at, self.limits)?;
        let named = self.named.of_mut(place);
        once(*named & part != 0, at)?;
        *named |= part;
        Ok(place)
    }

    fn clocks(&mut self) -> Result<ClockSet> {
        self.clouds.read(&mut self.cursor)
    }

    fn number(&mut self) -> Result<u64> {
        self.cursor.clock(0)
    }

    fn flag(&mut self) -> Result<bool> {
        self.cursor.next_token()?;
        let yes = self.cursor.eat(b"true");
        if yes || self.cursor.eat(b"false") {
            return Ok(yes);
        }
        Err(self.cursor.expected("true or false"))
    }

    fn skip_rest(&mut self, mut fields: Fields) -> Result<()> {
        while fields.next(&mut self.cursor)?.is_some() {
            self.cursor.skip_unknown()?;
        }
        Ok(())
    }
}

/// What is said of replicas that are named once each, in replica order. So the result is
/// built in the same memory.
fn in_order<T>(mut named: Vec<(ReplicaId, T)>) -> vec::IntoIter<(ReplicaId, T)> {
    named.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    named.into_iter()
}

fn context(claims: Vec<(ReplicaId, ClockSet)>) -> CausalContext<ReplicaId> {
    in_order(claims).collect()
}

#[cold]
fn not_an_entry(offset: usize) -> DecodeError {
    let reason = "an entry is [clock, topic, key, pid, meta]";
    DecodeError::new(Category::Shape, offset, reason)
}

#[cold]
fn not_a_part(offset: usize) -> DecodeError {
    let reason = "a part is [first, last, fingerprint], or with [clocks] behind it";
    DecodeError::new(Category::Shape, offset, reason)
}
