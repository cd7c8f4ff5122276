//! Who may vote and how sure that is, in plain words: the same on every page.

use subjects::{Eligibility, ProgramVoters};

const BROWSERS: &str =
    "Anyone may vote, one vote for each browser. A person with two browsers can vote twice.";

/// What one vote stands for in a round of this eligibility, in the words that voters and readers of the result see.
/// `program_voters` and `limited` are the round's own: which programs may name voters, and whether only some addresses
/// are admitted.
pub fn eligibility_description(
    eligibility: Eligibility,
    program_voters: ProgramVoters,
    limited: bool,
) -> String {
    match (eligibility, limited) {
        (Eligibility::Anyone, _) => match program_voters {
            ProgramVoters::No => BROWSERS.to_owned(),
            ProgramVoters::Anyone => {
                format!(
                    "{BROWSERS} Programs may name the voter of a ballot, and so vote any number of times."
                )
            }
            ProgramVoters::Token => format!(
                "{BROWSERS} Programs that are signed in as the organiser or as an administrator may name the voter of \
                 a ballot."
            ),
        },
        (Eligibility::Invited, _) => "One vote for each invite, whoever holds it.".to_owned(),
        (Eligibility::Account, false) => {
            "One vote for each account. A person may have several: addresses are not checked by mail."
                .to_owned()
        }
        (Eligibility::Account, true) => "One vote for each account with an address on the organiser's list. \
                                         Addresses are not checked by mail."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_promises_no_more_than_the_eligibility_holds() {
        let of = |eligibility, limited| eligibility_description(eligibility, ProgramVoters::No, limited);
        assert_eq!(of(Eligibility::Anyone, false), BROWSERS);
        assert!(of(Eligibility::Invited, false).ends_with("whoever holds it."));
        assert!(!of(Eligibility::Account, false).contains("list"));
        assert!(of(Eligibility::Account, true).contains("on the organiser's list"));
        for limited in [false, true] {
            assert!(of(Eligibility::Account, limited).contains("not checked by mail"));
        }
    }

    #[test]
    fn votes_of_programs_are_described_where_they_are_possible() {
        let of = |program_voters| eligibility_description(Eligibility::Anyone, program_voters, false);
        assert!(!of(ProgramVoters::No).contains("Programs"));
        assert!(of(ProgramVoters::Anyone).ends_with("and so vote any number of times."));
        assert!(of(ProgramVoters::Token).contains("signed in as the organiser"));
    }
}
