//! The log of recent deaths, which explains why a peer holds more.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::ClockSet;
use crate::replica_map::ReplicaMap;

/// Deaths of one replica that are remembered at most.
const MOST: usize = 128;

/// Deaths that are remembered however few dots are alive.
const FEW: usize = 8;

/// How many of the latest deaths are searched for any set of them that was missed.
const LATEST: usize = 20;

/// The latest deaths of each replica, in the order in which they were learned.
///
/// A digest says of a replica which dots were seen, and one sum of fingerprints of
/// what is held. Where a peer has seen no more, and its sum is greater by what some of
/// the latest deaths amounted to, then these are what it has not heard of: what is
/// in flight is the end of the log, and what was lost is a stretch of it. Without the
/// log, a state would have to tell all that is dead.
///
/// It is no content: states compare equal whatever they remember. A replica has an
/// entry only while dots of it are alive, and then no more deaths than dots, or `FEW`.
#[derive(Clone, Debug)]
pub(crate) struct Deaths<R> {
    replicas: ReplicaMap<R, Log>,
}

/// Clock and fingerprint of each death, the latest last.
#[derive(Clone, Debug, Default)]
struct Log {
    deaths: VecDeque<(u64, u64)>,
}

impl<R> Deaths<R> {
    pub(crate) const fn new() -> Self {
        Self {
            replicas: ReplicaMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }
}

impl<R: Clone + Ord> Deaths<R> {
    /// Remembers a death. O(log replicas).
    pub(crate) fn push(&mut self, replica: &R, clock: u64, fingerprint: u64) {
        let log = self.replicas.get_or_insert_with(replica, Log::default);
        if log.deaths.len() >= MOST {
            log.deaths.pop_front();
        }
        log.deaths.push_back((clock, fingerprint));
    }

    /// Forgets the oldest deaths of `replica`, of which `live` dots are alive, beyond
    /// what is kept for so many.
    pub(crate) fn trim(&mut self, replica: &R, live: usize) {
        if live == 0 {
            self.replicas.remove(replica);
        } else if let Some(log) = self.replicas.get_mut(replica) {
            let excess = log.deaths.len().saturating_sub(live.max(FEW));
            log.deaths.drain(..excess);
        }
    }

    pub(crate) fn forget(&mut self, replica: &R) {
        self.replicas.remove(replica);
    }

    /// The deaths of `replica` whose fingerprints add up to `missing`, among those that
    /// `concerns` says. A sum of 64 bits does not come about by chance.
    pub(crate) fn explain(
        &self,
        replica: &R,
        missing: u64,
        concerns: impl Fn(u64) -> bool,
    ) -> Option<ClockSet> {
        let log = self.replicas.get(replica)?;
        let deaths = log.deaths.iter().copied();
        let deaths: Vec<_> = deaths.filter(|(clock, _)| concerns(*clock)).collect();
        let found = window(&deaths, missing).or_else(|| {
            let latest = &deaths[deaths.len().saturating_sub(LATEST)..];
            subset(latest, missing)
        });
        found.map(|clocks| clocks.into_iter().collect())
    }
}

/// Deaths one after the other that add up to `sum`. O(deaths²).
fn window(deaths: &[(u64, u64)], sum: u64) -> Option<Vec<u64>> {
    // What is in flight ends the log, so the search begins there.
    for from in (0..deaths.len()).rev() {
        let mut total = 0_u64;
        for to in from..deaths.len() {
            total = total.wrapping_add(deaths[to].1);
            if total == sum {
                return Some(deaths[from..=to].iter().map(|(clock, _)| *clock).collect());
            }
        }
    }
    None
}

/// Any of the deaths that add up to `sum`: each half has 2^(n/2) sums, and two of them
/// must meet.
fn subset(deaths: &[(u64, u64)], sum: u64) -> Option<Vec<u64>> {
    let (left, right) = deaths.split_at(deaths.len() / 2);
    let mut sums: Vec<(u64, usize)> = sums(right).into_iter().zip(0..).collect();
    sums.sort_unstable();
    for (chosen, total) in self::sums(left).into_iter().enumerate() {
        let rest = sum.wrapping_sub(total);
        if let Ok(at) = sums.binary_search_by_key(&rest, |(sum, _)| *sum) {
            let of = |half: &[(u64, u64)], chosen: usize| -> Vec<u64> {
                let half = half.iter().enumerate();
                let half = half.filter(|(bit, _)| chosen >> bit & 1 == 1);
                half.map(|(_, (clock, _))| *clock).collect()
            };
            let mut clocks = of(left, chosen);
            clocks.extend(of(right, sums[at].1));
            return Some(clocks);
        }
    }
    None
}

/// The sum of each subset; bit n of its place says whether it has the nth death.
fn sums(deaths: &[(u64, u64)]) -> Vec<u64> {
    let mut sums = Vec::with_capacity(1 << deaths.len());
    sums.push(0_u64);
    for (_, fingerprint) in deaths {
        for at in 0..sums.len() {
            sums.push(sums[at].wrapping_add(*fingerprint));
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dot_fingerprint;

    fn log(clocks: impl IntoIterator<Item = u64>) -> Deaths<char> {
        let mut deaths = Deaths::new();
        for clock in clocks {
            deaths.push(&'a', clock, dot_fingerprint(clock, 0));
        }
        deaths
    }

    fn sum(clocks: impl IntoIterator<Item = u64>) -> u64 {
        let fingerprints = clocks.into_iter().map(|clock| dot_fingerprint(clock, 0));
        fingerprints.fold(0, u64::wrapping_add)
    }

    #[test]
    fn what_is_missed_is_found_where_it_is_a_stretch_or_recent() {
        let deaths = log(1..=100);
        let found = |clocks: &[u64]| {
            let set = deaths.explain(&'a', sum(clocks.iter().copied()), |_| true);
            set == Some(clocks.iter().copied().collect())
        };
        assert!(found(&[100]), "in flight");
        assert!(found(&[1]), "long ago");
        assert!(found(&[40, 41, 42, 43, 44]), "a burst");
        assert!(found(&[82, 85, 91, 92, 99, 100]), "here and there, of late");
        assert!(!found(&[3, 50]), "here and there, long ago");
        assert!(deaths.explain(&'a', 1, |_| true).is_none());
        assert!(deaths.explain(&'b', sum([1]), |_| true).is_none());
    }

    #[test]
    fn deaths_of_dots_that_the_peer_never_saw_do_not_stand_between() {
        let deaths = log(1..=60);
        let odd = |clock| clock % 2 == 1;
        let missing: ClockSet = [31, 33, 35].into_iter().collect();
        assert_eq!(
            deaths.explain(&'a', sum(missing.clocks()), odd),
            Some(missing)
        );
        assert_eq!(deaths.explain(&'a', sum([30, 31]), odd), None);
    }

    #[test]
    fn it_remembers_no_more_than_lives_and_nothing_of_the_dead() {
        let mut deaths = log(1..=1000);
        let len = |deaths: &Deaths<char>| deaths.replicas.get(&'a').map_or(0, |l| l.deaths.len());
        assert_eq!(len(&deaths), MOST);
        deaths.trim(&'a', 50);
        assert_eq!(len(&deaths), 50);
        assert!(deaths.explain(&'a', sum([1000]), |_| true).is_some());
        assert!(deaths.explain(&'a', sum([950]), |_| true).is_none());
        deaths.trim(&'a', 1);
        assert_eq!(len(&deaths), FEW);
        deaths.trim(&'a', 0);
        assert!(deaths.is_empty());
    }
}
