//! Who may vote and how sure that is, in plain words: the same on every page.

use subjects::Policy;

/// What one vote stands for under this policy, said to voters and to those who read the result.
/// `programs` and `limited` are the round's own: whether programs may vote for whom they name, and whether
/// only some addresses are admitted.
pub fn ladder_words(policy: Policy, programs: bool, limited: bool) -> String {
    let words = match (policy, programs, limited) {
        (Policy::Anyone, false, _) => {
            "Anyone may vote, one vote for each browser. A person with two browsers can vote twice."
        }
        (Policy::Anyone, true, _) => {
            "Anyone may vote, one vote for each browser. A person with two browsers can vote twice. \
             Programs may vote for whom they name."
        }
        (Policy::Invited, _, _) => "One vote for each invite, whoever holds it.",
        (Policy::Account, _, false) => {
            "One vote for each account. A person may have several: addresses are not checked by mail."
        }
        (Policy::Account, _, true) => {
            "One vote for each account with an address on the organiser's list. \
             Addresses are not checked by mail."
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_promise_no_more_than_the_policy_holds() {
        assert!(ladder_words(Policy::Anyone, false, false).contains("can vote twice"));
        assert!(!ladder_words(Policy::Anyone, false, false).contains("Programs"));
        assert!(ladder_words(Policy::Anyone, true, false).ends_with("Programs may vote for whom they name."));
        assert!(ladder_words(Policy::Invited, false, false).ends_with("whoever holds it."));
        assert!(!ladder_words(Policy::Account, false, false).contains("list"));
        assert!(ladder_words(Policy::Account, false, true).contains("on the organiser's list"));
        for limited in [false, true] {
            assert!(ladder_words(Policy::Account, false, limited).contains("not checked by mail"));
        }
    }
}
