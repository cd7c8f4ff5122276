//! As whom a process connects.

use std::io;

use async_nats::ConnectOptions;
use nkeys::{KeyPair, KeyPairType};
use secrecy::{ExposeSecret, SecretString};

/// How a process shows who it is. A client certificate, which can do so as well, is part of [`crate::Tls`].
#[derive(Clone, Debug)]
pub enum Authentication {
    /// A user with a password.
    Password {
        /// The user's name.
        user: String,
        /// The user's password.
        password: SecretString,
    },
    /// A token that all of a server's clients share.
    Token(SecretString),
    /// A user's nkey: the server only knows its public half.
    NkeySeed(NkeySeed),
    /// A user's JWT with its nkey, as `nsc` writes them.
    CredentialsFile(Credentials),
}

/// The private half of a user's nkey.
#[derive(Clone, Debug)]
pub struct NkeySeed(SecretString);

/// The text is not a user's nkey seed. It is not echoed because it may contain a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not contain the nkey seed of a user, which begins with SU")]
pub struct NotAnNkeySeed;

/// A user's JWT and nkey seed.
#[derive(Clone, Debug)]
pub struct Credentials(SecretString);

/// The text is not a user's JWT and nkey seed. It is not echoed because it may contain a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("does not contain the JWT and the nkey seed of a user, as nsc writes them")]
pub struct NotCredentials;

impl NkeySeed {
    /// Finds the seed in the text of a file, which may have other lines as well.
    ///
    /// # Errors
    /// When no line is the seed of a user.
    pub fn parse(text: &str) -> Result<Self, NotAnNkeySeed> {
        let seed = text.lines().map(str::trim).find(|line| is_seed_of_user(line)).ok_or(NotAnNkeySeed)?;
        Ok(Self(SecretString::from(seed)))
    }
}

fn is_seed_of_user(line: &str) -> bool {
    KeyPair::from_seed(line).is_ok_and(|pair| pair.key_pair_type() == KeyPairType::User)
}

impl Credentials {
    /// Reads the text of a credentials file.
    ///
    /// # Errors
    /// When the JWT or the seed is missing or is not one.
    pub fn parse(text: &str) -> Result<Self, NotCredentials> {
        ConnectOptions::with_credentials(text).map_err(|_| NotCredentials)?;
        Ok(Self(SecretString::from(text)))
    }
}

impl Authentication {
    pub(super) fn options(&self) -> io::Result<ConnectOptions> {
        let exposed = |secret: &SecretString| secret.expose_secret().to_owned();
        Ok(match self {
            Self::Password { user, password } => {
                ConnectOptions::with_user_and_password(user.clone(), exposed(password))
            }
            Self::Token(token) => ConnectOptions::with_token(exposed(token)),
            Self::NkeySeed(NkeySeed(seed)) => ConnectOptions::with_nkey(exposed(seed)),
            Self::CredentialsFile(Credentials(text)) => {
                ConnectOptions::with_credentials(text.expose_secret())?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(pair: &KeyPair) -> String {
        pair.seed().unwrap()
    }

    #[test]
    fn an_nkey_seed_is_that_of_a_user() {
        let user = KeyPair::new_user();
        let file = format!("{}\n{}\n", user.public_key(), seed(&user));
        let found = NkeySeed::parse(&file).unwrap();
        assert_eq!(found.0.expose_secret(), seed(&user));
        assert!(!format!("{found:?}").contains(&seed(&user)));
        for wrong in ["", "SUA", &user.public_key(), &seed(&KeyPair::new_account())] {
            assert_eq!(NkeySeed::parse(wrong).unwrap_err(), NotAnNkeySeed, "{wrong}");
        }
    }

    #[test]
    fn a_credentials_file_has_a_jwt_and_a_seed() {
        let seed = seed(&KeyPair::new_user());
        let jwt =
            "-----BEGIN NATS USER JWT-----\neyJ0eXAi.eyJqdGki.c2lnbmVk\n------END NATS USER JWT------\n";
        let key =
            |seed: &str| format!("-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n");
        let found = Credentials::parse(&format!("{jwt}\n{}", key(&seed))).unwrap();
        assert!(!format!("{found:?}").contains(&seed));
        for wrong in [String::new(), jwt.to_owned(), key(&seed), format!("{jwt}{}", key("SUA"))] {
            assert_eq!(Credentials::parse(&wrong).unwrap_err(), NotCredentials, "{wrong}");
        }
    }
}
