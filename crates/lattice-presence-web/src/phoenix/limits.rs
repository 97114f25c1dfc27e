//! What one socket may do.

use core::time::Duration;

/// What one socket may do.
///
/// ```
/// use lattice_presence_web::phoenix::Limits;
///
/// let mut limits = Limits::default();
/// limits.topics = 10;
/// assert_eq!(limits.topic_bytes, 255);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one message. A longer one closes the socket. 64 KiB.
    pub message_bytes: usize,
    /// Topics that are joined at the same time. One more is refused. 100.
    pub topics: usize,
    /// Bytes of a topic. 255, because a binary frame has one byte for this length.
    pub topic_bytes: usize,
    /// Bytes of a key and of an event's name. 255.
    pub name_bytes: usize,
    /// Messages at once, with heartbeats. One more is answered with an error. 100.
    pub burst: u32,
    /// Messages a second after that. 50.
    pub rate: u32,
    /// Bytes of messages at once, but at least one message. More is answered with an
    /// error. This is less than the queue of a slow reader holds. So a member cannot
    /// close others by what it sends to all. 256 KiB.
    pub bytes_burst: u32,
    /// Bytes of messages a second after that. 128 KiB.
    pub bytes_rate: u32,
    /// Messages over the limits that are answered. If more come without a pause, the
    /// socket is closed. 500.
    pub patience: u32,
    /// Changes of the own entry at once. More are merged, and the last one wins. 5.
    pub track_burst: u32,
    /// Changes of the own entry a second after that. 5.
    pub track_rate: u32,
    /// Joins of one topic at once. One more is answered with an error, because each may
    /// cost a whole state. For all topics together the limit is one join of each, and
    /// then ten times the rate. 5.
    pub join_burst: u32,
    /// Joins of one topic a second after that. 1.
    pub join_rate: u32,
    /// Messages to a channel whose join is not answered yet. 16.
    pub waiting: usize,
    /// Bytes of such messages, for all channels together. 256 KiB.
    pub waiting_bytes: usize,
    /// After this time of silence a socket is closed. 90 s, because hidden tabs may send
    /// only one heartbeat a minute.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 64 << 10,
            topics: 100,
            topic_bytes: 255,
            name_bytes: 255,
            burst: 100,
            rate: 50,
            bytes_burst: 256 << 10,
            bytes_rate: 128 << 10,
            patience: 500,
            track_burst: 5,
            track_rate: 5,
            join_burst: 5,
            join_rate: 1,
            waiting: 16,
            waiting_bytes: 256 << 10,
            idle: Duration::from_secs(90),
        }
    }
}
