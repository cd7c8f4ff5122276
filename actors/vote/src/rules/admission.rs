//! Who may vote in a round, once it is known who is calling.

use subjects::{Email, Policy, Round};

/// What a caller shows of who they are. Whether it is real was found out before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// Nothing but that it is a browser.
    Browser,
    /// The name of a voter, as a program gives it.
    VoterId,
    /// An invite to this round.
    Invite,
    /// That they are signed in to the account of this address.
    Account(&'a Email),
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The round does not let programs name its voters.
    NoPrograms,
    /// The round asks for an invite.
    InviteNeeded,
    /// The round asks for an account.
    SignInNeeded,
    /// The round asks for an account of another address.
    NotOnTheList,
}

/// Whether whoever shows this may vote in `round`.
///
/// # Errors
/// [`NotAdmitted`].
pub fn admits(round: &Round, shown: Shown) -> Result<(), NotAdmitted> {
    match (round.policy, shown) {
        (Policy::Anyone, Shown::VoterId) if round.programs => Ok(()),
        (_, Shown::VoterId) => Err(NotAdmitted::NoPrograms),
        (Policy::Anyone, _) | (Policy::Invited, Shown::Invite) => Ok(()),
        (Policy::Invited, _) => Err(NotAdmitted::InviteNeeded),
        (Policy::Account, Shown::Account(email)) if is_on_the_list(round, email) => Ok(()),
        (Policy::Account, Shown::Account(_)) => Err(NotAdmitted::NotOnTheList),
        (Policy::Account, _) => Err(NotAdmitted::SignInNeeded),
    }
}

/// A round without a list admits every address.
fn is_on_the_list(round: &Round, email: &Email) -> bool {
    round.emails.is_empty() || round.emails.iter().any(|rule| rule.admits(email))
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{EmailRule, RoundId, RoundState};

    fn round(policy: Policy, programs: bool, emails: &[&str]) -> Round {
        Round {
            title: "Cats or dogs?".into(),
            policy,
            programs,
            emails: emails.iter().map(|rule| EmailRule::parse(rule).unwrap()).collect(),
            state: RoundState::Open,
            changeable: true,
            ..Round::blank(RoundId::parse("demo").unwrap())
        }
    }

    fn ann() -> Email {
        Email::parse("ann@example.org").unwrap()
    }

    #[test]
    fn where_anyone_may_vote_every_browser_may_and_programs_where_the_round_says_so() {
        let with_programs = round(Policy::Anyone, true, &[]);
        let without = round(Policy::Anyone, false, &[]);
        for shown in [Shown::Browser, Shown::Invite, Shown::Account(&ann())] {
            assert_eq!(admits(&with_programs, shown), Ok(()));
            assert_eq!(admits(&without, shown), Ok(()));
        }
        assert_eq!(admits(&with_programs, Shown::VoterId), Ok(()));
        assert_eq!(admits(&without, Shown::VoterId), Err(NotAdmitted::NoPrograms));
    }

    #[test]
    fn an_invited_round_takes_an_invite_and_nothing_else() {
        let round = round(Policy::Invited, true, &[]);
        assert_eq!(admits(&round, Shown::Invite), Ok(()));
        assert_eq!(admits(&round, Shown::Browser), Err(NotAdmitted::InviteNeeded));
        assert_eq!(admits(&round, Shown::Account(&ann())), Err(NotAdmitted::InviteNeeded));
        assert_eq!(admits(&round, Shown::VoterId), Err(NotAdmitted::NoPrograms));
    }

    #[test]
    fn an_account_round_takes_an_account_and_nothing_else() {
        let round = round(Policy::Account, true, &[]);
        assert_eq!(admits(&round, Shown::Account(&ann())), Ok(()));
        assert_eq!(admits(&round, Shown::Browser), Err(NotAdmitted::SignInNeeded));
        assert_eq!(admits(&round, Shown::Invite), Err(NotAdmitted::SignInNeeded));
        assert_eq!(admits(&round, Shown::VoterId), Err(NotAdmitted::NoPrograms));
    }

    #[test]
    fn a_list_of_addresses_admits_those_on_it() {
        let admits = |emails: &[&str]| admits(&round(Policy::Account, false, emails), Shown::Account(&ann()));
        assert_eq!(admits(&["bob@example.org", "ann@example.org"]), Ok(()));
        assert_eq!(admits(&["@example.org"]), Ok(()));
        assert_eq!(admits(&["bob@example.org", "@example.com"]), Err(NotAdmitted::NotOnTheList));
    }
}
