//! Identifiers: private fields and `parse`, so that a wrong one cannot be held.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use smol_str::SmolStr;
use uuid::Uuid;

/// The longest a slug may be, in characters.
pub const SLUG_MAX: usize = 64;

/// Why a text is no identifier. The words can be shown to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedId {
    /// Not `[a-z0-9-]{1,64}`.
    #[error("must be 1 to {SLUG_MAX} characters of a-z, 0-9 and -")]
    Slug,
    /// Not a UUID.
    #[error("must be a UUID such as 67e55044-10b1-426f-9247-bb680e5fe0c8")]
    Uuid,
    /// Not hexadecimal of the right length.
    #[error("must be {0} lower-case hexadecimal digits")]
    Hex(usize),
}

fn check_slug(text: &str) -> Result<(), MalformedId> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.is_empty() || text.len() > SLUG_MAX || !text.bytes().all(allowed) {
        return Err(MalformedId::Slug);
    }
    Ok(())
}

/// The slug of a text: lower case, everything but letters and digits of ASCII as single dashes.
/// Empty when nothing is left.
fn slug_of(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(SLUG_MAX);
    slug.trim_end_matches('-').to_owned()
}

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "SmolStr")]
        pub struct $name(SmolStr);

        impl $name {
            /// Takes `[a-z0-9-]{1,64}`.
            ///
            /// # Errors
            /// [`MalformedId::Slug`] for anything else.
            pub fn parse(text: &str) -> Result<Self, MalformedId> {
                check_slug(text).map(|()| Self(text.into()))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<SmolStr> for $name {
            type Error = MalformedId;
            fn try_from(text: SmolStr) -> Result<Self, MalformedId> {
                check_slug(&text).map(|()| Self(text))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

slug! {
    /// Names a round: a slug, also a token of subjects, stream names and addresses.
    RoundId
}

impl RoundId {
    /// Makes an identifier from a title: `Who sits on the board?` becomes `who-sits-on-the-board`; a title without a
    /// letter or digit of ASCII becomes `round`. Another round may have it.
    pub fn from_title(title: &str) -> Self {
        let slug = slug_of(title);
        Self(if slug.is_empty() { "round".into() } else { slug.into() })
    }

    /// The same with `suffix` behind it, for when it is taken.
    ///
    /// # Errors
    /// [`MalformedId::Slug`] when the suffix is none of a slug, or leaves no room for a name.
    pub fn with_suffix(&self, suffix: &str) -> Result<Self, MalformedId> {
        let room = SLUG_MAX.saturating_sub(suffix.len() + 1);
        if room == 0 {
            return Err(MalformedId::Slug);
        }
        let name = &self.0[..room.min(self.0.len())];
        Self::parse(&format!("{}-{suffix}", name.trim_end_matches('-')))
    }
}

slug! {
    /// Names an option within its round: a slug.
    OptionId
}

impl OptionId {
    /// Makes identifiers from the labels people wrote, in the same order and each of its own:
    /// `["Cats", "Dogs!", "cats"]` become `cats`, `dogs`, `cats-3`. A label without a letter or digit of
    /// ASCII becomes `option-<place>`.
    pub fn from_labels(labels: &[String]) -> Vec<OptionId> {
        let mut ids: Vec<OptionId> = Vec::with_capacity(labels.len());
        for (index, label) in labels.iter().enumerate() {
            ids.push(Self::from_label(label, index + 1, &ids));
        }
        ids
    }

    /// Makes the identifier of one label, in the same way: `place` counts from 1, and none that is `taken` is made.
    pub fn from_label(label: &str, place: usize, taken: &[OptionId]) -> OptionId {
        let mut slug = slug_of(label);
        if slug.is_empty() {
            slug = "option".to_owned();
        }
        let mut unique = slug.clone();
        let mut number = place;
        while unique == "option" || taken.iter().any(|taken| taken.as_str() == unique) {
            slug.truncate(SLUG_MAX - "-99999".len());
            unique = format!("{slug}-{number}");
            number += 1;
        }
        OptionId(unique.into())
    }
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new, random identifier.
            #[expect(clippy::disallowed_methods, reason = "this is the id type")]
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Takes a UUID in any of its usual forms.
            ///
            /// # Errors
            /// [`MalformedId::Uuid`] for anything else.
            pub fn parse(text: &str) -> Result<Self, MalformedId> {
                Self::parse_ascii(text.as_bytes())
            }

            /// The same, of a text of which nobody knows whether it is one.
            pub(crate) fn parse_ascii(text: &[u8]) -> Result<Self, MalformedId> {
                Uuid::try_parse_ascii(text).map(Self).map_err(|_| MalformedId::Uuid)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

random_id! {
    /// Names one ballot: a random UUID, chosen by whoever casts it, so that a retry is known for one.
    BallotId
}

random_id! {
    /// Names an account: a random UUID, also a token of subjects.
    UserId
}

random_id! {
    /// Names a session: a random UUID, also a token of subjects. It is a name and no secret: what opens a session is
    /// a signed token.
    SessionId
}

/// Names one message on the bus (`Nats-Msg-Id`): saying it twice stores it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageId(String);

impl MessageId {
    /// A new, random identifier, for a message that is said once.
    #[expect(clippy::disallowed_methods, reason = "this is the id type")]
    pub fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// An identifier that says what the message is, for one that may be said again after a crash.
    pub fn named(name: String) -> Self {
        Self(name)
    }

    /// The identifier as it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_named_by_a_slug_and_by_nothing_else() {
        assert!(RoundId::parse("cats-or-dogs-2").is_ok());
        for wrong in ["", "Cats", "a.b", "a b", "a*", ">", "é", "a/b", &"x".repeat(65)] {
            assert_eq!(RoundId::parse(wrong), Err(MalformedId::Slug), "{wrong:?}");
        }
        assert!(serde_json::from_str::<RoundId>("\"a.b\"").is_err());
    }

    #[test]
    fn options_get_identifiers_of_their_own_from_their_labels() {
        let labels = ["Cats", "Dogs & wolves!", "cats", "猫", "-"].map(str::to_owned);
        let ids: Vec<_> = OptionId::from_labels(&labels).iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["cats", "dogs-wolves", "cats-3", "option-4", "option-5"]);
    }

    #[test]
    fn options_stay_apart_when_a_label_imitates_a_made_identifier() {
        let labels = ["a-3", "a", "a", "A-3"].map(str::to_owned);
        let mut ids = OptionId::from_labels(&labels);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), labels.len());
    }

    #[test]
    fn a_round_can_be_named_by_its_title() {
        let named = |title: &str| RoundId::from_title(title);
        assert_eq!(named(" Who sits on the board? ").as_str(), "who-sits-on-the-board");
        assert_eq!(named("🐪 أي").as_str(), "round");
        assert_eq!(named("Board").with_suffix("k3x").unwrap().as_str(), "board-k3x");
        let long = named(&"x".repeat(200));
        assert_eq!(long.as_str().len(), SLUG_MAX);
        assert!(long.with_suffix("k3x").unwrap().as_str().ends_with("xxx-k3x"));
        assert!(long.with_suffix("K").is_err());
        assert!(long.with_suffix(&"x".repeat(SLUG_MAX)).is_err());
    }
}
