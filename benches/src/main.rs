//! Measures everything and prints the table: `cargo xtask bench`.
#![allow(clippy::print_stdout, reason = "a command line program prints")]

use std::path::PathBuf;
use std::process::ExitCode;

use lattice_benches::case::Operation;
use lattice_benches::heap::Counting;
use lattice_benches::measure::{self, Effort};
use lattice_benches::operations::{self, memory::Footprint, web};
use lattice_benches::row::{self, Row};
use lattice_benches::{chart, compare, instructions, table};

/// Counts for the footprints; else it costs a look at a thread's own cell.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

const USAGE: &str = "usage: cargo xtask bench [--quick] [--filter SUBSTR] [--n N[,N…]]
                         [--out FILE] [--compare FILE] [--svg DIR]";

#[derive(Debug, Default)]
struct Options {
    quick: bool,
    filter: String,
    sizes: Option<Vec<usize>>,
    out: Option<PathBuf>,
    compare: Option<PathBuf>,
    svg: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            if argument == "--quick" {
                options.quick = true;
                continue;
            }
            let value = arguments.next();
            let value = || value.ok_or_else(|| format!("`{argument}` needs a value\n{USAGE}"));
            match argument.as_str() {
                "--filter" => options.filter = value()?,
                "--n" => options.sizes = Some(sizes(&value()?)?),
                "--out" => options.out = Some(value()?.into()),
                "--compare" => options.compare = Some(value()?.into()),
                "--svg" => options.svg = Some(value()?.into()),
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }

    fn sizes(&self) -> &[usize] {
        match &self.sizes {
            Some(sizes) => sizes,
            None if self.quick => &[1_000, 10_000, 100_000],
            None => &[1_000, 10_000, 100_000, 1_000_000],
        }
    }

    /// Up to which size instructions are counted.
    fn counted(&self) -> usize {
        if self.quick {
            1_000
        } else {
            instructions::MOST
        }
    }

    fn effort(&self) -> Effort {
        if self.quick {
            Effort::QUICK
        } else {
            Effort::FULL
        }
    }
}

/// Fewer than 1,000 users would leave the 64 replicas of one row without any.
fn sizes(text: &str) -> Result<Vec<usize>, String> {
    let size = |part: &str| part.parse().ok().filter(|&n: &usize| n >= 1_000);
    let sizes: Option<Vec<usize>> = text.split(',').map(size).collect();
    sizes.ok_or_else(|| format!("`{text}`: numbers from 1000, with commas between\n{USAGE}"))
}

fn main() -> ExitCode {
    if let Ok(arguments) = std::env::var(web::CLIENTS) {
        web::clients(&arguments);
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((instructions::ONCE, rest)) =
        (arguments.split_first()).map(|(f, r)| (f.as_str(), r))
    {
        return match instructions::once(rest) {
            Ok(units) => {
                println!("{units}");
                ExitCode::SUCCESS
            }
            Err(failure) => fail(&failure),
        };
    }
    let outcome = Options::parse(arguments.into_iter()).and_then(|options| run(&options));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &str) -> ExitCode {
    eprintln!("{failure}");
    ExitCode::FAILURE
}

fn run(options: &Options) -> Result<(), String> {
    // Read first: a missing file shall not cost a run.
    let before = options.compare.as_deref().map(row::read).transpose()?;
    let rows = measure(options)?;
    if rows.is_empty() {
        return Err(format!("no operation has `{}` in its name", options.filter));
    }
    summarize(&rows);
    if let Some(before) = before {
        println!("\n{}", compare::table(&before, &rows));
    }
    if let Some(path) = &options.out {
        row::write(path, &rows)?;
    }
    if let Some(directory) = &options.svg {
        std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
        chart::draw(&directory.join("cost.svg"), &rows)?;
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    let mut add = |row: Row| {
        println!("{}", table::line(&row));
        rows.push(row);
    };
    println!("{}", table::head());
    let wanted = |name: &str| name.contains(&options.filter);
    let counts = instructions::are_countable();
    if !counts {
        println!("SKIPPED counting instructions: no valgrind");
    }
    let timed = operations::all().filter(|operation: &&Operation| wanted(operation.name));
    for operation in timed {
        for &n in options.sizes() {
            let mut row = measure::operation(operation, n, options.effort());
            if counts && n <= options.counted() && row.floor_ns.is_some() {
                instructions::count(&mut row, operation)?;
            }
            add(row);
        }
    }
    let counted = operations::memory::FOOTPRINTS;
    let counted = counted.iter().chain(operations::sync::FOOTPRINTS);
    for footprint in counted.filter(|footprint: &&Footprint| wanted(footprint.name)) {
        match footprint.only {
            Some(n) => add(measure::footprint(footprint, n)),
            None => {
                for &n in options.sizes() {
                    add(measure::footprint(footprint, n));
                }
            }
        }
    }
    if wanted(web::NAME) {
        for &n in if options.quick {
            &[1_000][..]
        } else {
            &[1_000, 9_900]
        } {
            add(web::row(n));
        }
    }
    Ok(rows)
}

fn summarize(rows: &[Row]) {
    let met = rows.iter().filter(|row| row.met() == Some(true)).count();
    let missed: Vec<String> = rows
        .iter()
        .filter(|row| row.met() == Some(false))
        .map(|row| format!("{} at {}", row.op, table::count(row.n)))
        .collect();
    println!("\n{met} ceilings met, {} missed", missed.len());
    for name in missed {
        println!("missed: {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read() {
        let options = parse("--quick --filter merge --out rows.json").unwrap();
        assert!(options.quick && options.filter == "merge" && options.out.is_some());
        assert_eq!(options.sizes(), [1_000, 10_000, 100_000]);
        assert_eq!(parse("--n 1000,2000").unwrap().sizes(), [1_000, 2_000]);
        assert_eq!(parse("").unwrap().sizes().last(), Some(&1_000_000));
    }

    #[test]
    fn nonsense_is_answered_with_the_usage() {
        for line in ["--fast", "--out", "--n 10", "--n 1000,", "quick"] {
            assert!(parse(line).unwrap_err().contains("usage"), "{line}");
        }
    }
}
