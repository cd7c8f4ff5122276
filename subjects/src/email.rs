//! E-mail addresses, and which of them may vote.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::letter::{garbles, is_invisible};

/// The longest address, in bytes (RFC 5321).
pub const EMAIL_MAX: usize = 254;
/// The longest part before the @, in bytes (RFC 5321).
const LOCAL_MAX: usize = 64;

/// Why a text is no address. The words can be shown to whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedEmail {
    /// Not an address.
    #[error("must be an e-mail address such as ann@example.org")]
    Address,
    /// Neither an address nor a domain.
    #[error("must be an e-mail address such as ann@example.org, or a domain such as @example.org")]
    Rule,
}

/// An e-mail address in lower case, so that one person has one. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(Box<str>);

/// Addresses that are admitted: one (`ann@example.org`) or all of a domain (`@example.org`). Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailRule(Box<str>);

impl Email {
    /// Takes an address as people write it; blanks around it and capitals do not matter. Whether anybody reads it is
    /// another question.
    ///
    /// # Errors
    /// [`MalformedEmail::Address`].
    pub fn parse(text: &str) -> Result<Self, MalformedEmail> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.rsplit_once('@').ok_or(MalformedEmail::Address)?;
        let is_local = !local.is_empty() && local.len() <= LOCAL_MAX && local.chars().all(may_stand_in_local);
        if !is_local || !is_domain(domain) || text.len() > EMAIL_MAX {
            return Err(MalformedEmail::Address);
        }
        Ok(Self(text.into()))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl EmailRule {
    /// Takes an address or a domain behind an @.
    ///
    /// # Errors
    /// [`MalformedEmail::Rule`].
    pub fn parse(text: &str) -> Result<Self, MalformedEmail> {
        let text = text.trim().to_lowercase();
        let is_rule = match text.strip_prefix('@') {
            Some(domain) => is_domain(domain) && text.len() <= EMAIL_MAX,
            None => Email::parse(&text).is_ok(),
        };
        if is_rule { Ok(Self(text.into())) } else { Err(MalformedEmail::Rule) }
    }

    /// Whether this address is admitted.
    pub fn admits(&self, email: &Email) -> bool {
        let domain = email.0.rfind('@').map(|at| &email.0[at..]);
        *self.0 == *email.0 || domain == Some(&*self.0)
    }
}

/// Nothing that cannot be seen, or two addresses would look like one.
fn may_stand_in_local(c: char) -> bool {
    !c.is_whitespace()
        && !garbles(c)
        && !is_invisible(c)
        && !matches!(c, '@' | '"' | '<' | '>' | '(' | ')' | ',' | ';' | ':' | '\\')
}

/// Labels of letters (of any script), digits and dashes, joined by dots.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| (c.is_alphanumeric() && !is_invisible(c)) || c == '-')
    };
    text.split('.').all(is_label)
}

macro_rules! written_as_text {
    ($name:ident, $fault:ty) => {
        impl TryFrom<String> for $name {
            type Error = $fault;
            fn try_from(text: String) -> Result<Self, $fault> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(it: $name) -> String {
                it.0.into()
            }
        }

        impl FromStr for $name {
            type Err = $fault;
            fn from_str(text: &str) -> Result<Self, $fault> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

written_as_text!(Email, MalformedEmail);
written_as_text!(EmailRule, MalformedEmail);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_however_it_is_written() {
        assert_eq!(Email::parse(" Ann@Example.ORG ").unwrap().as_str(), "ann@example.org");
        assert!(Email::parse("ann+votes@xn--bcher-kva.example").is_ok());
        assert!(Email::parse("jürgen@bücher.example").is_ok());
        assert!(Email::parse("root@localhost").is_ok());
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.org", "x".repeat(65));
        let longer = format!("a@{}", "x.".repeat(127) + "org");
        for wrong in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "a b@c.d",
            "ann@example..org",
            "ann@-a.b",
            "a\r\n@b.c",
            "a\0@b.c",
            "<ann>@b.c",
            "a@b@c.d",
            &long,
            &longer,
        ] {
            assert_eq!(Email::parse(wrong), Err(MalformedEmail::Address), "{wrong:?}");
        }
    }

    #[test]
    fn no_two_addresses_look_like_one() {
        let unseen =
            ['\u{200b}', '\u{200d}', '\u{ad}', '\u{feff}', '\u{2060}', '\u{fe0f}', '\u{3164}', '\u{e0061}'];
        let turning = ['\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}', '\u{61c}', '\u{2028}'];
        for letter in unseen.into_iter().chain(turning) {
            for wrong in [format!("a{letter}nn@example.org"), format!("ann@ex{letter}ample.org")] {
                assert_eq!(Email::parse(&wrong), Err(MalformedEmail::Address), "{wrong:?}");
                assert_eq!(EmailRule::parse(&wrong), Err(MalformedEmail::Rule), "{wrong:?}");
            }
        }
    }

    #[test]
    fn a_rule_admits_one_address_or_a_whole_domain() {
        let ann = Email::parse("ann@example.org").unwrap();
        let admits = |rule: &str| EmailRule::parse(rule).unwrap().admits(&ann);
        assert!(admits("Ann@example.org"));
        assert!(admits("@example.org"));
        assert!(!admits("bob@example.org"));
        assert!(!admits("@ample.org"));
        assert!(!admits("@mail.example.org"));
        assert!(EmailRule::parse("example.org").is_err());
    }

    #[test]
    fn an_address_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Email::parse("ann@example.org").unwrap()), "Email(…)");
    }
}
