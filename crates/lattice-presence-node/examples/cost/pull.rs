//! A fresh node pulls what another one holds, and is read at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lattice_presence::PresenceState;
use lattice_presence_json::{delta_from_json, to_json_string};
use lattice_presence_node::engine::Memory;
use lattice_presence_node::{JsonMeta, Node, Topic};

use crate::clock::{Clock, Cost};
use crate::{Effort, MEMBERS, Result, on_one_thread};

/// How many times each side is measured.
const TURNS: usize = 3;

pub(crate) fn run(effort: Effort) -> Result<()> {
    let count = effort.entries;
    println!("| what | work | time | ratio |\n|---|---:|---:|---:|");
    let (mut whole, mut pulled) = (Vec::new(), Vec::new());
    let (mut during, mut after) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        whole.push(in_one_piece(count)?);
        let (cost, mut reads) = on_one_thread(pull(count))?;
        pulled.push(cost);
        during.append(&mut reads[0]);
        after.append(&mut reads[1]);
    }
    let median =
        |costs: &[Cost], of: fn(&Cost) -> f64| crate::clock::median(costs.iter().map(of)) / 1e9;
    let row = |what: &str, costs: &[Cost], ratio: String| {
        let (work, wall) = (median(costs, |c| c.work), median(costs, |c| c.wall));
        println!("| {what} | {work:.2} s | {wall:.2} s | {ratio} |");
    };
    row(
        &format!("{count} entries: encode, decode, merge in one piece"),
        &whole,
        String::new(),
    );
    let ratios = pulled
        .iter()
        .zip(&whole)
        .map(|(one, other)| one.work / other.work);
    let ratio = format!(
        "{:.2} × the work; ceiling 3 ×",
        crate::clock::median(ratios)
    );
    row(
        &format!("a fresh node pulls {count} entries (`Memory`)"),
        &pulled,
        ratio,
    );
    println!(
        "\n| `members()` of {MEMBERS}, by a thread of its own | reads | median | p99 | longest |"
    );
    println!("|---|---:|---:|---:|---:|");
    for (what, reads) in [
        ("while the pull runs; ceiling of the p99 5 ms", &mut during),
        ("as long after it: what else the machine does", &mut after),
    ] {
        reads.sort();
        let at = |share: f64| -> Duration {
            let index = (reads.len() as f64 * share) as usize;
            reads[index.min(reads.len() - 1)]
        };
        let (median, p99, longest) = (at(0.5), at(0.99), at(1.0));
        let count = reads.len();
        println!("| {what} | {count} | {median:.1?} | {p99:.1?} | {longest:.1?} |");
    }
    Ok(())
}

fn names(number: usize) -> (String, String) {
    (format!("room-{}", number / 10), format!("user-{number}"))
}

/// The work that every pull must do.
fn in_one_piece(count: usize) -> Result<Cost> {
    let meta = JsonMeta::new("online")?;
    let mut state = PresenceState::new("a");
    for number in 0..count {
        let (topic, key) = names(number);
        let _ = state.join(&format!("pid-{number}"), &topic, &key, meta.clone())?;
    }
    let clock = Clock::start()?;
    let text = to_json_string(&state)?;
    let delta = delta_from_json::<JsonMeta>(&text)?;
    let mut fresh = PresenceState::<JsonMeta>::new("b");
    let diff = fresh.merge_delta_with_diff(&delta)?;
    let cost = clock.stop(1)?;
    if diff.joins().count() != count {
        return Err("not all arrived".into());
    }
    Ok(cost)
}

async fn pull(count: usize) -> Result<(Cost, [Vec<Duration>; 2])> {
    let network = Memory::new();
    let a: Node = Node::builder("a").engine(network.clone()).start().await?;
    let meta = JsonMeta::new("online")?;
    let mut kept = Vec::with_capacity(count);
    for number in 0..count {
        let (topic, key) = names(number);
        let connection = a.connect();
        connection.track(&topic, &key, &meta)?;
        kept.push(connection);
        if number % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

    let b: Node = Node::builder("b").engine(network).start().await?;
    for number in 0..MEMBERS {
        let connection = b.connect();
        connection.track("hall", &format!("user-{number}"), &meta)?;
        kept.push(connection);
    }
    let hall = b.topic("hall");
    let during = Reader::start(&hall);
    let (clock, start) = (Clock::start()?, Instant::now());
    while b.len() < count + MEMBERS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let cost = clock.stop(1)?;
    let during = during.stop()?;
    let after = Reader::start(&hall);
    tokio::time::sleep(start.elapsed()).await;
    let reads = [during, after.stop()?];
    // Their memory is freed before the next turn, and not in it.
    drop(kept);
    Ok((cost, reads))
}

/// Reads one topic, as often as a busy server does.
struct Reader {
    is_over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Duration>>,
}

impl Reader {
    fn start(hall: &Topic<JsonMeta>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (hall, until) = (hall.clone(), Arc::clone(&is_over));
        let read = move || {
            let mut took = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let start = Instant::now();
                let count = std::hint::black_box(hall.members()).len();
                took.push(start.elapsed());
                assert_eq!(count, MEMBERS);
                std::thread::sleep(Duration::from_micros(500));
            }
            took
        };
        let thread = std::thread::spawn(read);
        Self { is_over, thread }
    }

    fn stop(self) -> Result<Vec<Duration>> {
        self.is_over.store(true, Ordering::Relaxed);
        Ok(self.thread.join().map_err(|_| "the reader panicked")?)
    }
}
