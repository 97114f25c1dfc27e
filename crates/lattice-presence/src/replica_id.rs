//! Who writes: the identity of one process incarnation.

use alloc::string::String;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use thiserror::Error;

/// The scheme that marks a name as an incarnation.
const SCHEME: &str = "lattice-presence:v1:";

/// The letters of base64url (RFC 4648, section 5).
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The letters that 16 bytes take, without padding.
const TOKEN: usize = 22;

/// The identity of a replica: unique per *process incarnation* (rule S1).
///
/// A process that restarts must not write under the name of its former life: it
/// would mint dots that peers have already seen. Either the caller guarantees
/// fresh names and uses [`new`](Self::new), or the names are incarnations of a
/// stable base, as [`incarnation`](Self::incarnation) builds them.
///
/// Cheap to clone. The order is that of the text, and decides the order in which
/// everything is listed; it says nothing about age.
///
/// ```
/// use lattice_presence::ReplicaId;
///
/// let plain = ReplicaId::new("node-a");
/// assert_eq!((plain.as_str(), plain.base()), ("node-a", "node-a"));
///
/// let life = ReplicaId::incarnation("node-a", [7; 16]);
/// assert_eq!(life.as_str(), "lattice-presence:v1:BwcHBwcHBwcHBwcHBwcHBw:node-a");
/// assert_eq!(life.base(), "node-a");
/// assert!(life.same_base(&plain));
/// ```
#[derive(Clone)]
pub struct ReplicaId(Arc<str>);

impl ReplicaId {
    /// The replica of that name, as it is.
    ///
    /// ```
    /// assert_eq!(lattice_presence::ReplicaId::new("any name").as_str(), "any name");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The incarnation of `base` that `uuid` tells apart:
    /// `lattice-presence:v1:<uuid as 22 letters of unpadded base64url>:<base>`.
    ///
    /// Version 7 UUIDs, which start with a timestamp, give the incarnations of
    /// one base an order: see [`is_newer_than`](Self::is_newer_than).
    ///
    /// ```
    /// use lattice_presence::ReplicaId;
    ///
    /// let life = ReplicaId::incarnation("node-a", [0; 16]);
    /// assert_eq!(life.as_str(), "lattice-presence:v1:AAAAAAAAAAAAAAAAAAAAAA:node-a");
    /// ```
    #[must_use]
    pub fn incarnation(base: &str, uuid: [u8; 16]) -> Self {
        let mut name = String::with_capacity(SCHEME.len() + TOKEN + 1 + base.len());
        name.push_str(SCHEME);
        let bits = u128::from_be_bytes(uuid);
        for at in 0..TOKEN {
            // 21 letters of six bits, and one of the last two bits.
            let six = match at {
                21 => bits << 4,
                _ => bits >> (122 - 6 * at),
            };
            name.push(char::from(LETTERS[(six & 63) as usize]));
        }
        name.push(':');
        name.push_str(base);
        Self(name.into())
    }

    /// A fresh incarnation of `base`, under a version 7 UUID drawn now. Of two
    /// incarnations drawn at different milliseconds the later one is newer.
    ///
    /// It reads a clock and draws random bits, and takes the feature `uuid`.
    ///
    /// ```
    /// use lattice_presence::ReplicaId;
    ///
    /// let life = ReplicaId::new_incarnation("node-a");
    /// assert_eq!(life.base(), "node-a");
    /// assert_ne!(life, ReplicaId::new_incarnation("node-a"));
    /// ```
    #[cfg(feature = "uuid")]
    #[cfg_attr(docsrs, doc(cfg(feature = "uuid")))]
    #[must_use]
    pub fn new_incarnation(base: &str) -> Self {
        Self::incarnation(base, drawn())
    }

    /// A fresh incarnation of `base` that is newer than `other`, whatever the clock
    /// says: for a process that finds itself behind a life of its base that is dead,
    /// was misdated, or made up (rule S7).
    ///
    /// It is [`new_incarnation`](Self::new_incarnation), unless `other` is a later
    /// incarnation of the same base: then it continues from the time of `other`.
    ///
    /// # Errors
    ///
    /// [`NoNewerIncarnation`] if `other` is of this base and has the greatest version 7
    /// UUID that there is. An id that time does not order is left then: another base, or
    /// an [`incarnation`](Self::incarnation) under a version 4 UUID.
    ///
    /// ```
    /// use lattice_presence::ReplicaId;
    ///
    /// // A clock that was wrong by centuries named this one.
    /// let mut uuid = [0xF0; 16];
    /// (uuid[6], uuid[8]) = (0x70, 0x80);
    /// let misdated = ReplicaId::incarnation("node-a", uuid);
    /// assert!(misdated.is_newer_than(&ReplicaId::new_incarnation("node-a")));
    ///
    /// let next = ReplicaId::new_incarnation_after("node-a", &misdated)?;
    /// assert!(next.is_newer_than(&misdated));
    /// # Ok::<(), lattice_presence::NoNewerIncarnation>(())
    /// ```
    #[cfg(feature = "uuid")]
    #[cfg_attr(docsrs, doc(cfg(feature = "uuid")))]
    pub fn new_incarnation_after(base: &str, other: &Self) -> Result<Self, NoNewerIncarnation> {
        let drawn = u128::from_be_bytes(drawn());
        let uuid = match other.parse() {
            Some((behind, of)) if of == base && is_version_7(behind) && behind >= drawn => {
                version_7_after(behind, drawn).ok_or_else(|| NoNewerIncarnation {
                    other: other.clone(),
                })?
            }
            _ => drawn,
        };
        Ok(Self::incarnation(base, uuid.to_be_bytes()))
    }

    /// The stable part of the name: what [`incarnation`](Self::incarnation) got;
    /// any other name is its own base. A token padded to 24 letters counts, too.
    ///
    /// ```
    /// use lattice_presence::ReplicaId;
    ///
    /// let padded = ReplicaId::new("lattice-presence:v1:AAAAAAAAQACAAAAAAAAAAQ==:node");
    /// assert_eq!(padded.base(), "node");
    /// let no_token = ReplicaId::new("lattice-presence:v1:short:node");
    /// assert_eq!(no_token.base(), no_token.as_str());
    /// ```
    #[must_use]
    pub fn base(&self) -> &str {
        self.parse().map_or(self.as_str(), |(_, base)| base)
    }

    /// Whether both are incarnations of one base, or the same name.
    ///
    /// ```
    /// use lattice_presence::ReplicaId;
    ///
    /// let life = |id| ReplicaId::incarnation("node-a", [id; 16]);
    /// assert!(life(1).same_base(&life(2)));
    /// assert!(!life(1).same_base(&ReplicaId::new("node-b")));
    /// ```
    #[must_use]
    pub fn same_base(&self, other: &Self) -> bool {
        self.base() == other.base()
    }

    /// Whether this is a later incarnation of the same base: both under version
    /// 7 UUIDs, and this one's is the greater. Any other pair has no order.
    ///
    /// ```
    /// use lattice_presence::ReplicaId;
    ///
    /// // 48 bits of milliseconds, then the version.
    /// let life = |ms: u8| {
    ///     let mut uuid = [0; 16];
    ///     (uuid[5], uuid[6], uuid[8]) = (ms, 0x70, 0x80);
    ///     ReplicaId::incarnation("node-a", uuid)
    /// };
    /// assert!(life(2).is_newer_than(&life(1)));
    /// assert!(!life(1).is_newer_than(&life(2)));
    /// assert!(!life(2).is_newer_than(&ReplicaId::new("node-a")));
    /// ```
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        let (Some(mine), Some(theirs)) = (self.split(), other.split()) else {
            return false;
        };
        // Asked of every replica that a peer names: most have another base.
        if mine.1 != theirs.1 {
            return false;
        }
        let age = |(token, _)| uuid_of(token).filter(|uuid| is_version_7(*uuid));
        age(mine)
            .zip(age(theirs))
            .is_some_and(|(mine, theirs)| mine > theirs)
    }

    /// Whether time orders it among the incarnations of its base: whether it is one under a
    /// version 7 UUID.
    ///
    /// ```
    /// use lattice_presence::ReplicaId;
    ///
    /// let mut uuid = [0; 16];
    /// (uuid[6], uuid[8]) = (0x70, 0x80); // version 7
    /// assert!(ReplicaId::incarnation("node-a", uuid).is_ordered());
    /// assert!(!ReplicaId::incarnation("node-a", [0; 16]).is_ordered());
    /// assert!(!ReplicaId::new("node-a").is_ordered());
    /// ```
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.parse().is_some_and(|(uuid, _)| is_version_7(uuid))
    }

    /// The whole name.
    ///
    /// ```
    /// assert_eq!(lattice_presence::ReplicaId::new("node-a").as_str(), "node-a");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The UUID and the base, if the name is an incarnation.
    fn parse(&self) -> Option<(u128, &str)> {
        let (token, base) = self.split()?;
        Some((uuid_of(token)?, base))
    }

    /// What stands in the places of token and base.
    fn split(&self) -> Option<(&str, &str)> {
        self.0.strip_prefix(SCHEME)?.split_once(':')
    }
}

/// The one place of this crate that reads a clock and draws random bits.
#[cfg(feature = "uuid")]
#[expect(
    clippy::disallowed_methods,
    reason = "one draw for each life of a process (S1), for callers who do not bring their own"
)]
fn drawn() -> [u8; 16] {
    uuid::Uuid::now_v7().into_bytes()
}

fn uuid_of(token: &str) -> Option<u128> {
    let token = match token.len() {
        TOKEN => token,
        _ => token.strip_suffix("==").filter(|t| t.len() == TOKEN)?,
    };
    let mut bits = 0u128;
    for (at, letter) in token.bytes().enumerate() {
        let six = u128::from(value_of(letter)?);
        bits = match at {
            // Its low four bits are padding; only zeros encode anything.
            21 if six & 15 == 0 => bits << 2 | six >> 4,
            21 => return None,
            _ => bits << 6 | six,
        };
    }
    Some(bits)
}

fn value_of(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

/// Version 7 of the variant of RFC 9562: the fields at bits 76 and 62.
fn is_version_7(uuid: u128) -> bool {
    (uuid >> 76) & 15 == 7 && (uuid >> 62) & 3 == 2
}

/// A version 7 UUID that is greater than `behind`, with what is random in `drawn`.
///
/// The time moves on by one millisecond; if it is at its end, the twelve bits after
/// the version do; if they are, too, the last 62 bits move into what is left of them.
#[cfg(any(feature = "uuid", test))]
fn version_7_after(behind: u128, drawn: u128) -> Option<u128> {
    const TIME: u128 = (1 << 48) - 1;
    const FRACTION: u128 = (1 << 12) - 1;
    const REST: u128 = (1 << 62) - 1;
    let (time, fraction, rest) = (behind >> 80, behind >> 64 & FRACTION, behind & REST);
    let built = |time: u128, fraction: u128, rest: u128| {
        time << 80 | 7 << 76 | fraction << 64 | 2 << 62 | rest
    };
    let (any_fraction, any_rest) = (drawn >> 64 & FRACTION, drawn & REST);
    if time < TIME {
        Some(built(time + 1, any_fraction, any_rest))
    } else if fraction < FRACTION {
        Some(built(time, fraction + 1, any_rest))
    } else {
        let left = REST - rest;
        (left > 0).then(|| built(time, fraction, rest + 1 + any_rest % left))
    }
}

/// Why no incarnation is newer than another one. Nothing was drawn.
///
/// ```
/// # #[cfg(feature = "uuid")] {
/// use lattice_presence::{NoNewerIncarnation, ReplicaId};
///
/// let mut uuid = [0xFF; 16];
/// (uuid[6], uuid[8]) = (0x7F, 0xBF);
/// let last = ReplicaId::incarnation("node-a", uuid);
/// let error = ReplicaId::new_incarnation_after("node-a", &last).unwrap_err();
/// assert_eq!(error.other, last);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no incarnation is newer than `{other}`: take an id that time does not order")]
#[non_exhaustive]
pub struct NoNewerIncarnation {
    /// The incarnation with the greatest version 7 UUID that there is.
    pub other: ReplicaId,
}

// Within one state nearly all ids are clones of each other: comparing the
// pointers first spares the text.

impl ReplicaId {
    /// Whether both point to one allocation.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many point to this allocation.
    pub(crate) fn sharers(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl PartialEq for ReplicaId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for ReplicaId {}

impl Ord for ReplicaId {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for ReplicaId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for ReplicaId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for ReplicaId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Maps and sets of ids are searched by name.
///
/// ```
/// use std::collections::HashSet;
/// use lattice_presence::ReplicaId;
///
/// let known = HashSet::from([ReplicaId::new("node-a")]);
/// assert!(known.contains("node-a"));
/// ```
impl Borrow<str> for ReplicaId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Any text is a name.
///
/// ```
/// use lattice_presence::ReplicaId;
///
/// let id: ReplicaId = "node-a".parse()?;
/// assert_eq!(id.as_str(), "node-a");
/// # Ok::<(), core::convert::Infallible>(())
/// ```
impl FromStr for ReplicaId {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self::new(name))
    }
}

impl From<&str> for ReplicaId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for ReplicaId {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn the_token_is_base64url_and_comes_back() {
        let uuid: [u8; 16] = [
            0x01, 0x93, 0x5c, 0xff, 0xfe, 0xfb, 0x7a, 0xbc, 0x9d, 0xef, 0x00, 0x11, 0x22, 0x33,
            0x44, 0xff,
        ];
        let id = ReplicaId::incarnation("a:b", uuid);
        assert_eq!(
            id.as_str(),
            "lattice-presence:v1:AZNc__77eryd7wARIjNE_w:a:b"
        );
        assert_eq!(id.parse(), Some((u128::from_be_bytes(uuid), "a:b")));
        assert!(is_version_7(u128::from_be_bytes(uuid)));
    }

    #[test]
    fn what_is_no_token_is_part_of_a_plain_name() {
        let names = [
            "lattice-presence:v1:AZNc__77eryd7wARIjNE_x:tail-bits-set",
            "lattice-presence:v1:AZNc++77eryd7wARIjNE_w:wrong-alphabet",
            "lattice-presence:v1:AZNc__77eryd7wARIjNE_w",
            "lattice-presence:v1:AZNc__77eryd7wARIjNE_w=:one-pad",
            "lattice-presence:v2:AZNc__77eryd7wARIjNE_w:version",
            "",
        ];
        for name in names {
            assert_eq!(ReplicaId::new(name).base(), name);
        }
        let empty = format!("{SCHEME}AZNc__77eryd7wARIjNE_w:");
        assert_eq!(ReplicaId::new(empty).base(), "");
    }

    #[test]
    fn after_each_but_the_last_version_7_uuid_there_is_another() {
        let last = u128::MAX ^ 0x8 << 76 ^ 1 << 62;
        assert!(is_version_7(last));
        let drawn = 0x0193_5cff_fefb_7abc_9def_0011_2233_44ff;
        let full_time = (last >> 80) << 80 | 7 << 76 | 2 << 62;
        for behind in [
            drawn,
            full_time,
            full_time | 0xfff << 64,
            last - 1,
            last - (1 << 61),
        ] {
            let after = version_7_after(behind, drawn).unwrap();
            assert!(
                after > behind && is_version_7(after),
                "{after:x} {behind:x}"
            );
        }
        assert_eq!(version_7_after(last - 1, u128::MAX), Some(last));
        assert_eq!(version_7_after(last, drawn), None);
    }
}
