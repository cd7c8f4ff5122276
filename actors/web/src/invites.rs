//! Invites: codes that let whoever holds one vote in one round. They are signed, and nothing of them is stored.
//!
//! A code is 12 bytes, 6 random ones and the first 6 of their signature for the round, in Crockford's base 32: no
//! letter that is taken for a digit, and none of one case only, because people copy codes from paper.

use std::collections::HashSet;

use subjects::RoundId;

use crate::{Identity, Keys};

/// How many invites are made at once at the most.
pub const INVITES_MAX: usize = 10_000;

/// What the signature is for, so that it fits nothing else.
const PURPOSE: &str = "invite";
/// Bytes that tell one invite from the others of its round.
const RANDOM: usize = 6;
/// Bytes of the signature.
const TAG: usize = 6;
/// Characters of a code, without dashes.
const LETTERS: usize = 20;
/// Characters of a group.
const GROUP: usize = 5;
/// What 20 characters of 5 bits hold beyond 12 bytes: zeros.
const SPARE_BITS: usize = 5 * LETTERS - 8 * (RANDOM + TAG);
/// Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why an invite lets nobody in. The words are for the voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteFault {
    /// Not written like one.
    #[error("this is no invite code; it looks like ABCDE-FGHJK-MNPQR-STVWX")]
    Malformed,
    /// Not signed by us for this round.
    #[error("this invite is not of this round")]
    Foreign,
}

/// Makes invites and knows its own again. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Invites {
    keys: Keys,
}

impl Invites {
    /// Signs with `keys`.
    pub fn new(keys: Keys) -> Self {
        Self { keys }
    }

    /// `count` new invites to this round, no two of them the same; [`INVITES_MAX`] at the most.
    pub fn make(&self, round: &RoundId, count: usize) -> Vec<String> {
        let count = count.min(INVITES_MAX);
        let mut made = HashSet::with_capacity(count);
        while made.len() < count {
            let mut random = vec![0; RANDOM * (count - made.len())];
            getrandom::fill(&mut random).expect("the system has random numbers");
            made.extend(random.as_chunks::<RANDOM>().0);
        }
        made.iter().map(|random| self.code(round, random)).collect()
    }

    /// Whom a code lets in to this round.
    ///
    /// # Errors
    /// [`InviteFault`].
    pub fn identity(&self, round: &RoundId, code: &str) -> Result<Identity, InviteFault> {
        let bits = read(code).ok_or(InviteFault::Malformed)?;
        let (random, tag) = parts(bits).ok_or(InviteFault::Foreign)?;
        if !self.keys.verify(PURPOSE, &[round.as_str().as_bytes(), &random], &tag) {
            return Err(InviteFault::Foreign);
        }
        Ok(Identity::of_invite(&random))
    }

    fn code(&self, round: &RoundId, random: &[u8; RANDOM]) -> String {
        let signature = self.keys.sign(PURPOSE, &[round.as_str().as_bytes(), random]);
        let bytes = random.iter().chain(&signature[..TAG]);
        write(bytes.fold(0, |bits, byte| bits << 8 | u128::from(*byte)) << SPARE_BITS)
    }
}

/// The code of these 100 bits.
fn write(bits: u128) -> String {
    let mut code = String::with_capacity(LETTERS + LETTERS / GROUP);
    for place in 0..LETTERS {
        if place > 0 && place.is_multiple_of(GROUP) {
            code.push('-');
        }
        let letter = bits >> (5 * (LETTERS - 1 - place)) & 31;
        code.push(char::from(ALPHABET[letter as usize]));
    }
    code
}

/// The 100 bits of a code as people write it: in either case, with dashes and blanks anywhere, and with letters that
/// look like digits.
fn read(code: &str) -> Option<u128> {
    let mut bits = 0;
    let mut letters = 0;
    for letter in code.chars() {
        if letter == '-' || letter.is_whitespace() {
            continue;
        }
        let meant = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        letters += 1;
        if letters > LETTERS {
            return None;
        }
        let value = ALPHABET.iter().position(|known| char::from(*known) == meant)?;
        bits = bits << 5 | value as u128;
    }
    (letters == LETTERS).then_some(bits)
}

/// What the bits hold; `None` when those that are to spare are not zero.
fn parts(bits: u128) -> Option<([u8; RANDOM], [u8; TAG])> {
    let held = bits >> SPARE_BITS;
    if held << SPARE_BITS != bits {
        return None;
    }
    let [_, _, _, _, bytes @ ..] = held.to_be_bytes();
    let (random, tag) = bytes.split_first_chunk()?;
    Some((*random, *tag.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::SecretString;

    fn invites(current: &str, previous: Option<&str>) -> Invites {
        Invites::new(Keys::new(current.into(), previous.map(SecretString::from)))
    }

    fn round(name: &str) -> RoundId {
        RoundId::parse(name).unwrap()
    }

    #[test]
    fn an_invite_lets_one_person_in_to_its_round_and_to_no_other() {
        let invites = invites("a secret of this test", None);
        let codes = invites.make(&round("demo"), 2);
        let [one, two] = [&codes[0], &codes[1]].map(|code| invites.identity(&round("demo"), code).unwrap());
        assert!(one != two, "each is somebody else");
        assert_eq!(invites.identity(&round("other"), &codes[0]), Err(InviteFault::Foreign));
    }

    #[test]
    fn an_invite_that_is_altered_anywhere_is_refused() {
        let invites = invites("a secret of this test", None);
        let code = invites.make(&round("demo"), 1).remove(0);
        for place in (0..code.len()).filter(|place| code.as_bytes()[*place] != b'-') {
            for letter in ALPHABET.iter().filter(|letter| code.as_bytes()[place] != **letter) {
                let mut altered = code.clone().into_bytes();
                altered[place] = *letter;
                let altered = String::from_utf8(altered).unwrap();
                assert_eq!(
                    invites.identity(&round("demo"), &altered),
                    Err(InviteFault::Foreign),
                    "{altered}"
                );
            }
        }
    }

    #[test]
    fn an_invite_is_read_as_people_write_it() {
        let invites = invites("a secret of this test", None);
        // Enough of them that every letter occurs.
        for code in invites.make(&round("demo"), 200) {
            let meant = invites.identity(&round("demo"), &code).unwrap();
            let bare = code.replace('-', "");
            let shapes = [
                code.to_lowercase(),
                bare.clone(),
                format!(" {} ", code.replace('-', " ")),
                bare.replace('0', "O").replace('1', "I"),
                code.replace('0', "o").replace('1', "l"),
                code.replace('1', "L").replace('1', "i"),
            ];
            for shape in shapes {
                assert!(invites.identity(&round("demo"), &shape) == Ok(meant.clone()), "{code} as {shape}");
            }
        }
    }

    #[test]
    fn what_is_not_written_like_an_invite_is_told_so() {
        let invites = invites("a secret of this test", None);
        let code = invites.make(&round("demo"), 1).remove(0);
        let wrong = [
            String::new(),
            "-".repeat(20),
            code[..22].to_owned(),
            format!("{code}0"),
            code.repeat(2),
            format!("U{}", &code[1..]),
            format!("é{}", &code[1..]),
            "ABCDE-FGHJK-MNPQR-STVW\0".to_owned(),
        ];
        for wrong in wrong {
            assert_eq!(invites.identity(&round("demo"), &wrong), Err(InviteFault::Malformed), "{wrong:?}");
        }
        let example = invites.identity(&round("demo"), "ABCDE-FGHJK-MNPQR-STVWX");
        assert_eq!(example, Err(InviteFault::Foreign));
    }

    #[test]
    fn an_invite_outlives_a_change_of_the_secret_by_one() {
        let code = invites("yesterday", None).make(&round("demo"), 1).remove(0);
        let by = |invites: Invites| invites.identity(&round("demo"), &code);
        assert_eq!(by(invites("today", Some("yesterday"))), by(invites("yesterday", None)));
        assert!(by(invites("today", Some("yesterday"))).is_ok());
        assert_eq!(by(invites("tomorrow", Some("today"))), Err(InviteFault::Foreign));
    }

    #[test]
    fn a_batch_holds_as_many_different_invites_as_were_asked_for_within_the_limit() {
        let invites = invites("a secret of this test", None);
        assert_eq!(invites.make(&round("demo"), 0).len(), 0);
        let batch: HashSet<String> = invites.make(&round("demo"), INVITES_MAX + 1).into_iter().collect();
        assert_eq!(batch.len(), INVITES_MAX);
        assert!(batch.iter().all(|code| code.len() == 23 && code.split('-').all(|group| group.len() == 5)));
    }
}
