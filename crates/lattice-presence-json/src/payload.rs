//! The payload of a state or a delta, read in one pass.

use alloc::borrow::Cow;
use alloc::sync::Arc;

use lattice_presence::{CausalContext, ClockSet, Dot, PartsError, Presence, PresenceDelta};
use serde::de::DeserializeOwned;

use crate::cloud::Clouds;
use crate::cursor::{Cursor, Result};
use crate::decoder::Decoder;
use crate::error::{Category, DecodeError, Segment};
use crate::intern::{Replicas, Topics};
use crate::locate;
use crate::meta::{self, too_long};

pub(crate) fn decode<M>(text: &str, limits: &Decoder) -> Result<PresenceDelta<M>>
where
    M: DeserializeOwned + 'static,
{
    let mut payload = Payload::new(text, limits);
    payload.read()?;
    payload.cursor.finish()?;
    payload.build()
}

pub(crate) struct Payload<'a, 'l, M> {
    text: &'a str,
    pub(crate) cursor: Cursor<'a>,
    pub(crate) limits: &'l Decoder,
    pub(crate) replicas: Replicas<Said>,
    pub(crate) topics: Topics,
    clouds: Clouds<'l>,
    writer: Option<usize>,
    seen: Seen,
    entries: Vec<Presence<M>>,
}

/// What a payload says of one replica.
#[derive(Default)]
pub(crate) struct Said {
    prefix: Option<u64>,
    cloud: Option<ClockSet>,
}

/// Which fields of the payload came.
#[derive(Default)]
struct Seen {
    context: bool,
    clouds: bool,
    values: bool,
}

/// The value of `tag`.
struct Tag {
    replica: usize,
    clock: u64,
}

/// The value of `entry`.
struct Entry<'a, M> {
    topic: Arc<str>,
    key: Cow<'a, str>,
    pid: Cow<'a, str>,
    meta: M,
}

impl<'a, 'l, M: DeserializeOwned + 'static> Payload<'a, 'l, M> {
    fn new(text: &'a str, limits: &'l Decoder) -> Self {
        Self {
            text,
            cursor: Cursor::new(text),
            limits,
            replicas: Replicas::default(),
            topics: Topics::default(),
            clouds: Clouds::new(limits),
            writer: None,
            seen: Seen::default(),
            entries: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<()> {
        let mut fields = self.cursor.fields()?;
        let start = self.cursor.offset() - 1;
        while let Some((name, at)) = fields.next(&mut self.cursor)? {
            match &*name {
                "replica" => self
                    .read_writer(at)
                    .map_err(|e| e.within_field("replica"))?,
                "context" => once(&mut self.seen.context, at)
                    .and_then(|()| self.read_context())
                    .map_err(|e| e.within_field("context"))?,
                "clouds" => once(&mut self.seen.clouds, at)
                    .and_then(|()| self.read_clouds())
                    .map_err(|e| e.within_field("clouds"))?,
                "values" => once(&mut self.seen.values, at)
                    .and_then(|()| self.read_values())
                    .map_err(|e| e.within_field("values"))?,
                _ => self.cursor.skip_unknown()?,
            }
        }
        required(self.writer, "replica", start)?;
        required(self.seen.context.then_some(()), "context", start)?;
        required(self.seen.clouds.then_some(()), "clouds", start)?;
        required(self.seen.values.then_some(()), "values", start)
    }

    fn read_writer(&mut self, at: usize) -> Result<()> {
        if self.writer.is_some() {
            return Err(repeated(at));
        }
        self.writer = Some(self.replica()?);
        Ok(())
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
        let prefix = self.cursor.clock(0)?;
        match self.replicas.said_mut(replica).prefix.replace(prefix) {
            None => Ok(()),
            Some(_) => Err(repeated(at)),
        }
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
        let cloud = self.clouds.read(&mut self.cursor)?;
        match self.replicas.said_mut(replica).cloud.replace(cloud) {
            None => Ok(()),
            Some(_) => Err(repeated(at)),
        }
    }

    /// A field's name that names a replica.
    fn named(&mut self, name: &str, at: usize) -> Result<usize> {
        self.limits.check_string(name, at)?;
        self.replicas.intern(name, at, self.limits)
    }

    fn read_values(&mut self) -> Result<()> {
        let mut items = self.cursor.items()?;
        while let Some(index) = items.next(&mut self.cursor)? {
            let presence = self.value(index).map_err(|e| e.within_index(index))?;
            self.entries.push(presence);
        }
        Ok(())
    }

    fn value(&mut self, index: usize) -> Result<Presence<M>> {
        let start = self.cursor.offset();
        if index >= self.limits.max_entries {
            let reason = format!("more than {} values", self.limits.max_entries);
            return Err(DecodeError::new(Category::Limit, start, reason));
        }
        if let Some(presence) = self.shortcut() {
            return Ok(presence);
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

    fn entry(&mut self) -> Result<Entry<'a, M>> {
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
        Ok(Entry {
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

    fn build(self) -> Result<PresenceDelta<M>> {
        let Some(writer) = self.writer else {
            return Err(missing("replica", 0));
        };
        let writer = self.replicas.id(writer).clone();
        let context = self
            .replicas
            .into_sorted()
            .into_iter()
            .map(|(replica, said)| {
                let mut seen = said.cloud.unwrap_or_default();
                seen.insert_range(1..=said.prefix.unwrap_or(0));
                (replica, seen)
            })
            .collect::<CausalContext<_>>();
        PresenceDelta::from_parts(writer, context, self.entries)
            .map_err(|error| refused(self.text, &error))
    }
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

/// Fills the place of a field that may come once.
#[inline]
pub(crate) fn set<T>(
    place: &mut Option<T>,
    at: usize,
    read: impl FnOnce() -> Result<T>,
) -> Result<()> {
    if place.is_some() {
        return Err(repeated(at));
    }
    *place = Some(read()?);
    Ok(())
}

/// Notes a field that may come once.
fn once(seen: &mut bool, at: usize) -> Result<()> {
    if *seen {
        return Err(repeated(at));
    }
    *seen = true;
    Ok(())
}

#[cold]
pub(crate) fn repeated(at: usize) -> DecodeError {
    DecodeError::new(Category::Duplicate, at, "comes twice in one object")
}

#[inline]
pub(crate) fn required<T>(value: Option<T>, field: &'static str, start: usize) -> Result<T> {
    value.ok_or_else(|| missing(field, start))
}

#[cold]
fn missing(field: &'static str, start: usize) -> DecodeError {
    DecodeError::new(Category::Shape, start, "the field is missing").within_field(field)
}
