//! How a mutex is taken.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Code that holds the lock never leaves the value half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
