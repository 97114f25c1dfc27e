//! The text of payloads, written in one pass.

use lattice_presence::{
    CausalContext, ClockSet, Digest, Presence, PresenceDelta, PresenceState, ReplicaId,
};
use serde::Serialize;

use crate::cursor::Cursor;
use crate::encode_error::{EncodeError, EntryName};
use crate::encoder::Encoder;
use crate::meta::{self, MAX_META_DEPTH};
use crate::sink::Sink;
use crate::skip::push_compact;
use crate::write::{push_escaped, push_hex, push_integer, push_string};

type Result<T> = core::result::Result<T, EncodeError>;

impl Encoder {
    pub(crate) fn digest(&self, digest: &Digest<ReplicaId>) -> Result<String> {
        let mut out = String::from("{");
        for (replica, known) in digest.iter() {
            self.check_replica(replica)?;
            separate(&mut out, '{');
            push_string(&mut out, replica.as_str());
            out.push_str(":{\"context\":");
            push_integer(&mut out, known.seen.prefix());
            out.push_str(",\"cloud\":[");
            push_intervals(&mut out, &known.seen);
            out.push_str("],\"fingerprint\":\"");
            push_hex(&mut out, known.fingerprint);
            out.push_str("\"}");
        }
        out.push('}');
        Ok(out)
    }

    pub(crate) fn payload<'p, M: Serialize + 'static>(
        &self,
        mut sink: Sink<'_>,
        parts: &Parts<'_>,
        entries: impl Iterator<Item = &'p Presence<M>>,
    ) -> Result<String> {
        self.check_replica(parts.replica)?;
        let out = &mut sink.out;
        out.push_str("{\"replica\":");
        push_string(out, parts.replica.as_str());
        out.push_str(",\"context\":{");
        self.push_prefixes(out, parts.context)?;
        out.push_str("},\"clouds\":{");
        self.push_clouds(&mut sink, parts.context)?;
        sink.out.push_str("},\"values\":[");
        self.push_values(&mut sink, entries)?;
        sink.out.push_str("]}");
        sink.finish()
    }

    fn push_prefixes(&self, out: &mut String, context: &CausalContext<ReplicaId>) -> Result<()> {
        for (replica, seen) in context.iter() {
            self.check_replica(replica)?;
            let prefix = seen.prefix();
            if prefix > 0 {
                separate(out, '{');
                push_string(out, replica.as_str());
                out.push(':');
                push_integer(out, prefix);
            }
        }
        Ok(())
    }

    fn push_clouds(&self, sink: &mut Sink<'_>, context: &CausalContext<ReplicaId>) -> Result<()> {
        let mut left = self.max_cloud_clocks;
        for (replica, seen) in context.iter() {
            if seen.cloud().len() == 0 {
                continue;
            }
            separate(&mut sink.out, '{');
            push_string(&mut sink.out, replica.as_str());
            sink.out.push_str(":[");
            if self.compact {
                push_intervals(&mut sink.out, seen);
            } else {
                let clocks = seen.len() - seen.prefix();
                left = left
                    .checked_sub(clocks)
                    .ok_or_else(|| EncodeError::CloudTooWide {
                        replica: Box::new(replica.clone()),
                        limit: self.max_cloud_clocks,
                    })?;
                for clock in seen.cloud().flatten() {
                    separate(&mut sink.out, '[');
                    push_integer(&mut sink.out, clock);
                }
            }
            sink.out.push(']');
            sink.flush()?;
        }
        Ok(())
    }

    fn push_values<'p, M: Serialize + 'static>(
        &self,
        sink: &mut Sink<'_>,
        entries: impl Iterator<Item = &'p Presence<M>>,
    ) -> Result<()> {
        let mut run = Run::default();
        for presence in entries {
            self.push_value(&mut sink.out, &mut run, presence)?;
            sink.flush()?;
        }
        Ok(())
    }

    fn push_value<'p, M: Serialize + 'static>(
        &self,
        out: &mut String,
        run: &mut Run<'p>,
        presence: &'p Presence<M>,
    ) -> Result<()> {
        let dot = presence.dot();
        let known_meta = meta::known_text(presence.meta());
        let (topic, key, pid) = (presence.topic(), presence.key(), presence.pid());
        if topic.len().max(key.len()).max(pid.len()) > self.max_string_bytes {
            return Err(self.string_too_long(presence));
        }
        out.push_str(run.opening(&dot.replica));
        push_integer(out, dot.clock);
        out.push_str("},\"entry\":{\"topic\":\"");
        push_escaped(out, topic);
        out.push_str("\",\"key\":\"");
        push_escaped(out, key);
        out.push_str("\",\"pid\":\"");
        push_escaped(out, pid);
        out.push_str("\",\"meta\":");
        let start = out.len();
        match known_meta {
            Some(text) => out.push_str(text),
            None => push_serialized(out, presence)?,
        }
        let bytes = out.len() - start;
        if bytes > self.max_meta_bytes {
            let entry = EntryName::of(presence);
            return Err(EncodeError::MetaTooLong { entry, bytes });
        }
        out.push_str("}}");
        Ok(())
    }

    fn check_replica(&self, replica: &ReplicaId) -> Result<()> {
        match replica.as_str().len() {
            0 => Err(EncodeError::EmptyReplica),
            bytes if bytes > self.max_string_bytes => Err(EncodeError::ReplicaTooLong { bytes }),
            _ => Ok(()),
        }
    }

    #[cold]
    fn string_too_long<M>(&self, presence: &Presence<M>) -> EncodeError {
        let strings = [
            ("topic", presence.topic()),
            ("key", presence.key()),
            ("pid", presence.pid()),
        ];
        let too_long = strings
            .into_iter()
            .find(|(_, string)| string.len() > self.max_string_bytes);
        let (field, bytes) = too_long.map_or(("pid", 0), |(field, string)| (field, string.len()));
        EncodeError::StringTooLong {
            dot: Box::new(presence.dot().clone()),
            field,
            bytes,
        }
    }
}

/// What stands before the values.
pub(crate) struct Parts<'s> {
    replica: &'s ReplicaId,
    context: &'s CausalContext<ReplicaId>,
}

impl<'s> Parts<'s> {
    pub(crate) fn of_state<M>(state: &'s PresenceState<M>) -> Self {
        Self {
            replica: state.replica(),
            context: state.context(),
        }
    }

    pub(crate) fn of_delta<M>(delta: &'s PresenceDelta<M>) -> Self {
        Self {
            replica: delta.replica(),
            context: delta.context(),
        }
    }
}

/// Values come in runs of one replica: what opens each of them is made once.
#[derive(Default)]
struct Run<'p> {
    replica: Option<&'p ReplicaId>,
    /// A comma, then the text up to the clock.
    opening: String,
}

impl<'p> Run<'p> {
    #[inline]
    fn opening(&mut self, replica: &'p ReplicaId) -> &str {
        // The first value of all has no comma before it.
        let first = self.replica.is_none();
        if self.replica != Some(replica) {
            self.replica = Some(replica);
            self.opening.clear();
            self.opening.push_str(",{\"tag\":{\"replica\":");
            push_string(&mut self.opening, replica.as_str());
            self.opening.push_str(",\"clock\":");
        }
        &self.opening[usize::from(first)..]
    }
}

/// A comma, unless what is written next is the first of its container.
#[inline]
fn separate(out: &mut String, opening: char) {
    if !out.ends_with(opening) {
        out.push(',');
    }
}

/// The cloud of `seen` in the compact form.
fn push_intervals(out: &mut String, seen: &ClockSet) {
    for interval in seen.cloud() {
        separate(out, '[');
        let (first, last) = interval.into_inner();
        if first == last {
            push_integer(out, first);
            continue;
        }
        out.push('[');
        push_integer(out, first);
        out.push(',');
        push_integer(out, last);
        out.push(']');
    }
}

/// The metadata of an entry, of any type but [`JsonMeta`](crate::JsonMeta).
pub(crate) fn push_serialized<M: Serialize>(
    out: &mut String,
    presence: &Presence<M>,
) -> Result<()> {
    let text = serde_json::to_string(presence.meta()).map_err(|source| EncodeError::Serialize {
        entry: EntryName::of(presence),
        source,
    })?;
    // A type may write raw text, and any type may nest.
    let mut cursor = Cursor::new(&text);
    let skipped = cursor
        .skip_value(MAX_META_DEPTH)
        .map_err(|error| EncodeError::Meta {
            entry: EntryName::of(presence),
            source: error.located(text.as_bytes()),
        })?;
    if skipped.spaced {
        push_compact(out, skipped.text);
    } else {
        out.push_str(skipped.text);
    }
    Ok(())
}
