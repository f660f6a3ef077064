//! Loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// Whether somebody could listen on the port.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port that is free at this moment; `wanted` if that one is.
///
/// # Errors
/// When the operating system has no port left.
pub fn free(wanted: u16) -> Result<u16> {
    if wanted != 0 && is_free(wanted) {
        return Ok(wanted);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port on 127.0.0.1")?;
    Ok(listener.local_addr().context("reading the port that was given")?.port())
}
