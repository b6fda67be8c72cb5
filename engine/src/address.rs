//! Addresses of collectors, as settings give them.

use std::fmt;
use std::net::Ipv6Addr;

/// Most collectors that one emitter speaks to.
pub const COLLECTORS_MAX: usize = 8;

/// Port that a collector listens on by default.
const PORT_DEFAULT: u16 = 4327;

/// `host:port` or `[v6]:port` of a collector: well-formed, and not resolved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorAddress(String);

/// Error of one entry in a list of collectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not `host:port`.
    #[error("the collector's address {text:?} {fault}: write {instead}")]
    Malformed {
        /// Text of the entry.
        text: String,
        /// What is wrong with it.
        fault: &'static str,
        /// What was probably meant.
        instead: String,
    },
    /// It stands in the list already: to speak to one collector twice would count work twice.
    #[error("the collector {0} is listed twice; it is used once")]
    Repeated(String),
    /// It stands behind the last entry that is used.
    #[error("the collector {0} is left out: at most {COLLECTORS_MAX} can be listed")]
    TooMany(String),
    /// There is no entry.
    #[error("the list of collectors is empty: write HOST:PORT, such as 127.0.0.1:{PORT_DEFAULT}")]
    Empty,
}

impl CollectorAddress {
    /// Parses one address; white space around it is ignored.
    ///
    /// # Errors
    /// [`AddressError::Malformed`], with what was probably meant.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        match fault(text) {
            None => Ok(Self(text.to_owned())),
            Some(fault) => {
                Err(AddressError::Malformed { text: text.to_owned(), fault, instead: mended(text) })
            }
        }
    }

    /// Parses a list with commas between its entries, and returns the good ones beside the errors
    /// of the others.
    pub fn parse_list(text: &str) -> (Vec<Self>, Vec<AddressError>) {
        let (mut addresses, mut errors) = (Vec::new(), Vec::new());
        for entry in text.split(',').filter(|entry| !entry.trim().is_empty()) {
            match Self::parse(entry) {
                Err(error) => errors.push(error),
                Ok(Self(again)) if addresses.iter().any(|Self(before)| *before == again) => {
                    errors.push(AddressError::Repeated(again));
                }
                Ok(Self(over)) if addresses.len() == COLLECTORS_MAX => {
                    errors.push(AddressError::TooMany(over));
                }
                Ok(address) => addresses.push(address),
            }
        }
        if addresses.is_empty() && errors.is_empty() {
            errors.push(AddressError::Empty);
        }
        (addresses, errors)
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CollectorAddress {
    /// Returns the address of a collector on the same machine.
    fn default() -> Self {
        Self(format!("127.0.0.1:{PORT_DEFAULT}"))
    }
}

impl fmt::Display for CollectorAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns what is wrong with an address.
fn fault(text: &str) -> Option<&'static str> {
    if text.contains("://") {
        return Some("has a scheme");
    }
    if text.contains(char::is_whitespace) {
        return Some("has white space in it");
    }
    if text.contains('/') {
        return Some("has a path");
    }
    if is_ipv6(text) {
        return Some("is an IPv6 address without brackets or port");
    }
    let Some((host, port)) = text.rsplit_once(':').filter(|_| !text.ends_with(']')) else {
        return Some("has no port");
    };
    if port.parse::<u16>().map_or(true, |port| port == 0) {
        return Some("has a port that is not a number from 1 to 65535");
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(inner) if !is_ipv6(inner) => Some("has brackets around what is no IPv6 address"),
        None if host.is_empty() => Some("has no host"),
        None if host.contains([':', '[', ']']) => Some("has too many colons"),
        _ => None,
    }
}

/// Returns whether this is an IPv6 address, with or without its zone.
fn is_ipv6(text: &str) -> bool {
    text.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// Returns the address that a malformed one probably stands for.
fn mended(text: &str) -> String {
    let text = text.rsplit("://").next().unwrap_or_default();
    let text: String =
        text.split(['/', '?']).next().unwrap_or_default().split_whitespace().collect();
    if is_ipv6(&text) {
        return format!("[{text}]:{PORT_DEFAULT}");
    }
    let (host, port) = match text.rsplit_once(':').filter(|_| !text.ends_with(']')) {
        Some((host, port)) => (host, port.parse().ok().filter(|&port| port != 0)),
        None => (&*text, None),
    };
    let port = port.unwrap_or(PORT_DEFAULT);
    match host.trim_matches(['[', ']']) {
        v6 if is_ipv6(v6) => format!("[{v6}]:{port}"),
        "" => format!("127.0.0.1:{port}"),
        name if name.contains(':') => format!("HOST:PORT, such as 127.0.0.1:{PORT_DEFAULT}"),
        name => format!("{name}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for text in ["127.0.0.1:4327", "collector-1:1", "[::1]:65535", "[fe80::1%2]:4327"] {
            assert_eq!(CollectorAddress::parse(&format!(" {text}\n")).unwrap().as_str(), text);
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_and_what_to_write_instead() {
        for (text, wrong, right) in [
            ("http://collector:4327/", "a scheme", "collector:4327"),
            ("udp://collector", "a scheme", "collector:4327"),
            ("collector", "no port", "collector:4327"),
            ("10.0.0.1", "no port", "10.0.0.1:4327"),
            ("collector:", "a port that is not", "collector:4327"),
            ("collector:0", "a port that is not", "collector:4327"),
            ("collector:70000", "a port that is not", "collector:4327"),
            ("collector: 4327", "white space", "collector:4327"),
            ("collector:4327/beats", "a path", "collector:4327"),
            (":4327", "no host", "127.0.0.1:4327"),
            ("::1", "without brackets", "[::1]:4327"),
            ("[::1]", "no port", "[::1]:4327"),
            ("[collector]:4327", "brackets", "collector:4327"),
            ("a:b:4327", "too many colons", "HOST:PORT, such as 127.0.0.1:4327"),
        ] {
            let error = CollectorAddress::parse(text).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
            assert!(error.ends_with(&format!("write {right}")), "{error}");
        }
    }

    #[test]
    fn a_list_keeps_its_good_entries_and_names_the_others() {
        let (addresses, errors) = CollectorAddress::parse_list(" a:1, b:2,,a:1, http://c:3 ,");
        assert_eq!(
            addresses.iter().map(CollectorAddress::as_str).collect::<Vec<_>>(),
            ["a:1", "b:2"]
        );
        assert!(matches!(&errors[..], [AddressError::Repeated(_), AddressError::Malformed { .. }]));
        let long: Vec<String> = (1..=9).map(|port| format!("a:{port}")).collect();
        let (addresses, errors) = CollectorAddress::parse_list(&long.join(","));
        assert_eq!((addresses.len(), errors), (8, vec![AddressError::TooMany("a:9".to_owned())]));
        assert_eq!(CollectorAddress::parse_list(" , "), (vec![], vec![AddressError::Empty]));
    }
}
