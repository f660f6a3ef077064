//! How many connections one address holds at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use service::Place;

use crate::rate::network;

/// Counts open connections by address, by /64 of IPv6.
#[derive(Debug)]
pub(crate) struct PerAddress {
    max: usize,
    /// Proxies, each of which holds the connections of many.
    exempt: Vec<IpNet>,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address.
#[derive(Debug)]
struct Held {
    address: IpAddr,
    counts: Arc<PerAddress>,
}

impl PerAddress {
    /// Everybody may hold `max`, but for the exempt networks.
    pub(crate) fn new(max: usize, exempt: Vec<IpNet>) -> Self {
        Self { max, exempt, open: Mutex::default() }
    }

    /// A place for one more connection of an address.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        if self.exempt.iter().any(|network| network.contains(&address)) {
            return Some(Place::new(()));
        }
        let address = network(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.max {
            drop(open);
            metrics::counter!("gateway_connections_refused_total").increment(1);
            return None;
        }
        *count += 1;
        Some(Place::new(Held { address, counts: Arc::clone(self) }))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut open = self.counts.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Arc<PerAddress> {
        Arc::new(PerAddress::new(2, vec!["10.0.0.0/8".parse().unwrap()]))
    }

    fn admit(counts: &Arc<PerAddress>, address: &str) -> Option<Place> {
        counts.admit(address.parse().unwrap())
    }

    #[test]
    fn an_address_holds_as_many_as_it_may_and_others_are_not_touched() {
        let counts = counts();
        let first = admit(&counts, "192.0.2.1");
        let second = admit(&counts, "::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(admit(&counts, "192.0.2.1").is_none());
        assert!(admit(&counts, "192.0.2.2").is_some());
        drop(first);
        assert!(admit(&counts, "192.0.2.1").is_some());
    }

    #[test]
    fn a_network_of_64_bits_counts_as_one_address() {
        let counts = counts();
        let held = [admit(&counts, "2001:db8::1"), admit(&counts, "2001:db8::2")];
        assert!(held.iter().all(Option::is_some));
        assert!(admit(&counts, "2001:db8::3").is_none());
        assert!(admit(&counts, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn a_trusted_proxy_holds_the_connections_of_many() {
        let counts = counts();
        let held: Vec<_> = (0..5).map(|_| admit(&counts, "10.0.0.1")).collect();
        assert!(held.iter().all(Option::is_some));
    }

    #[test]
    fn nothing_is_remembered_of_who_is_gone() {
        let counts = counts();
        drop(admit(&counts, "192.0.2.1"));
        assert!(counts.open.lock().unwrap().is_empty());
    }
}
