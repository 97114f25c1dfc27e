//! What an encoder writes.

use alloc::boxed::Box;
use core::iter;
use std::io;

use lattice_presence::{Digest, Message, PresenceDelta, PresenceState, ReplicaId};
use serde::Serialize;

use crate::digest_parts::DigestCutter;
use crate::encode_error::EncodeError;
use crate::encoded::{Encoded, LeftOut};
use crate::encoder::Encoder;
use crate::message;
use crate::parts::{Cutter, Parts};
use crate::plan::Source;
use crate::sink::Sink;

/// What an [`Encoder`](crate::Encoder) writes: a state, a delta, a digest, or a message.
/// You cannot implement it.
///
/// ```
/// use lattice_presence::PresenceState;
/// use lattice_presence_json::{EncodeError, Encoder, JsonMeta, ToJson};
///
/// fn length(what: &impl ToJson) -> Result<usize, EncodeError> {
///     Ok(Encoder::new().encode(what)?.text.len())
/// }
///
/// let state = PresenceState::<JsonMeta>::new("n");
/// assert!(length(&state)? > length(&state.digest())?);
/// # Ok::<(), EncodeError>(())
/// ```
pub trait ToJson: Encodable {}

impl<M: Serialize + 'static> ToJson for PresenceState<M> {}
impl<M: Serialize + 'static> ToJson for PresenceDelta<M> {}
impl ToJson for Digest<ReplicaId> {}
impl<M: Serialize + 'static> ToJson for Message<M> {}

type Result<T> = core::result::Result<T, EncodeError>;

/// The private part of [`ToJson`].
#[allow(unnameable_types, reason = "so that nobody else implements it")]
pub trait Encodable {
    #[doc(hidden)]
    fn encode(&self, encoder: &Encoder) -> Result<Encoded>;
    #[doc(hidden)]
    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut>;
    #[doc(hidden)]
    fn parts(&self, encoder: &Encoder) -> Parts<'_>;
}

impl<M: Serialize + 'static> Encodable for PresenceState<M> {
    fn encode(&self, encoder: &Encoder) -> Result<Encoded> {
        whole(encoder, self)
    }

    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut> {
        whole_to(encoder, self, writer)
    }

    fn parts(&self, encoder: &Encoder) -> Parts<'_> {
        parts(encoder, self)
    }
}

impl<M: Serialize + 'static> Encodable for PresenceDelta<M> {
    fn encode(&self, encoder: &Encoder) -> Result<Encoded> {
        match whole(encoder, self) {
            Err(reason @ EncodeError::TooMany { .. }) if !encoder.strict => {
                beginning(encoder, self, reason)
            }
            result => result,
        }
    }

    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut> {
        whole_to(encoder, self, writer)
    }

    fn parts(&self, encoder: &Encoder) -> Parts<'_> {
        parts(encoder, self)
    }
}

impl Encodable for Digest<ReplicaId> {
    fn encode(&self, encoder: &Encoder) -> Result<Encoded> {
        encoder.digest(self)
    }

    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut> {
        at_once(encoder.digest(self)?, writer)
    }

    fn parts(&self, encoder: &Encoder) -> Parts<'_> {
        Parts(Box::new(DigestCutter::new(encoder, self)))
    }
}

impl<M: Serialize + 'static> Encodable for Message<M> {
    fn encode(&self, encoder: &Encoder) -> Result<Encoded> {
        message::encode(encoder, self, encoder.limits.max_bytes)
    }

    fn encode_to(&self, encoder: &Encoder, writer: &mut dyn io::Write) -> Result<LeftOut> {
        at_once(self.encode(encoder)?, writer)
    }

    fn parts(&self, encoder: &Encoder) -> Parts<'_> {
        message::parts(encoder, self)
    }
}

/// Short text is written in one piece.
fn at_once(encoded: Encoded, writer: &mut dyn io::Write) -> Result<LeftOut> {
    let written = writer.write_all(encoded.text.as_bytes());
    let written = written.and_then(|()| writer.flush());
    written.map_err(EncodeError::Io)?;
    Ok(encoded.left_out)
}

/// Writes one payload, in one pass if nothing must be left out.
fn whole<M: Serialize + 'static>(encoder: &Encoder, source: &impl Source<M>) -> Result<Encoded> {
    let sink = || Sink::whole(encoder.limits.max_bytes);
    let hopeful = encoder.hopeful_plan(source)?;
    let (text, plan) = match encoder.payload(sink(), source, &hopeful) {
        Err(EncodeError::Entry { .. }) if !encoder.strict => {
            let plan = encoder.plan(source)?;
            (encoder.payload(sink(), source, &plan)?, plan)
        }
        text => (text?, hopeful),
    };
    let left_out = plan.left_out;
    Ok(Encoded { text, left_out })
}

fn whole_to<M: Serialize + 'static>(
    encoder: &Encoder,
    source: &impl Source<M>,
    writer: &mut dyn io::Write,
) -> Result<LeftOut> {
    let plan = if encoder.strict {
        encoder.hopeful_plan(source)?
    } else {
        encoder.plan(source)?
    };
    let sink = Sink::pieces(writer, encoder.limits.max_bytes);
    encoder.payload(sink, source, &plan)?;
    Ok(plan.left_out)
}

/// The first part of a delta that is too large for one payload.
fn beginning<M: Serialize + 'static>(
    encoder: &Encoder,
    delta: &PresenceDelta<M>,
    reason: EncodeError,
) -> Result<Encoded> {
    let mut cutter = Cutter::new(encoder, delta)?;
    let Some(part) = cutter.next_part() else {
        return Err(reason);
    };
    let part = part?;
    let mut encoded = part.encoded;
    let told = part.entries as u64 + encoded.left_out.entries;
    let entries = (delta.len() as u64).saturating_sub(told);
    let untold = delta.context().difference(&part.context);
    let clocks = untold.iter().map(|(_, clocks)| clocks.len());
    let clocks = clocks.fold(0, u64::saturating_add);
    encoded.left_out.add(LeftOut {
        entries,
        claims: clocks.saturating_sub(entries),
        replicas: 0,
        reasons: vec![reason],
    });
    Ok(encoded)
}

fn parts<'p, M: Serialize + 'static>(encoder: &Encoder, source: &'p impl Source<M>) -> Parts<'p> {
    match Cutter::new(encoder, source) {
        Ok(cutter) => Parts(Box::new(cutter)),
        Err(error) => Parts(Box::new(iter::once(Err(error)))),
    }
}
