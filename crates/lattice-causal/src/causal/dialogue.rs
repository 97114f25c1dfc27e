//! Questions, and answers of bounded size.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use super::Causal;
use super::room::Room;
use crate::{Answer, Asked, CausalContext, ClockSet, DotStore, Held, Part, Question};

/// How many parts the clocks of a replica, or an interval of them, are cut into.
const PARTS: usize = 16;

/// So many live dots are listed, and not cut further.
const LISTED: usize = 32;

/// Of one replica, a question is about so many intervals at most.
const INTERVALS: usize = 16;

/// So many parts are looked at of one replica: all that an honest question has.
const LOOKED_AT: usize = PARTS * INTERVALS;

/// What to say about one replica in an answer.
#[derive(Default)]
struct Said {
    claims: ClockSet,
    differs: Vec<RangeInclusive<u64>>,
}

impl<S: DotStore> Causal<S> {
    /// What to ask a peer about `replicas`, known here or not: all that was seen of each,
    /// and fingerprints of what is alive in 16 parts of equal counts, or the list of it
    /// if it is at most 32 dots.
    ///
    /// The dialogue goes on until there is nothing to ask: merge the answer's delta, and
    /// ask about what [differs](Self::refine). Then this state holds what merging all that
    /// the peer knows of the replicas would give. O(intervals + chunks) a replica.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotFun};
    ///
    /// let mut a = Causal::<DotFun<&str, u64>>::new();
    /// for clock in 1..=10_000 {
    ///     a.insert(&Dot::new("a", clock), clock);
    /// }
    /// let mut b = a.clone();
    /// a.remove(&Dot::new("a", 777));
    /// a.insert(&Dot::new("a", 10_001), 0);
    ///
    /// let mut question = b.question(["a"]);
    /// let mut rounds = 0;
    /// while !question.is_empty() {
    ///     let answer = a.answer(&question, 100);
    ///     b.merge(&answer.delta);
    ///     question = b.refine(&answer.differs);
    ///     rounds += 1;
    /// }
    /// assert_eq!(a, b);
    /// assert!(rounds <= 4);
    /// ```
    #[must_use]
    pub fn question(&self, replicas: impl IntoIterator<Item = S::Replica>) -> Question<S::Replica> {
        let mut question = Question::new();
        for replica in replicas {
            let seen = self.context.get(&replica).cloned().unwrap_or_default();
            let mut asked = Asked::default();
            if !seen.is_empty() {
                self.cut(&replica, 1..=seen.max(), &mut asked.parts);
            }
            asked.seen = seen;
            question.insert(replica, asked);
        }
        question
    }

    /// The next question: about what an answer says to differ, in finer parts. It is empty
    /// if nothing does. Of more than 16 intervals of one replica, the last ones are
    /// taken together, so that no answer makes a question long.
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotSet};
    ///
    /// let state = Causal::from_store((1..=1000).map(|c| Dot::new("a", c)).collect::<DotSet<_>>());
    /// let differs = CausalContext::from_iter([("a", (1..=500).into())]);
    /// let question = state.refine(&differs);
    /// let parts = &question.get(&"a").unwrap().parts;
    /// assert_eq!((parts.len(), parts[0].first, parts[15].last), (16, 1, 500));
    /// ```
    #[must_use]
    pub fn refine(&self, differs: &CausalContext<S::Replica>) -> Question<S::Replica> {
        let mut question = Question::new();
        for (replica, ranges) in differs.iter() {
            let mut asked = Asked {
                seen: self.context.get(replica).cloned().unwrap_or_default(),
                ..Asked::default()
            };
            for range in few(ranges).intervals() {
                self.cut(replica, range, &mut asked.parts);
            }
            question.insert(replica.clone(), asked);
        }
        question
    }

    /// Cuts an interval of clocks into parts of equal counts, or lists what is alive in it.
    fn cut(&self, replica: &S::Replica, range: RangeInclusive<u64>, parts: &mut Vec<Part>) {
        let (mut first, end) = (*range.start(), *range.end());
        let all = ClockSet::from(range.clone());
        let summary = self.store.summary_in(replica, &all);
        if summary.live <= LISTED {
            let held = Held::Dots {
                clocks: self.store.live_in(replica, &all),
                fingerprint: summary.fingerprint,
            };
            parts.push(Part {
                first,
                last: end,
                held,
            });
            return;
        }
        let each = summary.live.div_ceil(PARTS);
        for part in 1..=PARTS {
            let next = self.store.nth_live(replica, range.clone(), part * each);
            let last = next.map_or(end, |next| next - 1);
            let clocks = ClockSet::from(first..=last);
            let summary = self.store.summary_in(replica, &clocks);
            let held = Held::Fingerprint(summary.fingerprint);
            parts.push(Part { first, last, held });
            let Some(next) = next else { break };
            first = next;
        }
    }

    /// What the asker lacks, as far as the question reveals it: at most `max` live dots
    /// and intervals of claims (but at least one dot). And where the two sides still
    /// differ, or more is to be said than fitted: at most 16 intervals of each replica.
    ///
    /// All that it says is true: merging it is a part of merging this whole state. It
    /// says nothing if the asker knows all, or more. O(what is said + parts × chunks).
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotFun};
    ///
    /// let mut a = Causal::<DotFun<&str, char>>::new();
    /// a.insert(&Dot::new("a", 1), 'x');
    /// a.insert(&Dot::new("a", 2), 'y');
    /// let b = a.clone();
    /// a.remove(&Dot::new("a", 1));
    ///
    /// let answer = a.answer(&b.question(["a"]), 100);
    /// assert_eq!(answer.delta, Causal::from_context(CausalContext::from_iter([Dot::new("a", 1)])));
    /// assert!(b.answer(&a.question(["a"]), 100).is_empty());
    /// ```
    #[must_use]
    pub fn answer(&self, question: &Question<S::Replica>, max: usize) -> Answer<S> {
        let mut room = Room::new(max);
        let mut told = CausalContext::new();
        let mut differs = CausalContext::new();
        for (replica, asked) in question.iter() {
            let Some(seen) = self.context.get(replica) else {
                continue;
            };
            let known = Known {
                common: seen.intersection(&asked.seen),
                ahead: asked.seen.difference(seen),
            };
            let said = self.say(replica, seen, asked, &known);
            let (mut claims, next) = self.fit(replica, &said.claims, 1, &mut room);
            let mut open = self.apart(replica, &known, said.differs, &mut claims, &mut room);
            if let Some(next) = next {
                open.insert_range(next..=said.claims.max());
            }
            told.insert_set(replica.clone(), &claims);
            differs.insert_set(replica.clone(), &few(&open));
        }
        Answer {
            delta: self.slice(&told),
            differs,
            more: room.more,
        }
    }

    /// What to say about one replica.
    fn say(&self, replica: &S::Replica, seen: &ClockSet, asked: &Asked, known: &Known) -> Said {
        let mut said = Said {
            claims: seen.difference(&asked.seen).difference(&asked.unwanted),
            differs: Vec::new(),
        };
        let parts = asked.parts.iter().filter(|part| part.first <= part.last);
        for (number, part) in parts.enumerate() {
            if number < LOOKED_AT {
                self.compare(replica, known, part, &mut said);
            } else {
                said.differs.push(part.first..=part.last);
            }
        }
        said.claims = said.claims.difference(&asked.unwanted);
        said
    }

    /// What to say about one part.
    fn compare(&self, replica: &S::Replica, known: &Known, part: &Part, said: &mut Said) {
        let range = part.first..=part.last;
        match &part.held {
            Held::Fingerprint(theirs) => {
                let common = known.common.within(range.clone());
                let mine = self.store.summary_in(replica, &common);
                let ahead = known.ahead.overlapping(range.clone()).next().is_some();
                if ahead {
                    // Their sum includes what was not seen here.
                    if mine.live as u64 != common.len() {
                        said.differs.push(range);
                    }
                } else if mine.fingerprint != *theirs {
                    let missing = theirs.wrapping_sub(mine.fingerprint);
                    let newest = known.common.max();
                    match self.deaths.explain(replica, missing, &common, newest) {
                        Some(dead) => said.claims.union_with(&dead),
                        None => said.differs.push(range),
                    }
                }
            }
            Held::Dots {
                clocks,
                fingerprint,
            } => {
                let clocks = clocks.within(range);
                let common = known.common.intersection(&clocks);
                let mine = self.store.summary_in(replica, &common);
                if mine.live as u64 != common.len() {
                    let alive = self.store.live_in(replica, &common);
                    said.claims.union_with(&common.difference(&alive));
                } else if common == clocks && mine.fingerprint != *fingerprint {
                    // The same dots with other values: to be seen, not hidden.
                    said.claims.union_with(&common);
                }
            }
        }
    }
}

impl<S: DotStore> Causal<S> {
    /// The parts that differ, as one set of clocks, in which neighbours stay apart: the
    /// next question cuts each of them. It would cut an interval of all of them into the
    /// same parts again. What stands between two is said here, by a claim, unless
    /// nothing is to be said of it.
    fn apart(
        &self,
        replica: &S::Replica,
        known: &Known,
        mut parts: Vec<RangeInclusive<u64>>,
        claims: &mut ClockSet,
        room: &mut Room,
    ) -> ClockSet {
        parts.sort_unstable_by_key(|part| *part.start());
        let mut apart = ClockSet::new();
        for part in parts {
            let between = apart.max();
            if between > 0
                && between + 1 == *part.start()
                && apart.interval_count() < INTERVALS
                && self.leaves_nothing(replica, known, between, claims, room)
            {
                apart.remove_range(between..=between);
            }
            apart.insert_range(part);
        }
        apart
    }

    /// Whether nothing is left to be said of a clock, once its claim is.
    fn leaves_nothing(
        &self,
        replica: &S::Replica,
        known: &Known,
        clock: u64,
        claims: &mut ClockSet,
        room: &mut Room,
    ) -> bool {
        let alone = ClockSet::from(clock..=clock);
        let is_dead = || self.store.live_in(replica, &alone).is_empty();
        if claims.contains(clock) || !known.common.contains(clock) || !is_dead() {
            return true;
        }
        let fits = room.take(1);
        if fits {
            claims.insert(clock);
        }
        fits
    }
}

/// What both sides have seen of a replica, and what the asker alone has.
struct Known {
    common: ClockSet,
    ahead: ClockSet,
}

/// At most `INTERVALS` intervals that cover `clocks`: the last ones become one.
fn few(clocks: &ClockSet) -> ClockSet {
    let mut few = clocks.clone();
    if let Some(range) = clocks.intervals().nth(INTERVALS - 1) {
        few.insert_range(*range.start()..=clocks.max());
    }
    few
}
