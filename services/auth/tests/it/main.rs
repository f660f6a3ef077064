//! The auth service against a real database, in this process and as the real binary.
#![cfg(test)]

mod broker;
mod elevation;
mod events;
mod faults;
mod handset_rules;
mod identities;
mod keys;
mod known_device;
mod limits;
mod openapi;
mod own_sessions;
mod passkeys;
mod password_rules;
mod permissions;
mod person;
mod process;
mod rates;
mod recovery;
mod refresh_reuse;
mod revocations;
mod second_factor;
mod sign_in;
mod soft_key;
mod stage;
mod step_up;
mod tokens;
mod users;
