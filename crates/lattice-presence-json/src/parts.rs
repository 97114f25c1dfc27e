//! A state or a delta in several payloads, each within the limits.

use alloc::boxed::Box;
use alloc::vec;
use core::fmt;
use core::iter::Peekable;
use core::ops::RangeInclusive;

use lattice_presence::{CausalContext, Presence, ReplicaId};
use serde::Serialize;

use crate::emit::{Opening, TAIL};
use crate::encode_error::EncodeError;
use crate::encoded::{Encoded, LeftOut};
use crate::encoder::Encoder;
use crate::entry_check::EntryError;
use crate::plan::{Plan, Source};
use crate::sink::Sink;
use crate::write::{digits, quoted_len};

type Result<T> = core::result::Result<T, EncodeError>;

/// Payloads that together say what was to be sent.
///
/// Each is within the limits and is read by itself: as a delta, or as a digest. Deltas
/// merge in any order, any number of times. There is always at least one. Made by
/// [`Encoder::parts`]; each costs O(its own size).
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{Encoder, JsonMeta};
///
/// let state = PresenceState::<JsonMeta>::new("n");
/// assert_eq!(Encoder::new().parts(&state).count(), 1);
/// ```
#[must_use]
pub struct Parts<'p>(pub(crate) Box<dyn Iterator<Item = Result<Encoded>> + 'p>);

impl Iterator for Parts<'_> {
    type Item = Result<Encoded>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// In the default form the dead clocks of a prefix that was cut stand in no prefix any
/// more: as many in a row are listed, and more are left out.
const MAX_LISTED_INTERVAL: u64 = 64;

/// An interval of seen clocks that is still to be told.
struct Untold {
    clocks: RangeInclusive<u64>,
    /// Whether the replica's prefix began it.
    of_prefix: bool,
}

/// How the telling of an interval ended.
enum Told {
    All,
    /// The part is full; the rest is for the next one.
    Full(Untold),
    /// Something was left out of the middle; the rest may still fit.
    Broken(Untold),
}

/// Cuts a source into parts: replica by replica, clocks ascending.
pub(crate) struct Cutter<'p, M> {
    encoder: Encoder,
    writer: &'p ReplicaId,
    plan: Plan<'p>,
    entries: Peekable<Box<dyn Iterator<Item = &'p Presence<M>> + 'p>>,
    replicas: vec::IntoIter<ReplicaId>,
    current: Option<ReplicaId>,
    /// What is seen of the current replica and in no part yet, descending.
    intervals: Vec<Untold>,
    started: bool,
}

impl<'p, M: Serialize + 'static> Cutter<'p, M> {
    pub(crate) fn new(encoder: &Encoder, source: &'p impl Source<M>) -> Result<Self> {
        encoder.check_replica(source.writer())?;
        let plan = encoder.plan(source)?;
        let replicas = living_first(&plan.context, source);
        let entries: Box<dyn Iterator<Item = _>> = Box::new(source.entries());
        Ok(Self {
            encoder: encoder.clone(),
            writer: source.writer(),
            plan,
            entries: entries.peekable(),
            replicas: replicas.into_iter(),
            current: None,
            intervals: Vec::new(),
            started: false,
        })
    }

    /// The next part; the number of its entries and its context come with it.
    pub(crate) fn next_part(&mut self) -> Option<Result<DeltaPart>> {
        let mut draft = Draft::new(&self.encoder, self.writer);
        if !self.started {
            draft.left_out = core::mem::take(&mut self.plan.left_out);
        }
        while let Some(interval) = self.next_interval() {
            match self.tell(&mut draft, interval) {
                Told::All => {}
                Told::Broken(rest) => self.intervals.push(rest),
                Told::Full(rest) => {
                    self.intervals.push(rest);
                    break;
                }
            }
        }
        let says_nothing = draft.is_empty() && draft.left_out.is_empty();
        if self.started && says_nothing {
            return None;
        }
        self.started = true;
        Some(draft.finish(&self.encoder))
    }

    fn next_interval(&mut self) -> Option<Untold> {
        while self.intervals.is_empty() {
            let replica = self.replicas.next()?;
            let seen = self.plan.context.get(&replica)?;
            let interval = |clocks: RangeInclusive<u64>| Untold {
                of_prefix: *clocks.start() == 1,
                clocks,
            };
            self.intervals.extend(seen.intervals().rev().map(interval));
            self.current = Some(replica);
        }
        self.intervals.pop()
    }

    /// The next entry of the current replica up to a clock.
    fn next_entry(&mut self, replica: &ReplicaId, last: u64) -> Option<&'p Presence<M>> {
        loop {
            let plan = &self.plan;
            let entry = *self.entries.peek()?;
            if plan.skips(entry.dot()) {
                self.entries.next();
                continue;
            }
            let dot = entry.dot();
            return (dot.replica == *replica && dot.clock <= last).then_some(entry);
        }
    }

    /// Tells as much of an interval as fits.
    fn tell(&mut self, draft: &mut Draft<'p>, interval: Untold) -> Told {
        let Some(replica) = self.current.clone() else {
            return Told::All;
        };
        let Untold { clocks, of_prefix } = interval;
        let (mut at, last) = clocks.into_inner();
        if !draft.open(&self.encoder, &replica, at, last) {
            let rest = Untold {
                clocks: at..=last,
                of_prefix,
            };
            if draft.is_empty() {
                self.leave_out_replica(draft, &replica);
                return Told::All;
            }
            return Told::Full(rest);
        }
        let listed = !self.encoder.compact && at != 1;
        let mut claimed_from = at;
        let rest = |at| Untold {
            clocks: at..=last,
            of_prefix,
        };
        loop {
            let entry = self.next_entry(&replica, last);
            let gap_end = entry.map_or(last, |entry| entry.dot().clock - 1);
            if at <= gap_end && listed {
                if of_prefix && gap_end - at >= MAX_LISTED_INTERVAL {
                    draft.claim(&replica, claimed_from, at - 1);
                    draft.left_out.claims += gap_end - at + 1;
                    claimed_from = gap_end + 1;
                } else {
                    let fitting = draft.list(at, gap_end);
                    if fitting <= gap_end {
                        draft.claim(&replica, claimed_from, fitting - 1);
                        if !draft.is_empty() {
                            return Told::Full(rest(fitting));
                        }
                        // A part of its own has no room for one clock: give up on them.
                        draft.left_out.claims += gap_end + 1 - fitting;
                        claimed_from = gap_end + 1;
                    }
                }
            }
            at = gap_end + 1;
            let Some(entry) = entry else {
                draft.claim(&replica, claimed_from, last);
                return Told::All;
            };
            match draft.push(&self.encoder, entry, listed) {
                Pushed::Yes => {
                    self.entries.next();
                    at += 1;
                }
                Pushed::NoRoom => {
                    draft.claim(&replica, claimed_from, at - 1);
                    // Nothing stands before it: in a part of its own it has no room either.
                    if draft.is_empty() {
                        return self.alone(draft, entry, rest(at));
                    }
                    return Told::Full(rest(at));
                }
            }
            if at > last {
                draft.claim(&replica, claimed_from, last);
                return Told::All;
            }
        }
    }

    /// An entry that seems to be too long for a part: tries, with the real lengths.
    fn alone(&mut self, draft: &mut Draft<'p>, entry: &'p Presence<M>, interval: Untold) -> Told {
        self.entries.next();
        let dot = entry.dot();
        let mut trial = Draft::new(&self.encoder, self.writer);
        trial.max_bytes = usize::MAX;
        let opened = trial.open(&self.encoder, &dot.replica, dot.clock, dot.clock);
        let pushed = opened && matches!(trial.push(&self.encoder, entry, false), Pushed::Yes);
        trial.claim(&dot.replica, dot.clock, dot.clock);
        let bytes = trial.exact_len(&self.encoder);
        let limit = self.encoder.limits.max_bytes;
        let last = *interval.clocks.end();
        let rest = Untold {
            clocks: dot.clock + 1..=last,
            of_prefix: interval.of_prefix,
        };
        let left_out = core::mem::take(&mut draft.left_out);
        if pushed && bytes <= limit {
            trial.left_out = left_out;
            *draft = trial;
            return if dot.clock < last {
                Told::Full(rest)
            } else {
                draft.max_bytes = 0;
                Told::All
            };
        }
        *draft = Draft::new(&self.encoder, self.writer);
        draft.left_out = left_out;
        draft.left_out.entries += 1;
        let why = EntryError::TooLong { bytes, limit };
        draft.left_out.because(EncodeError::entry(entry, why));
        if dot.clock < last {
            Told::Broken(rest)
        } else {
            Told::All
        }
    }

    /// Not even the name of a replica has room in a part.
    fn leave_out_replica(&mut self, draft: &mut Draft<'p>, replica: &ReplicaId) {
        self.intervals.clear();
        while self.next_entry(replica, u64::MAX).is_some() {
            self.entries.next();
            draft.left_out.entries += 1;
        }
        draft.left_out.replicas += 1;
        let (what, limit) = ("bytes", self.encoder.limits.max_bytes);
        draft.left_out.because(EncodeError::TooMany { what, limit });
    }
}

impl<M: Serialize + 'static> Iterator for Cutter<'_, M> {
    type Item = Result<Encoded>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_part().map(|part| part.map(|part| part.encoded))
    }
}

/// The replicas of a context: those with entries, then the others, each ascending. Who
/// gets the beginning of something too long gets what lives.
fn living_first<M: 'static>(
    context: &CausalContext<ReplicaId>,
    source: &impl Source<M>,
) -> Vec<ReplicaId> {
    let mut living: Vec<&ReplicaId> = Vec::new();
    for entry in source.entries() {
        let owner = &entry.dot().replica;
        if living.last() != Some(&owner) {
            living.push(owner);
        }
    }
    let lives = |replica: &&ReplicaId| living.binary_search(replica).is_ok();
    let (mut first, then): (Vec<_>, Vec<_>) = context.replicas().partition(lives);
    first.extend(then);
    first.into_iter().cloned().collect()
}

/// One part, and what it holds.
pub(crate) struct DeltaPart {
    pub(crate) encoded: Encoded,
    pub(crate) entries: usize,
    pub(crate) context: CausalContext<ReplicaId>,
}

enum Pushed {
    Yes,
    NoRoom,
}

/// A part in the making.
struct Draft<'p> {
    writer: &'p ReplicaId,
    context: CausalContext<ReplicaId>,
    values: String,
    opening: Opening<'p>,
    count: usize,
    items: usize,
    replicas: usize,
    named: Option<ReplicaId>,
    /// No less than what stands before the values takes.
    head: usize,
    max_bytes: usize,
    max_items: usize,
    left_out: LeftOut,
}

impl<'p> Draft<'p> {
    fn new(encoder: &Encoder, writer: &'p ReplicaId) -> Self {
        const FRAME: usize = r#"{"replica":,"context":{},"clouds":{},"values":["#.len();
        Self {
            writer,
            context: CausalContext::new(),
            values: String::new(),
            opening: Opening::default(),
            count: 0,
            items: 0,
            replicas: 1,
            named: None,
            head: FRAME + quoted_len(writer.as_str()) + TAIL.len(),
            max_bytes: encoder.limits.max_bytes,
            max_items: encoder.limits.max_clouds,
            left_out: LeftOut::default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.count == 0 && self.context.is_empty()
    }

    fn has_room(&self, bytes: usize, items: usize) -> bool {
        self.head + self.values.len() + bytes <= self.max_bytes
            && self.items + items <= self.max_items
    }

    /// Makes room for a replica's name and its interval; false if there is none.
    fn open(&mut self, encoder: &Encoder, replica: &ReplicaId, first: u64, last: u64) -> bool {
        let known = self.named.as_ref() == Some(replica);
        // As a prefix and as a cloud, with colons, brackets and commas.
        let name = if known {
            0
        } else {
            2 * quoted_len(replica.as_str()) + "::[],,".len() + digits(last)
        };
        let interval = encoder.compact && first != 1;
        let bytes = if interval {
            digits(first) + digits(last) + "[,],".len()
        } else {
            0
        };
        let counts = !known && replica != self.writer;
        let fits = !counts || self.replicas < encoder.limits.max_replicas;
        if !fits || !self.has_room(name + bytes, usize::from(interval)) {
            return false;
        }
        if !known {
            self.named = Some(replica.clone());
        }
        self.replicas += usize::from(counts);
        self.head += name + bytes;
        self.items += usize::from(interval);
        true
    }

    fn claim(&mut self, replica: &ReplicaId, first: u64, last: u64) {
        if first <= last {
            self.context.insert_range(replica.clone(), first..=last);
        }
    }

    /// Makes room for clocks that are listed each; the first one that has none.
    fn list(&mut self, first: u64, last: u64) -> u64 {
        let mut at = first;
        while at <= last && self.has_room(digits(at) + 1, 1) {
            self.head += digits(at) + 1;
            self.items += 1;
            at += 1;
        }
        at
    }

    /// Writes an entry, if it fits.
    fn push<M: Serialize + 'static>(
        &mut self,
        encoder: &Encoder,
        entry: &'p Presence<M>,
        listed: bool,
    ) -> Pushed {
        let len = self.values.len();
        let (bytes, items) = if listed {
            (digits(entry.dot().clock) + 1, 1)
        } else {
            (0, 0)
        };
        let room = self.count < encoder.limits.max_entries;
        let written = room
            && encoder
                .push_value(&mut self.values, &mut self.opening, entry)
                .is_ok();
        if written && self.has_room(bytes, items) {
            self.head += bytes;
            self.items += items;
            self.count += 1;
            return Pushed::Yes;
        }
        self.values.truncate(len);
        if len == 0 {
            self.opening = Opening::default();
        }
        Pushed::NoRoom
    }

    fn text(&self, encoder: &Encoder) -> Result<String> {
        let mut sink = Sink::whole(usize::MAX);
        encoder.push_head(&mut sink, self.writer, &self.context)?;
        sink.out.push_str(&self.values);
        sink.out.push_str(TAIL);
        sink.finish()
    }

    fn exact_len(&self, encoder: &Encoder) -> usize {
        self.text(encoder).map_or(usize::MAX, |text| text.len())
    }

    fn finish(self, encoder: &Encoder) -> Result<DeltaPart> {
        let text = self.text(encoder)?;
        debug_assert!(text.len() <= encoder.limits.max_bytes || self.is_empty());
        Ok(DeltaPart {
            encoded: Encoded {
                text,
                left_out: self.left_out,
            },
            entries: self.count,
            context: self.context,
        })
    }
}
