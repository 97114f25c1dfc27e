//! Random trials of the laws, and what failed, made small.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::{Draw, Lattice, Violation, check, check_mutators};
use crate::dot_fingerprint;

/// How many replicas a history has.
const REPLICAS: usize = 3;

/// How many smaller versions of a failure are tried at most.
const ATTEMPTS: usize = 4_000;

/// The choices behind one case: a line for each sample, or for each step of a
/// history.
type Script = Vec<Vec<u64>>;

type Checked<T> = Result<(), Violation<T>>;

/// Trials of the laws on inputs that are generated from a seed: the same seed,
/// the same trials.
///
/// In a test of another crate it takes three lines:
///
/// ```
/// # use lattice_causal::laws::{self, Draw, Trials};
/// # use lattice_causal::PnCounter;
/// // #[test]
/// fn the_laws_hold() {
///     let add = |counter: &mut PnCounter<u64>, me, draw: &mut Draw| {
///         counter.add(&me, draw.below(9) as i64 - 4).unwrap()
///     };
///     Trials::new(7).histories(add).unwrap();
/// }
/// # the_laws_hold();
/// ```
///
/// What the closures decide must follow from their arguments alone: a failure is
/// made small by making its choices again, with some of them left out.
#[derive(Clone, Copy, Debug)]
pub struct Trials {
    seed: u64,
    cases: u64,
    steps: u64,
}

impl Trials {
    /// 100 trials from `seed`.
    ///
    /// ```
    /// use lattice_causal::{ClockSet, laws::Trials};
    ///
    /// Trials::new(7).states(|draw| ClockSet::from_iter([1 + draw.below(9)])).unwrap();
    /// ```
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            cases: 100,
            steps: 16,
        }
    }

    /// `cases` trials instead of 100.
    ///
    /// ```
    /// use lattice_causal::{ClockSet, laws::Trials};
    ///
    /// let many = Trials::new(7).cases(300);
    /// many.states(|draw| ClockSet::from_iter([1 + draw.below(9)])).unwrap();
    /// ```
    #[must_use]
    pub const fn cases(self, cases: u64) -> Self {
        Self { cases, ..self }
    }

    /// Histories of at most `steps` steps instead of 16.
    ///
    /// ```
    /// use lattice_causal::{EwFlag, laws::Trials};
    ///
    /// let long = Trials::new(7).cases(20).steps(60);
    /// long.histories(|flag: &mut EwFlag<u64>, me, _| flag.enable(&me).unwrap()).unwrap();
    /// ```
    #[must_use]
    pub const fn steps(self, steps: u64) -> Self {
        Self { steps, ..self }
    }

    /// Asks all laws but [`Law::Mutators`](super::Law::Mutators) of three states
    /// that `generate` makes, in each case.
    ///
    /// The states must be of one system: if they are made from dots, a dot
    /// carries the same in all of them. [`histories`](Self::histories) sees to that.
    ///
    /// # Errors
    ///
    /// The [`Failure`], made small. `unwrap` on it says which law broke, on what.
    ///
    /// ```
    /// use lattice_causal::laws::{Lattice, Trials};
    ///
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Sum(u64);
    /// impl Lattice for Sum {
    ///     fn join(&mut self, other: &Self) {
    ///         self.0 += other.0;
    ///     }
    /// }
    /// let failure = Trials::new(7).states(|draw| Sum(draw.below(1_000))).unwrap_err();
    /// assert_eq!(failure.violation.inputs, [Sum(1)]); // 1 + 1 is not 1
    /// ```
    pub fn states<T: Lattice>(
        &self,
        mut generate: impl FnMut(&mut Draw) -> T,
    ) -> Result<(), Failure<T>> {
        let mut run = |script: &mut Script, seed: Option<u64>| {
            let samples: Vec<T> = script
                .iter_mut()
                .zip(0..)
                .map(|(line, place)| drawing(line, seed, place, &mut generate))
                .collect();
            check(&samples)
        };
        self.all(&mut run, 3..=3)
    }

    /// Plays random histories on three replicas that begin with `T::default()`, and
    /// asks all laws: of each delta that an operation returned, of the three states
    /// in the end, and that these come to one state.
    ///
    /// `operate` performs an operation of its choice on the state of the replica
    /// that it is told, and returns the delta. Between the operations states and
    /// deltas go from replica to replica: late, twice, or never.
    ///
    /// # Errors
    ///
    /// The [`Failure`], made small: the shortest history that was found to fail.
    ///
    /// ```
    /// use lattice_causal::{AwSet, laws::{Law, Trials}};
    ///
    /// let forgets_its_delta = |set: &mut AwSet<u64, char>, me: u64, _: &mut _| {
    ///     set.add(&me, 'x').unwrap();
    ///     AwSet::new()
    /// };
    /// let failure = Trials::new(7).histories(forgets_its_delta).unwrap_err();
    /// assert_eq!((failure.violation.law, failure.choices.len()), (Law::Mutators, 1));
    /// ```
    pub fn histories<T: Lattice + Default>(
        &self,
        mut operate: impl FnMut(&mut T, u64, &mut Draw) -> T,
    ) -> Result<(), Failure<T>> {
        let mut run = |script: &mut Script, seed: Option<u64>| {
            let mut history = History::new();
            for (line, place) in script.iter_mut().zip(0..) {
                drawing(line, seed, place, |draw| history.step(draw, &mut operate))?;
            }
            history.end()
        };
        self.all(&mut run, 1..=self.steps.max(1))
    }

    /// Runs the cases, each with a number of lines in `lines`.
    fn all<T: Lattice>(
        &self,
        run: &mut impl FnMut(&mut Script, Option<u64>) -> Checked<T>,
        lines: core::ops::RangeInclusive<u64>,
    ) -> Result<(), Failure<T>> {
        for case in 0..self.cases {
            let seed = dot_fingerprint(case, self.seed);
            // The first cases are short, whatever the number of cases is.
            let most = (case + 1).clamp(*lines.start(), *lines.end());
            let mut script: Script = (0..most).map(|_| Vec::new()).collect();
            if let Err(violation) = run(&mut script, Some(seed)) {
                let shrinking = Shrinking {
                    violation,
                    script,
                    keep_lines: lines.start() == lines.end(),
                    attempts: ATTEMPTS,
                };
                let (violation, choices) = shrinking.shrink(run);
                return Err(Failure {
                    violation,
                    seed: self.seed,
                    case,
                    choices,
                });
            }
        }
        Ok(())
    }
}

/// Runs `act` on the choices of one line: on new ones, which are written down, if
/// there is a seed.
fn drawing<T>(
    line: &mut Vec<u64>,
    seed: Option<u64>,
    place: u64,
    act: impl FnOnce(&mut Draw) -> T,
) -> T {
    let source = seed.map(|seed| dot_fingerprint(place, seed));
    let mut draw = Draw::new(core::mem::take(line), source);
    let outcome = act(&mut draw);
    *line = draw.into_choices();
    outcome
}

/// A cluster in the middle of a history.
struct History<T> {
    nodes: Vec<T>,
    deltas: Vec<T>,
}

impl<T: Lattice + Default> History<T> {
    fn new() -> Self {
        Self {
            nodes: (0..REPLICAS).map(|_| T::default()).collect(),
            deltas: Vec::new(),
        }
    }

    fn step(
        &mut self,
        draw: &mut Draw,
        operate: &mut impl FnMut(&mut T, u64, &mut Draw) -> T,
    ) -> Checked<T> {
        // The choice 0 is an operation.
        let kind = draw.below(8);
        let node = draw.pick(&[0, 1, 2]);
        let other = (node + 1 + draw.pick(&[0, 1])) % REPLICAS;
        match kind {
            4 => {
                let state = self.nodes[other].clone();
                self.nodes[node].join(&state);
            }
            5 => {
                let delta = self.nodes[other].delta_for(&self.nodes[node]);
                self.nodes[node].join(&delta);
            }
            6 | 7 if !self.deltas.is_empty() => {
                let delta = draw.pick(&self.deltas);
                self.nodes[node].join(&delta);
            }
            _ => {
                let before = self.nodes[node].clone();
                let delta = operate(&mut self.nodes[node], node as u64, draw);
                let delta = vec![delta];
                check_mutators(&before, &self.nodes[node], &self.nodes[other], &delta)?;
                self.deltas.extend(delta);
            }
        }
        Ok(())
    }

    /// The states and the last delta, which need not be below any of them.
    fn end(mut self) -> Checked<T> {
        let last = self.deltas.pop();
        self.nodes.extend(last);
        check(&self.nodes)
    }
}

/// Looks for the smallest script that still breaks a law.
struct Shrinking<T> {
    violation: Violation<T>,
    script: Script,
    keep_lines: bool,
    attempts: usize,
}

impl<T: Lattice> Shrinking<T> {
    fn shrink(
        mut self,
        run: &mut impl FnMut(&mut Script, Option<u64>) -> Checked<T>,
    ) -> (Violation<T>, Script) {
        loop {
            let lines = !self.keep_lines && self.fewer_lines(run);
            let choices = self.fewer_choices(run);
            let smaller = self.smaller_choices(run);
            if !(lines || choices || smaller) {
                return (self.violation, self.script);
            }
        }
    }

    /// Whether `candidate` breaks a law, too; then it takes the place of the script.
    fn try_out(
        &mut self,
        mut candidate: Script,
        run: &mut impl FnMut(&mut Script, Option<u64>) -> Checked<T>,
    ) -> bool {
        if self.attempts == 0 {
            return false;
        }
        self.attempts -= 1;
        let Err(violation) = run(&mut candidate, None) else {
            return false;
        };
        self.violation = violation;
        self.script = candidate;
        true
    }

    fn fewer_lines(
        &mut self,
        run: &mut impl FnMut(&mut Script, Option<u64>) -> Checked<T>,
    ) -> bool {
        let mut any = false;
        let mut size = self.script.len();
        while size > 0 {
            let mut at = 0;
            while at < self.script.len() {
                let mut candidate = self.script.clone();
                candidate.drain(at..(at + size).min(self.script.len()));
                if self.try_out(candidate, run) {
                    any = true;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        any
    }

    fn fewer_choices(
        &mut self,
        run: &mut impl FnMut(&mut Script, Option<u64>) -> Checked<T>,
    ) -> bool {
        let mut any = false;
        for line in 0..self.script.len() {
            let mut size = self.script[line].len();
            while size > 0 {
                let mut at = 0;
                while at < self.script[line].len() {
                    let mut candidate = self.script.clone();
                    let end = (at + size).min(candidate[line].len());
                    candidate[line].drain(at..end);
                    if self.try_out(candidate, run) {
                        any = true;
                    } else {
                        at += size;
                    }
                }
                size /= 2;
            }
        }
        any
    }

    fn smaller_choices(
        &mut self,
        run: &mut impl FnMut(&mut Script, Option<u64>) -> Checked<T>,
    ) -> bool {
        let mut any = false;
        for line in 0..self.script.len() {
            for at in 0..self.script[line].len() {
                // 0, or as far down as halving and then counting goes.
                while let Some(choice) = self.script[line].get(at).copied() {
                    let smaller = [0, choice / 2, choice.saturating_sub(1)];
                    let found = smaller.into_iter().any(|less| {
                        let mut candidate = self.script.clone();
                        candidate[line][at] = less;
                        less < choice && self.try_out(candidate, run)
                    });
                    if !found {
                        break;
                    }
                    any = true;
                }
            }
        }
        any
    }
}

/// A law that broke in [`Trials`], on inputs that were made small.
///
/// `Debug` says the same as `Display`, so that `unwrap` in a test can be read.
///
/// ```
/// use lattice_causal::laws::{Lattice, Trials};
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct Last(u64);
/// impl Lattice for Last {
///     fn join(&mut self, other: &Self) {
///         self.0 = other.0;
///     }
/// }
/// let failure = Trials::new(7).states(|draw| Last(draw.below(1_000))).unwrap_err();
/// let text = failure.to_string();
/// assert!(text.starts_with("broken commutativity: a ⊔ b = b ⊔ a\n  a = Last(0)\n  b = Last(1)"));
/// assert!(text.ends_with("seed 7, case 0, choices [[], [], [1]]"), "{text}");
/// ```
#[non_exhaustive]
pub struct Failure<T> {
    /// The law, with the inputs.
    pub violation: Violation<T>,
    /// The seed of the trials.
    pub seed: u64,
    /// The case in which it broke first, from 0.
    pub case: u64,
    /// The choices that are left: a list for each of the states, or for each step
    /// of the history.
    pub choices: Vec<Vec<u64>>,
}

impl<T: fmt::Debug> fmt::Display for Failure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            violation,
            seed,
            case,
            choices,
        } = self;
        write!(
            f,
            "{violation}\n  seed {seed}, case {case}, choices {choices:?}"
        )
    }
}

impl<T: fmt::Debug> fmt::Debug for Failure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: fmt::Debug> core::error::Error for Failure<T> {}
