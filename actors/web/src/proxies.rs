//! Where a request came from, when there are proxies before us and when there are none.
//!
//! What a header says of that is believed only from proxies that the settings name: anybody can send it.

use std::net::{AddrParseError, IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use ipnet::IpNet;
use subjects::Origin;

/// How much of what a browser calls itself is kept, in characters.
const BROWSER_MAX: usize = 200;
/// The longest name of a host, with its port.
const HOST_MAX: usize = 255;

const FORWARDED_FOR: HeaderName = header::X_FORWARDED_FOR;
const FORWARDED_PROTO: HeaderName = header::X_FORWARDED_PROTO;

/// Knows the proxies before us, and the address under which people see us. Cheap enough to clone per worker.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    public_url: Option<String>,
}

/// Takes a network such as `10.0.0.0/8`, or a single address.
///
/// # Errors
/// For anything else.
pub fn parse_network(text: &str) -> Result<IpNet, AddrParseError> {
    match text.parse::<IpNet>() {
        Ok(network) => Ok(network),
        Err(_) => text.parse::<IpAddr>().map(IpNet::from),
    }
}

impl Proxies {
    /// Believes what `trusted` proxies say. `public_url` is where people find us, such as `https://vote.example`.
    pub fn new(trusted: Vec<IpNet>, public_url: Option<String>) -> Self {
        let public_url = public_url.map(|url| url.trim_end_matches('/').to_owned());
        Self { trusted, public_url }
    }

    /// The address of whoever is calling: the first one, from our end, that is no proxy of ours.
    pub fn address(&self, request: &HttpRequest) -> IpAddr {
        let mut caller = peer(request);
        for hop in hops(request.headers()) {
            if !self.trusts(caller) {
                break;
            }
            match hop {
                Some(hop) => caller = hop,
                None => break,
            }
        }
        caller
    }

    /// The network of whoever is calling, as limits count it: an address of IPv4, or the /64 of one of IPv6, because
    /// whoever has one address of it has them all.
    pub fn network(&self, request: &HttpRequest) -> [u8; 16] {
        match self.address(request) {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => {
                let mut network = address.octets();
                network[8..].fill(0);
                network
            }
        }
    }

    /// Where a request came from, as people are shown it.
    pub fn origin(&self, request: &HttpRequest) -> Origin {
        let user_agent = request.headers().get(header::USER_AGENT).map(|value| value.as_bytes());
        let user_agent = String::from_utf8_lossy(user_agent.unwrap_or_default());
        let user_agent = user_agent.chars().filter(|c| !c.is_control()).take(BROWSER_MAX).collect();
        Origin { network: self.address(request).to_string(), user_agent }
    }

    /// What the addresses of our pages begin with, without a slash at the end.
    pub fn base_url(&self, request: &HttpRequest) -> String {
        if let Some(configured) = &self.public_url {
            return configured.clone();
        }
        let is_secure = self.trusts(peer(request))
            && last_of(request.headers(), &FORWARDED_PROTO).is_some_and(|proto| proto == "https");
        let scheme = if is_secure { "https" } else { "http" };
        format!("{scheme}://{}", host(request))
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }
}

/// Who speaks to us. Only a test has no peer.
fn peer(request: &HttpRequest) -> IpAddr {
    let unknown = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    request.peer_addr().map_or(unknown, |peer| peer.ip().to_canonical())
}

/// The hops that the headers tell of, the nearest first; `None` for what is no address.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let mut told: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).map(|value| value.as_bytes()).collect();
    told.reverse();
    told.into_iter().flat_map(|told| told.rsplit(|byte| *byte == b',')).map(|hop| {
        let hop = std::str::from_utf8(hop).ok()?.trim();
        // Some proxies tell the port too.
        let address = hop.parse().or_else(|_| hop.parse::<SocketAddr>().map(|with_port| with_port.ip()));
        address.ok().map(|address| address.to_canonical())
    })
}

/// What the nearest proxy says, in lower case.
fn last_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let told = headers.get_all(name).last()?.to_str().ok()?;
    told.rsplit(',').next().map(|last| last.trim().to_ascii_lowercase())
}

/// The name by which we were called, if it can be one.
fn host(request: &HttpRequest) -> &str {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'[' | b']' | b'-');
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let can_be = !named.is_empty() && named.len() <= HOST_MAX && named.bytes().all(allowed);
    if can_be { named } else { "localhost" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn proxies() -> Proxies {
        let trusted = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"].map(|network| parse_network(network).unwrap());
        Proxies::new(trusted.to_vec(), None)
    }

    fn from(peer: &str) -> TestRequest {
        TestRequest::default().peer_addr(SocketAddr::new(peer.parse().unwrap(), 4711))
    }

    fn address(peer: &str, forwarded: &[&'static str]) -> String {
        let request = forwarded.iter().fold(from(peer), |r, value| r.append_header((FORWARDED_FOR, *value)));
        proxies().address(&request.to_http_request()).to_string()
    }

    #[test]
    fn what_a_caller_says_of_itself_is_not_believed() {
        assert_eq!(address("203.0.113.5", &[]), "203.0.113.5");
        assert_eq!(address("203.0.113.5", &["1.1.1.1"]), "203.0.113.5");
        assert_eq!(address("203.0.113.5", &["1.1.1.1, 10.0.0.1"]), "203.0.113.5");
        assert_eq!(address("192.0.2.8", &["1.1.1.1"]), "192.0.2.8");
    }

    #[test]
    fn what_a_trusted_proxy_says_is_believed_and_no_more_than_that() {
        assert_eq!(address("10.0.0.1", &["203.0.113.5"]), "203.0.113.5");
        assert_eq!(address("192.0.2.7", &["203.0.113.5:4711"]), "203.0.113.5");
        assert_eq!(address("fd00::1", &["[2001:db8::5]:4711"]), "2001:db8::5");
        assert_eq!(address("::ffff:10.0.0.1", &["::ffff:203.0.113.5"]), "203.0.113.5");
        // The caller put 1.1.1.1 there, our proxy appended what it saw.
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 203.0.113.5"]), "203.0.113.5");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, 203.0.113.5, 10.0.0.2"]), "203.0.113.5");
        assert_eq!(address("10.0.0.1", &["1.1.1.1", "203.0.113.5", "10.0.0.2"]), "203.0.113.5");
        assert_eq!(address("10.0.0.1", &["10.0.0.3,10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn garbage_ends_the_walk_where_it_stands() {
        for garbage in ["", " ", "unknown", "1.1.1.1, _hidden", "1.1.1.1, 999.0.0.1", "1.1.1.1;"] {
            assert_eq!(address("10.0.0.1", &[garbage]), "10.0.0.1", "{garbage:?}");
        }
        assert_eq!(address("10.0.0.1", &["1.1.1.1, x, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(address("10.0.0.1", &["1.1.1.1, é"]), "10.0.0.1");
    }

    #[test]
    fn a_network_is_an_address_or_a_64() {
        let network = |peer: &str| proxies().network(&from(peer).to_http_request());
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
        assert_ne!(network("203.0.113.5"), network("203.0.113.6"));
        assert_eq!(network("203.0.113.5"), network("::ffff:203.0.113.5"));
    }

    #[test]
    fn what_a_browser_calls_itself_is_shortened_and_cleaned() {
        let origin = |agent: &[u8]| {
            let agent = header::HeaderValue::from_bytes(agent).unwrap();
            let request = from("203.0.113.5").insert_header((header::USER_AGENT, agent));
            proxies().origin(&request.to_http_request())
        };
        let expected = Origin { network: "203.0.113.5".into(), user_agent: "Fox\u{fffd}é".into() };
        assert_eq!(origin(b"Fo\tx\xff\xc3\xa9"), expected);
        assert_eq!(origin("\u{9b}31mFox\u{fffd}é".as_bytes()).user_agent, "31mFox\u{fffd}é");
        assert_eq!(origin("é".repeat(300).as_bytes()).user_agent.chars().count(), BROWSER_MAX);
    }

    #[test]
    fn our_own_address_is_the_configured_one_or_the_one_we_were_called_by() {
        let url = |request: TestRequest| proxies().base_url(&request.to_http_request());
        let called = |peer: &str, host: &'static str| from(peer).insert_header((header::HOST, host));
        let proto = |value: &'static str| (FORWARDED_PROTO, value);
        assert_eq!(url(called("203.0.113.5", "vote.example:8080")), "http://vote.example:8080");
        assert_eq!(
            url(called("203.0.113.5", "[::1]:8080").insert_header(proto("https"))),
            "http://[::1]:8080"
        );
        assert_eq!(
            url(called("10.0.0.1", "vote.example").insert_header(proto("HTTPS"))),
            "https://vote.example"
        );
        assert_eq!(
            url(called("10.0.0.1", "vote.example").insert_header(proto("gopher"))),
            "http://vote.example"
        );
        for wrong in ["", "a b", "evil.example/x", "user@evil.example", "a\"b", "<script>"] {
            assert_eq!(url(called("203.0.113.5", wrong)), "http://localhost", "{wrong:?}");
        }
        assert_eq!(url(from("203.0.113.5")), "http://localhost");
        let configured = Proxies::new(Vec::new(), Some("https://vote.example/".to_owned()));
        assert_eq!(configured.base_url(&from("10.0.0.1").to_http_request()), "https://vote.example");
    }

    #[test]
    fn a_trusted_network_is_a_network_or_an_address() {
        assert_eq!(parse_network("10.1.0.0/16").unwrap().to_string(), "10.1.0.0/16");
        assert_eq!(parse_network("::1").unwrap().to_string(), "::1/128");
        for wrong in ["", "proxy.example", "10.0.0.0/33", "10.0.0"] {
            assert!(parse_network(wrong).is_err(), "{wrong:?}");
        }
    }
}
