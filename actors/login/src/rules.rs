//! What an account must be, and where a person may be sent. Pure: facts in, decision out.

use secrecy::{ExposeSecret, SecretString};
use subjects::letter::{garbles, is_invisible};
use subjects::{Email, Role};
use web::FieldError;

/// The longest name, in characters.
pub const NAME_MAX: usize = 80;
/// How many characters a password has. The most are 1,024 bytes.
pub const PASSWORD: std::ops::RangeInclusive<usize> = 10..=256;
/// The digits of a made password: those of Crockford's base32, which nobody takes for one another.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is no name. The words are for whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {NAME_MAX} characters that can be seen")]
pub struct InvalidName;

/// Why a text is no password. The words are for whoever wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Too short to be safe, or too long to be meant.
    #[error("must have {least} to {most} characters", least = PASSWORD.start(), most = PASSWORD.end())]
    Length,
    /// The first that anybody would try.
    #[error("must be neither the name nor the e-mail address")]
    Known,
}

/// A person who registers.
#[derive(Debug)]
pub struct Registration {
    /// As they are called.
    pub name: String,
    /// Their address.
    pub email: Email,
    /// What only they know.
    pub password: SecretString,
}

/// Who may register: somebody with a name, an address and a password.
///
/// # Errors
/// Every field that is wrong.
pub fn registration(
    name: &str,
    email: &str,
    password: SecretString,
) -> Result<Registration, Vec<FieldError>> {
    let mut errors = Vec::new();
    let valid_name = noted("name", parse_name(name), &mut errors);
    let valid_email = noted("email", Email::parse(email), &mut errors);
    noted("password", check_password(&password, name, email), &mut errors);
    match (valid_name, valid_email) {
        (Some(name), Some(email)) if errors.is_empty() => Ok(Registration { name, email, password }),
        _ => Err(errors),
    }
}

/// What is valid; what is not is noted under the name of its field.
pub fn noted<T, E: std::fmt::Display>(
    field: &str,
    parsed: Result<T, E>,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    parsed.map_err(|why| errors.push(FieldError { field: field.to_owned(), detail: why.to_string() })).ok()
}

/// A name without blanks around it.
///
/// # Errors
/// [`InvalidName`] when nothing of it can be seen, there is too much of it, or it would garble what stands beside it.
pub fn parse_name(text: &str) -> Result<String, InvalidName> {
    let name = text.trim();
    let fits = name.chars().count() <= NAME_MAX && !name.chars().any(garbles);
    let can_be_seen = name.chars().any(|letter| !letter.is_whitespace() && !is_invisible(letter));
    if fits && can_be_seen { Ok(name.to_owned()) } else { Err(InvalidName) }
}

/// Whether `password` will do for a person of this name and address.
///
/// # Errors
/// [`InvalidPassword`].
pub fn check_password(password: &SecretString, name: &str, email: &str) -> Result<(), InvalidPassword> {
    let text = password.expose_secret();
    if !PASSWORD.contains(&text.chars().count()) {
        return Err(InvalidPassword::Length);
    }
    if text.eq_ignore_ascii_case(name.trim()) || text.eq_ignore_ascii_case(email.trim()) {
        return Err(InvalidPassword::Known);
    }
    Ok(())
}

/// Where a person goes after signing in: `next` if it is a path of ours and of nobody else.
pub fn next_path(next: &str) -> Option<&str> {
    let is_local = next.starts_with('/') && !next.starts_with("//");
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (is_local && is_plain).then_some(next)
}

/// The role of this name.
pub fn parse_role(text: &str) -> Option<Role> {
    match text {
        "voter" => Some(Role::Voter),
        "organiser" => Some(Role::Organiser),
        "admin" => Some(Role::Admin),
        _ => None,
    }
}

/// The name of this role.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Voter => "voter",
        Role::Organiser => "organiser",
        Role::Admin => "admin",
    }
}

/// A password of these random bits that a person can copy from paper: five groups of four.
pub fn readable_password(random: &[u8; 20]) -> SecretString {
    let mut text = String::with_capacity(24);
    for (place, byte) in random.iter().enumerate() {
        if place > 0 && place % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte % 32)]));
    }
    SecretString::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, email: &str, password: &str) -> Vec<String> {
        let told = registration(name, email, SecretString::from(password));
        told.map_or_else(|errors| errors.into_iter().map(|error| error.field).collect(), |_| Vec::new())
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        assert_eq!(fields("", "ann", "short"), ["name", "email", "password"]);
        assert_eq!(fields("Ann", "ann@example.org", "short"), ["password"]);
        assert!(fields(" Ann ", " Ann@Example.org ", "correct horse").is_empty());
    }

    #[test]
    fn a_name_can_be_seen_and_moves_nothing_beside_it() {
        assert_eq!(parse_name("  Ann  "), Ok("Ann".to_owned()));
        for odd in ["ليلى", "李小龍", "👩‍👩‍👧", "O'Brien <b>", "'; drop table login.account; --", "{{ 7 * 7 }}"]
        {
            assert_eq!(parse_name(odd), Ok(odd.to_owned()));
        }
        assert!(parse_name(&"é".repeat(NAME_MAX)).is_ok());
        let long = "é".repeat(NAME_MAX + 1);
        for wrong in
            ["", "   ", "A\0nn", "A\r\nSet-Cookie: a=b", "A\u{202e}nn", "\u{200b}", "\u{3164}", &long]
        {
            assert_eq!(parse_name(wrong), Err(InvalidName), "{wrong:?}");
        }
    }

    #[test]
    fn a_password_is_any_text_of_ten_to_two_hundred_and_fifty_six_characters() {
        let check =
            |password: &str| check_password(&SecretString::from(password), "Ann Example", "ann@example.org");
        for odd in ["0123456789", "          ", "\0\0\0\0\0\0\0\0\0\0", &"🐪".repeat(256), "пароль пароль"]
        {
            assert_eq!(check(odd), Ok(()), "{odd:?}");
        }
        for wrong in ["", "012345678", "🐪🐪🐪🐪🐪🐪🐪🐪🐪", &"x".repeat(257), &"x".repeat(10_000)]
        {
            assert_eq!(check(wrong), Err(InvalidPassword::Length), "{wrong:?}");
        }
        assert_eq!(check("ANN example"), Err(InvalidPassword::Known));
        assert_eq!(check("Ann@Example.org"), Err(InvalidPassword::Known));
    }

    #[test]
    fn a_person_is_sent_to_a_path_of_ours_and_nowhere_else() {
        for ours in ["/", "/vote/demo?invite=ABCDE", "/account#profile"] {
            assert_eq!(next_path(ours), Some(ours));
        }
        let theirs =
            ["", "vote", "//evil.example", "https://evil.example", "/\\evil.example", "\\/evil.example"];
        for theirs in
            theirs.into_iter().chain(["/a\r\nSet-Cookie: a=b", "/\t/evil.example", "/ä", "javascript:x"])
        {
            assert_eq!(next_path(theirs), None, "{theirs:?}");
        }
    }

    #[test]
    fn a_made_password_can_be_copied_from_paper_and_would_be_taken() {
        let password = readable_password(&std::array::from_fn(|place| u8::try_from(place * 13).unwrap()));
        assert_eq!(password.expose_secret(), "0DT7-M1EV-8N2F-W9P3-GXAQ");
        assert_eq!(check_password(&password, "Admin", "admin@example.org"), Ok(()));
    }

    #[test]
    fn a_role_is_written_as_it_is_read() {
        for role in [Role::Voter, Role::Organiser, Role::Admin] {
            assert_eq!(parse_role(role_name(role)), Some(role));
        }
        assert_eq!(parse_role("Admin"), None);
    }
}
