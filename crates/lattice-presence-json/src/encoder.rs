//! The form of what goes out to peers: default or compact, and its limits.

use lattice_presence::{CausalContext, PresenceDelta, PresenceState, ReplicaId};
use serde::Serialize;

use crate::entry_check::{EntryError, text_of};
use crate::limits::{Limits, setters};
use crate::write::quoted_len;

/// Encodes payloads, canonically: replicas, clocks and values are sorted, there
/// is no white space, and equal content gives equal bytes.
///
/// Metadata is as canonical as its `Serialize`: [`JsonMeta`](crate::JsonMeta) is
/// written as it came in, a `HashMap` in an order that differs between two
/// processes.
///
/// **What no peer would read is left out**, so that one bad entry does not keep all the
/// others from arriving: an entry over a limit, with its dot; a replica whose name is
/// over one; claims of very many clocks without an entry. A payload that says less is
/// still right: its reader takes what is missing for what has not happened yet.
/// [`encode`](Self::encode) reports what was left out, and [`strict`](Self::strict)
/// makes an error of it, which names the entry. To find a bad entry before it is joined,
/// there is [`check`](Self::check).
///
/// **What does not fit into one payload** goes out in [`parts`](Self::parts). Written
/// as one all the same, a state that is too large is an error; a delta or a digest that
/// is too large is cut, and the next exchange of digests tells the rest.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{Encoder, JsonMeta, delta_from_json};
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", JsonMeta::default())?;
/// let _ = state.leave("pid-1", "room", "ada");
/// state.join("pid-2", "room", "bob", JsonMeta::new(&"x".repeat(200))?)?;
///
/// let encoder = Encoder::new().max_meta_bytes(100);
/// let encoded = encoder.encode(&state)?;
/// assert_eq!(encoded.left_out.entries, 1); // log it
/// assert_eq!(delta_from_json::<JsonMeta>(&encoded.text)?.context().max(&"node-a".into()), 1);
/// assert!(encoder.strict(true).encode(&state).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoder {
    pub(crate) compact: bool,
    pub(crate) strict: bool,
    pub(crate) max_listed: u64,
    pub(crate) limits: Limits,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

setters!(Encoder);

impl Encoder {
    /// An encoder of the default form, with the default limits.
    ///
    /// ```
    /// assert_eq!(lattice_presence_json::Encoder::new(), Default::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            compact: false,
            strict: false,
            max_listed: 1 << 14,
            limits: Limits::new(),
        }
    }

    /// All limits at once: those of the peers' decoders.
    ///
    /// ```
    /// use lattice_presence_json::{Encoder, Limits};
    ///
    /// let limits = Limits::new().max_entries(9);
    /// assert_eq!(Encoder::new().limits(limits), Encoder::new().max_entries(9));
    /// ```
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether an interval of clocks in a cloud is written as `[first, last]`. Every
    /// peer of this crate reads that; a peer that knows only integers refuses
    /// the payload.
    ///
    /// ```
    /// use lattice_presence_json::{Encoder, JsonMeta, delta_from_json};
    ///
    /// let text = r#"{"replica":"n","context":{},"clouds":{"n":[3,4,5,9]},"values":[]}"#;
    /// let delta = delta_from_json::<JsonMeta>(text)?;
    /// assert_eq!(Encoder::new().delta_to_json_string(&delta)?, text);
    ///
    /// let compact = Encoder::new().compact(true).delta_to_json_string(&delta)?;
    /// assert!(compact.contains("[[3,5],9]"));
    /// assert_eq!(delta_from_json::<JsonMeta>(&compact)?.context(), delta.context());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn compact(mut self, compact: bool) -> Self {
        self.compact = compact;
        self
    }

    /// Whether something that would be left out is an error instead, which says what.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{EncodeError, Encoder, JsonMeta};
    ///
    /// let mut state = PresenceState::new("n");
    /// state.join("pid", "room", "ada", JsonMeta::new("much too long")?)?;
    /// let strict = Encoder::new().max_meta_bytes(9).strict(true);
    /// let error = strict.to_json_string(&state).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     r#"metadata of 15 bytes, and 9 are the limit, in n:1 (topic "room", key "ada", pid "pid")"#,
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// How many clocks that no entry carries the default form may list, 2^14 unless
    /// stated. What is over that is left out, wide intervals first: a peer can claim an
    /// interval of 2^40 in a few bytes, and listing it would take terabytes. In the compact
    /// form an interval is one item, and this limit is not asked.
    ///
    /// ```
    /// use lattice_presence_json::{Encoder, JsonMeta, delta_from_json};
    ///
    /// let text = r#"{"replica":"n","context":{},"clouds":{"a":[[3,900]],"b":[[5,6]]},"values":[]}"#;
    /// let delta = delta_from_json::<JsonMeta>(text)?;
    /// let encoded = Encoder::new().max_listed(100).encode(&delta)?;
    /// assert!(encoded.text.contains(r#""clouds":{"b":[5,6]}"#));
    /// assert_eq!(encoded.left_out.claims, 898);
    /// assert_eq!(Encoder::new().compact(true).encode(&delta)?.text, text);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn max_listed(mut self, limit: u64) -> Self {
        self.max_listed = limit;
        self
    }

    /// How many clocks without an entry a payload of this form may claim behind prefixes.
    pub(crate) fn max_dead_claims(&self) -> u64 {
        if self.compact {
            self.limits.max_claims
        } else {
            self.max_listed.min(self.limits.max_claims)
        }
    }

    /// Whether every peer reads an entry of this content: ask before you join it.
    /// O(length), and without serializing if the metadata is
    /// [`JsonMeta`](crate::JsonMeta).
    ///
    /// # Errors
    ///
    /// What is too long, or wrong with the metadata.
    ///
    /// ```
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let encoder = Encoder::new().max_meta_bytes(20);
    /// assert!(encoder.check("room", "ada", "pid-1", &JsonMeta::new("here")?).is_ok());
    /// let error = encoder.check("room", "ada", "pid-1", &[7; 20]).unwrap_err();
    /// assert_eq!(error.to_string(), "metadata of 41 bytes, and 20 are the limit");
    /// # Ok::<(), lattice_presence_json::MetaError>(())
    /// ```
    pub fn check<M>(&self, topic: &str, key: &str, pid: &str, meta: &M) -> Result<(), EntryError>
    where
        M: Serialize + 'static,
    {
        self.limits.check_texts(topic, key, pid)?;
        let meta = text_of(meta)?.len();
        self.limits.check_meta_bytes(meta)?;
        let texts = [topic, key, pid].map(quoted_len);
        let bytes = texts.iter().sum::<usize>() + meta;
        let limit = self.limits.max_bytes;
        if bytes > limit {
            return Err(EntryError::TooLong { bytes, limit });
        }
        Ok(())
    }

    /// `delta`, a delta of `state`, as this form tells it best. In the compact form, as it
    /// is. In the default form, if a replica has long intervals of dots that left, which
    /// would be listed clock by clock or [left out](Self::max_listed), all of that replica
    /// is told instead, if that is shorter: then its clocks are one prefix.
    ///
    /// A connection that stays while a million others come and go has a million such dots
    /// before the next join. O(what is told).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    /// use lattice_presence_json::{Encoder, JsonMeta};
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("pid", "room", "old", JsonMeta::default())?;
    /// let peer = a.clone().digest();
    /// for _ in 0..1000 {
    ///     a.join("pid", "room", "guest", JsonMeta::default())?;
    ///     let _ = a.leave("pid", "room", "guest");
    /// }
    /// let delta = a.delta_since(&peer);
    /// let encoder = Encoder::new();
    /// assert!(encoder.encode(&delta)?.text.len() > 3000);
    /// assert!(encoder.encode(&encoder.told(&a, delta))?.text.len() < 200);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn told<M>(&self, state: &PresenceState<M>, delta: PresenceDelta<M>) -> PresenceDelta<M> {
        // Clocks that are listed in any case, and rather than one entry more: a written
        // entry is about so many times as long as a written clock.
        const FEW_CLOCKS: u64 = 64;
        const ENTRY_IN_CLOCKS: u64 = 8;
        let entries = |replica| state.line(replica).and_then(|line| line.live);
        let scattered = delta.context().iter().filter(|(replica, claims)| {
            let worth = entries(replica)
                .unwrap_or(u64::MAX)
                .saturating_mul(ENTRY_IN_CLOCKS);
            claims.len() - claims.prefix() > worth.saturating_add(FEW_CLOCKS)
        });
        let whole = scattered.filter_map(|(replica, _)| {
            let seen = state.context().get(replica)?;
            Some((replica.clone(), seen.clone()))
        });
        let whole: CausalContext<ReplicaId> = whole.collect();
        if self.compact || whole.is_empty() {
            return delta;
        }
        state.delta_of(&delta.context().union(&whole))
    }
}
