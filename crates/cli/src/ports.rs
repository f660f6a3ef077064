//! Which port each part of the running system has; kept from one start to the next.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use local::port;

use crate::home::Home;

const FILE: &str = "ports.json";

/// The web address's usual port.
const WEB_PORT: u16 = 8080;

/// Names to ports.
pub(crate) struct Ports {
    by_name: BTreeMap<String, u16>,
}

impl Ports {
    /// Reads what the last start used.
    pub(crate) fn load(home: &Home) -> Result<Self> {
        let by_name = home.read_json(FILE)?.unwrap_or_else(BTreeMap::new);
        Ok(Self { by_name })
    }

    /// Takes the ports somebody asked for, each of which must be free.
    pub(crate) fn require(&mut self, wanted: &[(String, u16)]) -> Result<()> {
        for (part, wanted) in wanted {
            ensure!(
                port::is_free(*wanted),
                "port {wanted} for {part} is busy: end what listens there (`ss -ltnp`), or leave it away to get a free one"
            );
            self.by_name.insert(part.clone(), *wanted);
        }
        Ok(())
    }

    /// Settles the web port: the one asked for or used last, or the usual one, or a free one.
    pub(crate) fn settle_web(&mut self) -> Result<()> {
        let usual = self.by_name.get("gateway").copied().unwrap_or(WEB_PORT);
        self.by_name.insert("gateway".to_owned(), self.free_except(usual)?);
        Ok(())
    }

    /// The port of a part: last time's when still free, else a new one.
    pub(crate) fn of(&mut self, name: &str) -> Result<u16> {
        if name == "gateway" && self.by_name.contains_key(name) {
            return Ok(self.by_name.get(name).copied().unwrap_or(WEB_PORT));
        }
        let last = self.by_name.remove(name).unwrap_or(0);
        let chosen = self.free_except(last)?;
        self.by_name.insert(name.to_owned(), chosen);
        Ok(chosen)
    }

    /// The port of a part that runs already.
    pub(crate) fn of_running(&self, name: &str) -> Result<u16> {
        self.by_name.get(name).copied().with_context(|| format!("no port is known for {name}"))
    }

    /// Keeps a port that is taken by something of ours that already runs.
    pub(crate) fn set(&mut self, name: &str, port: u16) {
        self.by_name.insert(name.to_owned(), port);
    }

    /// Writes them down for the next start.
    pub(crate) fn save(&self, home: &Home) -> Result<()> {
        home.write_json(FILE, &self.by_name)
    }

    fn free_except(&self, wanted: u16) -> Result<u16> {
        for _ in 0..50 {
            let found = port::free(wanted)?;
            let ours = self.by_name.values().any(|taken| *taken == found);
            if !ours || found == wanted {
                return Ok(found);
            }
        }
        port::free(0)
    }
}
