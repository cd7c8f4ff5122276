//! The secrets that sign whatever we give out and must know again: cookies, tokens, invites, forms.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Signs with the current secret, and still knows what the previous one has signed, so that a secret can be
/// replaced while people are signed in. Cheap to clone; never shown by `Debug`.
#[derive(Clone)]
pub struct Keys {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl Keys {
    /// Signs with `current`; what `previous` has signed is still good.
    pub fn new(current: SecretString, previous: Option<SecretString>) -> Self {
        let keyed = |secret: &SecretString| keyed_hash(secret.expose_secret().as_bytes());
        Self { current: keyed(&current), previous: previous.as_ref().map(keyed) }
    }

    /// The signature of these parts. It fits no other purpose, and no other division into parts.
    pub(crate) fn sign(&self, purpose: &'static str, parts: &[&[u8]]) -> [u8; 32] {
        finish(covering(&self.current, purpose, parts))
    }

    /// Whether `tag` is the first `N` bytes of the signature of these parts. Takes the same time whatever is wrong.
    pub(crate) fn verify<const N: usize>(
        &self,
        purpose: &'static str,
        parts: &[&[u8]],
        tag: &[u8; N],
    ) -> bool {
        self.each().any(|key| covering(key, purpose, parts).verify_truncated_left(tag).is_ok())
    }

    /// A key of its own for signatures in a foreign format: from the current secret, then from the previous one.
    pub(crate) fn derive(&self, purpose: &'static str) -> Vec<[u8; 32]> {
        self.each().map(|key| finish(covering(key, purpose, &[]))).collect()
    }

    fn each(&self) -> impl Iterator<Item = &Hmac<Sha256>> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// HMAC-SHA256 under this key, of nothing yet.
pub(crate) fn keyed_hash(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// The 32 bytes of a finished hash.
pub(crate) fn finish(hash: Hmac<Sha256>) -> [u8; 32] {
    hash.finalize().into_bytes().into()
}

/// Every part goes in behind its length, so that two divisions of one text never meet.
fn covering(key: &Hmac<Sha256>, purpose: &'static str, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut hash = key.clone();
    for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash
}

/// Two digits for each byte, in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of exactly `2 * N` digits.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: &str, previous: Option<&str>) -> Keys {
        Keys::new(current.into(), previous.map(SecretString::from))
    }

    #[test]
    fn a_signature_fits_its_purpose_and_its_parts_and_nothing_else() {
        let keys = keys("a secret of this test", None);
        let tag = keys.sign("a", &[b"bc", b"d"]);
        assert!(keys.verify("a", &[b"bc", b"d"], &tag));
        assert!(!keys.verify("b", &[b"bc", b"d"], &tag));
        assert!(!keys.verify("a", &[b"b", b"cd"], &tag));
        assert!(!keys.verify("a", &[b"bcd"], &tag));
        let mut altered = tag;
        altered[31] ^= 1;
        assert!(!keys.verify("a", &[b"bc", b"d"], &altered));
    }

    #[test]
    fn a_signature_may_be_cut_to_its_beginning() {
        let keys = keys("a secret of this test", None);
        let tag = keys.sign("a", &[]);
        let begins: [u8; 6] = tag[..6].try_into().unwrap();
        let ends: [u8; 6] = tag[26..].try_into().unwrap();
        assert!(keys.verify("a", &[], &begins));
        assert!(!keys.verify("a", &[], &ends));
        assert!(!keys.verify("a", &[], &[]));
    }

    #[test]
    fn what_the_previous_secret_signed_is_good_until_it_is_given_up() {
        let old = keys("the secret of yesterday", None);
        let rotated = keys("the secret of today", Some("the secret of yesterday"));
        let new = keys("the secret of today", None);
        let tag = old.sign("a", &[b"b"]);
        assert!(rotated.verify("a", &[b"b"], &tag));
        assert!(!new.verify("a", &[b"b"], &tag));
        assert_eq!(rotated.sign("a", &[b"b"]), new.sign("a", &[b"b"]));
        assert_eq!(rotated.derive("k"), [new.derive("k"), old.derive("k")].concat());
    }

    #[test]
    fn a_secret_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", keys("a secret of this test", None)), "Keys(…)");
    }

    #[test]
    fn hexadecimal_is_read_as_it_is_written_and_at_one_length_only() {
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
        assert_eq!(unhex::<3>("00ff10"), Some([0, 255, 16]));
        for wrong in ["", "00ff1", "00ff1000", "00ff1g", "00f€1"] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong:?}");
        }
    }
}
