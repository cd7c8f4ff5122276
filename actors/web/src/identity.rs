//! Who is calling, as far as a round without accounts can know.
//!
//! A browser is known by a signed cookie that holds a random identity; a program by the `X-Voter-Id` it sends.
//! Neither is ever stored: only its keyed hash, [`Identity::voter`], leaves this process.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;
use hmac::Mac;
use subjects::{OptionId, RoundId, UserId, Voter, VoterKey};

use crate::Keys;
use crate::cookie::{Jar, Name};
use crate::keys::{finish, hex, keyed_hash, unhex};

/// The cookie's name; over TLS, where it has a prefix.
const COOKIE: Name = Name { plain: "urna_voter", over_tls: "__Host-urna_voter" };
/// The header by which a program says for whom it votes.
pub const HEADER: &str = "X-Voter-Id";
/// The longest `X-Voter-Id`, in bytes.
pub const HEADER_MAX: usize = 128;
/// How long a browser keeps the cookie: 400 days, the most that browsers allow.
const COOKIE_LIFE: Duration = Duration::days(400);
const PURPOSE: &str = "voter cookie";
/// Bytes of a browser's random identity.
const RANDOM: usize = 16;

/// Who is calling. Its text never leaves the process, not even in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(String);

/// Why a caller's identity is not accepted. The words are for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// The cookie was not signed by us.
    #[error(
        "the cookie {} is not one that this server gave out; open the voting page again to get a new one",
        COOKIE.plain
    )]
    ForgedCookie,
    /// The header cannot be an identity.
    #[error("{HEADER} must be 1 to {HEADER_MAX} visible ASCII characters")]
    MalformedHeader,
}

impl Identity {
    /// The voter this identity is in the round that holds `key`: the first 128 bits of HMAC-SHA256(key, identity).
    pub fn voter(&self, key: &VoterKey) -> Voter {
        let hash = finish(keyed_hash(key.as_bytes()).chain_update(&self.0));
        let mut bits = [0; 16];
        bits.copy_from_slice(&hash[..16]);
        Voter::from_bytes(bits)
    }

    /// The lot that `option` draws for this identity in `round`: always the same one, and another for everybody else.
    /// Whoever sorts options by it has shuffled them.
    pub fn lot(&self, round: &RoundId, option: &OptionId) -> [u8; 32] {
        let round = keyed_hash(round.as_str().as_bytes());
        // An option has no zero byte in it, so no two pairs are the same text.
        finish(round.chain_update(option.as_str()).chain_update([0]).chain_update(&self.0))
    }

    /// The identity of somebody who is signed in.
    pub fn of_account(user: UserId) -> Self {
        Self(format!("account:{user}"))
    }

    /// The identity of whoever holds the invite with these random bytes.
    pub(crate) fn of_invite(random: &[u8]) -> Self {
        Self(format!("invite:{}", hex(random)))
    }

    /// The program's identity from the `X-Voter-Id` header; `None` without that header.
    ///
    /// # Errors
    /// [`IdentityFault::MalformedHeader`].
    pub fn of_program(request: &HttpRequest) -> Result<Option<Self>, IdentityFault> {
        let Some(header) = request.headers().get(HEADER) else {
            return Ok(None);
        };
        let text = header.to_str().map_err(|_| IdentityFault::MalformedHeader)?;
        if text.is_empty() || text.len() > HEADER_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(IdentityFault::MalformedHeader);
        }
        Ok(Some(Self(format!("program:{text}"))))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// What a browser's voter cookie holds. Not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct BrowserId([u8; RANDOM]);

impl BrowserId {
    pub fn identity(self) -> Identity {
        Identity(format!("browser:{}", hex(&self.0)))
    }

    /// The random bytes, for signing what is only for this browser.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for BrowserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserId(…)")
    }
}

/// Gives out voter cookies and knows its own again.
#[derive(Clone, Debug)]
pub struct VoterCookies {
    keys: Keys,
    jar: Jar,
}

impl VoterCookies {
    /// Signs with `keys`. `secure` cookies travel over TLS only.
    pub fn new(keys: &Keys, secure: bool) -> Self {
        Self { keys: keys.clone(), jar: Jar { secure } }
    }

    /// The browser's identity from its cookie; `None` without one.
    ///
    /// # Errors
    /// [`IdentityFault::ForgedCookie`] when it is altered, cut short or of another server.
    pub fn identity(&self, request: &HttpRequest) -> Result<Option<Identity>, IdentityFault> {
        Ok(self.browser(request)?.map(BrowserId::identity))
    }

    /// A new random identity and the cookie that holds it.
    pub fn mint(&self) -> (Identity, Cookie<'static>) {
        let (browser, cookie) = self.mint_browser();
        (browser.identity(), cookie)
    }

    /// A cookie that makes the browser forget the one it has.
    pub fn forget(&self) -> Cookie<'static> {
        self.jar.forget(COOKIE)
    }

    pub(crate) fn browser(&self, request: &HttpRequest) -> Result<Option<BrowserId>, IdentityFault> {
        let Some(cookie) = self.jar.read(request, COOKIE) else {
            return Ok(None);
        };
        self.verify(cookie.value()).map(Some).ok_or(IdentityFault::ForgedCookie)
    }

    pub(crate) fn mint_browser(&self) -> (BrowserId, Cookie<'static>) {
        let mut random = [0; RANDOM];
        getrandom::fill(&mut random).expect("the system has random numbers");
        let value = format!("{}.{}", hex(&random), hex(&self.keys.sign(PURPOSE, &[&random])));
        (BrowserId(random), self.jar.make(COOKIE, value, COOKIE_LIFE))
    }

    fn verify(&self, value: &str) -> Option<BrowserId> {
        let (random, signature) = value.split_once('.')?;
        let (random, signature) = (unhex::<RANDOM>(random)?, unhex::<32>(signature)?);
        self.keys.verify(PURPOSE, &[&random], &signature).then_some(BrowserId(random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::cookie::SameSite;
    use actix_web::test::TestRequest;
    use secrecy::SecretString;

    fn cookies(secret: &str) -> VoterCookies {
        VoterCookies::new(&Keys::new(SecretString::from(secret), None), false)
    }

    fn request_with(value: &str) -> HttpRequest {
        TestRequest::default().cookie(Cookie::new(COOKIE.plain, value.to_owned())).to_http_request()
    }

    #[test]
    fn a_browser_is_known_again_by_its_cookie() {
        let cookies = cookies("a secret of this test");
        let (identity, cookie) = cookies.mint();
        assert_eq!(cookies.identity(&request_with(cookie.value())), Ok(Some(identity)));
        assert_eq!(cookies.identity(&TestRequest::default().to_http_request()), Ok(None));
        assert_eq!(cookie.http_only(), Some(true));
        assert_eq!(cookie.same_site(), Some(SameSite::Lax));
    }

    #[test]
    fn a_forged_truncated_or_foreign_cookie_is_refused() {
        let (_, cookie) = cookies("a secret of this test").mint();
        let value = cookie.value();
        let other = if value.starts_with('0') { "1" } else { "0" };
        let altered = format!("{other}{}", &value[1..]);
        for wrong in [
            "",
            ".",
            "x",
            &value[..value.len() - 1],
            &value[..value.len() - 2],
            &value[..33],
            &altered,
            "é.00",
        ] {
            let refused = cookies("a secret of this test").identity(&request_with(wrong));
            assert_eq!(refused, Err(IdentityFault::ForgedCookie), "{wrong:?}");
        }
        assert_eq!(
            cookies("another secret").identity(&request_with(value)),
            Err(IdentityFault::ForgedCookie)
        );
    }

    #[test]
    fn a_cookie_of_the_previous_secret_is_known_and_a_new_one_is_of_the_current() {
        let rotated = VoterCookies::new(&Keys::new("today".into(), Some("yesterday".into())), false);
        let (identity, old) = cookies("yesterday").mint();
        assert_eq!(rotated.identity(&request_with(old.value())), Ok(Some(identity)));
        let (identity, new) = rotated.mint();
        assert_eq!(cookies("today").identity(&request_with(new.value())), Ok(Some(identity)));
        assert!(cookies("yesterday").identity(&request_with(new.value())).is_err());
    }

    #[test]
    fn over_tls_only_this_host_can_have_set_the_cookie() {
        let keys = Keys::new("a secret of this test".into(), None);
        let (_, cookie) = VoterCookies::new(&keys, true).mint();
        assert_eq!(cookie.name(), "__Host-urna_voter");
        assert_eq!((cookie.secure(), cookie.path(), cookie.domain()), (Some(true), Some("/"), None));
        let planted = request_with(cookie.value());
        assert_eq!(VoterCookies::new(&keys, true).identity(&planted), Ok(None));
    }

    #[test]
    fn a_program_says_for_whom_it_votes_within_limits() {
        let of = |value: &'static str| {
            Identity::of_program(&TestRequest::default().insert_header((HEADER, value)).to_http_request())
        };
        assert!(of("member-17").unwrap().is_some());
        assert_eq!(of(""), Err(IdentityFault::MalformedHeader));
        assert_eq!(of("a b"), Err(IdentityFault::MalformedHeader));
        assert_eq!(of("é"), Err(IdentityFault::MalformedHeader));
        let long: &'static str = "x".repeat(HEADER_MAX + 1).leak();
        assert_eq!(of(long), Err(IdentityFault::MalformedHeader));
    }

    #[test]
    fn a_voter_differs_from_round_to_round_and_from_kind_to_kind() {
        let (one, two) = (VoterKey::from_bytes([1; 32]), VoterKey::from_bytes([2; 32]));
        let browser = Identity("browser:7".into());
        assert_eq!(browser.voter(&one), browser.voter(&one));
        assert_ne!(browser.voter(&one), browser.voter(&two));
        assert_ne!(browser.voter(&one), Identity("program:7".into()).voter(&one));
    }

    #[test]
    fn a_lot_is_drawn_once_and_differs_from_round_to_round_and_from_voter_to_voter() {
        let round = |id| RoundId::parse(id).unwrap();
        let option = |id| OptionId::parse(id).unwrap();
        let one = Identity("browser:7".into());
        let lot = one.lot(&round("demo"), &option("cats"));
        assert_eq!(one.lot(&round("demo"), &option("cats")), lot);
        assert_ne!(one.lot(&round("demo"), &option("dogs")), lot);
        assert_ne!(one.lot(&round("board"), &option("cats")), lot);
        assert_ne!(Identity("browser:8".into()).lot(&round("demo"), &option("cats")), lot);
    }

    #[test]
    fn an_identity_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Identity("browser:7".into())), "Identity(…)");
    }
}
