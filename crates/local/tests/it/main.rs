//! The real programs, started and stopped.
#![cfg(test)]

mod mail;
mod mosquitto;
mod postgres;
