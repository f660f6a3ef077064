#![doc = include_str!("../README.md")]

pub mod account;
pub mod mail;
pub mod mosquitto;
pub mod port;
pub mod postgres;
