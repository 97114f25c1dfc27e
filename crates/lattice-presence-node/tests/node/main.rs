//! Nodes of one process, over the engine in memory: what an application sees, under churn,
//! faults and bad input.

mod churn;
mod cluster;
mod hostile;
mod messages;
mod support;
