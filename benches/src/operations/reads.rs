//! What is read.

use std::hint::black_box;

use crate::case::{Case, Ceiling, Operation, timed};
use crate::workload::{self, MEMBERS, Random};

/// Reads of a topic.
pub const OPERATIONS: &[Operation] = &[Operation {
    name: "get_by_topic, 10 members",
    ceiling: Ceiling::Nanoseconds(1000.0),
    prepare: get_by_topic,
}];

/// Calls in one sample.
const CALLS: usize = 1000;

/// Reads every member's key of one topic after the other, in shuffled order.
fn get_by_topic(n: usize) -> Case {
    let state = workload::local(n);
    let rooms = n / MEMBERS;
    let mut random = Random::new(n as u64);
    Case::new(CALLS, move || {
        let asked: Vec<String> = (0..CALLS)
            .map(|_| format!("room:{}", random.below(rooms)))
            .collect();
        timed(|| {
            let mut members = 0;
            for topic in &asked {
                for entry in state.get_by_topic(topic) {
                    black_box(entry.key());
                    members += 1;
                }
            }
            assert_eq!(members, CALLS * MEMBERS, "every room has its members");
        })
    })
}
