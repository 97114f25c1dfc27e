//! Digests, questions and answers.

use alloc::vec::Vec;

use serde::de::{Deserializer, Error};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::{Invalid, check_order, read};
use crate::{
    Answer, Asked, Causal, CausalContext, ClockSet, Digest, DotStore, Held, Part, Question,
    ReplicaDigest,
};

#[derive(Serialize, Deserialize)]
#[serde(rename = "ReplicaDigest")]
struct LineForm<C> {
    seen: C,
    fingerprint: u64,
    live: Option<u64>,
    unwanted: C,
}

impl Serialize for ReplicaDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LineForm {
            seen: &self.seen,
            fingerprint: self.fingerprint,
            live: self.live,
            unwanted: &self.unwanted,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ReplicaDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = LineForm::<ClockSet>::deserialize(deserializer)?;
        let mut line = Self::new(form.seen, form.fingerprint);
        (line.live, line.unwanted) = (form.live, form.unwanted);
        Ok(line)
    }
}

impl<R: Serialize> Serialize for Digest<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, R: Deserialize<'de> + Ord> Deserialize<'de> for Digest<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            "ascending pairs of replica and line",
            |digest: &mut Self, (replica, line): (R, ReplicaDigest)| {
                check_order(digest.iter().next_back().map(|(r, _)| r), &replica)?;
                if line.seen.is_empty() && line.unwanted.is_empty() {
                    return Err(Invalid::Empty);
                }
                digest.insert(replica, line);
                Ok(())
            },
        )
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Asked")]
struct AskedForm<C, P> {
    seen: C,
    unwanted: C,
    parts: P,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Part")]
struct PartForm<C> {
    first: u64,
    last: u64,
    held: HeldForm<C>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Held")]
enum HeldForm<C> {
    Fingerprint(u64),
    Dots { clocks: C, fingerprint: u64 },
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let held = match &self.held {
            Held::Fingerprint(sum) => HeldForm::Fingerprint(*sum),
            Held::Dots {
                clocks,
                fingerprint,
            } => HeldForm::Dots {
                clocks,
                fingerprint: *fingerprint,
            },
        };
        let (first, last) = (self.first, self.last);
        PartForm { first, last, held }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let PartForm { first, last, held } = PartForm::<ClockSet>::deserialize(deserializer)?;
        let held = match held {
            HeldForm::Fingerprint(sum) => Held::Fingerprint(sum),
            HeldForm::Dots {
                clocks,
                fingerprint,
            } => Held::Dots {
                clocks,
                fingerprint,
            },
        };
        let part = Self { first, last, held };
        let valid = part.is_valid().then_some(part);
        valid.ok_or_else(|| D::Error::custom(Invalid::Part))
    }
}

impl Serialize for Asked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AskedForm {
            seen: &self.seen,
            unwanted: &self.unwanted,
            parts: &self.parts,
        }
        .serialize(serializer)
    }
}

/// The parts of a question, ascending and disjoint.
#[derive(Default)]
struct Ascending(Vec<Part>);

impl<'de> Deserialize<'de> for Ascending {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            "ascending parts",
            |all: &mut Self, part: Part| {
                if all.0.last().is_some_and(|last| last.last >= part.first) {
                    return Err(Invalid::Part);
                }
                all.0.push(part);
                Ok(())
            },
        )
    }
}

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = AskedForm::<ClockSet, Ascending>::deserialize(deserializer)?;
        Ok(Self {
            seen: form.seen,
            unwanted: form.unwanted,
            parts: form.parts.0,
        })
    }
}

impl<R: Serialize> Serialize for Question<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, R: Deserialize<'de> + Ord> Deserialize<'de> for Question<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(
            deserializer,
            "ascending pairs of replica and what is asked about it",
            |question: &mut Self, (replica, asked): (R, Asked)| {
                check_order(question.iter().next_back().map(|(r, _)| r), &replica)?;
                question.insert(replica, asked);
                Ok(())
            },
        )
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Answer")]
struct AnswerForm<D, C> {
    delta: D,
    differs: C,
    more: bool,
}

impl<T> Serialize for Answer<T>
where
    T: DotStore<Replica: Serialize> + Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AnswerForm {
            delta: &self.delta,
            differs: &self.differs,
            more: self.more,
        }
        .serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Answer<T>
where
    T: DotStore<Replica: Deserialize<'de>> + Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = AnswerForm::<Causal<T>, CausalContext<T::Replica>>::deserialize(deserializer)?;
        let AnswerForm {
            delta,
            differs,
            more,
        } = form;
        Ok(Self {
            delta,
            differs,
            more,
        })
    }
}
