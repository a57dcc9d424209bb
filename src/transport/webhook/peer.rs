//! Who calls: the other end of the connection, or whom a trusted proxy names; and how many connections they may have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::HeaderMap;

use crate::config::Network;

/// What proxies add. Anybody can write it, so it is believed only where a trusted proxy brings it.
const FORWARDED: &str = "x-forwarded-for";

/// Who asks: `from`, unless that is a trusted proxy. Then the last one in its list that is none.
pub(super) fn client(from: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let trusts = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = from;
    if !trusts(client) {
        return client;
    }
    let lines = headers.get_all(FORWARDED).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for hop in hops {
        // Beyond what cannot be read nothing is believed.
        let Some(address) = address(hop.trim()) else { break };
        client = address;
        if !trusts(client) {
            break;
        }
    }
    client
}

/// Some proxies put the port behind it.
fn address(hop: &str) -> Option<IpAddr> {
    let bare = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    Some(bare.or_else(with_port)?.to_canonical())
}

/// How many connections each address has.
#[derive(Debug)]
pub(super) struct Seats {
    most: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One of them; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Seat {
    from: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Seats {
    pub(super) fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// `None`: this address has enough. One that is `exempt` never has.
    pub(super) fn take(&self, from: IpAddr, exempt: bool) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(from).or_default();
        if *count >= self.most && !exempt {
            return None;
        }
        *count += 1;
        Some(Seat { from, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn asks(from: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED, HeaderValue::from_str(line).unwrap());
        }
        let trusted: Vec<Network> =
            trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        client(from.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_may_speak_for_others() {
        let spoof = ["203.119.0.1"];
        assert_eq!(asks("198.51.100.9", &spoof, &[]), "198.51.100.9");
        assert_eq!(asks("198.51.100.9", &spoof, &["10.0.0.0/8"]), "198.51.100.9");
        assert_eq!(asks("10.1.1.1", &spoof, &["10.0.0.0/8"]), "203.119.0.1");
        // What the caller wrote stands to the left of what the proxy added.
        assert_eq!(
            asks("10.1.1.1", &["203.119.0.1, 198.51.100.9"], &["10.0.0.0/8"]),
            "198.51.100.9"
        );
        assert_eq!(
            asks("10.1.1.1", &["203.119.0.1", "198.51.100.9"], &["10.0.0.0/8"]),
            "198.51.100.9"
        );
        assert_eq!(
            asks("10.1.1.1", &["203.119.0.1, 198.51.100.9, 10.2.2.2"], &["10.0.0.0/8"]),
            "198.51.100.9"
        );
        assert_eq!(asks("10.1.1.1", &["203.119.0.1, nonsense"], &["10.0.0.0/8"]), "10.1.1.1");
        assert_eq!(asks("10.1.1.1", &[], &["10.0.0.0/8"]), "10.1.1.1");
        assert_eq!(asks("10.1.1.1", &["198.51.100.9:4711"], &["10.0.0.0/8"]), "198.51.100.9");
        assert_eq!(asks("10.1.1.1", &["[2001:db8::1]:4711"], &["10.0.0.0/8"]), "2001:db8::1");
    }

    #[test]
    fn one_address_has_so_many_seats_and_gets_them_back() {
        let seats = Seats::new(2);
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = seats.take(one, false).unwrap();
        let _second = seats.take(one, false).unwrap();
        assert!(seats.take(one, false).is_none());
        assert!(seats.take(one, true).is_some());
        assert!(seats.take(other, false).is_some());
        drop(first);
        assert!(seats.take(one, false).is_some());
    }
}
