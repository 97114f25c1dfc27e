//! The payload of a digest.

use lattice_presence::{Digest, ReplicaDigest, ReplicaId};

use crate::cloud::CloudReader;
use crate::cursor::{Cursor, Result};
use crate::error::{Category, DecodeError, Segment};
use crate::field::{required, set};
use crate::intern::Replicas;
use crate::limits::Limits;

pub(crate) fn decode(text: &str, limits: &Limits) -> Result<Digest<ReplicaId>> {
    let mut cursor = Cursor::new(text);
    let mut clouds = CloudReader::new(limits);
    let mut replicas = Replicas::<Option<ReplicaDigest>>::default();
    let mut fields = cursor.fields()?;
    while let Some((name, at)) = fields.next(&mut cursor)? {
        limits
            .check_string(&name, at)
            .and_then(|()| replicas.intern(&name, at, limits))
            .and_then(|place| {
                set(replicas.of_mut(place), at, || {
                    replica(&mut cursor, &mut clouds)
                })
            })
            .map_err(|e| e.within(Segment::name(&name)))?;
    }
    cursor.finish()?;
    let known = replicas.into_sorted().into_iter();
    Ok(known
        .filter_map(|(id, known)| known.map(|known| (id, known)))
        .collect())
}

fn replica(cursor: &mut Cursor<'_>, clouds: &mut CloudReader<'_>) -> Result<ReplicaDigest> {
    let (mut prefix, mut cloud, mut sum) = (None, None, None);
    let (mut live, mut unwanted) = (None, None);
    let mut fields = cursor.fields()?;
    let start = cursor.offset() - 1;
    while let Some((name, at)) = fields.next(cursor)? {
        match &*name {
            "context" => {
                set(&mut prefix, at, || cursor.clock(0)).map_err(|e| e.within_field("context"))?;
            }
            "cloud" => {
                set(&mut cloud, at, || clouds.read(cursor)).map_err(|e| e.within_field("cloud"))?;
            }
            "fingerprint" => set(&mut sum, at, || fingerprint(cursor))
                .map_err(|e| e.within_field("fingerprint"))?,
            "live" => {
                set(&mut live, at, || cursor.clock(0)).map_err(|e| e.within_field("live"))?;
            }
            "unwanted" => set(&mut unwanted, at, || clouds.read(cursor))
                .map_err(|e| e.within_field("unwanted"))?,
            _ => cursor.skip_unknown()?,
        }
    }
    let prefix = required(prefix, "context", start)?;
    let mut seen = required(cloud, "cloud", start)?;
    seen.insert_range(1..=prefix);
    let sum = required(sum, "fingerprint", start)?;
    let mut known = ReplicaDigest::new(seen, sum);
    known.live = live;
    known.unwanted = unwanted.unwrap_or_default();
    Ok(known)
}

fn fingerprint(cursor: &mut Cursor<'_>) -> Result<u64> {
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
