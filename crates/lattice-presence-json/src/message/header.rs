//! The beginning of a message. It is the same in every version.

use alloc::sync::Arc;

use lattice_presence::{ReplicaId, Shard};

use crate::cursor::{Cursor, Fields, Result};
use crate::error::{Category, DecodeError};
use crate::field::required;
use crate::limits::Limits;

/// The sender and the cluster of a message. They can be read from a message of any
/// version.
///
/// [`Decoder::message_header`](crate::Decoder::message_header) reads it.
///
/// ```
/// use lattice_presence_json::{Category, Decoder, JsonMeta};
///
/// let later = r#"{"v":2,"cluster":"chat","from":"node-a","shout":["!"]}"#;
/// let error = Decoder::new().message_from_json::<JsonMeta>(later).unwrap_err();
/// assert_eq!(error.category(), Category::Version);
///
/// let header = Decoder::new().message_header(later)?;
/// assert_eq!((header.version, header.from.as_str()), (2, "node-a")); // tell it what you read
/// # Ok::<(), lattice_presence_json::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageHeader {
    /// The version of the format.
    pub version: u16,
    /// The cluster for which it is meant.
    pub cluster: Arc<str>,
    /// The shard that it is about.
    pub shard: Shard,
    /// The sender.
    pub from: ReplicaId,
}

/// Reads up to the sender's name: `v` first, then `cluster`, `shard` if not the only one,
/// and `from`. A later version may have other fields between them.
pub(crate) fn header(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<(MessageHeader, Fields)> {
    let mut fields = cursor.fields()?;
    let start = cursor.offset() - 1;
    let version = match fields.next(cursor)? {
        Some((name, _)) if name == "v" => {
            small(cursor, 0).map_err(|error| error.within_field("v"))?
        }
        _ => {
            let reason = "a message begins with its version";
            return Err(DecodeError::new(Category::Shape, start, reason).within_field("v"));
        }
    };
    let (mut cluster, mut shard) = (None, Shard::WHOLE);
    while let Some((name, at)) = fields.next(cursor)? {
        match &*name {
            "cluster" if cluster.is_none() => {
                let name = cursor.name(limits).map_err(|e| e.within_field("cluster"))?;
                cluster = Some(Arc::from(&*name));
            }
            "shard" if cluster.is_some() => {
                let what = "a shard is [index, count], its index below the count";
                let (index, count) = one_of(cursor, what).map_err(|e| e.within_field("shard"))?;
                shard = Shard { index, count };
            }
            "from" => {
                let cluster = required(cluster, "cluster", start)?;
                let from = sender(cursor, limits).map_err(|e| e.within_field("from"))?;
                let header = MessageHeader {
                    version,
                    cluster,
                    shard,
                    from,
                };
                return Ok((header, fields));
            }
            "v" | "cluster" | "shard" => {
                let reason = "comes twice, or before its turn";
                return Err(DecodeError::new(Category::Shape, at, reason));
            }
            _ => cursor.skip_unknown()?,
        }
    }
    required(cluster, "cluster", start)?;
    required(None, "from", start)
}

fn sender(cursor: &mut Cursor<'_>, limits: &Limits) -> Result<ReplicaId> {
    cursor.skip_space();
    let at = cursor.offset();
    let name = cursor.name(limits)?;
    if name.is_empty() {
        return Err(DecodeError::new(
            Category::Shape,
            at,
            "an empty replica name",
        ));
    }
    Ok(ReplicaId::new(&*name))
}

/// `[index, count]`: its number, and how many there are.
pub(crate) fn one_of(cursor: &mut Cursor<'_>, what: &'static str) -> Result<(u16, u16)> {
    cursor.skip_space();
    let start = cursor.offset();
    let mut ends = [0; 2];
    let mut items = cursor.items()?;
    let mut count = 0;
    while let Some(index) = items.next(cursor)? {
        match ends.get_mut(index) {
            Some(end) => *end = small(cursor, 0).map_err(|e| e.within_index(index))?,
            None => cursor.skip_unknown()?,
        }
        count = index + 1;
    }
    let [index, of] = ends;
    if count != 2 || index >= of {
        return Err(DecodeError::new(Category::Shape, start, what));
    }
    Ok((index, of))
}

/// An integer of 16 bits.
pub(crate) fn small(cursor: &mut Cursor<'_>, least: u16) -> Result<u16> {
    cursor.skip_space();
    let start = cursor.offset();
    let integer = cursor.clock(u64::from(least))?;
    u16::try_from(integer).map_err(|_| {
        let reason = format!("must be in {least}..={}", u16::MAX);
        DecodeError::new(Category::Clock, start, reason)
    })
}
