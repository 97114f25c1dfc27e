//! What one payload may hold. Readers and writers use the same limits.

use crate::error::{Category, DecodeError};
use crate::meta::{MAX_META_BYTES, MAX_META_DEPTH};

/// The default of the most bytes of a topic, key, pid or replica name. [`Limits`] can
/// change it.
///
/// ```
/// assert_eq!(lattice_presence_json::MAX_STRING_BYTES, 1 << 16);
/// ```
pub const MAX_STRING_BYTES: usize = 1 << 16;

/// How much one payload may hold.
///
/// A [`Decoder`](crate::Decoder) refuses what is over its limits. An
/// [`Encoder`](crate::Encoder) writes nothing that a decoder with the same limits would
/// refuse. If you raise a limit, raise it on all nodes, and give the same value to both.
///
/// | limit | default |
/// |---|---|
/// | [`max_bytes`](Self::max_bytes) | 2^28 (256 MiB) |
/// | [`max_entries`](Self::max_entries) | 2^22 |
/// | [`max_replicas`](Self::max_replicas) | 2^12 (4,096) |
/// | [`max_clouds`](Self::max_clouds) | 2^20 |
/// | [`max_claims`](Self::max_claims) | 2^40 |
/// | [`max_meta_depth`](Self::max_meta_depth) | 64 |
/// | [`max_meta_bytes`](Self::max_meta_bytes) | 2^20 (1 MiB) |
/// | [`max_string_bytes`](Self::max_string_bytes) | 2^16 (64 KiB) |
///
/// A cluster of some thousand nodes and some million entries stays below the defaults.
/// `docs/wire-format.md` says how long a payload at each limit takes.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{Decoder, Encoder, JsonMeta, Limits};
///
/// // A queue that takes messages of 8 KiB.
/// let limits = Limits::new().max_bytes(8192);
/// let mut state = PresenceState::new("node-a");
/// for i in 0..200 {
///     state.join("pid", "room", &format!("user-{i}"), JsonMeta::default())?;
/// }
/// let mut peer = PresenceState::<JsonMeta>::new("node-b");
/// let decoder = Decoder::new().limits(limits);
/// for part in Encoder::new().limits(limits).parts(&state) {
///     peer.merge_delta(&decoder.delta_from_json(&part?.text)?)?;
/// }
/// assert_eq!(peer.len(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    pub(crate) max_bytes: usize,
    pub(crate) max_entries: usize,
    pub(crate) max_replicas: usize,
    pub(crate) max_clouds: usize,
    pub(crate) max_claims: u64,
    pub(crate) max_meta_depth: usize,
    pub(crate) max_meta_bytes: usize,
    pub(crate) max_string_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// Setters of [`Limits`], and of a type that has a field `limits`.
macro_rules! setters {
    (@set $self:ident, Limits, $limit:ident, $value:expr) => { $self.$limit = $value };
    (@set $self:ident, $type:ident, $limit:ident, $value:expr) => {
        $self.limits = $self.limits.$limit($value)
    };
    ($type:ident: $($(#[$doc:meta])* $limit:ident: $of:ty)*) => {
        impl $type {
            $(
                $(#[$doc])*
                ///
                /// ```
                #[doc = concat!("use lattice_presence_json::", stringify!($type), ";")]
                ///
                #[doc = concat!("let lowered = ", stringify!($type), "::new().", stringify!($limit), "(1);")]
                #[doc = concat!("assert_ne!(lowered, ", stringify!($type), "::new());")]
                /// ```
                #[must_use]
                pub const fn $limit(mut self, limit: $of) -> Self {
                    $crate::limits::setters!(@set self, $type, $limit, limit);
                    self
                }
            )*
        }
    };
    ($type:ident) => {
        $crate::limits::setters! { $type:
            /// How many bytes a payload may have, 2^28 unless stated.
            max_bytes: usize
            /// How many entries a payload may list, 2^22 unless stated.
            max_entries: usize
            /// How many different replicas a payload may name, its writer included, 2^12
            /// unless stated.
            max_replicas: usize
            /// How many items (clocks and intervals) the clouds of a payload may list,
            /// 2^20 unless stated.
            max_clouds: usize
            /// How many clocks the clouds of a payload may claim beyond the entries that
            /// it carries, 2^40 unless stated. An interval of a few bytes can claim 2^53.
            max_claims: u64
            /// How many bytes the metadata of one entry may take,
            /// [`MAX_META_BYTES`](crate::MAX_META_BYTES) unless stated.
            max_meta_bytes: usize
            /// How many bytes a topic, key, pid or replica name may take, unescaped:
            /// [`MAX_STRING_BYTES`](crate::MAX_STRING_BYTES) unless stated.
            max_string_bytes: usize
        }
    };
}
pub(crate) use setters;

setters!(Limits);

impl Limits {
    /// The default limits.
    ///
    /// ```
    /// assert_eq!(lattice_presence_json::Limits::new(), Default::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_bytes: 1 << 28,
            max_entries: 1 << 22,
            max_replicas: 1 << 12,
            max_clouds: 1 << 20,
            max_claims: 1 << 40,
            max_meta_depth: MAX_META_DEPTH,
            max_meta_bytes: MAX_META_BYTES,
            max_string_bytes: MAX_STRING_BYTES,
        }
    }

    /// How deep metadata may nest. A limit above [`MAX_META_DEPTH`] has no effect,
    /// because no peer would accept deeper metadata.
    ///
    /// ```
    /// use lattice_presence_json::Limits;
    ///
    /// assert_ne!(Limits::new().max_meta_depth(1), Limits::new());
    /// assert_eq!(Limits::new().max_meta_depth(1000), Limits::new());
    /// ```
    #[must_use]
    pub const fn max_meta_depth(mut self, limit: usize) -> Self {
        self.max_meta_depth = if limit < MAX_META_DEPTH {
            limit
        } else {
            MAX_META_DEPTH
        };
        self
    }

    /// Refuses a string above the limit.
    #[inline]
    pub(crate) fn check_string(&self, string: &str, offset: usize) -> Result<(), DecodeError> {
        if string.len() <= self.max_string_bytes {
            return Ok(());
        }
        let reason = format!("a string of more than {} bytes", self.max_string_bytes);
        Err(DecodeError::new(Category::Limit, offset, reason))
    }

    pub(crate) fn check_bytes(&self, len: usize) -> Result<(), DecodeError> {
        if len <= self.max_bytes {
            return Ok(());
        }
        let reason = format!("a payload of more than {} bytes", self.max_bytes);
        Err(DecodeError::new(Category::Limit, 0, reason))
    }
}
