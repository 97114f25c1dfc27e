//! Who is in a topic, as its sockets were told.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use std::collections::HashSet;

use lattice_presence::{Dot, ReplicaId};

use lattice_presence::Presence;
use lattice_presence_json::JsonMeta;

use crate::json::push_string;

/// An entry, shared.
pub(crate) type Entry = Presence<JsonMeta>;

/// An entry, and the one that it replaced, if that was seen here.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) entry: Entry,
    pub(crate) before: Option<Dot<ReplicaId>>,
}

/// Entries by key, those of one key in dot order.
type ByKey<T> = BTreeMap<Arc<str>, BTreeMap<Dot<ReplicaId>, T>>;

/// What sockets were told, and what they are to be told next.
///
/// # Invariants
///
/// No key is without entries; `connections` counts them; an entry of `joins` is not
/// in `told`, one of `leaves` is.
#[derive(Debug, Default)]
pub(crate) struct Members {
    told: ByKey<Member>,
    connections: usize,
    joins: ByKey<Entry>,
    leaves: ByKey<()>,
    /// Keys of which some entry came or went while another one stayed.
    mixed: HashSet<Arc<str>>,
}

/// What one flush tells: members by key, each list in dot order.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) joins: BTreeMap<Arc<str>, Vec<Member>>,
    pub(crate) leaves: BTreeMap<Arc<str>, Vec<Member>>,
    /// Those of the keys that were mixed before; see [`Members::supabase_payload`].
    mixed: HashSet<Arc<str>>,
}

impl Members {
    pub(crate) fn keys(&self) -> usize {
        self.told.len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Whether a flush would tell something. O(1).
    pub(crate) fn waits(&self) -> bool {
        !(self.joins.is_empty() && self.leaves.is_empty())
    }

    /// Gathers a change. What came and went again since the last flush is left out; what
    /// is known already changes nothing. O(changes · log members).
    pub(crate) fn gather(&mut self, joins: &[Entry], leaves: &[Entry]) {
        for entry in leaves {
            self.leave(entry.key(), entry.dot());
        }
        for entry in joins {
            self.join(entry.clone());
        }
    }

    /// Gathers what everybody who is there changes. O(members · log members).
    pub(crate) fn gather_snapshot(&mut self, entries: &[Entry]) {
        let mut present: ByKey<()> = ByKey::new();
        for entry in entries {
            let dots = present.entry(entry.key().into()).or_default();
            dots.insert(entry.dot().clone(), ());
        }
        let told = self
            .told
            .iter()
            .flat_map(|(key, dots)| dots.keys().map(move |dot| (key, dot)));
        let joins = self
            .joins
            .iter()
            .flat_map(|(key, dots)| dots.keys().map(move |dot| (key, dot)));
        let is_gone = |(key, dot): &(&Arc<str>, &Dot<ReplicaId>)| {
            !present
                .get(*key)
                .is_some_and(|dots| dots.contains_key(*dot))
        };
        let gone: Vec<_> = told
            .chain(joins)
            .filter(is_gone)
            .map(|(key, dot)| (key.clone(), dot.clone()))
            .collect();
        for (key, dot) in gone {
            self.leave(&key, &dot);
        }
        for entry in entries {
            self.join(entry.clone());
        }
    }

    fn leave(&mut self, key: &str, dot: &Dot<ReplicaId>) {
        if take(&mut self.joins, key, dot).is_some() {
            return; // it came and went
        }
        let told = self.told.get_key_value(key);
        if let Some((key, dots)) = told
            && dots.contains_key(dot)
        {
            self.leaves
                .entry(key.clone())
                .or_default()
                .insert(dot.clone(), ());
        }
    }

    fn join(&mut self, entry: Entry) {
        if take(&mut self.leaves, entry.key(), entry.dot()).is_some() {
            return; // it went and came back
        }
        let told = self.told.get_key_value(entry.key());
        if told.is_some_and(|(_, dots)| dots.contains_key(entry.dot())) {
            return;
        }
        let key = told.map_or_else(|| entry.key().into(), |(key, _)| key.clone());
        self.joins
            .entry(key)
            .or_default()
            .insert(entry.dot().clone(), entry);
    }

    /// Makes what was gathered known. O(changes · log members).
    pub(crate) fn flush(&mut self) -> News {
        let mut told = News::default();
        let touched: BTreeSet<Arc<str>> = self
            .leaves
            .keys()
            .chain(self.joins.keys())
            .cloned()
            .collect();
        let before: Vec<(Arc<str>, bool)> = touched
            .into_iter()
            .map(|key| {
                let known = self.told.contains_key(&key);
                (key, known)
            })
            .collect();
        for (key, dots) in core::mem::take(&mut self.leaves) {
            let mut gone = Vec::with_capacity(dots.len());
            for dot in dots.into_keys() {
                gone.extend(take(&mut self.told, &key, &dot));
            }
            self.connections -= gone.len();
            told.leaves.insert(key, gone);
        }
        for (key, entries) in core::mem::take(&mut self.joins) {
            let gone = told.leaves.get(&key).map_or(&[][..], Vec::as_slice);
            let place = self.told.entry(key.clone()).or_default();
            let mut came = Vec::with_capacity(entries.len());
            for (dot, entry) in entries {
                let replaced = |member: &&Member| {
                    member.entry.pid() == entry.pid()
                        && member.entry.dot().replica == entry.dot().replica
                };
                let before = gone
                    .iter()
                    .find(replaced)
                    .map(|member| member.entry.dot().clone());
                let member = Member { entry, before };
                place.insert(dot, member.clone());
                came.push(member);
            }
            self.connections += came.len();
            told.joins.insert(key, came);
        }
        for (key, was_known) in before {
            if self.mixed.contains(&key) {
                told.mixed.insert(key.clone());
            }
            match self.told.contains_key(&key) {
                true if was_known => drop(self.mixed.insert(key)),
                true => {}
                false => drop(self.mixed.remove(&key)),
            }
        }
        told
    }

    /// The payload of `presence_diff` for Supabase's clients, after the flush that it is
    /// of. O(size).
    ///
    /// Those clients (2.109 at least) delete the references of the entries of a key that
    /// stay, when another one of the key comes or goes, and cannot remove them by
    /// reference later: an update leaves a ghost. So a key that had entries before comes
    /// whole, and a leave of it has one presence more, without a reference, which removes
    /// those that have lost theirs. Clients without the fault see no difference, but in
    /// the presences of their `leave` event.
    pub(crate) fn supabase_payload(&self, told: &News) -> String {
        let mut joins: BTreeMap<&Arc<str>, Vec<&Member>> = BTreeMap::new();
        let mut leaves: BTreeMap<&Arc<str>, (Vec<&Member>, Option<&Member>)> = BTreeMap::new();
        let keys: BTreeSet<&Arc<str>> = told.joins.keys().chain(told.leaves.keys()).collect();
        for key in keys {
            let gone: Vec<&Member> = told.leaves.get(key).into_iter().flatten().collect();
            let stay: Vec<&Member> = self.of_key(key).collect();
            let came = told.joins.get(key).map_or(0, Vec::len);
            let mixed = told.mixed.contains(key);
            let replaced = mixed || (!gone.is_empty() && !stay.is_empty());
            if let Some(sample) = gone.first().or_else(|| stay.first()).copied()
                && (replaced || !gone.is_empty())
            {
                leaves.insert(key, (gone, replaced.then_some(sample)));
            }
            if came > 0 || (replaced && !stay.is_empty()) {
                joins.insert(key, stay);
            }
        }
        let mut out = String::from("{\"joins\":");
        push_presences(
            &mut out,
            joins.into_iter().map(|(key, of)| (key, of.into_iter())),
            false,
        );
        out.push_str(",\"leaves\":{");
        for (i, (key, (gone, bare))) in leaves.into_iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            push_string(&mut out, key);
            out.push_str(":{\"metas\":[");
            for (i, member) in gone.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_meta(&mut out, member, false);
            }
            if let Some(bare) = bare {
                let mut fields = String::new();
                push_fields(&mut fields, bare.entry.meta().as_str());
                out.push_str(if gone.is_empty() { "{" } else { ",{" });
                out.push_str(fields.strip_prefix(',').unwrap_or(&fields));
                out.push('}');
            }
            out.push_str("]}");
        }
        out.push_str("}}");
        out
    }

    /// Whether sockets were told of this entry. O(log members).
    pub(crate) fn is_told(&self, entry: &Entry) -> bool {
        let dots = self.told.get(entry.key());
        dots.is_some_and(|dots| dots.contains_key(entry.dot()))
    }

    /// The members of one key, as they were told.
    pub(crate) fn of_key(&self, key: &str) -> impl Iterator<Item = &Member> {
        self.told.get(key).into_iter().flat_map(BTreeMap::values)
    }

    pub(crate) fn told_keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.told.keys()
    }

    /// The payload of `presence_state`: everybody. O(members + size).
    pub(crate) fn state(&self) -> String {
        let mut out = String::with_capacity(64 * self.connections + 2);
        push_presences(
            &mut out,
            self.told
                .iter()
                .map(|(key, members)| (key, members.values())),
            false,
        );
        out
    }
}

fn take<T>(map: &mut ByKey<T>, key: &str, dot: &Dot<ReplicaId>) -> Option<T> {
    let dots = map.get_mut(key)?;
    let taken = dots.remove(dot);
    if dots.is_empty() {
        map.remove(key);
    }
    taken
}

impl News {
    pub(crate) fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.leaves.is_empty()
    }

    /// The payload of `presence_diff`. O(size).
    pub(crate) fn payload(&self) -> String {
        let mut out = String::from("{\"joins\":");
        push_presences(
            &mut out,
            self.joins.iter().map(|(key, of)| (key, of.iter())),
            false,
        );
        out.push_str(",\"leaves\":");
        push_presences(
            &mut out,
            self.leaves.iter().map(|(key, of)| (key, of.iter())),
            false,
        );
        out.push('}');
        out
    }
}

/// Appends `{key: {"metas": […]}}`.
pub(crate) fn push_presences<'a, I, T>(out: &mut String, keys: I, topics: bool)
where
    I: Iterator<Item = (&'a Arc<str>, T)>,
    T: Iterator<Item = &'a Member>,
{
    out.push('{');
    for (i, (key, members)) in keys.enumerate() {
        if i > 0 {
            out.push(',');
        }
        push_string(out, key);
        out.push_str(":{\"metas\":[");
        for (i, member) in members.enumerate() {
            if i > 0 {
                out.push(',');
            }
            push_meta(out, member, topics);
        }
        out.push_str("]}");
    }
    out.push('}');
}

/// Appends one presence: its reference, the one it replaced, and its own fields.
fn push_meta(out: &mut String, member: &Member, topics: bool) {
    out.push_str("{\"phx_ref\":");
    push_string(out, &member.entry.dot().to_string());
    if let Some(before) = &member.before {
        out.push_str(",\"phx_ref_prev\":");
        push_string(out, &before.to_string());
    }
    if topics {
        out.push_str(",\"phx_topic\":");
        push_string(out, member.entry.topic());
    }
    push_fields(out, member.entry.meta().as_str());
    out.push('}');
}

/// Appends the fields of an object; what is none stands under `meta`.
fn push_fields(out: &mut String, meta: &str) {
    let Some(inner) = meta.strip_prefix('{') else {
        out.push_str(",\"meta\":");
        out.push_str(meta);
        return;
    };
    // A client takes the last of two fields of one name: not ours. An escape could
    // spell our names in another way.
    if meta.contains("\"phx_") || meta.contains('\\') {
        let own = |name: &str| matches!(name, "phx_ref" | "phx_ref_prev" | "phx_topic");
        let fields: BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_str(meta).unwrap_or_default();
        for (name, value) in fields.iter().filter(|(name, _)| !own(name)) {
            out.push(',');
            push_string(out, name);
            out.push(':');
            out.push_str(value.get());
        }
        return;
    }
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    if !inner.trim().is_empty() {
        out.push(',');
        out.push_str(inner);
    }
}

#[cfg(test)]
mod tests {
    use lattice_presence::PresenceState;
    use lattice_presence_json::JsonMeta;
    use serde_json::{Value, json};

    use super::*;

    impl Members {
        fn take(&mut self, diff: &lattice_presence::Diff<JsonMeta>) {
            let joins: Vec<Entry> = diff.joins().cloned().collect();
            let leaves: Vec<Entry> = diff.leaves().cloned().collect();
            self.gather(&joins, &leaves);
        }
    }

    fn meta(value: &Value) -> JsonMeta {
        JsonMeta::new(value).unwrap()
    }

    #[test]
    fn what_came_and_went_again_is_left_out() {
        let mut state = PresenceState::new("n");
        let mut members = Members::default();
        members.take(&state.join("p", "t", "ada", meta(&json!({}))).unwrap());
        members.take(&state.leave_by_pid("p"));
        assert!(!members.waits());
        members.take(&state.join("p", "t", "ada", meta(&json!({}))).unwrap());
        members.flush();
        // Hidden and shown again: nobody is told.
        let own = state.replica().clone();
        members.take(&state.replica_down(&own));
        members.take(&state.replica_up(&own));
        assert!(!members.waits());
        assert_eq!((members.keys(), members.connections()), (1, 1));
    }

    #[test]
    fn updates_in_one_batch_are_one_pair_with_the_reference_that_was_told() {
        let mut state = PresenceState::new("n");
        let mut members = Members::default();
        for n in 0..4 {
            members.take(&state.join("p", "t", "ada", meta(&json!({"n": n}))).unwrap());
            if n == 0 {
                members.flush();
            }
        }
        let told: Value = serde_json::from_str(&members.flush().payload()).unwrap();
        assert_eq!(
            told,
            json!({
                "joins": {"ada": {"metas": [{"phx_ref": "n:4", "phx_ref_prev": "n:1", "n": 3}]}},
                "leaves": {"ada": {"metas": [{"phx_ref": "n:1", "n": 0}]}},
            }),
        );
        // It stands in the state and in the leave too.
        let state_text: Value = serde_json::from_str(&members.state()).unwrap();
        assert_eq!(state_text["ada"]["metas"][0]["phx_ref_prev"], "n:1");
        members.take(&state.leave_by_pid("p"));
        let told: Value = serde_json::from_str(&members.flush().payload()).unwrap();
        assert_eq!(told["leaves"]["ada"]["metas"][0]["phx_ref_prev"], "n:1");
    }

    #[test]
    fn a_snapshot_takes_the_place_of_what_was_known() {
        let mut state = PresenceState::new("n");
        let mut members = Members::default();
        for key in ["a", "b", "c"] {
            members.take(&state.join(key, "t", key, meta(&json!({}))).unwrap());
        }
        members.flush();
        let _ = state.leave("b", "t", "b");
        let _ = state.join("d", "t", "d", meta(&json!({}))).unwrap();
        let entries: Vec<Entry> = state.get_by_topic("t").cloned().collect();
        members.gather_snapshot(&entries);
        let told = members.flush();
        let keys = |map: &BTreeMap<Arc<str>, Vec<Member>>| {
            map.keys().map(|key| key.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            (keys(&told.joins), keys(&told.leaves)),
            (vec!["d".to_owned()], vec!["b".to_owned()])
        );
    }

    #[test]
    fn metadata_cannot_forge_references() {
        let mut members = Members::default();
        let mut state = PresenceState::new("n");
        let forged = r#"{"phx_ref":"x","\u0070hx_ref_prev":"y","phx_topic":"z","own":1}"#;
        for (pid, text) in [
            ("1", forged),
            ("2", "7"),
            ("3", "{}"),
            ("4", r#"{"a":[1]}"#),
        ] {
            let meta = JsonMeta::from_text(text).unwrap();
            members.take(&state.join(pid, "t", "k", meta).unwrap());
        }
        members.flush();
        let told: Value = serde_json::from_str(&members.state()).unwrap();
        assert_eq!(
            told["k"]["metas"],
            json!([
                {"phx_ref": "n:1", "own": 1}, {"phx_ref": "n:2", "meta": 7},
                {"phx_ref": "n:3"}, {"phx_ref": "n:4", "a": [1]},
            ]),
        );
    }

    /// What Supabase's client does to its state, its fault included.
    #[derive(Default)]
    struct Faulty(BTreeMap<String, Vec<Value>>);

    impl Faulty {
        fn apply(&mut self, diff: &str) {
            let diff: Value = serde_json::from_str(diff).unwrap();
            let metas = |value: &Value| value["metas"].as_array().unwrap().clone();
            let forget = |metas: &mut Vec<Value>| {
                for meta in metas {
                    meta.as_object_mut().unwrap().remove("phx_ref");
                }
            };
            for (key, new) in diff["joins"].as_object().unwrap() {
                let new = metas(new);
                let mut next = self.0.remove(key).unwrap_or_default();
                next.retain(|had| new.iter().all(|meta| meta["phx_ref"] != had["phx_ref"]));
                forget(&mut next);
                next.extend(new);
                self.0.insert(key.clone(), next);
            }
            for (key, left) in diff["leaves"].as_object().unwrap() {
                let left = metas(left);
                let Some(had) = self.0.get_mut(key) else {
                    continue;
                };
                had.retain(|meta| left.iter().all(|left| left["phx_ref"] != meta["phx_ref"]));
                forget(had);
                if had.is_empty() {
                    self.0.remove(key);
                }
            }
        }
    }

    #[test]
    fn a_client_that_loses_references_sees_what_is_there() {
        // Xorshift: enough to pick operations. A failure names the step.
        let mut random = 0x2545_F491_4F6C_DD1D_u64;
        let mut below = move |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 33) % bound
        };
        let mut state = PresenceState::new("n");
        let (mut members, mut client) = (Members::default(), Faulty::default());
        for step in 0..2000 {
            for _ in 0..=below(3) {
                let (pid, key) = (
                    below(3).to_string(),
                    ["a", "b"][usize::try_from(below(2)).unwrap()],
                );
                let diff = if below(3) == 0 {
                    state.leave(&pid, "t", key)
                } else {
                    state
                        .join(&pid, "t", key, meta(&json!({"step": step})))
                        .unwrap()
                };
                members.take(&diff);
            }
            let told = members.flush();
            client.apply(&members.supabase_payload(&told));
            let listed: BTreeMap<String, usize> = client
                .0
                .iter()
                .map(|(key, metas)| (key.clone(), metas.len()))
                .collect();
            let mut expected: BTreeMap<String, usize> = BTreeMap::new();
            for entry in state.get_by_topic("t") {
                *expected.entry(entry.key().into()).or_default() += 1;
            }
            assert_eq!(listed, expected, "step {step}");
        }
    }
}
