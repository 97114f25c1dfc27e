//! Hands the cases of the table to criterion: each operation beside its floor and
//! its peer, at every N.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use lattice_benches::case::{Case, Operation, Side};

/// Runs one group an operation, as the command line of criterion says.
pub(crate) fn run(operations: &[Operation]) {
    let mut criterion = Criterion::default().configure_from_args();
    for operation in operations {
        let mut group = criterion.benchmark_group(operation.name);
        // Set-ups take longer than what they set up: ten samples have to do.
        group.sample_size(10);
        group.sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(500));
        group.measurement_time(Duration::from_secs(2));
        for &n in sizes() {
            let case = (operation.prepare)(n);
            group.throughput(Throughput::Elements(case.units as u64));
            add(&mut group, n, case);
        }
        group.finish();
    }
    criterion.final_summary();
}

/// `--test` runs everything once, to see that it runs.
fn sizes() -> &'static [usize] {
    if std::env::args().any(|argument| argument == "--test") {
        &[1_000]
    } else {
        &[1_000, 10_000, 100_000, 1_000_000]
    }
}

fn add(group: &mut BenchmarkGroup<'_, WallTime>, n: usize, case: Case) {
    let sides: [(&str, Option<Side>); 3] = [
        ("ours", Some(case.ours)),
        ("floor", case.floor),
        ("Orswot", case.peer),
    ];
    for (name, side) in sides {
        let Some(mut side) = side else { continue };
        group.bench_function(BenchmarkId::new(name, n), |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| side()).sum());
        });
    }
}
