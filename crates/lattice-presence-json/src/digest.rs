//! The payload of a digest.

use lattice_presence::{ClockSet, Digest, ReplicaDigest, ReplicaId};

use crate::cloud::CloudReader;
use crate::cursor::{Cursor, Result};
use crate::error::{Category, DecodeError, Segment};
use crate::field::{required, set};
use crate::intern::Replicas;
use crate::limits::Limits;

pub(crate) fn decode(text: &str, limits: &Limits) -> Result<Digest<ReplicaId>> {
    let mut cursor = Cursor::new(text);
    let digest = read(&mut cursor, &mut CloudReader::new(limits), limits)?;
    cursor.finish()?;
    Ok(digest)
}

/// A digest, wherever it stands.
pub(crate) fn read(
    cursor: &mut Cursor<'_>,
    clouds: &mut CloudReader<'_>,
    limits: &Limits,
) -> Result<Digest<ReplicaId>> {
    let mut replicas = Replicas::<Option<ReplicaDigest>>::new(cursor.bytes().len());
    let mut fields = cursor.fields()?;
    while let Some((name, at)) = fields.next(cursor)? {
        limits
            .check_string(&name, at)
            .and_then(|()| replicas.intern(&name, at, limits))
            .and_then(|place| set(replicas.of_mut(place), at, || replica(cursor, clouds)))
            .map_err(|e| e.within(Segment::name(&name)))?;
    }
    let known = replicas.into_sorted().into_iter();
    Ok(known
        .filter_map(|(id, known)| known.map(|known| (id, known)))
        .collect())
}

fn replica(cursor: &mut Cursor<'_>, clouds: &mut CloudReader<'_>) -> Result<ReplicaDigest> {
    let mut line = LineReader::default();
    let mut fields = cursor.fields()?;
    let start = cursor.offset() - 1;
    while let Some((name, at)) = fields.next(cursor)? {
        if !line.read(&name, at, cursor, clouds)? {
            cursor.skip_unknown()?;
        }
    }
    required(line.prefix, "context", start)?;
    required(line.cloud.as_ref(), "cloud", start)?;
    line.of_heartbeat(start)
}

/// One line of a digest, while its fields come.
#[derive(Default)]
pub(crate) struct LineReader {
    prefix: Option<u64>,
    cloud: Option<ClockSet>,
    fingerprint: Option<u64>,
    live: Option<u64>,
    pub(crate) unwanted: Option<ClockSet>,
}

impl LineReader {
    /// Reads the field, if it is one of a line.
    pub(crate) fn read(
        &mut self,
        name: &str,
        at: usize,
        cursor: &mut Cursor<'_>,
        clouds: &mut CloudReader<'_>,
    ) -> Result<bool> {
        match name {
            "context" => set(&mut self.prefix, at, || cursor.clock(0))
                .map_err(|e| e.within_field("context"))?,
            "cloud" => set(&mut self.cloud, at, || clouds.read(cursor))
                .map_err(|e| e.within_field("cloud"))?,
            "fingerprint" => set(&mut self.fingerprint, at, || fingerprint(cursor))
                .map_err(|e| e.within_field("fingerprint"))?,
            "live" => {
                set(&mut self.live, at, || cursor.clock(0)).map_err(|e| e.within_field("live"))?;
            }
            "unwanted" => set(&mut self.unwanted, at, || clouds.read(cursor))
                .map_err(|e| e.within_field("unwanted"))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What it says was seen.
    pub(crate) fn seen(&mut self) -> ClockSet {
        let mut seen = self.cloud.take().unwrap_or_default();
        seen.insert_range(1..=self.prefix.unwrap_or_default());
        seen
    }

    /// The line, of which the fingerprint alone must be there.
    pub(crate) fn of_heartbeat(mut self, start: usize) -> Result<ReplicaDigest> {
        let sum = required(self.fingerprint, "fingerprint", start)?;
        let mut known = ReplicaDigest::new(self.seen(), sum);
        known.live = self.live;
        known.unwanted = self.unwanted.unwrap_or_default();
        Ok(known)
    }
}

/// 16 hexadecimal digits.
pub(crate) fn fingerprint(cursor: &mut Cursor<'_>) -> Result<u64> {
    cursor.skip_space();
    let start = cursor.offset();
    let digits = cursor.string()?;
    let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() == 16 && digits.bytes().all(lower_hex) {
        // Sixteen hexadecimal digits always fit.
        if let Ok(sum) = u64::from_str_radix(&digits, 16) {
            return Ok(sum);
        }
    }
    let reason = "expected 16 lower-case hexadecimal digits";
    Err(DecodeError::new(Category::Shape, start, reason))
}
