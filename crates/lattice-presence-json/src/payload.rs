//! The payload of a state or a delta, read in one pass.

use alloc::borrow::Cow;
use alloc::sync::Arc;

use lattice_presence::{CausalContext, Dot, PartsError, Presence, PresenceDelta, ReplicaId};
use serde::de::DeserializeOwned;

use crate::claim::{Claim, ClaimedClouds};
use crate::cloud::CloudReader;
use crate::cursor::{Cursor, Result};
use crate::error::{Category, DecodeError, Segment};
use crate::field::{once, required, set};
use crate::intern::{Replicas, Topics};
use crate::limits::Limits;
use crate::locate;
use crate::meta::{self, too_long};
use crate::room;

/// Bytes that a value takes at least, and then some.
const VALUE: usize = 64;

pub(crate) fn decode<M>(text: &str, limits: &Limits) -> Result<PresenceDelta<M>>
where
    M: DeserializeOwned + 'static,
{
    let mut payload = Payload::new(text, limits);
    let writer = payload.read()?;
    payload.cursor.finish()?;
    payload.build(writer)
}

pub(crate) struct Payload<'a, 'l, M> {
    text: &'a str,
    pub(crate) cursor: Cursor<'a>,
    pub(crate) limits: &'l Limits,
    pub(crate) replicas: Replicas<Claim>,
    pub(crate) topics: Topics,
    cloud_reader: CloudReader<'l>,
    clouds: ClaimedClouds,
    entries: Vec<Presence<M>>,
}

/// The value of `tag`.
struct Tag {
    replica: usize,
    clock: u64,
}

/// The value of `entry`.
struct EntryContent<'a, M> {
    topic: Arc<str>,
    key: Cow<'a, str>,
    pid: Cow<'a, str>,
    meta: M,
}

impl<'a, 'l, M: DeserializeOwned + 'static> Payload<'a, 'l, M> {
    fn new(text: &'a str, limits: &'l Limits) -> Self {
        Self {
            text,
            cursor: Cursor::new(text),
            limits,
            replicas: Replicas::new(text.len()),
            topics: Topics::default(),
            cloud_reader: CloudReader::new(limits),
            clouds: ClaimedClouds::default(),
            entries: Vec::new(),
        }
    }

    /// Reads all of it; the place of the writer comes back.
    fn read(&mut self) -> Result<usize> {
        let (mut writer, mut context, mut clouds, mut values) = (None, None, None, None);
        let mut fields = self.cursor.fields()?;
        let start = self.cursor.offset() - 1;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "replica" => set(&mut writer, at, || self.replica())
                    .map_err(|e| e.within_field("replica"))?,
                "context" => set(&mut context, at, || self.read_context())
                    .map_err(|e| e.within_field("context"))?,
                "clouds" => set(&mut clouds, at, || self.read_clouds())
                    .map_err(|e| e.within_field("clouds"))?,
                "values" => set(&mut values, at, || self.read_values())
                    .map_err(|e| e.within_field("values"))?,
                _ => self.cursor.skip_unknown()?,
            }
        }
        let writer = required(writer, "replica", start)?;
        required(context, "context", start)?;
        required(clouds, "clouds", start)?;
        required(values, "values", start)?;
        Ok(writer)
    }

    /// A string that names a replica.
    #[inline]
    fn replica(&mut self) -> Result<usize> {
        self.cursor.skip_space();
        let at = self.cursor.offset();
        let name = self.cursor.name(self.limits)?;
        self.replicas.intern(&name, at, self.limits)
    }

    fn read_context(&mut self) -> Result<()> {
        let mut fields = self.cursor.fields()?;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            self.read_prefix(&name, at)
                .map_err(|e| e.within(Segment::name(&name)))?;
        }
        Ok(())
    }

    fn read_prefix(&mut self, name: &str, at: usize) -> Result<()> {
        let replica = self.named(name, at)?;
        let claim = self.replicas.of_mut(replica);
        once(claim.has_prefix(), at)?;
        claim.claim_prefix(self.cursor.clock(0)?);
        Ok(())
    }

    fn read_clouds(&mut self) -> Result<()> {
        let mut fields = self.cursor.fields()?;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            self.read_cloud(&name, at)
                .map_err(|e| e.within(Segment::name(&name)))?;
        }
        Ok(())
    }

    fn read_cloud(&mut self, name: &str, at: usize) -> Result<()> {
        let replica = self.named(name, at)?;
        let claim = self.replicas.of_mut(replica);
        once(claim.has_cloud(), at)?;
        claim.claim_cloud();
        let cloud = self.cloud_reader.read(&mut self.cursor)?;
        let claim = self.replicas.of_mut(replica);
        self.clouds.push(replica, claim, cloud, self.cursor.left());
        Ok(())
    }

    /// A field's name that names a replica.
    fn named(&mut self, name: &str, at: usize) -> Result<usize> {
        self.limits.check_string(name, at)?;
        self.replicas.intern(name, at, self.limits)
    }

    fn read_values(&mut self) -> Result<()> {
        let mut items = self.cursor.items()?;
        while let Some(index) = items.next(&mut self.cursor)? {
            let entry = self.value(index).map_err(|e| e.within_index(index))?;
            room::push(&mut self.entries, entry, self.cursor.left(), VALUE);
        }
        Ok(())
    }

    fn value(&mut self, index: usize) -> Result<Presence<M>> {
        let start = self.cursor.offset();
        if index >= self.limits.max_entries {
            let reason = format!("more than {} values", self.limits.max_entries);
            return Err(DecodeError::new(Category::Limit, start, reason));
        }
        if let Some(entry) = self.shortcut() {
            return Ok(entry);
        }
        let (mut tag, mut entry) = (None, None);
        let mut fields = self.cursor.fields()?;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "tag" => set(&mut tag, at, || self.tag()).map_err(|e| e.within_field("tag"))?,
                "entry" => {
                    set(&mut entry, at, || self.entry()).map_err(|e| e.within_field("entry"))?;
                }
                _ => self.cursor.skip_unknown()?,
            }
        }
        let tag = required(tag, "tag", start)?;
        let entry = required(entry, "entry", start)?;
        let dot = Dot::new(self.replicas.id(tag.replica).clone(), tag.clock);
        Ok(Presence::new(
            dot,
            entry.topic,
            &entry.key,
            &entry.pid,
            entry.meta,
        ))
    }

    fn tag(&mut self) -> Result<Tag> {
        let (mut replica, mut clock) = (None, None);
        let mut fields = self.cursor.fields()?;
        let start = self.cursor.offset() - 1;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "replica" => set(&mut replica, at, || self.replica())
                    .map_err(|e| e.within_field("replica"))?,
                "clock" => set(&mut clock, at, || self.cursor.clock(1))
                    .map_err(|e| e.within_field("clock"))?,
                _ => self.cursor.skip_unknown()?,
            }
        }
        Ok(Tag {
            replica: required(replica, "replica", start)?,
            clock: required(clock, "clock", start)?,
        })
    }

    fn entry(&mut self) -> Result<EntryContent<'a, M>> {
        let (mut topic, mut key, mut pid, mut meta) = (None, None, None, None);
        let mut fields = self.cursor.fields()?;
        let start = self.cursor.offset() - 1;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "topic" => {
                    set(&mut topic, at, || self.topic()).map_err(|e| e.within_field("topic"))?;
                }
                "key" => set(&mut key, at, || self.cursor.name(self.limits))
                    .map_err(|e| e.within_field("key"))?,
                "pid" => set(&mut pid, at, || self.cursor.name(self.limits))
                    .map_err(|e| e.within_field("pid"))?,
                "meta" => {
                    set(&mut meta, at, || self.meta()).map_err(|e| e.within_field("meta"))?;
                }
                _ => self.cursor.skip_unknown()?,
            }
        }
        Ok(EntryContent {
            topic: required(topic, "topic", start)?,
            key: required(key, "key", start)?,
            pid: required(pid, "pid", start)?,
            meta: required(meta, "meta", start)?,
        })
    }

    fn topic(&mut self) -> Result<Arc<str>> {
        let topic = self.cursor.name(self.limits)?;
        Ok(self.topics.intern(&topic))
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

    fn build(mut self, writer: usize) -> Result<PresenceDelta<M>> {
        self.topics.forget();
        let writer = self.replicas.id(writer).clone();
        let context = self.clouds.into_context(self.replicas);
        check_claims(&context, self.entries.len(), self.limits, 0)
            .map_err(|e| e.within_field("clouds"))?;
        PresenceDelta::from_parts(writer, context, self.entries)
            .map_err(|error| refused(self.text, &error))
    }
}

/// Refuses clouds that claim far more than the payload carries: an interval of a few
/// bytes can claim 2^53 clocks.
pub(crate) fn check_claims(
    context: &CausalContext<ReplicaId>,
    entries: usize,
    limits: &Limits,
    offset: usize,
) -> Result<()> {
    let behind = context
        .iter()
        .map(|(_, seen)| seen.len() - seen.prefix())
        .fold(0, u64::saturating_add);
    if behind.saturating_sub(entries as u64) <= limits.max_claims {
        return Ok(());
    }
    let reason = format!(
        "claims of more than {} clocks without a value",
        limits.max_claims
    );
    Err(DecodeError::new(Category::Limit, offset, reason))
}

/// The parts do not fit: finds the value that is to blame.
#[cold]
fn refused(text: &str, error: &PartsError) -> DecodeError {
    match error {
        PartsError::Duplicate { dot } => locate::tag(
            text,
            dot,
            1,
            Category::Duplicate,
            "the dot has a value already",
        ),
        PartsError::Uncovered { dot } => {
            let reason = "neither context nor clouds cover the dot";
            locate::tag(text, dot, 0, Category::Coverage, reason)
        }
        other => DecodeError::new(Category::Shape, 0, other.to_string()),
    }
}
