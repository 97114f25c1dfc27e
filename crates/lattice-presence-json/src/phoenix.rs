//! Messages that the Phoenix JavaScript client's `Presence` consumes.
//!
//! A server that speaks the Phoenix channel protocol sends [`presence_state`] as
//! the payload of `presence_state` to a client that joins a topic, and each
//! message of [`presence_diff`] as the payload of `presence_diff` to the clients
//! of its topic. `Presence.list` at the client then shows what
//! [`get_by_topic`](lattice_presence::PresenceState::get_by_topic) shows here.
//!
//! A presence is one object in `metas`: the fields of its metadata, and
//!
//! - `phx_ref`, the dot of the entry as `replica:clock`: unique in the cluster
//!   and the same on every node. It shows the name of the replica to clients.
//! - `phx_ref_prev`, in the joins of a diff: the `phx_ref` that this one
//!   replaces, if an entry was updated.
//!
//! Fields of these two names in the metadata are left out. Metadata that is no
//! object stands under the field `meta`.
//!
//! ```
//! use lattice_presence::PresenceState;
//! use lattice_presence_json::{JsonMeta, phoenix};
//!
//! let mut state = PresenceState::new("node-a");
//! state.join("pid-1", "room", "ada", JsonMeta::from_text(r#"{"status":"here"}"#)?)?;
//! assert_eq!(
//!     phoenix::presence_state(&state, "room")?,
//!     r#"{"ada":{"metas":[{"phx_ref":"node-a:1","status":"here"}]}}"#,
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashMap;

use lattice_presence::{Diff, Dot, Presence, PresenceState, ReplicaId};
use serde::Serialize;

use crate::cursor::{self, Cursor};
use crate::encode_error::EncodeError;
use crate::entry_check::{EntryError, text_of};
use crate::write::push_string;

/// Which entry an update replaces, by the dot of the new one.
type Replaced<'a> = HashMap<&'a Dot<ReplicaId>, &'a Dot<ReplicaId>>;

/// The presences of `topic`, keys sorted: the payload of `presence_state`.
/// O(members · log members + size of the output).
///
/// # Errors
///
/// If metadata does not serialize, or would be refused by every peer.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::phoenix;
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", 7)?;
/// state.join("pid-2", "room", "ada", 8)?;
/// assert_eq!(
///     phoenix::presence_state(&state, "room")?,
///     r#"{"ada":{"metas":[{"phx_ref":"node-a:1","meta":7},{"phx_ref":"node-a:2","meta":8}]}}"#,
/// );
/// assert_eq!(phoenix::presence_state(&state, "empty")?, "{}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn presence_state<M>(state: &PresenceState<M>, topic: &str) -> Result<String, EncodeError>
where
    M: Serialize + 'static,
{
    let mut out = String::new();
    let entries = state.get_by_topic(topic).collect();
    push_entries(&mut out, entries, &Replaced::new())?;
    Ok(out)
}

/// What changed in one topic, for its clients.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::phoenix;
///
/// let mut state = PresenceState::new("node-a");
/// let diff = state.join("pid-1", "room", "ada", 7)?;
/// assert_eq!(phoenix::presence_diff(&diff)?[0].topic, "room");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMessage {
    /// The topic whose clients it concerns.
    pub topic: String,
    /// The payload of `presence_diff`, as JSON text.
    pub payload: String,
}

/// The changes in `diff`, topics and keys sorted: for each topic the payload of
/// `presence_diff`. O(changes · log changes + size of the output).
///
/// Every diff that the state returns must be sent on, in the order in which they
/// came.
///
/// # Errors
///
/// If metadata does not serialize, or would be refused by every peer. One such
/// entry fails the diff as a whole: the error names it, and the clients of every
/// topic in the diff need a fresh [`presence_state`]. [`JsonMeta`](crate::JsonMeta)
/// never fails.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::phoenix;
///
/// let mut state = PresenceState::new("node-a");
/// state.join("pid-1", "room", "ada", 7)?;
/// let diff = state.update("pid-1", "room", "ada", 8)?;
/// assert_eq!(
///     phoenix::presence_diff(&diff)?[0].payload,
///     concat!(
///         r#"{"joins":{"ada":{"metas":[{"phx_ref":"node-a:2","phx_ref_prev":"node-a:1","meta":8}]}},"#,
///         r#""leaves":{"ada":{"metas":[{"phx_ref":"node-a:1","meta":7}]}}}"#,
///     ),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn presence_diff<M>(diff: &Diff<M>) -> Result<Vec<TopicMessage>, EncodeError>
where
    M: Serialize + 'static,
{
    let updates = diff.updates();
    let replaced: Replaced<'_> = updates
        .iter()
        .map(|(before, after)| (after.dot(), before.dot()))
        .collect();
    let message = |topic: &lattice_presence::TopicDiff<'_, M>| {
        let mut payload = String::from("{\"joins\":");
        push_entries(&mut payload, topic.joins().to_vec(), &replaced)?;
        payload.push_str(",\"leaves\":");
        push_entries(&mut payload, topic.leaves().to_vec(), &Replaced::new())?;
        payload.push('}');
        Ok(TopicMessage {
            topic: topic.topic().into(),
            payload,
        })
    };
    diff.topics().iter().map(message).collect()
}

/// Appends `{key: {metas: […]}}`.
fn push_entries<M>(
    out: &mut String,
    mut entries: Vec<&Presence<M>>,
    replaced: &Replaced<'_>,
) -> Result<(), EncodeError>
where
    M: Serialize + 'static,
{
    // Stable: the entries of one key stay in their order.
    entries.sort_by_key(|entry| entry.key());
    out.push('{');
    for (i, of_key) in entries.chunk_by(|a, b| a.key() == b.key()).enumerate() {
        if i > 0 {
            out.push(',');
        }
        push_string(out, of_key[0].key());
        out.push_str(":{\"metas\":[");
        for (i, entry) in of_key.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            push_entry(out, entry, replaced.get(entry.dot()).copied())?;
        }
        out.push_str("]}");
    }
    out.push('}');
    Ok(())
}

fn push_entry<M: Serialize + 'static>(
    out: &mut String,
    entry: &Presence<M>,
    before: Option<&Dot<ReplicaId>>,
) -> Result<(), EncodeError> {
    out.push_str("{\"phx_ref\":");
    push_string(out, &entry.dot().to_string());
    if let Some(before) = before {
        out.push_str(",\"phx_ref_prev\":");
        push_string(out, &before.to_string());
    }
    let text = text_of(entry.meta()).map_err(|why| EncodeError::entry(entry, why))?;
    if text.starts_with('{') {
        push_fields(out, &text).map_err(|error| {
            let error = error.located(text.as_bytes());
            EncodeError::entry(entry, EntryError::Meta(error))
        })?;
    } else {
        out.push_str(",\"meta\":");
        out.push_str(&text);
    }
    out.push('}');
    Ok(())
}

/// Appends the fields of an object, each with a comma before it.
fn push_fields(out: &mut String, text: &str) -> cursor::Result<()> {
    let mut cursor = Cursor::new(text);
    let mut fields = cursor.fields()?;
    while let Some((name, at)) = fields.next(&mut cursor)? {
        cursor.skip_unknown()?;
        // A client would take the last of two fields of one name: not ours.
        if name != "phx_ref" && name != "phx_ref_prev" {
            out.push(',');
            out.push_str(cursor.text_since(at));
        }
    }
    Ok(())
}
