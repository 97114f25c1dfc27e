//! The work, and what it took.

use std::time::Duration;

use cpu_time::ThreadTime;

use crate::peer::Peer;
use crate::table::{Cell, Column};
use crate::{Size, heap};

/// How often short work is repeated; the median counts.
const ROUNDS: usize = 25;

/// The keys that the growth is measured with.
const KEPT: usize = 1_000;

/// A key as a presence has it: topic, user, process.
fn key(replica: u8, i: usize) -> String {
    format!("room:{:05}/user{i:06}/pid-{replica}-{i:06}", i / 10)
}

fn value(i: usize) -> String {
    format!(r#"{{"name":"user {i:06}","online_at":{i:06}}}"#)
}

fn pairs(replica: u8, n: usize) -> Vec<(String, String)> {
    (0..n).map(|i| (key(replica, i), value(i))).collect()
}

fn filled<P: Peer>(replica: u8, pairs: &[(String, String)]) -> P {
    let mut map = P::new(replica);
    for (key, value) in pairs {
        map.put(key, value);
    }
    map
}

/// The time of the thread: what the machine does besides does not count.
fn time(work: impl FnOnce()) -> Duration {
    let start = ThreadTime::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

pub(crate) fn column<P: Peer>(size: Size) -> Column {
    let n = size.n;
    let (ours, theirs) = (pairs(0, n), pairs(1, n));

    let (usage, filled_a) = heap::count(|| filled::<P>(0, &ours));
    let heap = usize::try_from(usage.live).unwrap_or(0);
    drop(filled_a);
    let mut a: Option<P> = None;
    let put = time(|| a = Some(filled(0, &ours)));
    let mut a = a.expect("it was filled");
    let mut b: P = filled(1, &theirs);
    let encoded = a.encode().len();

    let merge = time(|| a.merge(&mut b));
    assert_eq!(a.len(), 2 * n, "{}: the union", P::NAME);
    b.merge(&mut a);
    let again = median((0..ROUNDS).map(|_| time(|| a.merge(&mut b))).collect());

    let told = messages(&mut a, &mut b, &ours);
    let (behind, all_heard) = catch_up(&mut a, &mut b, &ours);

    let remove = time(|| {
        for (key, _) in &ours {
            a.remove(key);
        }
    });
    assert!(a.get(&ours[0].0).is_none(), "{}: it was removed", P::NAME);

    Column {
        name: P::NAME,
        features: P::FEATURES,
        cells: [
            Cell::each(put, n),
            Cell::each(remove, n),
            Cell::each(merge, n),
            Cell::each(again, 1),
            Cell::each(told.put_received, ROUNDS),
            Cell::each(told.removal_received, ROUNDS),
            Cell::bytes(told.put),
            Cell::bytes(told.removal),
            behind,
            all_heard,
            Cell::bytes(encoded),
            Cell::bytes(heap / n),
            Cell::bytes_each(growth::<P>(size.pairs), size.pairs),
        ],
    }
}

struct Told {
    put: usize,
    removal: usize,
    put_received: Duration,
    removal_received: Duration,
}

/// One addition and one removal go from `b` to `a`, as messages, some times.
fn messages<P: Peer>(a: &mut P, b: &mut P, ours: &[(String, String)]) -> Told {
    let mut told = Told {
        put: 0,
        removal: 0,
        put_received: Duration::ZERO,
        removal_received: Duration::ZERO,
    };
    for (round, (gone, _)) in ours.iter().enumerate().take(ROUNDS) {
        let new = format!("room:new/user{round}");
        let added = b.put_message(&new, &value(round));
        let removed = b.remove_message(gone);
        (told.put, told.removal) = (added.len(), removed.len());
        told.put_received += time(|| a.receive(&added));
        told.removal_received += time(|| a.receive(&removed));
        assert!(a.get(&new).is_some(), "{}: {new} was received", P::NAME);
        assert!(a.get(gone).is_none(), "{}: {gone} is gone", P::NAME);
    }
    told
}

/// One addition and one removal were lost: what goes over the wire until `a` knows
/// of them, and whether it does.
fn catch_up<P: Peer>(a: &mut P, b: &mut P, ours: &[(String, String)]) -> (Cell, Cell) {
    let (new, gone) = ("room:lost/user", &ours[ROUNDS].0);
    let _lost = (b.put_message(new, "x"), b.remove_message(gone));
    match a.catch_up(b) {
        None => (
            Cell::Text(format!("{} (whole)", b.encode().len())),
            Cell::Text("–".into()),
        ),
        Some(bytes) => {
            let heard = match (a.get(new).is_some(), a.get(gone).is_none()) {
                (true, true) => "both",
                (true, false) => "the addition only",
                (false, true) => "the removal only",
                (false, false) => "nothing",
            };
            (Cell::bytes(bytes), Cell::Text(heard.into()))
        }
    }
}

/// The bytes by which a map of as many keys as before has grown after `pairs` of a
/// removal and an addition.
fn growth<P: Peer>(pairs: usize) -> i64 {
    let mut map: P = filled(0, &self::pairs(0, KEPT));
    let mut churn = |from: usize, to: usize| {
        for i in from..to {
            map.remove(&key(0, i));
            map.put(&key(0, i + KEPT), &value(i));
        }
    };
    churn(0, pairs / 10);
    let (usage, ()) = heap::count(|| churn(pairs / 10, pairs / 10 + pairs));
    usage.live
}
