//! What the fuzz targets check, apart from the fuzzer: the replay of the corpora
//! on the stable toolchain includes these modules by path.

pub mod admitted;
pub mod decode;
pub mod machines;
pub mod merge_both_ways;
pub mod message;
pub mod roundtrip;
pub mod session;
