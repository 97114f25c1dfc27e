//! Serialization: the canonical form goes in and out, and nothing else goes in.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have std"
)]

mod common;

use std::fmt::Debug;

use common::check;
use lattice_causal::{
    Answer, AwSet, Causal, CausalContext, ClockSet, Digest, Dot, DotFun, DotMap, DotSet, EwFlag,
    LwwRegister, MAX_CLOCK, MvRegister, OrMap, PnCounter, Question, ReplicaDigest, RwSet,
    VersionVector,
};
use quickcheck::Arbitrary;
use serde::Serialize;
use serde::de::DeserializeOwned;

trait Value: Arbitrary + PartialEq + Debug + Serialize + DeserializeOwned {}
impl<T: Arbitrary + PartialEq + Debug + Serialize + DeserializeOwned> Value for T {}

fn round_trips<T: Value>() {
    fn property<T: Value>(value: T) {
        let text = serde_json::to_string(&value).unwrap();
        let back: T = serde_json::from_str(&text).unwrap();
        assert_eq!(back, value);
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        // A binary format: no delimiters, so lengths come first, and no names.
        let bytes = postcard::to_allocvec(&value).unwrap();
        assert_eq!(postcard::from_bytes::<T>(&bytes).unwrap(), value);
    }
    check(property::<T> as fn(T));
}

#[test]
fn every_value_comes_back() {
    round_trips::<Dot<u8>>();
    round_trips::<ClockSet>();
    round_trips::<VersionVector<u8>>();
    round_trips::<CausalContext<String>>();
    round_trips::<ReplicaDigest>();
    round_trips::<Digest<u8>>();
    round_trips::<Question<u8>>();
    round_trips::<Answer<DotSet<u8>>>();
    round_trips::<DotSet<u8>>();
    round_trips::<DotFun<u8, u8>>();
    round_trips::<DotMap<u8, DotFun<u8, u8>>>();
    round_trips::<Causal<DotSet<u8>>>();
    round_trips::<Causal<DotFun<String, u8>>>();
    round_trips::<Causal<DotMap<(u8, bool), DotSet<u8>>>>();
    round_trips::<AwSet<u8, String>>();
    round_trips::<RwSet<u8, u8>>();
    round_trips::<MvRegister<u8, u8>>();
    round_trips::<EwFlag<u8>>();
    round_trips::<PnCounter<u8>>();
    round_trips::<LwwRegister<u8, u64, String>>();
    round_trips::<OrMap<u8, PnCounter<u8>>>();
    round_trips::<OrMap<u8, OrMap<u8, AwSet<u8, u8>>>>();
}

#[test]
fn equal_states_are_equal_bytes() {
    fn property(a: AwSet<u8, u8>, b: AwSet<u8, u8>) {
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.merge(&b);
        ba.merge(&a);
        let (ab, ba) = (serde_json::to_string(&ab), serde_json::to_string(&ba));
        assert_eq!(ab.unwrap(), ba.unwrap());
    }
    check(property as fn(AwSet<u8, u8>, AwSet<u8, u8>));
}

#[test]
fn the_form_is_the_documented_one() {
    let mut set = AwSet::new();
    set.add(&"a", "milk").unwrap();
    set.add(&"b", "eggs").unwrap();
    set.remove(&"milk");
    assert_eq!(
        serde_json::to_string(&set).unwrap(),
        r#"{"store":[["eggs",[["b",[1]]]]],"context":[["a",[[1,1]]],["b",[[1,1]]]]}"#
    );
    let mut register = MvRegister::new();
    register.write(&"a", 7).unwrap();
    assert_eq!(
        serde_json::to_string(&register).unwrap(),
        r#"{"store":[["a",[[1,7]]]],"context":[["a",[[1,1]]]]}"#
    );
    let mut counter = PnCounter::new();
    counter.add(&"a", 7).unwrap();
    counter.add(&"a", -9).unwrap();
    assert_eq!(
        serde_json::to_string(&counter).unwrap(),
        r#"{"store":[["a",[[2,-2]]]],"context":[["a",[[1,2]]]]}"#
    );
    let mut register = LwwRegister::new();
    register.write(&"a", 1_000, "tea").unwrap();
    assert_eq!(
        serde_json::to_string(&register).unwrap(),
        r#"{"store":[["a",[[1,[1000,"tea"]]]]],"context":[["a",[[1,1]]]]}"#
    );
    let dot = serde_json::to_string(&Dot::new("a", 3)).unwrap();
    assert_eq!(dot, r#"{"replica":"a","clock":3}"#);
}

/// Decoding `text` fails, and says why.
#[track_caller]
fn refuses<T: DeserializeOwned + Debug>(text: &str, why: &str) {
    let error = serde_json::from_str::<T>(text).unwrap_err().to_string();
    assert!(
        error.contains(why),
        "{text} is refused for another reason: {error}"
    );
}

#[test]
fn clocks_and_intervals_that_are_none_are_refused() {
    let past = MAX_CLOCK + 1;
    refuses::<Dot<u8>>(r#"{"replica":1,"clock":0}"#, "clock 0 is not in");
    refuses::<Dot<u8>>(&format!(r#"{{"replica":1,"clock":{past}}}"#), "is not in");
    refuses::<Dot<u8>>(r#"{"replica":1}"#, "missing field `clock`");
    refuses::<Dot<u8>>(r#"{"replica":1,"clock":-1}"#, "invalid value");
    refuses::<VersionVector<u8>>("[[1,0]]", "clock 0 is not in");
    refuses::<VersionVector<u8>>(&format!("[[1,{past}]]"), "is not in");
    for text in [
        "[[0,1]]",
        "[[2,1]]",
        &format!("[[1,{past}]]"),
        "[[1,18446744073709551615]]",
        "[[18446744073709551615,18446744073709551615]]",
        "[[1,3],[3,4]]",
        "[[1,3],[4,5]]",
        "[[5,6],[1,2]]",
        "[[1,3],[1,3]]",
        &format!("[[1,{MAX_CLOCK}],[{MAX_CLOCK},{MAX_CLOCK}]]"),
    ] {
        refuses::<ClockSet>(text, "the interval");
        refuses::<CausalContext<u8>>(&format!("[[1,{text}]]"), "the interval");
        refuses::<Digest<u8>>(&format!("[[1,{}]]", line(text)), "the interval");
        refuses::<Question<u8>>(&format!("[[1,{}]]", asked(text, "")), "the interval");
    }
    refuses::<ClockSet>("[1,2]", "invalid type");
    refuses::<ClockSet>("{}", "ascending intervals");
}

fn line(seen: &str) -> String {
    format!(r#"{{"seen":{seen},"fingerprint":0,"live":null,"unwanted":[]}}"#)
}

fn asked(seen: &str, parts: &str) -> String {
    format!(r#"{{"seen":{seen},"unwanted":[],"parts":[{parts}]}}"#)
}

#[test]
fn parts_of_a_question_that_are_no_parts_are_refused() {
    let part = |first: u64, last: u64, held: &str| {
        format!(r#"{{"first":{first},"last":{last},"held":{held}}}"#)
    };
    let sum = r#"{"Fingerprint":7}"#;
    let question = |parts: &str| format!("[[1,{}]]", asked("[[1,9]]", parts));
    let good = [part(1, 4, sum), part(5, 5, sum)].join(",");
    assert!(serde_json::from_str::<Question<u8>>(&question(&good)).is_ok());
    for bad in [
        part(0, 4, sum),
        part(4, 3, sum),
        part(1, MAX_CLOCK + 1, sum),
        [part(1, 4, sum), part(4, 5, sum)].join(","),
        [part(5, 6, sum), part(1, 4, sum)].join(","),
    ] {
        refuses::<Question<u8>>(&question(&bad), "a part is reversed");
    }
    let beyond = part(1, 4, r#"{"Dots":{"clocks":[[2,5]],"fingerprint":0}}"#);
    refuses::<Question<u8>>(&question(&beyond), "a part is reversed");
}

#[test]
fn unsorted_repeated_and_empty_entries_are_refused() {
    let (order, empty) = ("not strictly ascending", "an entry is empty");
    for [first, second] in [[2, 1], [1, 1]] {
        refuses::<VersionVector<u8>>(&format!("[[{first},1],[{second},1]]"), order);
        refuses::<CausalContext<u8>>(&format!("[[{first},[[1,1]]],[{second},[[1,1]]]]"), order);
        let one = line("[[1,1]]");
        refuses::<Digest<u8>>(&format!("[[{first},{one}],[{second},{one}]]"), order);
        let one = asked("[[1,1]]", "");
        refuses::<Question<u8>>(&format!("[[{first},{one}],[{second},{one}]]"), order);
        refuses::<DotSet<u8>>(&format!("[[{first},[1]],[{second},[1]]]"), order);
        refuses::<DotSet<u8>>(&format!("[[7,[{first},{second}]]]"), order);
        refuses::<DotFun<u8, u8>>(&format!("[[{first},[[1,0]]],[{second},[[1,0]]]]"), order);
        refuses::<DotFun<u8, u8>>(&format!("[[7,[[{first},0],[{second},0]]]]"), order);
        let map = format!("[[{first},[[1,[1]]]],[{second},[[1,[2]]]]]");
        refuses::<DotMap<u8, DotSet<u8>>>(&map, order);
    }
    refuses::<CausalContext<u8>>("[[1,[]]]", empty);
    refuses::<Digest<u8>>(&format!("[[1,{}]]", line("[]")), empty);
    refuses::<DotSet<u8>>("[[1,[]]]", empty);
    refuses::<DotFun<u8, u8>>("[[1,[]]]", empty);
    refuses::<DotMap<u8, DotSet<u8>>>("[[1,[]]]", empty);
    refuses::<DotSet<u8>>("[[1,[0]]]", "clock 0 is not in");
    refuses::<DotFun<u8, u8>>("[[1,[[9007199254740992,0]]]]", "is not in");
}

#[test]
fn states_that_break_the_invariants_are_refused() {
    type Flags = Causal<DotSet<u8>>;
    let uncovered = "has not seen a live dot";
    refuses::<Flags>(r#"{"store":[[1,[1]]],"context":[]}"#, uncovered);
    refuses::<Flags>(
        r#"{"store":[[1,[1,3]]],"context":[[1,[[1,2]]]]}"#,
        uncovered,
    );
    refuses::<EwFlag<u8>>(r#"{"store":[[1,[1]]],"context":[[2,[[1,1]]]]}"#, uncovered);
    refuses::<Flags>(r#"{"store":[]}"#, "missing field `context`");
    refuses::<PnCounter<u8>>(
        r#"{"store":[[1,[[2,7]]]],"context":[[1,[[1,1]]]]}"#,
        uncovered,
    );
    refuses::<LwwRegister<u8, u8, u8>>(r#"{"store":[[1,[[2,[0,7]]]]],"context":[]}"#, uncovered);

    let shared = "alive under two keys";
    let map = r#"[["x",[[1,[1]]]],["y",[[1,[1,2]]]]]"#;
    refuses::<DotMap<String, DotSet<u8>>>(map, shared);
    let set = format!(r#"{{"store":{map},"context":[[1,[[1,2]]]]}}"#);
    refuses::<AwSet<u8, String>>(&set, shared);
    let nested = format!(r#"{{"store":[["k",{map}]],"context":[[1,[[1,2]]]]}}"#);
    refuses::<OrMap<String, AwSet<u8, String>>>(&nested, shared);
    let apart = r#"[["x",[["k",[[1,[1]]]]]],["y",[["k",[[1,[1]]]]]]]"#;
    refuses::<DotMap<String, DotMap<String, DotSet<u8>>>>(apart, shared);
}

#[test]
fn a_claim_of_everything_stays_two_numbers() {
    let claim = format!("[[1,{MAX_CLOCK}]]");
    let text = format!(r#"{{"store":[[1,[5,{MAX_CLOCK}]]],"context":[[1,{claim}]]}}"#);
    let state: Causal<DotSet<u8>> = serde_json::from_str(&text).unwrap();
    assert_eq!(state.context().interval_count(), 1);
    assert_eq!(state.store().len(), 2);
    assert_eq!(serde_json::to_string(&state).unwrap(), text);
}

#[test]
fn damaged_input_is_refused_or_is_a_value() {
    fn property(value: OrMap<u8, AwSet<u8, u8>>, at: usize, by: u8) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        let at = at % bytes.len();
        bytes[at] = b"0123456789[],{}\"-."[usize::from(by) % 18];
        if let Ok(value) = serde_json::from_slice::<OrMap<u8, AwSet<u8, u8>>>(&bytes) {
            // What is accepted is canonical, up to the spelling of numbers.
            let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(serde_json::to_value(&value).unwrap(), json);
        }
    }
    check(property as fn(OrMap<u8, AwSet<u8, u8>>, usize, u8));
}
