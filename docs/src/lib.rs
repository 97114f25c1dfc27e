//! The pages that hold code for readers to copy. Each is a doctest: what does not compile,
//! or does not do what it asserts, fails `cargo xtask test`.
#![cfg(doctest)]

macro_rules! pages {
    ($($name:ident: $page:literal,)*) => {
        $(#[doc = include_str!($page)] struct $name;)*
    };
}

pages! {
    FrontPage: "../../README.md",
    Start: "../start.md",
    Deployment: "../deployment.md",
    Faq: "../faq.md",
    Scaling: "../scaling.md",
    FromPhoenix: "../migration/phoenix.md",
    FromRedis: "../migration/redis.md",
    FromSocketIo: "../migration/socket-io.md",
    FromSupabase: "../migration/supabase.md",
}
