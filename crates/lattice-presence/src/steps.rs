//! Counting steps, so that tests can assert how costs grow.
//!
//! A step is a look at one place of an index: a bucket, a member, a comparison of two
//! dots, an entry that is passed over. Tests of this crate count; every other build
//! compiles the calls to nothing.

#[cfg(test)]
std::thread_local! {
    static STEPS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
}

/// Counts so many steps.
#[inline]
pub(crate) fn count(steps: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + steps as u64);
    #[cfg(not(test))]
    let _ = steps;
}

/// The steps that `routine` takes on this thread.
#[cfg(test)]
pub(crate) fn of<O>(routine: impl FnOnce() -> O) -> (u64, O) {
    let before = STEPS.get();
    let output = routine();
    (STEPS.get() - before, output)
}
