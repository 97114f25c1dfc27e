//! The laws of a CRDT of one's own, from a crate of one's own.

use external_crdt::{Needs, amount, buy, need};
use lattice_causal::laws::{self, Draw, Law, Trials};
use lattice_causal::{CausalCrdt, OrMap};

const THINGS: [&str; 3] = ["eggs", "milk", "tea"];

fn act(list: &mut Needs<u64>, me: u64, draw: &mut Draw) -> Needs<u64> {
    let thing = draw.pick(&THINGS);
    match draw.below(3) {
        0 => list.buy(thing),
        _ => list.need(&me, thing, draw.below(9) as u32).unwrap(),
    }
}

#[test]
fn the_laws_hold_in_every_history() {
    Trials::new(7).cases(200).histories(act).unwrap();
}

/// The same of generated states, through quickcheck and its shrinking.
#[test]
fn the_laws_hold_of_generated_states() {
    type State = lattice_causal::Causal<<Needs<u8> as CausalCrdt>::Store>;
    fn holds(a: State, b: State, c: State) -> bool {
        laws::check(&[a, b, c].map(Needs::from_causal)).is_ok()
    }
    quickcheck::QuickCheck::new()
        .tests(30)
        .quickcheck(holds as fn(State, State, State) -> bool);
}

/// A checker that finds nothing proves nothing: this list sends less than it does.
#[test]
fn a_delta_that_says_too_little_is_found_and_made_small() {
    let forgetful = |list: &mut Needs<u64>, me: u64, draw: &mut Draw| {
        let delta = act(list, me, draw);
        if list.amount("eggs") > 0 && list.amount("milk") > 0 {
            return Needs::default();
        }
        delta
    };
    let failure = Trials::new(7).histories(forgetful).unwrap_err();
    assert_eq!(failure.violation.law, Law::Mutators);
    assert_eq!(failure.choices.len(), 2, "eggs, then milk: {failure}");
}

#[test]
fn lists_travel_as_json_and_live_in_maps() {
    let mut lists = OrMap::<String, Needs<String>>::new();
    let (ann, home) = ("ann".to_owned(), "home".to_owned());
    lists
        .apply(home.clone(), |list| need(list, &ann, "tea", 2))
        .unwrap();
    let delta = lists
        .apply(home.clone(), |list| need(list, &ann, "eggs", 6))
        .unwrap();
    lists
        .apply(home.clone(), |list| Ok(buy(list, "tea")))
        .unwrap();

    let text = serde_json::to_string(&delta).unwrap();
    assert_eq!(serde_json::from_str::<OrMap<_, _>>(&text).unwrap(), delta);
    let list = lists.get(&home).unwrap();
    assert_eq!((amount(list, "eggs"), amount(list, "tea")), (6, 0));
}
