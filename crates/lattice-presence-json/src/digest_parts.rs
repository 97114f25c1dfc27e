//! Writes a digest in one payload or in several.

use alloc::collections::VecDeque;

use lattice_presence::{ClockSet, Digest, ReplicaDigest, ReplicaId};

use crate::emit::{check_count, push_line};
use crate::encode_error::EncodeError;
use crate::encoded::{Encoded, LeftOut};
use crate::encoder::Encoder;
use crate::sink::Sink;
use crate::write::{digits, quoted_len};

type Result<T> = core::result::Result<T, EncodeError>;
type Line<'p> = (&'p ReplicaId, &'p ReplicaDigest);

impl Encoder {
    /// Writes the digest in one payload. If there is not enough room, lines are left out.
    /// Then the answer also tells of these replicas, and this only costs bytes. Replicas
    /// without live entries are left out first.
    pub(crate) fn digest(&self, digest: &Digest<ReplicaId>) -> Result<Encoded> {
        let limits = &self.limits;
        check_count("replicas", digest.iter().len(), limits.max_replicas)
            .and_then(|()| self.whole_digest(digest))
            .or_else(|error| {
                if self.strict {
                    return Err(error);
                }
                let mut lines = DigestCutter::new(self, digest);
                lines.of_one_payload = true;
                let is_dead = |(_, known): &Line<'_>| known.fingerprint == 0;
                lines.rest.make_contiguous().sort_by_key(is_dead);
                Ok(lines.next_part())
            })
    }

    /// All lines, or the reason why they cannot be one payload.
    fn whole_digest(&self, digest: &Digest<ReplicaId>) -> Result<Encoded> {
        let mut sink = Sink::whole(self.limits.max_bytes);
        let mut items = 0;
        sink.out.push('{');
        for (replica, known) in digest.iter() {
            self.check_replica(replica)?;
            items += known.seen.cloud().len() + known.unwanted.interval_count();
            check_count("cloud items", items, self.limits.max_clouds)?;
            push_line(&mut sink, replica, known)?;
        }
        sink.out.push('}');
        Ok(Encoded {
            text: sink.finish()?,
            left_out: LeftOut::default(),
        })
    }
}

/// Cuts a digest into parts. Each part has whole lines.
pub(crate) struct DigestCutter<'p> {
    encoder: Encoder,
    rest: VecDeque<Line<'p>>,
    started: bool,
    /// Lines that do not fit are left out, and do not go into the next part.
    of_one_payload: bool,
}

/// The room that a payload still has.
struct Room {
    bytes: usize,
    items: usize,
    replicas: usize,
}

impl<'p> DigestCutter<'p> {
    pub(crate) fn new(encoder: &Encoder, digest: &'p Digest<ReplicaId>) -> Self {
        Self {
            encoder: encoder.clone(),
            rest: digest.iter().collect(),
            started: false,
            of_one_payload: false,
        }
    }

    fn next_part(&mut self) -> Encoded {
        let limits = self.encoder.limits;
        let mut left_out = LeftOut::default();
        let mut room = Room {
            bytes: limits.max_bytes.saturating_sub("{}".len()),
            items: limits.max_clouds,
            replicas: limits.max_replicas,
        };
        let mut lines = Vec::new();
        while let Some(line) = self.rest.pop_front() {
            let (replica, known) = line;
            if let Err(reason) = self.encoder.check_replica(replica) {
                left_out.replicas += 1;
                left_out.because(reason);
                continue;
            }
            if let Err(what) = room.take(replica, known) {
                if !lines.is_empty() && !self.of_one_payload {
                    self.rest.push_front(line);
                    break;
                }
                let limit = match what {
                    "replicas" => limits.max_replicas,
                    "cloud items" => limits.max_clouds,
                    _ => limits.max_bytes,
                };
                left_out.because(EncodeError::TooMany { what, limit });
                if let Some(short) = room.take_some(replica, known) {
                    left_out.claims += known.seen.len() - short.seen.len();
                    lines.push((replica, short));
                } else {
                    left_out.replicas += 1;
                }
                continue;
            }
            lines.push((replica, known.clone()));
        }
        self.started = true;
        lines.sort_unstable_by_key(|(replica, _)| *replica);
        let mut sink = Sink::whole(usize::MAX);
        sink.out.push('{');
        for (replica, known) in &lines {
            // A string has no limit.
            let pushed = push_line(&mut sink, replica, known);
            debug_assert!(pushed.is_ok());
        }
        sink.out.push('}');
        debug_assert!(sink.out.len() <= limits.max_bytes || lines.is_empty());
        Encoded {
            text: sink.out,
            left_out,
        }
    }
}

impl Room {
    /// Takes the room of a line. If there is not enough, it names the limit.
    fn take(
        &mut self,
        replica: &ReplicaId,
        known: &ReplicaDigest,
    ) -> core::result::Result<(), &'static str> {
        let items = known.seen.cloud().len();
        let intervals = known
            .seen
            .cloud()
            .map(|i| interval_len(*i.start(), *i.end()));
        let bytes = frame_len(replica, known) + intervals.sum::<usize>();
        if self.replicas == 0 {
            return Err("replicas");
        }
        if items > self.items {
            return Err("cloud items");
        }
        if bytes > self.bytes {
            return Err("bytes");
        }
        self.replicas -= 1;
        self.items -= items;
        self.bytes -= bytes;
        Ok(())
    }

    /// Takes the room that is there, for a line with fewer intervals. Clocks that are not
    /// in the line count as not seen, or as wanted, and will be sent again.
    fn take_some(&mut self, replica: &ReplicaId, known: &ReplicaDigest) -> Option<ReplicaDigest> {
        let mut bytes = frame_len(replica, known);
        if self.replicas == 0 || bytes > self.bytes {
            return None;
        }
        let mut kept = ClockSet::new();
        kept.insert_range(1..=known.seen.prefix());
        let mut items = 0;
        for interval in known.seen.cloud().take(self.items) {
            bytes += interval_len(*interval.start(), *interval.end());
            if bytes > self.bytes {
                break;
            }
            items += 1;
            kept.insert_range(interval);
        }
        if kept.is_empty() {
            return None;
        }
        self.replicas -= 1;
        self.items -= items;
        self.bytes = self.bytes.saturating_sub(bytes);
        let mut short = ReplicaDigest::new(kept, known.fingerprint);
        short.live = known.live;
        Some(short)
    }
}

/// At least the bytes of a line without its intervals.
fn frame_len(replica: &ReplicaId, known: &ReplicaDigest) -> usize {
    const FRAME: usize =
        r#":{"context":,"cloud":[],"fingerprint":"0123456789abcdef","live":,"unwanted":[]},"#.len();
    let live = known.live.map_or(0, digits);
    FRAME + quoted_len(replica.as_str()) + digits(known.seen.prefix()) + live
}

/// At least the bytes of an interval.
fn interval_len(first: u64, last: u64) -> usize {
    if first == last {
        return digits(first) + 1;
    }
    digits(first) + digits(last) + "[,],".len()
}

impl Iterator for DigestCutter<'_> {
    type Item = Result<Encoded>;

    fn next(&mut self) -> Option<Self::Item> {
        let more = !self.started || !self.rest.is_empty();
        more.then(|| Ok(self.next_part()))
    }
}
