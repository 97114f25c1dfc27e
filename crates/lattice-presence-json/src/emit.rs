//! The text of payloads.

use lattice_presence::{CausalContext, ClockSet, Presence, ReplicaDigest, ReplicaId};
use serde::Serialize;

use crate::encode_error::EncodeError;
use crate::encoder::Encoder;
use crate::entry_check::{EntryError, text_of};
use crate::plan::{Plan, Source};
use crate::sink::Sink;
use crate::write::{push_escaped, push_hex, push_integer, push_string};

type Result<T> = core::result::Result<T, EncodeError>;

impl Encoder {
    /// Writes what `plan` says of `source`.
    pub(crate) fn payload<M: Serialize + 'static>(
        &self,
        mut sink: Sink<'_>,
        source: &impl Source<M>,
        plan: &Plan<'_>,
    ) -> Result<String> {
        self.check_counts(source.writer(), &plan.context)?;
        self.push_head(&mut sink, source.writer(), &plan.context)?;
        let mut opening = Opening::default();
        let mut count = 0;
        for entry in source.entries() {
            if plan.skips(entry.dot()) {
                continue;
            }
            count += 1;
            check_count("values", count, self.limits.max_entries)?;
            self.push_value(&mut sink.out, &mut opening, entry)
                .map_err(|why| EncodeError::entry(entry, why))?;
            sink.flush()?;
        }
        sink.out.push_str(TAIL);
        sink.finish()
    }

    /// Everything up to the first value.
    pub(crate) fn push_head(
        &self,
        sink: &mut Sink<'_>,
        writer: &ReplicaId,
        context: &CausalContext<ReplicaId>,
    ) -> Result<()> {
        sink.out.push_str("{\"replica\":");
        push_string(&mut sink.out, writer.as_str());
        sink.out.push_str(",\"context\":{");
        push_prefixes(sink, context)?;
        sink.out.push_str("},\"clouds\":{");
        for (replica, seen) in context.iter() {
            if seen.cloud().len() > 0 {
                separate(&mut sink.out, '{');
                push_string(&mut sink.out, replica.as_str());
                sink.out.push_str(":[");
                self.push_cloud(sink, seen)?;
                sink.out.push(']');
            }
        }
        sink.out.push_str("},\"values\":[");
        Ok(())
    }

    /// The counts that a peer limits, but for that of the values. The context covers
    /// them, so it names every replica.
    fn check_counts(&self, writer: &ReplicaId, context: &CausalContext<ReplicaId>) -> Result<()> {
        self.check_replica(writer)?;
        let writer = usize::from(context.get(writer).is_none());
        let replicas = context.iter().len() + writer;
        check_count("replicas", replicas, self.limits.max_replicas)?;
        let items = context.iter().map(|(_, seen)| self.items_of(seen));
        let items = items.fold(0, usize::saturating_add);
        check_count("cloud items", items, self.limits.max_clouds)
    }

    /// How many items the cloud of `seen` takes.
    fn items_of(&self, seen: &ClockSet) -> usize {
        if self.compact {
            return seen.cloud().len();
        }
        usize::try_from(seen.len() - seen.prefix()).unwrap_or(usize::MAX)
    }

    fn push_cloud(&self, sink: &mut Sink<'_>, seen: &ClockSet) -> Result<()> {
        if self.compact {
            return push_intervals(sink, seen.cloud());
        }
        for clock in seen.cloud().flatten() {
            separate(&mut sink.out, '[');
            push_integer(&mut sink.out, clock);
            sink.flush()?;
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn push_value<'p, M: Serialize + 'static>(
        &self,
        out: &mut String,
        opening: &mut Opening<'p>,
        entry: &'p Presence<M>,
    ) -> core::result::Result<(), EntryError> {
        let dot = entry.dot();
        let (topic, key, pid) = (entry.topic(), entry.key(), entry.pid());
        self.limits.check_texts(topic, key, pid)?;
        let meta = text_of(entry.meta())?;
        self.limits.check_meta_bytes(meta.len())?;
        out.push_str(opening.of(&dot.replica));
        push_integer(out, dot.clock);
        out.push_str("},\"entry\":{\"topic\":\"");
        push_escaped(out, topic);
        out.push_str("\",\"key\":\"");
        push_escaped(out, key);
        out.push_str("\",\"pid\":\"");
        push_escaped(out, pid);
        out.push_str("\",\"meta\":");
        out.push_str(&meta);
        out.push_str("}}");
        Ok(())
    }

    /// What [`push_value`](Self::push_value) would refuse.
    pub(crate) fn check_entry<M: Serialize + 'static>(
        &self,
        entry: &Presence<M>,
    ) -> core::result::Result<(), EntryError> {
        let (topic, key, pid) = (entry.topic(), entry.key(), entry.pid());
        self.limits.check_texts(topic, key, pid)?;
        self.limits.check_meta_bytes(text_of(entry.meta())?.len())
    }

    pub(crate) fn check_replica(&self, replica: &ReplicaId) -> Result<()> {
        match replica.as_str().len() {
            0 => Err(EncodeError::EmptyReplica),
            bytes if bytes > self.limits.max_string_bytes => {
                Err(EncodeError::ReplicaTooLong { bytes })
            }
            _ => Ok(()),
        }
    }
}

/// What closes a payload behind its values.
pub(crate) const TAIL: &str = "]}";

#[inline]
pub(crate) fn check_count(what: &'static str, count: usize, limit: usize) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(EncodeError::TooMany { what, limit })
}

/// What opens a value. Values come replica by replica: it is made once for each.
#[derive(Default)]
pub(crate) struct Opening<'p> {
    replica: Option<&'p ReplicaId>,
    /// A comma, then the text up to the clock.
    text: String,
}

impl<'p> Opening<'p> {
    #[inline]
    fn of(&mut self, replica: &'p ReplicaId) -> &str {
        // The first value of all has no comma before it.
        let first = self.replica.is_none();
        if self.replica != Some(replica) {
            self.replica = Some(replica);
            self.text.clear();
            self.text.push_str(",{\"tag\":{\"replica\":");
            push_string(&mut self.text, replica.as_str());
            self.text.push_str(",\"clock\":");
        }
        &self.text[usize::from(first)..]
    }
}

/// A comma, unless what is written next is the first of its container.
#[inline]
pub(crate) fn separate(out: &mut String, opening: char) {
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

/// Intervals of clocks in the compact form.
pub(crate) fn push_intervals(
    sink: &mut Sink<'_>,
    intervals: impl Iterator<Item = core::ops::RangeInclusive<u64>>,
) -> Result<()> {
    for interval in intervals {
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

/// One line of a digest.
pub(crate) fn push_line(
    sink: &mut Sink<'_>,
    replica: &ReplicaId,
    known: &ReplicaDigest,
) -> Result<()> {
    separate(&mut sink.out, '{');
    push_string(&mut sink.out, replica.as_str());
    sink.out.push_str(":{\"context\":");
    push_integer(&mut sink.out, known.seen.prefix());
    sink.out.push_str(",\"cloud\":[");
    push_intervals(sink, known.seen.cloud())?;
    sink.out.push_str("],\"fingerprint\":\"");
    push_hex(&mut sink.out, known.fingerprint);
    sink.out.push('"');
    if let Some(live) = known.live {
        sink.out.push_str(",\"live\":");
        push_integer(&mut sink.out, live);
    }
    if !known.unwanted.is_empty() {
        sink.out.push_str(",\"unwanted\":[");
        push_intervals(sink, known.unwanted.intervals())?;
        sink.out.push(']');
    }
    sink.out.push('}');
    Ok(())
}
