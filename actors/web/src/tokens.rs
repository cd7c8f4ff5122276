//! The tokens of whoever is signed in: JWTs of one algorithm, HS256.
//!
//! A token names a session. Whether that session is alive, and what its person may do, only the session's record
//! tells ([`crate::sessions`]).

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{Error as SignatureFault, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subjects::{SessionId, Timestamp, UserId};

use crate::Keys;
use crate::keys::{finish, keyed_hash};

/// Who issues them.
const ISSUER: &str = "urna";
const PURPOSE: &str = "token";

/// What a program needs to stay signed in. As JSON it is what OAuth's programs expect (RFC 6749, section 5.1). Not
/// shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "token_type", rename = "Bearer")]
pub struct Tokens {
    /// To be sent with every request, as `Authorization: Bearer …`.
    #[serde(rename = "access_token")]
    pub access: String,
    /// To be exchanged for new ones when the first has run out.
    #[serde(rename = "refresh_token")]
    pub refresh: String,
    /// How long the first is good, in seconds.
    pub expires_in: u64,
}

/// Whose tokens, and of which session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    pub user: UserId,
    pub id: SessionId,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Whose it is.
    pub sub: UserId,
    /// Which session it belongs to.
    pub sid: SessionId,
    /// What it is for.
    #[serde(rename = "use")]
    pub usage: Usage,
    /// Since when it is good, in seconds since 1970.
    pub iat: i64,
    /// Until when.
    pub exp: i64,
    iss: String,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Usage {
    /// Being sent with every request.
    Access,
    /// Getting new ones.
    Refresh,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// It was good, and has run out.
    Expired,
    /// It never was: altered, of another key, another algorithm or another use.
    Forged,
}

/// Writes and reads tokens.
pub(crate) struct TokenKeys {
    writes: EncodingKey,
    /// The current one first.
    reads: Vec<DecodingKey>,
    validation: Validation,
}

impl TokenKeys {
    pub fn new(keys: &Keys) -> Self {
        // The library knows one provider for a process; from the second time on it is there already.
        let _ = HS256.install_default();
        let derived = keys.derive(PURPOSE);
        let mut validation = Validation::new(Algorithm::HS256);
        // The library would ask the machine's clock.
        validation.validate_exp = false;
        Self {
            writes: EncodingKey::from_secret(&derived[0]),
            reads: derived.iter().map(|key| DecodingKey::from_secret(key)).collect(),
            validation,
        }
    }

    /// Tokens made at `now`, of which the one for access is good for `life`, and none for longer than the session.
    pub fn tokens(&self, of: Session, life: Duration, now: Timestamp) -> Tokens {
        let (iat, end) = (seconds(now), seconds(of.ends_at));
        let access_end = iat.saturating_add_unsigned(life.as_secs()).min(end);
        let claims =
            |usage, exp| Claims { sub: of.user, sid: of.id, usage, iat, exp, iss: ISSUER.to_owned() };
        Tokens {
            access: self.write(&claims(Usage::Access, access_end)),
            refresh: self.write(&claims(Usage::Refresh, end)),
            expires_in: u64::try_from(access_end - iat).unwrap_or_default(),
        }
    }

    fn write(&self, claims: &Claims) -> String {
        encode(&Header::new(Algorithm::HS256), claims, &self.writes)
            .expect("claims can be written and signed")
    }

    /// What this token says, if it is ours, for this use, and good at `now`.
    pub fn read(&self, token: &str, usage: Usage, now: Timestamp) -> Result<Claims, TokenFault> {
        let claims = self.verify(token).ok_or(TokenFault::Forged)?;
        if claims.iss != ISSUER || claims.usage != usage {
            return Err(TokenFault::Forged);
        }
        if claims.exp <= seconds(now) {
            return Err(TokenFault::Expired);
        }
        Ok(claims)
    }

    fn verify(&self, token: &str) -> Option<Claims> {
        for key in &self.reads {
            match decode(token, key, &self.validation) {
                Ok(read) => return Some(read.claims),
                Err(fault) if matches!(fault.kind(), ErrorKind::InvalidSignature) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKeys(…)")
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(…)")
    }
}

fn seconds(moment: Timestamp) -> i64 {
    moment.unix_millis().div_euclid(1000)
}

/// The only cryptography that tokens are given: HMAC-SHA256, as for everything else that we sign.
static HS256: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(hs256(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| Ok(Box::new(hs256(*algorithm, key.try_get_as_bytes()?)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

fn hs256(algorithm: Algorithm, key: &[u8]) -> JwtResult<Hs256> {
    match algorithm {
        Algorithm::HS256 => Ok(Hs256(keyed_hash(key))),
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureFault> {
        Ok(finish(self.0.clone().chain_update(message)).to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureFault> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| SignatureFault::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::KeyInit;
    use jsonwebtoken::crypto::sign;
    use sha2::Sha512;

    const LIFE: Duration = Duration::from_secs(900);

    fn keys(current: &str, previous: Option<&str>) -> TokenKeys {
        TokenKeys::new(&Keys::new(current.into(), previous.map(Into::into)))
    }

    fn second(number: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_795_253_400_000 + number * 1000).unwrap()
    }

    fn session() -> Session {
        Session { user: UserId::random(), id: SessionId::random(), ends_at: second(3600) }
    }

    fn access(keys: &TokenKeys, of: Session) -> String {
        keys.tokens(of, LIFE, second(0)).access
    }

    /// Header, claims and signature.
    fn parts(token: &str) -> [&str; 3] {
        let parts: Vec<&str> = token.split('.').collect();
        parts.try_into().unwrap()
    }

    fn base64url(bytes: &[u8]) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::new();
        for chunk in bytes.chunks(3) {
            let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
            let bits = bits << (8 * (3 - chunk.len()));
            let letters = (0..=chunk.len()).map(|place| LETTERS[bits >> (18 - 6 * place) & 63]);
            text.extend(letters.map(char::from));
        }
        text
    }

    #[test]
    fn a_token_says_whose_it_is_until_it_runs_out() {
        let (keys, of) = (keys("a secret of this test", None), session());
        let tokens = keys.tokens(of, LIFE, second(0));
        let read = keys.read(&tokens.access, Usage::Access, second(899)).unwrap();
        assert_eq!((read.sub, read.sid), (of.user, of.id));
        assert_eq!(tokens.expires_in, 900);
        assert_eq!(keys.read(&tokens.access, Usage::Access, second(900)), Err(TokenFault::Expired));
        assert!(keys.read(&tokens.refresh, Usage::Refresh, second(3599)).is_ok());
        assert_eq!(keys.read(&tokens.refresh, Usage::Refresh, second(3600)), Err(TokenFault::Expired));
    }

    #[test]
    fn no_token_outlives_its_session() {
        let keys = keys("a secret of this test", None);
        let tokens = keys.tokens(session(), LIFE, second(3500));
        assert_eq!(tokens.expires_in, 100);
        assert_eq!(keys.read(&tokens.access, Usage::Access, second(3600)), Err(TokenFault::Expired));
    }

    #[test]
    fn a_token_is_good_for_its_own_use_only() {
        let keys = keys("a secret of this test", None);
        let tokens = keys.tokens(session(), LIFE, second(0));
        assert_eq!(keys.read(&tokens.access, Usage::Refresh, second(1)), Err(TokenFault::Forged));
        assert_eq!(keys.read(&tokens.refresh, Usage::Access, second(1)), Err(TokenFault::Forged));
    }

    #[test]
    fn a_token_of_another_key_or_issuer_is_refused() {
        let (ours, of) = (keys("a secret of this test", None), session());
        let foreign = access(&keys("another secret", None), of);
        assert_eq!(ours.read(&foreign, Usage::Access, second(1)), Err(TokenFault::Forged));
        let mut claims = ours.read(&access(&ours, of), Usage::Access, second(1)).unwrap();
        claims.iss = "another server".to_owned();
        assert_eq!(ours.read(&ours.write(&claims), Usage::Access, second(1)), Err(TokenFault::Forged));
    }

    #[test]
    fn a_token_of_the_previous_secret_is_good_and_a_new_one_is_of_the_current() {
        let rotated = keys("today", Some("yesterday"));
        let (old, new) = (access(&keys("yesterday", None), session()), access(&rotated, session()));
        assert!(rotated.read(&old, Usage::Access, second(1)).is_ok());
        assert!(keys("today", None).read(&new, Usage::Access, second(1)).is_ok());
        assert_eq!(keys("today", None).read(&old, Usage::Access, second(1)), Err(TokenFault::Forged));
        assert_eq!(rotated.read(&old, Usage::Access, second(900)), Err(TokenFault::Expired));
    }

    #[test]
    fn a_token_without_a_signature_is_refused_whatever_its_header_says() {
        let keys = keys("a secret of this test", None);
        let token = access(&keys, session());
        let [_, claims, signature] = parts(&token);
        for algorithm in ["none", "None", "NONE", "", "HS256"] {
            let header = base64url(format!("{{\"typ\":\"JWT\",\"alg\":\"{algorithm}\"}}").as_bytes());
            let token = format!("{header}.{claims}.");
            assert_eq!(keys.read(&token, Usage::Access, second(1)), Err(TokenFault::Forged), "{token}");
            let token = format!("{header}.{claims}.{signature}");
            let read = keys.read(&token, Usage::Access, second(1));
            assert!(read == Err(TokenFault::Forged) || algorithm == "HS256", "{token}");
        }
    }

    #[test]
    fn another_algorithm_is_refused_even_under_our_own_key() {
        let ours = Keys::new("a secret of this test".into(), None);
        let (keys, key) = (TokenKeys::new(&ours), ours.derive(PURPOSE)[0]);
        let token = access(&keys, session());
        let [_, claims, _] = parts(&token);
        let signed = |algorithm: &str| {
            let header = base64url(format!("{{\"typ\":\"JWT\",\"alg\":\"{algorithm}\"}}").as_bytes());
            format!("{header}.{claims}")
        };

        let message = signed("HS512");
        let hs512 = Hmac::<Sha512>::new_from_slice(&key).unwrap().chain_update(&message).finalize();
        let token = format!("{message}.{}", base64url(&hs512.into_bytes()));
        assert_eq!(keys.read(&token, Usage::Access, second(1)), Err(TokenFault::Forged));

        for algorithm in ["RS256", "ES256", "HS384", "HS512", "hs256"] {
            let message = signed(algorithm);
            let signature = sign(message.as_bytes(), &keys.writes, Algorithm::HS256).unwrap();
            let token = format!("{message}.{signature}");
            assert_eq!(keys.read(&token, Usage::Access, second(1)), Err(TokenFault::Forged), "{algorithm}");
        }
    }

    #[test]
    fn altered_claims_and_garbage_are_refused() {
        let keys = keys("a secret of this test", None);
        let (ours, other) = (access(&keys, session()), access(&keys, session()));
        let [header, claims, signature] = parts(&ours);
        let [_, other_claims, _] = parts(&other);
        let wrong = [
            String::new(),
            "..".to_owned(),
            "x.y.z".to_owned(),
            "é".repeat(100),
            "a.".repeat(10_000),
            format!("{header}.{other_claims}.{signature}"),
            format!("{header}.{claims}"),
            format!("{header}.{claims}.{signature}.{signature}"),
            format!("{header}.{claims}.{}", &signature[..40]),
            format!("{header}.{claims}.{}", base64url(&[0; 32])),
            format!(" {ours}"),
        ];
        for wrong in wrong {
            assert_eq!(keys.read(&wrong, Usage::Access, second(1)), Err(TokenFault::Forged), "{wrong}");
        }
    }

    #[test]
    fn tokens_are_written_as_programs_expect_them() {
        let tokens = Tokens { access: "a".into(), refresh: "r".into(), expires_in: 900 };
        let expected = serde_json::json!({
            "token_type": "Bearer", "access_token": "a", "refresh_token": "r", "expires_in": 900
        });
        assert_eq!(serde_json::to_value(tokens).unwrap(), expected);
    }

    #[test]
    fn tokens_are_not_shown_by_debug() {
        let keys = keys("a secret of this test", None);
        let tokens = keys.tokens(session(), LIFE, second(0));
        assert_eq!(format!("{keys:?} {tokens:?}"), "TokenKeys(…) Tokens(…)");
    }
}
