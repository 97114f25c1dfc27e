//! A payload that was written, and what it does not hold.

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
    /// What it does not hold.
    pub left_out: LeftOut,
}

/// What was left out of a payload, though it was to be sent.
///
/// A payload claims nothing of what was left out: for its readers it has not happened
/// yet.
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
    /// How many entries: each with its dot.
    pub entries: u64,
    /// How many clocks that were seen and are held by no entry: the payload does not
    /// tell that they have left.
    pub claims: u64,
    /// How many replicas, with all that is known of them.
    pub replicas: u64,
    /// Why, for the first [`LeftOut::MAX_REASONS`].
    pub reasons: Vec<EncodeError>,
}

impl LeftOut {
    /// How many reasons are kept.
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

/// In one line, for logs.
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
