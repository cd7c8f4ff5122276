//! Who is calling, as far as a round without accounts can know.
//!
//! A browser is known by a signed cookie that holds a random identity; a program by the `X-Voter-Id` it sends.
//! Neither is ever stored: only its keyed hash, [`Identity::voter`], leaves this process.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subjects::{Voter, VoterKey};

/// The cookie's name.
pub const COOKIE: &str = "urna_voter";
/// The header by which a program says for whom it votes.
pub const HEADER: &str = "X-Voter-Id";
/// The longest `X-Voter-Id`, in bytes.
pub const HEADER_MAX: usize = 128;
/// How long a browser keeps the cookie: 400 days, the most that browsers allow.
const COOKIE_LIFE: Duration = Duration::days(400);
/// What the signature covers beside the identity, so that it fits nothing else.
const PURPOSE: &[u8] = b"urna voter cookie 1:";
/// Digits of the random identity and of its signature.
const IDENTITY_DIGITS: usize = 32;

/// Who is calling. Its text never leaves the process, not even in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(String);

/// Why a caller's identity is not accepted. The words are for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// The cookie was not signed by us.
    #[error(
        "the cookie {COOKIE} is not one that this server gave out; open the voting page again to get a new one"
    )]
    ForgedCookie,
    /// The header cannot be an identity.
    #[error("{HEADER} must be 1 to {HEADER_MAX} visible ASCII characters")]
    MalformedHeader,
}

impl Identity {
    /// The voter this identity is in the round that holds `key`: the first 128 bits of HMAC-SHA256(key, identity).
    pub fn voter(&self, key: &VoterKey) -> Voter {
        let hash = keyed_hash(key.as_bytes(), &[self.0.as_bytes()]).finalize().into_bytes();
        let mut bits = [0; 16];
        bits.copy_from_slice(&hash[..16]);
        Voter::from_bytes(bits)
    }

    fn browser(random: &str) -> Self {
        Self(format!("browser:{random}"))
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

/// Gives out voter cookies and knows its own again.
#[derive(Clone, Debug)]
pub struct VoterCookies {
    secret: SecretString,
    secure: bool,
}

impl VoterCookies {
    /// Signs with `secret`. `secure` cookies travel over TLS only.
    pub fn new(secret: SecretString, secure: bool) -> Self {
        Self { secret, secure }
    }

    /// The browser's identity from its cookie; `None` without one.
    ///
    /// # Errors
    /// [`IdentityFault::ForgedCookie`] when it is altered, cut short or of another server.
    pub fn identity(&self, request: &HttpRequest) -> Result<Option<Identity>, IdentityFault> {
        match request.cookie(COOKIE) {
            Some(cookie) => self.verify(cookie.value()).map(Some),
            None => Ok(None),
        }
    }

    /// A new random identity and the cookie that holds it.
    pub fn mint(&self) -> (Identity, Cookie<'static>) {
        let bits = [(); 2].map(|()| getrandom::u64().expect("the system has random numbers"));
        let random = format!("{:016x}{:016x}", bits[0], bits[1]);
        let signature = hex(&self.sign(&random).finalize().into_bytes());
        (Identity::browser(&random), self.cookie(format!("{random}.{signature}"), COOKIE_LIFE))
    }

    /// A cookie that makes the browser forget the one it has.
    pub fn forget(&self) -> Cookie<'static> {
        self.cookie(String::new(), Duration::ZERO)
    }

    fn cookie(&self, value: String, life: Duration) -> Cookie<'static> {
        Cookie::build(COOKIE, value)
            .path("/")
            .http_only(true)
            .secure(self.secure)
            // Not Strict: whoever follows a link from a chat would come without the cookie and be taken for new.
            .same_site(SameSite::Lax)
            .max_age(life)
            .finish()
    }

    fn verify(&self, value: &str) -> Result<Identity, IdentityFault> {
        let (random, signature) = value.split_once('.').ok_or(IdentityFault::ForgedCookie)?;
        if random.len() != IDENTITY_DIGITS {
            return Err(IdentityFault::ForgedCookie);
        }
        let signature = unhex(signature).ok_or(IdentityFault::ForgedCookie)?;
        self.sign(random).verify_slice(&signature).map_err(|_| IdentityFault::ForgedCookie)?;
        Ok(Identity::browser(random))
    }

    fn sign(&self, random: &str) -> Hmac<Sha256> {
        keyed_hash(self.secret.expose_secret().as_bytes(), &[PURPOSE, random.as_bytes()])
    }
}

fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| char::from(*b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(&pair[0])? << 4 | digit(&pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn cookies(secret: &str) -> VoterCookies {
        VoterCookies::new(SecretString::from(secret), false)
    }

    fn request_with(value: &str) -> HttpRequest {
        TestRequest::default().cookie(Cookie::new(COOKIE, value.to_owned())).to_http_request()
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
    fn an_identity_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Identity("browser:7".into())), "Identity(…)");
    }
}
