//! Who may vote in a round, once it is known who is calling.

use subjects::{Eligibility, Email, Person, ProgramVoters, Round};

/// What a caller shows of who they are. Whether it is real was found out before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// Nothing but that it is a browser.
    Browser,
    /// The name of a voter, as a program gives it, and the person whose access token came with it.
    VoterId(Option<&'a Person>),
    /// An invite to this round.
    Invite,
    /// That they are signed in to the account of this address.
    Account(&'a Email),
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// The round does not let programs name its voters.
    ProgramVotersNotAllowed,
    /// The round lets programs name its voters only with an access token.
    TokenRequired,
    /// The access token is of somebody who may not run the round.
    NotYourRound,
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
    match (round.eligibility, shown) {
        (Eligibility::Anyone, Shown::VoterId(by)) => may_name_voters(round, by),
        (_, Shown::VoterId(_)) => Err(NotAdmitted::ProgramVotersNotAllowed),
        (Eligibility::Anyone, _) | (Eligibility::Invited, Shown::Invite) => Ok(()),
        (Eligibility::Invited, _) => Err(NotAdmitted::InviteNeeded),
        (Eligibility::Account, Shown::Account(email)) if is_on_the_list(round, email) => Ok(()),
        (Eligibility::Account, Shown::Account(_)) => Err(NotAdmitted::NotOnTheList),
        (Eligibility::Account, _) => Err(NotAdmitted::SignInNeeded),
    }
}

/// Whether a program may name voters in `round`, with the access token of this person if it has one.
fn may_name_voters(round: &Round, by: Option<&Person>) -> Result<(), NotAdmitted> {
    match (round.program_voters, by) {
        (ProgramVoters::No, _) => Err(NotAdmitted::ProgramVotersNotAllowed),
        (ProgramVoters::Anyone, _) => Ok(()),
        (ProgramVoters::Token, None) => Err(NotAdmitted::TokenRequired),
        (ProgramVoters::Token, Some(person)) if round.is_run_by(person.user, person.role) => Ok(()),
        (ProgramVoters::Token, Some(_)) => Err(NotAdmitted::NotYourRound),
    }
}

/// A round without a list admits every address.
fn is_on_the_list(round: &Round, email: &Email) -> bool {
    round.allowed_emails.is_empty() || round.allowed_emails.iter().any(|rule| rule.admits(email))
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::{EmailRule, Role, RoundId, RoundState, UserId};

    fn round(eligibility: Eligibility, program_voters: ProgramVoters, allowed_emails: &[&str]) -> Round {
        Round {
            title: "Cats or dogs?".into(),
            eligibility,
            program_voters,
            allowed_emails: allowed_emails.iter().map(|rule| EmailRule::parse(rule).unwrap()).collect(),
            state: RoundState::Open,
            allow_changes: true,
            ..Round::blank(RoundId::parse("demo").unwrap())
        }
    }

    fn ann() -> Email {
        Email::parse("ann@example.org").unwrap()
    }

    #[test]
    fn where_anyone_may_vote_every_browser_may() {
        for program_voters in [ProgramVoters::No, ProgramVoters::Anyone, ProgramVoters::Token] {
            let round = round(Eligibility::Anyone, program_voters, &[]);
            for shown in [Shown::Browser, Shown::Invite, Shown::Account(&ann())] {
                assert_eq!(admits(&round, shown), Ok(()));
            }
        }
    }

    #[test]
    fn programs_name_voters_where_the_round_lets_them() {
        let with = |program_voters, by: Option<&Person>| {
            admits(&round(Eligibility::Anyone, program_voters, &[]), Shown::VoterId(by))
        };
        let voter = person(Role::Voter);
        for by in [None, Some(&voter)] {
            assert_eq!(with(ProgramVoters::Anyone, by), Ok(()));
            assert_eq!(with(ProgramVoters::No, by), Err(NotAdmitted::ProgramVotersNotAllowed));
        }
    }

    #[test]
    fn a_token_that_names_voters_is_of_somebody_who_may_run_the_round() {
        let owner = person(Role::Organiser);
        let open = round(Eligibility::Anyone, ProgramVoters::Token, &[]);
        let round = Round { owner: Some(owner.user), ..open };
        let with = |by: Option<&Person>| admits(&round, Shown::VoterId(by));
        assert_eq!(with(None), Err(NotAdmitted::TokenRequired));
        assert_eq!(with(Some(&owner)), Ok(()));
        assert_eq!(with(Some(&person(Role::Admin))), Ok(()));
        assert_eq!(with(Some(&person(Role::Organiser))), Err(NotAdmitted::NotYourRound));
        let owner_no_more = Person { role: Role::Voter, ..owner.clone() };
        for other in [person(Role::Voter), owner_no_more] {
            assert_eq!(with(Some(&other)), Err(NotAdmitted::NotYourRound));
        }
    }

    #[test]
    fn an_invited_round_takes_an_invite_and_nothing_else() {
        let round = round(Eligibility::Invited, ProgramVoters::Anyone, &[]);
        assert_eq!(admits(&round, Shown::Invite), Ok(()));
        assert_eq!(admits(&round, Shown::Browser), Err(NotAdmitted::InviteNeeded));
        assert_eq!(admits(&round, Shown::Account(&ann())), Err(NotAdmitted::InviteNeeded));
        let admin = person(Role::Admin);
        let named = admits(&round, Shown::VoterId(Some(&admin)));
        assert_eq!(named, Err(NotAdmitted::ProgramVotersNotAllowed));
    }

    #[test]
    fn an_account_round_takes_an_account_and_nothing_else() {
        let round = round(Eligibility::Account, ProgramVoters::Anyone, &[]);
        assert_eq!(admits(&round, Shown::Account(&ann())), Ok(()));
        assert_eq!(admits(&round, Shown::Browser), Err(NotAdmitted::SignInNeeded));
        assert_eq!(admits(&round, Shown::Invite), Err(NotAdmitted::SignInNeeded));
        assert_eq!(admits(&round, Shown::VoterId(None)), Err(NotAdmitted::ProgramVotersNotAllowed));
    }

    #[test]
    fn a_list_of_addresses_admits_those_on_it() {
        let admits = |allowed_emails: &[&str]| {
            let round = round(Eligibility::Account, ProgramVoters::No, allowed_emails);
            admits(&round, Shown::Account(&ann()))
        };
        assert_eq!(admits(&["bob@example.org", "ann@example.org"]), Ok(()));
        assert_eq!(admits(&["@example.org"]), Ok(()));
        assert_eq!(admits(&["bob@example.org", "@example.com"]), Err(NotAdmitted::NotOnTheList));
    }

    fn person(role: Role) -> Person {
        Person { user: UserId::random(), name: "Ann".to_owned(), email: ann(), role }
    }
}
