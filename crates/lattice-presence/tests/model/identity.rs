//! S1: what a replica's name says about its process.

use std::collections::BTreeMap;

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const PREFIX: &str = "lattice-presence:v1:";

/// The name of the incarnation `uuid` of `base`.
pub fn encode_incarnation(base: &str, uuid: [u8; 16]) -> String {
    let mut bits = String::new();
    for byte in uuid {
        bits += &format!("{byte:08b}");
    }
    while !bits.len().is_multiple_of(6) {
        bits.push('0');
    }
    let token: String = (0..bits.len() / 6)
        .map(|i| {
            let value = usize::from_str_radix(&bits[6 * i..6 * i + 6], 2).unwrap();
            ALPHABET.chars().nth(value).unwrap()
        })
        .collect();
    format!("{PREFIX}{token}:{base}")
}

/// The 16 bytes behind a token of 22 characters, or of 24 with its padding.
fn decode_token(token: &str) -> Option<[u8; 16]> {
    let token = match token.len() {
        22 => token,
        24 => token.strip_suffix("==")?,
        _ => return None,
    };
    let values: BTreeMap<char, usize> = ALPHABET.chars().zip(0..).collect();
    let mut bits = String::new();
    for letter in token.chars() {
        bits += &format!("{:06b}", values.get(&letter)?);
    }
    if &bits[128..] != "0000" {
        return None;
    }
    let mut uuid = [0; 16];
    for (i, byte) in uuid.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&bits[8 * i..8 * i + 8], 2).unwrap();
    }
    Some(uuid)
}

/// The token and the base of an incarnation's name; any other name is its own base.
fn read(name: &str) -> (Option<[u8; 16]>, &str) {
    name.strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once(':'))
        .and_then(|(token, base)| Some((Some(decode_token(token)?), base)))
        .unwrap_or((None, name))
}

/// Whether two names are incarnations of one base.
pub fn same_base(a: &str, b: &str) -> bool {
    read(a).1 == read(b).1
}

/// Whether time orders `a` after `b`: same base, both of version 7, the greater token.
pub fn is_newer(a: &str, b: &str) -> bool {
    // The variant says that the version means something.
    let version_7 = |uuid: &[u8; 16]| uuid[6] >> 4 == 7 && uuid[8] >> 6 == 2;
    match (read(a), read(b)) {
        ((Some(x), base_a), (Some(y), base_b)) => {
            base_a == base_b && version_7(&x) && version_7(&y) && x > y
        }
        _ => false,
    }
}
