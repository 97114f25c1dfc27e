//! Room in the queue of a node. There is a bound for all, and a share for each sender.

use alloc::sync::Arc;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The most messages that wait to be read.
pub(super) const MAX_WAITING: usize = 8_192;

/// The most bytes that wait to be read.
pub(super) const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;

/// The part of both that one sender may take: a quarter. If one sender floods the node,
/// three quarters remain for the others. If three senders do, a quarter remains.
const SHARE: usize = 4;

/// The cost of a message beside its bytes and the name of its sender.
const OVERHEAD: usize = 128;

/// The most senders whose lost messages are counted by name, until the counts are read.
const MAX_NAMED: usize = 256;

/// The longest name that is kept for this. Nodes have shorter names.
const MAX_NAME: usize = 8 * 1024;

/// Who has how much room, and who lost how many messages.
#[derive(Debug)]
pub(super) struct Room {
    bytes: Semaphore,
    senders: Mutex<Senders>,
}

#[derive(Debug, Default)]
struct Senders {
    /// The senders with messages that wait.
    shares: HashMap<Arc<str>, Arc<Share>>,
    /// Messages that found no room since the last read. If there are too many senders, they
    /// are counted under no name.
    lost: HashMap<Option<Arc<str>>, u64>,
}

/// The room that one sender still has.
#[derive(Debug)]
struct Share {
    messages: Semaphore,
    bytes: Semaphore,
}

/// The room that one message takes, until it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Arc<Room>,
    /// `None` only while it is dropped.
    share: Option<Arc<Share>>,
    sender: Arc<str>,
    /// 0 as long as it has no room.
    size: u32,
}

/// The room that a message takes. If this is too large for the counter, it never fits.
fn size(sender: &str, length: usize) -> u32 {
    let size = length.saturating_add(sender.len()).saturating_add(OVERHEAD);
    u32::try_from(size).unwrap_or(u32::MAX)
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            bytes: Semaphore::new(MAX_WAITING_BYTES),
            senders: Mutex::default(),
        }
    }

    fn senders(&self) -> MutexGuard<'_, Senders> {
        // Code that holds the lock never leaves the value half changed.
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a sender that has a share, and has not used it yet.
    fn nothing(self: &Arc<Self>, sender: &Arc<str>) -> Taken {
        let share = {
            let mut senders = self.senders();
            let share = senders.shares.entry(Arc::clone(sender));
            Arc::clone(share.or_insert_with(|| Arc::new(Share::new())))
        };
        Taken {
            room: Arc::clone(self),
            share: Some(share),
            sender: Arc::clone(sender),
            size: 0,
        }
    }

    /// Whether a message of that length can ever wait here.
    pub(super) fn fits(sender: &str, length: usize) -> bool {
        size(sender, length) as usize <= MAX_WAITING_BYTES / SHARE
    }

    /// Room for a message, if there is any. O(1).
    pub(super) fn try_take(self: &Arc<Self>, sender: &Arc<str>, length: usize) -> Option<Taken> {
        let (mut taken, size) = (self.nothing(sender), size(sender, length));
        let share = taken.share.as_ref()?;
        let permits = [
            share.messages.try_acquire().ok()?,
            share.bytes.try_acquire_many(size).ok()?,
            self.bytes.try_acquire_many(size).ok()?,
        ];
        // The room is given back when the message is dropped.
        permits.into_iter().for_each(SemaphorePermit::forget);
        taken.size = size;
        Some(taken)
    }

    /// Waits for room for a message that [fits](Self::fits). It is safe to cancel.
    pub(super) async fn take(self: &Arc<Self>, sender: &Arc<str>, length: usize) -> Option<Taken> {
        let (mut taken, size) = (self.nothing(sender), size(sender, length));
        let share = taken.share.as_ref()?;
        let permits = [
            share.messages.acquire().await.ok()?,
            share.bytes.acquire_many(size).await.ok()?,
            self.bytes.acquire_many(size).await.ok()?,
        ];
        permits.into_iter().for_each(SemaphorePermit::forget);
        taken.size = size;
        Some(taken)
    }

    /// Removes a sender that has no waiting messages. So memory depends only on what waits.
    fn forget_if_idle(&self, sender: &Arc<str>, share: Arc<Share>) {
        let mut senders = self.senders();
        // One reference is ours, and one is in the map. Nobody gets another one without the
        // lock.
        if Arc::strong_count(&share) == 2 {
            senders.shares.remove(sender);
        }
        // This is under the lock as well. If two are dropped at once, the second one sees
        // that it is the last.
        drop(share);
    }

    /// Counts a message of that sender as lost. If it is the first one since
    /// [`lost`](Self::lost) was called, it returns the name under which it is counted.
    pub(super) fn lose(&self, sender: &Arc<str>) -> Option<Option<Arc<str>>> {
        let mut senders = self.senders();
        let is_named = senders.lost.contains_key(&Some(Arc::clone(sender)))
            || senders.lost.len() < MAX_NAMED && sender.len() <= MAX_NAME;
        let name = is_named.then(|| Arc::clone(sender));
        let count = senders.lost.entry(name.clone()).or_insert(0);
        *count += 1;
        (*count == 1).then_some(name)
    }

    /// How many messages were lost under that name since the last time.
    pub(super) fn lost(&self, name: &Option<Arc<str>>) -> u64 {
        self.senders().lost.remove(name).unwrap_or_default()
    }
}

impl Share {
    fn new() -> Self {
        Self {
            messages: Semaphore::new(MAX_WAITING / SHARE),
            bytes: Semaphore::new(MAX_WAITING_BYTES / SHARE),
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let Some(share) = self.share.take() else {
            return;
        };
        if self.size > 0 {
            share.messages.add_permits(1);
            share.bytes.add_permits(self.size as usize);
            self.room.bytes.add_permits(self.size as usize);
        }
        self.room.forget_if_idle(&self.sender, share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_senders_of_whom_nothing_waits() {
        let room = Arc::new(Room::new());
        for number in 0..10_000 {
            let sender: Arc<str> = alloc::format!("sender {number}").into();
            let taken = room.try_take(&sender, 100).unwrap();
            let other = room.try_take(&sender, 100).unwrap();
            drop(taken);
            assert_eq!(room.senders().shares.len(), 1);
            drop(other);
            assert!(room.try_take(&sender, usize::MAX).is_none());
            assert!(room.senders().shares.is_empty());
        }
        assert_eq!(room.bytes.available_permits(), MAX_WAITING_BYTES);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_who_gave_up_waiting() {
        let room = Arc::new(Room::new());
        let sender: Arc<str> = "a".into();
        let taken = room.take(&sender, 7 * 1024 * 1024).await.unwrap();
        let second = room.take(&sender, 7 * 1024 * 1024);
        let short = core::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(short, second).await.is_err());
        drop(taken);
        assert!(room.senders().shares.is_empty());
        assert_eq!(room.bytes.available_permits(), MAX_WAITING_BYTES);
    }

    #[test]
    fn names_that_nobody_has_are_counted_and_not_kept() {
        let room = Room::new();
        let mut told = 0;
        for number in 0..100_000_u64 {
            let name: Arc<str> = alloc::format!("nobody {number}").into();
            told += u64::from(room.lose(&name).is_some());
        }
        let long: Arc<str> = "x".repeat(MAX_NAME + 1).into();
        assert_eq!(room.lose(&long), None);
        assert_eq!(told as usize, MAX_NAMED + 1);
        assert_eq!(room.lost(&None), 100_001 - MAX_NAMED as u64);
    }
}
