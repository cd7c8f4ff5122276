//! Who has cast a ballot, in a form that names nobody; and the key that ties it to a person.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::MalformedId;
use crate::hex::{hex, parse_hex};

/// A ballot's voter: the first 128 bits of HMAC-SHA256(the round's voter key, identity). Written as 32
/// hexadecimal digits. Says nothing about the person to whoever does not hold the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Voter([u8; 16]);

impl Voter {
    /// The voter of these 128 bits.
    pub const fn from_bytes(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// The 128 bits.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex(&self.0, &mut [0; 32]))
    }
}

impl fmt::Debug for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Voter(…)")
    }
}

impl FromStr for Voter {
    type Err = MalformedId;
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        parse_hex(text.as_bytes()).map(Self)
    }
}

impl Serialize for Voter {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(hex(&self.0, &mut [0; 32]))
    }
}

/// Without a copy of the text: a log holds a voter for every ballot.
impl<'de> Deserialize<'de> for Voter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Digits;

        impl Visitor<'_> for Digits {
            type Value = Voter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", MalformedId::Hex(32))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Voter, E> {
                text.parse().map_err(E::custom)
            }
        }

        from.deserialize_str(Digits)
    }
}

/// The secret of one round that ties identities to voters. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VoterKey([u8; 32]);

impl VoterKey {
    /// The key of these 256 random bits.
    pub const fn from_bytes(bits: [u8; 32]) -> Self {
        Self(bits)
    }

    /// The 256 bits, for keying an HMAC.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for VoterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VoterKey(…)")
    }
}

impl TryFrom<String> for VoterKey {
    type Error = MalformedId;
    fn try_from(text: String) -> Result<Self, MalformedId> {
        parse_hex::<32>(text.as_bytes()).map(Self)
    }
}

impl From<VoterKey> for String {
    fn from(key: VoterKey) -> String {
        hex(&key.0, &mut [0; 64]).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voter_is_thirty_two_hexadecimal_digits() {
        let voter = Voter::from_bytes([0x0a; 16]);
        let json = serde_json::to_string(&voter).unwrap();
        assert_eq!(json, format!("\"{}\"", "0a".repeat(16)));
        assert_eq!(serde_json::from_str::<Voter>(&json).unwrap(), voter);
        for wrong in ["0A".repeat(16), "0a".repeat(15), "0a".repeat(17), "+1".repeat(16), "é".repeat(16)] {
            assert_eq!(wrong.parse::<Voter>(), Err(MalformedId::Hex(32)));
            assert!(serde_json::from_value::<Voter>(wrong.into()).is_err());
        }
    }

    #[test]
    fn a_key_and_a_voter_are_not_shown_by_debug() {
        assert_eq!(format!("{:?}", VoterKey::from_bytes([7; 32])), "VoterKey(…)");
        assert_eq!(format!("{:?}", Voter::from_bytes([7; 16])), "Voter(…)");
    }
}
