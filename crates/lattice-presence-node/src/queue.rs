//! What a subscriber has not read yet: changes, or that a snapshot is due.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Change;

/// The most changes that wait for a subscriber.
const MAX_CHANGES: usize = 256;

/// The most entries in the changes that wait for a subscriber.
const MAX_ENTRIES: usize = 4_096;

/// What a subscriber has not read yet.
pub(crate) struct Queue<M> {
    inner: Mutex<Inner<M>>,
}

struct Inner<M> {
    changes: VecDeque<Arc<Change<M>>>,
    entries: usize,
    /// The subscriber knows the view as of this number, and what waits.
    known: u64,
    /// A snapshot is due: nothing waits, and nothing will.
    reset: bool,
    closed: bool,
    waker: Option<Waker>,
}

impl<M> Queue<M> {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            changes: VecDeque::new(),
            entries: 0,
            known: 0,
            reset: true,
            closed: false,
            waker: None,
        };
        Self {
            inner: Mutex::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<M>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the change of that number; whether the queue was given up for it.
    pub(crate) fn push(&self, number: u64, change: &Arc<Change<M>>) -> bool {
        let mut inner = self.lock();
        if inner.reset || number <= inner.known {
            return false;
        }
        inner.entries += change.len();
        let is_full = inner.changes.len() >= MAX_CHANGES || inner.entries > MAX_ENTRIES;
        // One change alone is handed out, however large: it exists already.
        if is_full && !inner.changes.is_empty() {
            inner.give_up();
        } else {
            inner.changes.push_back(Arc::clone(change));
        }
        let (waker, was_given_up) = (inner.waker.take(), inner.reset);
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        was_given_up
    }

    /// What waits, or, where a snapshot is due, what `catch_up` makes; it must
    /// [start](Self::start) the queue again.
    pub(crate) fn poll<S>(
        &self,
        context: &Context<'_>,
        catch_up: impl FnOnce() -> S,
    ) -> Poll<Option<Result<Arc<Change<M>>, S>>> {
        let mut inner = self.lock();
        if inner.closed {
            return Poll::Ready(None);
        }
        if let Some(change) = inner.changes.pop_front() {
            inner.entries -= change.len();
            return Poll::Ready(Some(Ok(change)));
        }
        if inner.reset {
            drop(inner);
            return Poll::Ready(Some(Err(catch_up())));
        }
        let waker = inner.waker.as_ref();
        if !waker.is_some_and(|waker| waker.will_wake(context.waker())) {
            inner.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// From now on every change above that number. Called under the lock of the view:
    /// whatever changes later has a higher number, and finds the queue open.
    pub(crate) fn start(&self, number: u64) {
        let mut inner = self.lock();
        inner.reset = false;
        inner.known = number;
    }

    /// A snapshot is due, whatever waits.
    pub(crate) fn reset(&self) {
        let mut inner = self.lock();
        inner.give_up();
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nothing will come any more.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<M> Inner<M> {
    fn give_up(&mut self) {
        self.changes = VecDeque::new();
        self.entries = 0;
        self.reset = true;
    }
}
