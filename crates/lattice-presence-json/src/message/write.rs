//! Messages on their way out.

use core::iter::Peekable;

use lattice_presence::{
    Asked, Body, ClockSet, Held, MESSAGE_VERSION, Message, Part, Piece, Presence, PresenceDelta,
    Question, Refusal, ReplicaDigest, ReplicaId, Shard,
};
use serde::Serialize;

use crate::emit::{check_count, push_intervals, push_line, separate};
use crate::encode_error::EncodeError;
use crate::encoded::{Encoded, LeftOut};
use crate::encoder::Encoder;
use crate::entry_check::{EntryError, text_of};
use crate::limits::Limits;
use crate::plan::Plan;
use crate::sink::Sink;
use crate::write::{digits, push_escaped, push_hex, push_integer, push_string, quoted_len};

type Result<T> = core::result::Result<T, EncodeError>;

/// The message in one payload, whatever its length. What no peer reads is left out.
pub(crate) fn encode<M>(
    encoder: &Encoder,
    message: &Message<M>,
    max_bytes: usize,
) -> Result<Encoded>
where
    M: Serialize + 'static,
{
    let mut writer = Writer {
        encoder,
        sink: Sink::whole(max_bytes),
        left_out: LeftOut::default(),
        items: 0,
        names: 1,
    };
    writer.message(message)?;
    Ok(Encoded {
        text: writer.sink.finish()?,
        left_out: writer.left_out,
    })
}

/// How many bytes a push takes for one entry, beside the texts of the entry: as a piece of
/// a long one.
pub(crate) fn frame_len(cluster: &str, shard: Shard, from: &ReplicaId) -> usize {
    const FRAME: usize =
        r#"{"v":,"cluster":,"from":,"push":,"piece":[65534,65535],"delta":[{"entries":[[,,,,]]}]}"#
            .len();
    let longest = digits(lattice_presence::MAX_CLOCK);
    let shard = if shard == Shard::WHOLE {
        0
    } else {
        r#""shard":[,],"#.len() + digits(shard.index.into()) + digits(shard.count.into())
    };
    let names = quoted_len(cluster) + quoted_len(from.as_str());
    FRAME + digits(MESSAGE_VERSION.into()) + names + shard + 2 * longest
}

struct Writer<'e> {
    encoder: &'e Encoder,
    sink: Sink<'e>,
    left_out: LeftOut,
    /// Intervals written so far, of whatever.
    items: usize,
    /// Names written so far, the sender's included.
    names: usize,
}

impl Writer<'_> {
    fn message<M: Serialize + 'static>(&mut self, message: &Message<M>) -> Result<()> {
        self.encoder.check_replica(&message.from)?;
        self.push("{\"v\":");
        self.integer(message.version.into());
        self.push(",\"cluster\":");
        push_string(&mut self.sink.out, &message.cluster);
        let Shard { index, count } = message.shard;
        if message.shard != Shard::WHOLE {
            self.one_of("shard", index, count);
        }
        self.push(",\"from\":");
        push_string(&mut self.sink.out, message.from.as_str());
        self.body(&message.from, &message.body)?;
        self.push("}");
        Ok(())
    }

    fn body<M: Serialize + 'static>(&mut self, from: &ReplicaId, body: &Body<M>) -> Result<()> {
        match body {
            Body::Heartbeat { line, pushes } => {
                self.number("heartbeat", *pushes);
                self.line(line)
            }
            Body::Push {
                number,
                piece,
                delta,
            } => {
                self.number("push", *number);
                if *piece != Piece::WHOLE {
                    self.one_of("piece", piece.index, piece.count);
                }
                self.delta(from, delta)
            }
            Body::Question {
                id,
                missed,
                question,
            } => {
                self.number("question", *id);
                self.clocks("missed", missed)?;
                self.question(question)
            }
            Body::Answer {
                id,
                delta,
                differs,
                resent,
                more,
            } => {
                self.number("answer", *id);
                self.delta(from, delta)?;
                if !differs.is_empty() {
                    self.push(",\"differs\":{");
                    for (replica, clocks) in differs.iter() {
                        if self.can_name(replica)? {
                            separate(&mut self.sink.out, '{');
                            push_string(&mut self.sink.out, replica.as_str());
                            self.push(":[");
                            self.intervals(clocks)?;
                            self.push("]");
                        }
                    }
                    self.push("}");
                }
                self.clocks("resent", resent)?;
                self.flag("more", *more);
                Ok(())
            }
            Body::Compare {
                fingerprint,
                digest,
                reply,
            } => {
                self.hex("compare", *fingerprint);
                if !digest.is_empty() {
                    self.push(",\"digest\":{");
                    for (replica, known) in digest.iter() {
                        if self.can_name(replica)? {
                            let items = known.seen.cloud().len() + known.unwanted.interval_count();
                            self.count(items)?;
                            push_line(&mut self.sink, replica, known)?;
                        }
                    }
                    self.push("}");
                }
                self.flag("reply", *reply);
                Ok(())
            }
            Body::Goodbye => {
                self.flag("goodbye", true);
                Ok(())
            }
            Body::Refusal { reason } => self.refusal(reason),
            _ => Err(EncodeError::UnknownKind { kind: body.kind() }),
        }
    }

    /// Which one it is, out of how many.
    fn one_of(&mut self, name: &str, index: u16, count: u16) {
        self.field(name);
        self.push("[");
        self.integer(index.into());
        self.push(",");
        self.integer(count.into());
        self.push("]");
    }

    fn refusal(&mut self, reason: &Refusal) -> Result<()> {
        match reason {
            Refusal::Version { reads } => {
                self.push(",\"refusal\":\"version\"");
                self.number("reads", (*reads).into());
            }
            Refusal::Cluster => self.push(",\"refusal\":\"cluster\""),
            Refusal::Shards { count } => {
                self.push(",\"refusal\":\"shards\"");
                self.number("count", (*count).into());
            }
            _ => return Err(EncodeError::UnknownKind { kind: "refusal" }),
        }
        Ok(())
    }

    /// The sender's own line of its digest.
    fn line(&mut self, line: &ReplicaDigest) -> Result<()> {
        self.seen(&line.seen)?;
        self.hex("fingerprint", line.fingerprint);
        if let Some(live) = line.live {
            self.number("live", live);
        }
        self.clocks("unwanted", &line.unwanted)
    }

    fn question(&mut self, question: &Question<ReplicaId>) -> Result<()> {
        if question.is_empty() {
            return Ok(());
        }
        self.push(",\"asks\":{");
        for (replica, asked) in question.iter() {
            if self.can_name(replica)? {
                separate(&mut self.sink.out, '{');
                push_string(&mut self.sink.out, replica.as_str());
                self.push(":{");
                self.asked(asked)?;
                self.push("}");
            }
        }
        self.push("}");
        Ok(())
    }

    fn asked(&mut self, asked: &Asked) -> Result<()> {
        self.seen(&asked.seen)?;
        self.clocks("unwanted", &asked.unwanted)?;
        if !asked.parts.is_empty() {
            self.field("parts");
            self.push("[");
            for part in &asked.parts {
                self.part(part)?;
            }
            self.push("]");
        }
        Ok(())
    }

    fn part(&mut self, part: &Part) -> Result<()> {
        separate(&mut self.sink.out, '[');
        self.push("[");
        self.integer(part.first);
        self.push(",");
        self.integer(part.last);
        self.push(",\"");
        let (fingerprint, clocks) = match &part.held {
            Held::Fingerprint(fingerprint) => (*fingerprint, None),
            Held::Dots {
                clocks,
                fingerprint,
            } => (*fingerprint, Some(clocks)),
            _ => return Err(EncodeError::UnknownKind { kind: "part" }),
        };
        push_hex(&mut self.sink.out, fingerprint);
        self.push("\"");
        if let Some(clocks) = clocks {
            self.push(",[");
            self.intervals(clocks)?;
            self.push("]");
        }
        self.push("]");
        Ok(())
    }

    fn delta<M>(&mut self, from: &ReplicaId, delta: &PresenceDelta<M>) -> Result<()>
    where
        M: Serialize + 'static,
    {
        if delta.replica() != from {
            return Err(EncodeError::NotTheSender);
        }
        let compact = self.encoder.clone().compact(true);
        let (before, items, names) = (self.sink.out.len(), self.items, self.names);
        let hopeful = compact.hopeful_plan(delta)?;
        let plan = match self.planned_delta(from, delta, &hopeful) {
            Err(EncodeError::Entry { .. }) if !self.encoder.strict => {
                self.sink.out.truncate(before);
                (self.items, self.names) = (items, names);
                let plan = compact.plan(delta)?;
                self.planned_delta(from, delta, &plan)?;
                plan
            }
            result => result.map(|()| hopeful)?,
        };
        self.left_out.add(plan.left_out);
        Ok(())
    }

    fn planned_delta<M>(
        &mut self,
        from: &ReplicaId,
        delta: &PresenceDelta<M>,
        plan: &Plan<'_>,
    ) -> Result<()>
    where
        M: Serialize + 'static,
    {
        let limits = self.encoder.limits;
        let sender = usize::from(plan.context.get(from).is_some());
        self.name(plan.context.iter().len() - sender)?;
        check_count("values", delta.len(), limits.max_entries)?;
        if plan.context.is_empty() {
            return Ok(());
        }
        self.push(",\"delta\":[");
        let mut entries = delta.entries().peekable();
        for (replica, seen) in plan.context.iter() {
            separate(&mut self.sink.out, '[');
            self.push("{");
            if replica != from {
                self.push("\"of\":");
                push_string(&mut self.sink.out, replica.as_str());
            }
            let held = of_replica(&mut entries, plan, replica);
            self.group(seen, &held)?;
            self.push("}");
        }
        self.push("]");
        Ok(())
    }

    /// What is told of one replica: its entries, and the clocks that do not follow from
    /// them.
    fn group<M>(&mut self, seen: &ClockSet, held: &[&Presence<M>]) -> Result<()>
    where
        M: Serialize + 'static,
    {
        let mut rest = held;
        let beyond = seen.intervals().filter(|interval| {
            let behind = rest.partition_point(|entry| entry.dot().clock <= *interval.end());
            let live = behind as u64;
            rest = &rest[behind..];
            live != interval.end() - interval.start() + 1
        });
        let beyond: Vec<_> = beyond.collect();
        if !beyond.is_empty() {
            self.field("seen");
            self.push("[");
            self.count(beyond.len())?;
            push_intervals(&mut self.sink, beyond.into_iter())?;
            self.push("]");
        }
        if held.is_empty() {
            return Ok(());
        }
        self.field("entries");
        self.push("[");
        for &entry in held {
            separate(&mut self.sink.out, '[');
            push_entry(&mut self.sink.out, &self.encoder.limits, entry)
                .map_err(|why| EncodeError::entry(entry, why))?;
            self.sink.flush()?;
        }
        self.push("]");
        Ok(())
    }

    /// Whether a peer reads that name; otherwise it is left out, with what belongs to it.
    fn can_name(&mut self, replica: &ReplicaId) -> Result<bool> {
        let Err(reason) = self.encoder.check_replica(replica) else {
            self.name(1)?;
            return Ok(true);
        };
        if self.encoder.strict {
            return Err(reason);
        }
        self.left_out.replicas += 1;
        self.left_out.because(reason);
        Ok(false)
    }

    fn seen(&mut self, seen: &ClockSet) -> Result<()> {
        if seen.prefix() > 0 {
            self.number("context", seen.prefix());
        }
        if seen.cloud().len() > 0 {
            self.field("cloud");
            self.push("[");
            self.count(seen.cloud().len())?;
            push_intervals(&mut self.sink, seen.cloud())?;
            self.push("]");
        }
        Ok(())
    }

    fn clocks(&mut self, name: &str, clocks: &ClockSet) -> Result<()> {
        if !clocks.is_empty() {
            self.field(name);
            self.push("[");
            self.intervals(clocks)?;
            self.push("]");
        }
        Ok(())
    }

    fn intervals(&mut self, clocks: &ClockSet) -> Result<()> {
        self.count(clocks.interval_count())?;
        push_intervals(&mut self.sink, clocks.intervals())
    }

    fn count(&mut self, items: usize) -> Result<()> {
        self.items += items;
        check_count("cloud items", self.items, self.encoder.limits.max_clouds)
    }

    fn name(&mut self, names: usize) -> Result<()> {
        self.names += names;
        check_count("replicas", self.names, self.encoder.limits.max_replicas)
    }

    /// A field's name and its colon.
    fn field(&mut self, name: &str) {
        separate(&mut self.sink.out, '{');
        self.push("\"");
        self.push(name);
        self.push("\":");
    }

    fn number(&mut self, name: &str, number: u64) {
        self.field(name);
        self.integer(number);
    }

    fn hex(&mut self, name: &str, word: u64) {
        self.field(name);
        self.push("\"");
        push_hex(&mut self.sink.out, word);
        self.push("\"");
    }

    fn flag(&mut self, name: &str, flag: bool) {
        if flag {
            self.field(name);
            self.push("true");
        }
    }

    fn integer(&mut self, integer: u64) {
        push_integer(&mut self.sink.out, integer);
    }

    fn push(&mut self, text: &str) {
        self.sink.out.push_str(text);
    }
}

/// The entries of one replica that the plan does not leave out.
fn of_replica<'p, M>(
    entries: &mut Peekable<impl Iterator<Item = &'p Presence<M>>>,
    plan: &Plan<'_>,
    replica: &ReplicaId,
) -> Vec<&'p Presence<M>> {
    let mut held = Vec::new();
    while let Some(&entry) = entries.peek() {
        let dot = entry.dot();
        if plan.skips(dot) {
            entries.next();
        } else if dot.replica == *replica {
            held.push(entry);
            entries.next();
        } else {
            break;
        }
    }
    held
}

/// `[clock,topic,key,pid,meta]`.
fn push_entry<M: Serialize + 'static>(
    out: &mut String,
    limits: &Limits,
    entry: &Presence<M>,
) -> core::result::Result<(), EntryError> {
    let (topic, key, pid) = (entry.topic(), entry.key(), entry.pid());
    limits.check_texts(topic, key, pid)?;
    let meta = text_of(entry.meta())?;
    limits.check_meta_bytes(meta.len())?;
    out.push('[');
    push_integer(out, entry.dot().clock);
    for text in [topic, key, pid] {
        out.push_str(",\"");
        push_escaped(out, text);
        out.push('"');
    }
    out.push(',');
    out.push_str(&meta);
    out.push(']');
    Ok(())
}
