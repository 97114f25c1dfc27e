//! Servers and cables that the tests start, break, and stop again. All of it on
//! 127.0.0.1, on ports that were free.
#![allow(
    dead_code,
    reason = "every test is a program of its own, and none needs all of it"
)]

mod proxy;
mod server;

pub(crate) use proxy::Proxy;
pub(crate) use server::Server;

/// A port that nobody listens on at present.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
