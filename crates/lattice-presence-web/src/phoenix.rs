//! The Phoenix channel protocol as a pure machine.
//!
//! [`Session`] is the server's side of one socket. It knows the versions 2.0.0 and 1.0.0,
//! and what clients of Supabase add. It reads frames, and says what to send and what the
//! application must decide. It knows no socket, no clock and no presence. Time is an
//! argument, and the result is a queue of [`Output`].
//!
//! Some rules of the protocol are easy to miss. `docs/web.md` lists them, with a test for
//! each.

mod binary;
mod bucket;
mod encode;
mod frame;
mod joins;
mod limits;
mod output;
mod payload;
mod session;
mod supabase;
mod tracks;
mod wire;

pub use encode::Broadcast;
pub use frame::{BadFrame, Version};
pub use limits::Limits;
pub use output::{ChannelId, Closing, Output, Status, Ticket, code};
pub use payload::Payload;
pub use session::Session;
pub use supabase::SupabaseConfig;
pub use tokio_tungstenite::tungstenite::Utf8Bytes;
pub use wire::Wire;

pub(crate) use encode::push as encode_push;
pub(crate) use frame::Ref;
