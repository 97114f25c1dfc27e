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
        check_count("replicas", digest.iter().len(), self.max_replicas)?;
        let mut sink = Sink::whole(self.max_bytes);
        let mut items = 0;
        sink.out.push('{');
        for (replica, known) in digest.iter() {
            self.check_replica(replica)?;
            items += known.seen.cloud().len();
            check_count("cloud items", items, self.max_clouds)?;
            separate(&mut sink.out, '{');
            push_string(&mut sink.out, replica.as_str());
            sink.out.push_str(":{\"context\":");
            push_integer(&mut sink.out, known.seen.prefix());
            sink.out.push_str(",\"cloud\":[");
            push_intervals(&mut sink, &known.seen)?;
            sink.out.push_str("],\"fingerprint\":\"");
            push_hex(&mut sink.out, known.fingerprint);
            sink.out.push_str("\"}");
        }
        sink.out.push('}');
        sink.finish()
    }

    pub(crate) fn payload<'p, M: Serialize + 'static>(
        &self,
        mut sink: Sink<'_>,
        parts: &Parts<'_>,
        entries: impl Iterator<Item = &'p Presence<M>>,
    ) -> Result<String> {
        self.check_replicas(parts)?;
        sink.out.push_str("{\"replica\":");
        push_string(&mut sink.out, parts.replica.as_str());
        sink.out.push_str(",\"context\":{");
        push_prefixes(&mut sink, parts.context)?;
        sink.out.push_str("},\"clouds\":{");
        self.push_clouds(&mut sink, parts.context)?;
        sink.out.push_str("},\"values\":[");
        self.push_values(&mut sink, entries)?;
        sink.out.push_str("]}");
        sink.finish()
    }

    /// Every replica that the payload names: the context covers its values.
    fn check_replicas(&self, parts: &Parts<'_>) -> Result<()> {
        let Parts { replica, context } = parts;
        let writer = usize::from(context.get(replica).is_none());
        let count = context.iter().len() + writer;
        check_count("replicas", count, self.max_replicas)?;
        self.check_replica(replica)?;
        context.replicas().try_for_each(|r| self.check_replica(r))
    }

    fn push_clouds(&self, sink: &mut Sink<'_>, context: &CausalContext<ReplicaId>) -> Result<()> {
        let mut items = 0;
        for (replica, seen) in context.iter() {
            if seen.cloud().len() == 0 {
                continue;
            }
            items += self.items_of(replica, seen, self.max_clouds - items)?;
            separate(&mut sink.out, '{');
            push_string(&mut sink.out, replica.as_str());
            sink.out.push_str(":[");
            if self.compact {
                push_intervals(sink, seen)?;
            } else {
                push_clocks(sink, seen)?;
            }
            sink.out.push(']');
        }
        Ok(())
    }

    /// How many items the cloud of `replica` takes, if not more than are `left`.
    fn items_of(&self, replica: &ReplicaId, seen: &ClockSet, left: usize) -> Result<usize> {
        if self.compact {
            let runs = seen.cloud().len();
            check_count(
                "cloud items",
                self.max_clouds - left + runs,
                self.max_clouds,
            )?;
            return Ok(runs);
        }
        let clocks = usize::try_from(seen.len() - seen.prefix());
        let fitting = clocks.ok().filter(|&clocks| clocks <= left);
        fitting.ok_or_else(|| EncodeError::CloudTooWide {
            replica: Box::new(replica.clone()),
            limit: self.max_clouds,
        })
    }

    fn push_values<'p, M: Serialize + 'static>(
        &self,
        sink: &mut Sink<'_>,
        entries: impl Iterator<Item = &'p Presence<M>>,
    ) -> Result<()> {
        let mut run = Run::default();
        for (index, presence) in entries.enumerate() {
            check_count("values", index + 1, self.max_entries)?;
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

#[inline]
fn check_count(what: &'static str, count: usize, limit: usize) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(EncodeError::TooMany { what, limit })
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

/// Which replicas have a prefix, and how long it is.
fn push_prefixes(sink: &mut Sink<'_>, context: &CausalContext<ReplicaId>) -> Result<()> {
    for (replica, seen) in context.iter() {
        let prefix = seen.prefix();
        if prefix > 0 {
            separate(&mut sink.out, '{');
            push_string(&mut sink.out, replica.as_str());
            sink.out.push(':');
            push_integer(&mut sink.out, prefix);
            sink.flush()?;
        }
    }
    Ok(())
}

/// The cloud of `seen` in the default form.
fn push_clocks(sink: &mut Sink<'_>, seen: &ClockSet) -> Result<()> {
    for clock in seen.cloud().flatten() {
        separate(&mut sink.out, '[');
        push_integer(&mut sink.out, clock);
        sink.flush()?;
    }
    Ok(())
}

/// The cloud of `seen` in the compact form.
fn push_intervals(sink: &mut Sink<'_>, seen: &ClockSet) -> Result<()> {
    for interval in seen.cloud() {
        separate(&mut sink.out, '[');
        let (first, last) = interval.into_inner();
        if first == last {
            push_integer(&mut sink.out, first);
        } else {
            sink.out.push('[');
            push_integer(&mut sink.out, first);
            sink.out.push(',');
            push_integer(&mut sink.out, last);
            sink.out.push(']');
        }
        sink.flush()?;
    }
    Ok(())
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
