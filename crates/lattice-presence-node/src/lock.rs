//! How a mutex is taken.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that holds it leaves it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
