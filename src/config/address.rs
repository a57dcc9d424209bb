//! Addresses of the web that the settings take: whose calls we make, and where we are called.

use url::{Host, Url};

/// Why an address is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// It is none.
    Parse(url::ParseError),
    /// User, `?…` or `#…`: what is joined to it would end up behind them. It may hold a password.
    NotPlain,
    /// `http:` to another computer: secrets travel there.
    NotEncrypted,
    /// Neither `https:` nor `http:`.
    NotOfTheWeb,
}

/// Reads a base address: `https://…`, or `http://…` of this computer.
///
/// # Errors
/// Why it is not taken.
pub fn read_address(text: &str) -> Result<Url, AddressError> {
    let url = Url::parse(text).map_err(AddressError::Parse)?;
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        return Err(AddressError::NotPlain);
    }
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        "http" => Err(AddressError::NotEncrypted),
        _ => Err(AddressError::NotOfTheWeb),
    }
}

/// Whether `url` leads to one of the doors below `path`, and not to what they have in common.
pub(super) fn is_a_door(url: &Url, path: &str) -> bool {
    before_the_door(url) == Some(path)
}

/// Whether `url` is called like one of the doors, wherever they are.
pub fn ends_in_a_door(url: &Url) -> bool {
    before_the_door(url).is_some()
}

fn before_the_door(url: &Url) -> Option<&str> {
    let outside = url.path().trim_end_matches('/');
    ["/robot", "/event", "/card"].iter().find_map(|door| outside.strip_suffix(door))
}

/// Whether the doors can be below `path`, which has no slash at its end: it is compared byte by byte with what is called,
/// so nothing that can be written in two ways.
pub fn is_a_path(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    (path.is_empty() || path.starts_with('/')) && path.chars().all(plain) && !path.contains("//")
}
