//! Names of pictures.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::MalformedId;
use crate::hex::{hex, parse_hex};

/// Names a picture: the SHA-256 of its bytes as they are kept. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PictureId([u8; 32]);

impl PictureId {
    /// The picture of this digest.
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Takes 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`MalformedId::Hex`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MalformedId> {
        parse_hex::<32>(text.as_bytes()).map(Self)
    }

    /// The first eight digits: enough to tell one picture of an option from the next in an address.
    pub fn short(&self) -> String {
        hex(&self.0[..4], &mut [0; 8]).to_owned()
    }
}

impl FromStr for PictureId {
    type Err = MalformedId;
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        Self::parse(text)
    }
}

impl TryFrom<String> for PictureId {
    type Error = MalformedId;
    fn try_from(text: String) -> Result<Self, MalformedId> {
        Self::parse(&text)
    }
}

impl fmt::Display for PictureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex(&self.0, &mut [0; 64]))
    }
}

impl Serialize for PictureId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_sixty_four_hexadecimal_digits() {
        let text = format!("00ff0a9b{}", "0a".repeat(28));
        let picture = PictureId::parse(&text).unwrap();
        assert_eq!((picture.to_string(), picture.short()), (text.clone(), "00ff0a9b".into()));
        let json = serde_json::to_string(&picture).unwrap();
        assert_eq!((json.clone(), serde_json::from_str(&json).ok()), (format!("\"{text}\""), Some(picture)));
        for wrong in [text.to_uppercase(), "0a".repeat(31), "../../etc/passwd".into()] {
            assert_eq!(PictureId::parse(&wrong), Err(MalformedId::Hex(64)));
        }
    }
}
