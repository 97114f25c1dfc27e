//! What of a state or a delta is written: what no peer would read is left out.

use alloc::borrow::Cow;
use core::ops::RangeInclusive;

use lattice_presence::{
    CausalContext, ClockSet, Dot, Presence, PresenceDelta, PresenceState, ReplicaId,
};
use serde::Serialize;

use crate::encode_error::EncodeError;
use crate::encoded::LeftOut;
use crate::encoder::Encoder;

type Result<T> = core::result::Result<T, EncodeError>;
type Context = CausalContext<ReplicaId>;

/// What has a writer, a context and entries: a state or a delta.
pub(crate) trait Source<M: 'static> {
    fn writer(&self) -> &ReplicaId;
    fn context(&self) -> &Context;
    /// In dot order.
    fn entries(&self) -> impl Iterator<Item = &Presence<M>>;
}

impl<M: 'static> Source<M> for PresenceState<M> {
    fn writer(&self) -> &ReplicaId {
        self.replica()
    }

    fn context(&self) -> &Context {
        self.context()
    }

    fn entries(&self) -> impl Iterator<Item = &Presence<M>> {
        self.entries()
    }
}

impl<M: 'static> Source<M> for PresenceDelta<M> {
    fn writer(&self) -> &ReplicaId {
        self.replica()
    }

    fn context(&self) -> &Context {
        self.context()
    }

    fn entries(&self) -> impl Iterator<Item = &Presence<M>> {
        self.entries()
    }
}

/// What is written of a source.
pub(crate) struct Plan<'s> {
    /// What is claimed: never the dot of an entry that is left out.
    pub(crate) context: Cow<'s, Context>,
    /// The dots of the entries that are left out, ascending.
    skipped: Vec<Dot<ReplicaId>>,
    pub(crate) left_out: LeftOut,
}

impl Plan<'_> {
    /// Whether an entry is left out.
    #[inline]
    pub(crate) fn skips(&self, dot: &Dot<ReplicaId>) -> bool {
        !self.skipped.is_empty() && self.skipped.binary_search(dot).is_ok()
    }
}

impl Encoder {
    /// The plan under which no entry needs to be looked at: whoever finds one that no
    /// peer reads makes the other plan. O(replicas), if claims are few.
    pub(crate) fn hopeful_plan<'s, M>(&self, source: &'s impl Source<M>) -> Result<Plan<'s>>
    where
        M: Serialize + 'static,
    {
        let named = source.context().replicas();
        if named.map(|r| self.check_replica(r)).any(|r| r.is_err()) {
            return self.plan(source);
        }
        self.with_fitting_claims(
            source,
            Plan {
                context: Cow::Borrowed(source.context()),
                skipped: Vec::new(),
                left_out: LeftOut::default(),
            },
        )
    }

    /// Looks at every entry. O(entries), and for metadata that is no text O(its size).
    pub(crate) fn plan<'s, M>(&self, source: &'s impl Source<M>) -> Result<Plan<'s>>
    where
        M: Serialize + 'static,
    {
        let mut plan = Plan {
            context: Cow::Borrowed(source.context()),
            skipped: Vec::new(),
            left_out: LeftOut::default(),
        };
        let nameless = self.nameless(source.context(), &mut plan.left_out)?;
        for entry in source.entries() {
            let refused = if nameless.contains(&&entry.dot().replica) {
                Ok(())
            } else {
                match self.check_entry(entry) {
                    Ok(()) => continue,
                    Err(why) => Err(EncodeError::entry(entry, why)),
                }
            };
            plan.left_out.entries += 1;
            plan.skipped.push(entry.dot().clone());
            if let Err(reason) = refused {
                if self.strict {
                    return Err(reason);
                }
                plan.left_out.because(reason);
            }
        }
        if !nameless.is_empty() || !plan.skipped.is_empty() {
            let mut context = source.context().clone();
            context.retain(|replica| !nameless.contains(&replica));
            let gone: Context = plan.skipped.iter().cloned().collect();
            plan.context = Cow::Owned(context.difference(&gone));
        }
        self.with_fitting_claims(source, plan)
    }

    /// The replicas whose names no peer reads.
    fn nameless<'s>(
        &self,
        context: &'s Context,
        left_out: &mut LeftOut,
    ) -> Result<Vec<&'s ReplicaId>> {
        let mut nameless = Vec::new();
        for replica in context.replicas() {
            if let Err(reason) = self.check_replica(replica) {
                if self.strict {
                    return Err(reason);
                }
                left_out.replicas += 1;
                left_out.because(reason);
                nameless.push(replica);
            }
        }
        Ok(nameless)
    }

    /// Leaves out claims that no entry needs, if the form has no room for them.
    fn with_fitting_claims<'s, M: 'static>(
        &self,
        source: &'s impl Source<M>,
        mut plan: Plan<'s>,
    ) -> Result<Plan<'s>> {
        let limit = self.max_dead_claims();
        let behind = |(_, seen): (&ReplicaId, &ClockSet)| seen.len() - seen.prefix();
        let claimed = plan.context.iter().map(behind).fold(0, u64::saturating_add);
        if claimed <= limit {
            return Ok(plan);
        }
        let mut live = Context::new();
        for entry in source.entries() {
            let dot = entry.dot();
            if dot.clock > plan.context.prefix(&dot.replica) && !plan.skips(dot) {
                live.insert_clock(&dot.replica, dot.clock);
            }
        }
        let clouds = plan.context.iter().map(|(replica, seen)| {
            let mut cloud = seen.clone();
            cloud.remove_range(1..=seen.prefix());
            (replica.clone(), cloud)
        });
        let dead = clouds.collect::<Context>().difference(&live);
        let omitted = over(&dead, limit);
        if let Some(replica) = omitted.replicas().next() {
            let replica = Box::new(replica.clone());
            let reason = EncodeError::CloudTooWide { replica, limit };
            if self.strict {
                return Err(reason);
            }
            let clocks = omitted.iter().map(|(_, clocks)| clocks.len());
            plan.left_out.claims = clocks.fold(0, u64::saturating_add);
            plan.left_out.because(reason);
            plan.context = Cow::Owned(plan.context.difference(&omitted));
        }
        Ok(plan)
    }
}

/// The intervals of `dead` that are left out, so that at most `limit` clocks stay.
///
/// Narrow intervals stay first: what really happened leaves narrow ones, and whoever makes
/// up claims pays for each narrow one what it costs to pass it on. O(intervals).
fn over(dead: &Context, limit: u64) -> Context {
    let width = |interval: &RangeInclusive<u64>| interval.end() - interval.start() + 1;
    // Intervals of one clock, of two, of up to four, eight, …
    let class =
        |interval: &RangeInclusive<u64>| (width(interval) - 1).checked_ilog2().map_or(0, |b| b + 1);
    let intervals = || {
        dead.iter()
            .flat_map(|(r, clocks)| clocks.intervals().map(move |interval| (r, interval)))
    };
    let mut totals = [0_u64; 64];
    for (_, interval) in intervals() {
        let total = &mut totals[class(&interval) as usize];
        *total = total.saturating_add(width(&interval));
    }
    let mut room = limit;
    let mut first_over = 0;
    for (class, total) in (0..).zip(totals) {
        first_over = class;
        match room.checked_sub(total) {
            Some(left) => room = left,
            None => break,
        }
    }
    let mut omitted = Context::new();
    for (replica, interval) in intervals() {
        let class = class(&interval);
        if class < first_over {
            continue;
        }
        match room.checked_sub(width(&interval)) {
            Some(left) if class == first_over => room = left,
            _ => omitted.insert_range(replica.clone(), interval),
        }
    }
    omitted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(intervals: &[(&str, RangeInclusive<u64>)]) -> Context {
        let mut context = Context::new();
        for (replica, interval) in intervals {
            context.insert_range((*replica).into(), interval.clone());
        }
        context
    }

    #[test]
    fn narrow_intervals_stay_and_wide_ones_go() {
        let dead = context(&[
            ("a", 3..=1_000_000),
            ("b", 3..=3),
            ("b", 7..=10),
            ("c", 5..=5),
        ]);
        assert_eq!(over(&dead, 6), context(&[("a", 3..=1_000_000)]));
        // Of the class in which the room ends, the first that fit.
        let wide = [("a", 3..=1_000_000), ("b", 7..=10)];
        assert_eq!(over(&dead, 5), context(&wide));
        let all = [("a", 3..=1_000_000), ("b", 7..=10), ("c", 5..=5)];
        assert_eq!(over(&dead, 1), context(&all));
        assert_eq!(over(&dead, u64::MAX), Context::new());
        assert_eq!(over(&dead, 0), dead);
    }

    #[test]
    fn every_width_has_a_class() {
        let dead = context(&[("a", 1..=lattice_presence::MAX_CLOCK)]);
        assert_eq!(over(&dead, 1), dead);
        assert!(over(&dead, lattice_presence::MAX_CLOCK).is_empty());
    }
}
