//! A payload that was written, and what was left out of it.

use core::fmt;

use crate::encode_error::EncodeError;

/// A payload, and what was left out of it.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{Encoder, JsonMeta, delta_from_json};
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// state.join("pid-2", "room", "bob", JsonMeta::new(&"x".repeat(2_000))?)?;
///
/// let encoded = Encoder::new().max_meta_bytes(1_000).encode(&state)?;
/// assert_eq!(encoded.left_out.entries, 1);
/// assert!(encoded.left_out.to_string().contains(r#"key "bob""#));
///
/// // The rest arrives, and nobody believes that bob left.
/// let delta = delta_from_json::<JsonMeta>(&encoded.text)?;
/// assert_eq!((delta.len(), delta.context().max(&"node-a".into())), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub struct Encoded {
    /// The payload.
    pub text: String,
    /// What was left out.
    pub left_out: LeftOut,
}

/// What was left out of a payload.
///
/// A payload claims nothing about what was left out. For its readers this has not
/// happened yet.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{Encoder, JsonMeta};
///
/// let mut state = PresenceState::new("n");
/// state.join("pid", "room", "ada", JsonMeta::new("much too long")?)?;
/// let encoded = Encoder::new().max_meta_bytes(9).encode(&state)?;
/// assert_eq!(
///     encoded.left_out.to_string(),
///     "left out: 1 entries, 0 claims, 0 replicas; metadata of 15 bytes, and 9 are the limit, \
///      in n:1 (topic \"room\", key \"ada\", pid \"pid\")",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LeftOut {
    /// The number of entries. Each is left out with its dot.
    pub entries: u64,
    /// The number of clocks that were seen, and that no entry has. The payload does not
    /// say that these entries have left.
    pub claims: u64,
    /// The number of replicas, with everything that is known of them.
    pub replicas: u64,
    /// The reasons, for the first [`LeftOut::MAX_REASONS`].
    pub reasons: Vec<EncodeError>,
}

impl LeftOut {
    /// The number of reasons that are kept.
    ///
    /// ```
    /// assert_eq!(lattice_presence_json::LeftOut::MAX_REASONS, 16);
    /// ```
    pub const MAX_REASONS: usize = 16;

    /// Whether nothing was left out. O(1).
    ///
    /// ```
    /// use lattice_presence_json::LeftOut;
    ///
    /// let mut left_out = LeftOut::default();
    /// assert!(left_out.is_empty());
    /// left_out.claims = 7;
    /// assert!(!left_out.is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries == 0 && self.claims == 0 && self.replicas == 0
    }

    pub(crate) fn because(&mut self, reason: EncodeError) {
        if self.reasons.len() < Self::MAX_REASONS {
            self.reasons.push(reason);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.entries = self.entries.saturating_add(other.entries);
        self.claims = self.claims.saturating_add(other.claims);
        self.replicas = self.replicas.saturating_add(other.replicas);
        for reason in other.reasons {
            self.because(reason);
        }
    }
}

/// One line for logs.
impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entries,
            claims,
            replicas,
            reasons,
        } = self;
        write!(
            f,
            "left out: {entries} entries, {claims} claims, {replicas} replicas"
        )?;
        match reasons.first() {
            Some(reason) => write!(f, "; {reason}"),
            None => Ok(()),
        }
    }
}
