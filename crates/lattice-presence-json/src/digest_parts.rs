//! A digest in one payload or in several.

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
    /// The digest in one payload. Lines for which it has no room are left out: who
    /// knows nothing of a replica is told of it, so that costs bytes and no more.
    pub(crate) fn digest(&self, digest: &Digest<ReplicaId>) -> Result<Encoded> {
        let mut lines = DigestCutter::new(self, digest);
        if self.strict {
            return lines.strictly();
        }
        let mut encoded = lines.next_part();
        for (replica, _) in lines.rest() {
            encoded.left_out.replicas += 1;
            encoded.left_out.because(match self.check_replica(replica) {
                Err(reason) => reason,
                Ok(()) => lines.full.take().unwrap_or(EncodeError::TooMany {
                    what: "replicas",
                    limit: self.limits.max_replicas,
                }),
            });
        }
        Ok(encoded)
    }
}

/// Cuts a digest into parts, each of whole lines.
pub(crate) struct DigestCutter<'p> {
    encoder: Encoder,
    lines: Vec<Line<'p>>,
    next: usize,
    started: bool,
    /// Why the last part ended before the lines did.
    full: Option<EncodeError>,
}

impl<'p> DigestCutter<'p> {
    pub(crate) fn new(encoder: &Encoder, digest: &'p Digest<ReplicaId>) -> Self {
        Self {
            encoder: encoder.clone(),
            lines: digest.iter().collect(),
            next: 0,
            started: false,
            full: None,
        }
    }

    fn rest(&self) -> impl Iterator<Item = Line<'p>> + use<'p> {
        self.lines[self.next..].to_vec().into_iter()
    }

    /// All lines, or the reason why they are no payload.
    fn strictly(&self) -> Result<Encoded> {
        let limits = &self.encoder.limits;
        check_count("replicas", self.lines.len(), limits.max_replicas)?;
        let mut sink = Sink::whole(limits.max_bytes);
        let mut items = 0;
        sink.out.push('{');
        for (replica, known) in &self.lines {
            self.encoder.check_replica(replica)?;
            items += known.seen.cloud().len();
            check_count("cloud items", items, limits.max_clouds)?;
            push_line(&mut sink, replica, known)?;
        }
        sink.out.push('}');
        Ok(Encoded {
            text: sink.finish()?,
            left_out: LeftOut::default(),
        })
    }

    fn next_part(&mut self) -> Encoded {
        let limits = self.encoder.limits;
        let mut sink = Sink::whole(usize::MAX);
        let mut left_out = LeftOut::default();
        let (mut count, mut items) = (0, 0);
        sink.out.push('{');
        while let Some(&(replica, known)) = self.lines.get(self.next) {
            if let Err(reason) = self.encoder.check_replica(replica) {
                left_out.replicas += 1;
                left_out.because(reason);
                self.next += 1;
                continue;
            }
            let alone = count == 0;
            let start = sink.out.len();
            let room = limits.max_bytes.saturating_sub(1);
            let short = alone.then(|| self.shortened(replica, known)).flatten();
            let line = short.as_ref().unwrap_or(known);
            items += line.seen.cloud().len();
            let pushed = push_line(&mut sink, replica, line).is_ok();
            self.full = [
                ("bytes", sink.out.len(), room, limits.max_bytes),
                ("cloud items", items, limits.max_clouds, limits.max_clouds),
                (
                    "replicas",
                    count + 1,
                    limits.max_replicas,
                    limits.max_replicas,
                ),
            ]
            .into_iter()
            .find(|(_, value, room, _)| value > room)
            .map(|(what, _, _, limit)| EncodeError::TooMany { what, limit });
            if !pushed || self.full.is_some() {
                sink.out.truncate(start);
                if !alone {
                    break;
                }
                left_out.replicas += 1;
                left_out.reasons.extend(self.full.take());
                self.next += 1;
                items = 0;
                continue;
            }
            if let Some(short) = short {
                left_out.claims += known.seen.len() - short.seen.len();
            }
            count += 1;
            self.next += 1;
        }
        sink.out.push('}');
        self.started = true;
        Encoded {
            text: sink.out,
            left_out,
        }
    }

    /// A line of fewer intervals, where all of them have no room in a part of their
    /// own. What is not in it counts as not seen, and is told again.
    fn shortened(&self, replica: &ReplicaId, known: &ReplicaDigest) -> Option<ReplicaDigest> {
        const FRAME: usize = r#"{:{"context":,"cloud":[],"fingerprint":"0123456789abcdef"}}"#.len();
        let limits = &self.encoder.limits;
        let mut bytes = FRAME + quoted_len(replica.as_str()) + digits(known.seen.prefix());
        let items = known.seen.cloud().len();
        // Cheaply: an interval takes at most two clocks of 16 digits and four signs.
        if items <= limits.max_clouds && bytes.saturating_add(36 * items) <= limits.max_bytes {
            return None;
        }
        let mut kept = ClockSet::new();
        kept.insert_range(1..=known.seen.prefix());
        for interval in known.seen.cloud().take(limits.max_clouds) {
            bytes += digits(*interval.start()) + digits(*interval.end()) + "[,],".len();
            if bytes > limits.max_bytes {
                break;
            }
            kept.insert_range(interval);
        }
        let mut short = known.clone();
        short.seen = kept;
        (short != *known).then_some(short)
    }
}

impl Iterator for DigestCutter<'_> {
    type Item = Result<Encoded>;

    fn next(&mut self) -> Option<Self::Item> {
        let more = !self.started || self.next < self.lines.len();
        more.then(|| Ok(self.next_part()))
    }
}
