//! A global allocator that counts, for those who ask, on their own thread.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting what threads within [`count`] ask of it.
///
/// The library installs none: the program and the tests that read it do.
#[derive(Debug, Default)]
pub struct Counting;

/// What a stretch of code asked of the allocator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls that took memory, moves of a block to another size included.
    pub allocations: u64,
    /// Bytes asked for in them.
    pub allocated: u64,
    /// Bytes asked for, less the bytes given back.
    pub live: i64,
}

thread_local! {
    // Constant and without destructor: reading it never allocates.
    static COUNTED: Cell<Option<Usage>> = const { Cell::new(None) };
}

/// Runs `routine` and counts what it allocates on this thread. Blocks that it
/// frees though it did not allocate them lower `live`.
///
/// Counts nothing where [`Counting`] is not the global allocator.
pub fn count<O>(routine: impl FnOnce() -> O) -> (Usage, O) {
    COUNTED.set(Some(Usage::default()));
    let output = routine();
    let usage = COUNTED.take().unwrap_or_default();
    (usage, output)
}

/// Live bytes since [`count`] began, from within it.
#[must_use]
pub fn live_so_far() -> i64 {
    COUNTED.get().map_or(0, |usage| usage.live)
}

fn note(taken: usize, given: usize) {
    if let Some(mut usage) = COUNTED.get() {
        if taken > 0 {
            usage.allocations += 1;
            usage.allocated += taken as u64;
        }
        usage.live += taken as i64 - given as i64;
        COUNTED.set(Some(usage));
    }
}

#[allow(
    unsafe_code,
    reason = "the trait is unsafe; each call goes to the system's allocator with \
              the arguments as they came, so its contract is the caller's"
)]
// SAFETY: see the reason above; counting touches no memory but a thread's own cell.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: the caller's promise about `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: the caller's promise about `layout`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size());
        // SAFETY: the caller's promise about `block`, which came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, layout.size());
        // SAFETY: the caller's promise about `block`, which came from `System`.
        unsafe { System.dealloc(block, layout) }
    }
}
