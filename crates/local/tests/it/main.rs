//! The real programs, started and stopped.

mod postgres;
