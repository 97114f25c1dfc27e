//! The log of recent deaths, which explains why a peer holds more.

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
/// what is held. If a peer has seen no more, and its sum is greater by what some of
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

/// The deaths of one replica: a ring, once there are [`MOST`].
#[derive(Clone, Debug, Default)]
struct Log {
    deaths: Vec<Death>,
    /// Where the ring begins: 0 until it is full.
    oldest: usize,
}

#[derive(Clone, Copy, Debug)]
struct Death {
    clock: u64,
    fingerprint: u64,
    /// The greatest clock of the replica that was seen when this death was learned of.
    at: u64,
}

impl Log {
    #[inline]
    fn push(&mut self, (clock, fingerprint): (u64, u64), at: u64) {
        let death = Death {
            clock,
            fingerprint,
            at,
        };
        if self.deaths.len() < MOST {
            self.deaths.push(death);
        } else {
            self.deaths[self.oldest] = death;
            self.oldest = (self.oldest + 1) % MOST;
        }
    }

    #[inline]
    fn trim(&mut self, live: usize) {
        let most = live.max(FEW);
        if self.deaths.len() > most {
            self.cut(most);
        }
    }

    /// Forgets the oldest ones until so many are left.
    fn cut(&mut self, most: usize) {
        self.deaths.rotate_left(self.oldest);
        self.oldest = 0;
        let excess = self.deaths.len() - most;
        self.deaths.drain(..excess);
        if self.deaths.capacity() > 4 * self.deaths.len().max(FEW) {
            self.deaths.shrink_to(2 * self.deaths.len());
        }
    }

    /// The latest last.
    fn iter(&self) -> impl Iterator<Item = &Death> {
        let (late, early) = self.deaths.split_at(self.oldest);
        early.iter().chain(late)
    }
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
    /// Remembers a death, learned of when `at` was the greatest clock seen.
    /// O(log replicas).
    pub(crate) fn push(&mut self, replica: &R, death: (u64, u64), at: u64) {
        let log = self.replicas.get_or_insert_with(replica, Log::default);
        log.push(death, at);
    }

    /// [`push`](Self::push), and [`trim`](Self::trim) after it.
    #[inline]
    pub(crate) fn push_of(&mut self, replica: &R, death: (u64, u64), at: u64, live: usize) {
        if live == 0 {
            self.replicas.remove(replica);
            return;
        }
        match self.replicas.get_mut(replica) {
            Some(log) => {
                log.push(death, at);
                log.trim(live);
            }
            None => self.push(replica, death, at),
        }
    }

    /// Forgets the oldest deaths of `replica`, of which `live` dots are alive, beyond
    /// what is kept for so many.
    pub(crate) fn trim(&mut self, replica: &R, live: usize) {
        if live == 0 {
            self.replicas.remove(replica);
        } else if let Some(log) = self.replicas.get_mut(replica) {
            log.trim(live);
        }
    }

    pub(crate) fn forget(&mut self, replica: &R) {
        self.replicas.remove(replica);
    }

    /// The deaths of `replica` whose fingerprints add up to `missing`, among those of the
    /// dots in `of`. A sum of 64 bits does not come about by chance.
    ///
    /// If the peer has seen no clock beyond `newest`, it will not have heard of what
    /// died after it: that is in flight, and only the rest is searched for, at first.
    pub(crate) fn explain(
        &self,
        replica: &R,
        missing: u64,
        of: &ClockSet,
        newest: u64,
    ) -> Option<ClockSet> {
        let log = self.replicas.get(replica)?;
        let deaths = log.iter().filter(|death| of.contains(death.clock));
        let deaths: Vec<Death> = deaths.copied().collect();
        let heard = deaths.partition_point(|death| death.at <= newest);
        let (heard, in_flight) = deaths.split_at(heard);
        let sum = in_flight.iter().map(|death| death.fingerprint);
        let rest = missing.wrapping_sub(sum.fold(0, u64::wrapping_add));
        let some = search(heard, rest).map(|found| [&found[..], in_flight].concat());
        let found = some.or_else(|| search(&deaths, missing))?;
        Some(found.iter().map(|death| death.clock).collect())
    }
}

/// Deaths that add up to `sum`: one stretch, any of the latest, or two stretches.
fn search(deaths: &[Death], sum: u64) -> Option<Vec<Death>> {
    if sum == 0 {
        return Some(Vec::new());
    }
    let latest = &deaths[deaths.len().saturating_sub(LATEST)..];
    window(deaths, sum)
        .or_else(|| subset(latest, sum))
        .or_else(|| two_windows(deaths, sum))
}

/// Deaths one after the other that add up to `sum`. O(deaths²).
fn window(deaths: &[Death], sum: u64) -> Option<Vec<Death>> {
    // What is in flight ends the log, so the search begins there.
    for from in (0..deaths.len()).rev() {
        let mut total = 0_u64;
        for to in from..deaths.len() {
            total = total.wrapping_add(deaths[to].fingerprint);
            if total == sum {
                return Some(deaths[from..=to].to_vec());
            }
        }
    }
    None
}

/// Two stretches that add up to `sum`. O(deaths²) sums, sorted.
fn two_windows(deaths: &[Death], sum: u64) -> Option<Vec<Death>> {
    let mut windows = Vec::with_capacity(deaths.len() * (deaths.len() + 1) / 2);
    for from in 0..deaths.len() {
        let mut total = 0_u64;
        for (to, death) in deaths.iter().enumerate().skip(from) {
            total = total.wrapping_add(death.fingerprint);
            windows.push((total, from, to));
        }
    }
    windows.sort_unstable();
    windows.iter().find_map(|(total, from, to)| {
        let rest = sum.wrapping_sub(*total);
        let at = windows
            .binary_search_by_key(&rest, |window| window.0)
            .ok()?;
        let (_, other_from, other_to) = windows[at];
        let apart = other_to < *from || *to < other_from;
        apart.then(|| [&deaths[*from..=*to], &deaths[other_from..=other_to]].concat())
    })
}

/// Any of the deaths that add up to `sum`: each half has 2^(n/2) sums, and two of them
/// must meet.
fn subset(deaths: &[Death], sum: u64) -> Option<Vec<Death>> {
    let (left, right) = deaths.split_at(deaths.len() / 2);
    let mut of_right: Vec<(u64, usize)> = sums(right).into_iter().zip(0..).collect();
    of_right.sort_unstable();
    for (chosen, total) in sums(left).into_iter().enumerate() {
        let rest = sum.wrapping_sub(total);
        if let Ok(at) = of_right.binary_search_by_key(&rest, |(sum, _)| *sum) {
            let of = |half: &[Death], chosen: usize| -> Vec<Death> {
                let half = half.iter().enumerate();
                let half = half.filter(|(bit, _)| chosen >> bit & 1 == 1);
                half.map(|(_, death)| *death).collect()
            };
            let mut found = of(left, chosen);
            found.extend(of(right, of_right[at].1));
            return Some(found);
        }
    }
    None
}

/// The sum of each subset; bit n of its place says whether it has the nth death.
fn sums(deaths: &[Death]) -> Vec<u64> {
    let mut sums = Vec::with_capacity(1 << deaths.len());
    sums.push(0_u64);
    for death in deaths {
        for at in 0..sums.len() {
            sums.push(sums[at].wrapping_add(death.fingerprint));
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
            deaths.push(&'a', (clock, dot_fingerprint(clock, 0)), 1000 + clock);
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
        let all = ClockSet::from(1..=2000);
        let found = |clocks: &[u64]| {
            let set = deaths.explain(&'a', sum(clocks.iter().copied()), &all, u64::MAX);
            set == Some(clocks.iter().copied().collect())
        };
        assert!(found(&[100]), "in flight");
        assert!(found(&[1]), "long ago");
        assert!(found(&[40, 41, 42, 43, 44]), "a burst");
        assert!(found(&[82, 85, 91, 92, 99, 100]), "here and there, of late");
        assert!(found(&[3, 4, 50, 51]), "two bursts, long ago");
        assert!(!found(&[3, 30, 50]), "here and there, long ago");
        assert!(deaths.explain(&'a', 1, &all, u64::MAX).is_none());
        assert!(deaths.explain(&'b', sum([1]), &all, u64::MAX).is_none());
    }

    #[test]
    fn what_died_after_all_that_the_peer_has_seen_is_in_flight() {
        let deaths = log(1..=100);
        let found = |lost: &[u64], newest: u64| {
            let expected: ClockSet = lost.iter().copied().chain(newest - 999..=100).collect();
            let seen = ClockSet::from(1..=newest);
            let found = deaths.explain(&'a', sum(expected.clocks()), &seen, newest);
            found == Some(expected)
        };
        assert!(found(&[], 1040) && found(&[7, 8, 20, 21], 1040));
        assert!(!found(&[7, 9, 11], 1040));
        // Some of it may have come all the same, in another order.
        let seen = ClockSet::from(1..=1040);
        assert!(deaths.explain(&'a', sum([60, 61]), &seen, 1040).is_some());
    }

    #[test]
    fn deaths_of_dots_that_the_peer_never_saw_do_not_stand_between() {
        let deaths = log(1..=60);
        let odd: ClockSet = (1..=2001).filter(|clock| clock % 2 == 1).collect();
        let missing: ClockSet = [31, 33, 35].into_iter().collect();
        assert_eq!(
            deaths.explain(&'a', sum(missing.clocks()), &odd, u64::MAX),
            Some(missing)
        );
        assert_eq!(deaths.explain(&'a', sum([30, 31]), &odd, u64::MAX), None);
    }

    #[test]
    fn it_remembers_no_more_than_lives_and_nothing_of_the_dead() {
        let mut deaths = log(1..=1000);
        let all = ClockSet::from(1..=3000);
        let len = |deaths: &Deaths<char>| deaths.replicas.get(&'a').map_or(0, |l| l.deaths.len());
        assert_eq!(len(&deaths), MOST);
        assert!(
            deaths
                .explain(&'a', sum([1000, 999]), &all, u64::MAX)
                .is_some()
        );
        assert!(deaths.explain(&'a', sum([873]), &all, u64::MAX).is_some());
        assert!(deaths.explain(&'a', sum([872]), &all, u64::MAX).is_none());
        // Two bursts, of which one lies across the end of the ring.
        let bursts = (880..=882).chain(894..=899);
        assert!(deaths.explain(&'a', sum(bursts), &all, u64::MAX).is_some());
        deaths.trim(&'a', 50);
        assert_eq!(len(&deaths), 50);
        assert!(deaths.explain(&'a', sum([951]), &all, u64::MAX).is_some());
        assert!(deaths.explain(&'a', sum([1000]), &all, u64::MAX).is_some());
        assert!(deaths.explain(&'a', sum([950]), &all, u64::MAX).is_none());
        deaths.trim(&'a', 1);
        assert_eq!(len(&deaths), FEW);
        deaths.trim(&'a', 0);
        assert!(deaths.is_empty());
    }
}
