//! The Phoenix channel protocol as a pure machine.
//!
//! [`Session`] is the server's side of one socket, versions 2.0.0 and 1.0.0, and
//! what Supabase's clients add to it. It reads frames and says what to send and
//! what the application has to decide. It knows no socket, no clock and no
//! presence: time is an argument, and what comes out is a queue of [`Output`].
//!
//! The rules that are easy to miss are written down in `docs/web.md`, each with
//! the test that holds it.

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
