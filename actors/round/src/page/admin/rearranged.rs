//! The options of a form, added, moved and removed by its buttons before anything is saved.

use ::web::{FieldError, field_error};

use super::typed::{Typed, TypedOption};
use crate::rules::OPTIONS;

impl Typed {
    /// The same with an option more, less, or in another place, if the button says so: `add`, `up-2`; and what is wrong
    /// with that. No option is added to as many as there may be.
    pub fn rearranged(&self, button: &str) -> Option<(Self, Vec<FieldError>)> {
        let mut typed = self.clone();
        if button == "add" {
            if typed.options.len() >= *OPTIONS.end() {
                let detail = format!("must be at most {}: remove one before you add another", OPTIONS.end());
                return Some((typed, vec![field_error("options", detail)]));
            }
            typed.next = Some(typed.options.len());
            typed.options.push(TypedOption::default());
            return Some((typed, Vec::new()));
        }
        let (deed, place) = button.split_once('-')?;
        let place =
            place.parse::<usize>().ok()?.checked_sub(1).filter(|place| *place < typed.options.len())?;
        match deed {
            "up" if place > 0 => typed.options.swap(place - 1, place),
            "down" if place + 1 < typed.options.len() => typed.options.swap(place, place + 1),
            "remove" => {
                typed.options.remove(place);
            }
            "up" | "down" => {}
            _ => return None,
        }
        Some((typed, Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::typed::tests::{labels, typed};
    use super::*;

    #[test]
    fn options_are_added_moved_and_removed() {
        let three = typed("option_label=A&option_label=B&option_label=C");
        let after = |button: &str| three.rearranged(button);
        let moved = |button: &str| labels(&after(button).unwrap().0).join("");
        assert_eq!(
            (moved("up-2"), moved("down-2"), moved("remove-2")),
            ("BAC".into(), "ACB".into(), "AC".into())
        );
        assert_eq!(
            (moved("up-1"), moved("down-3"), moved("add")),
            ("ABC".into(), "ABC".into(), "ABC".into())
        );
        assert_eq!(after("add").unwrap().0.options.len(), 4);
        for other in ["save", "", "up-0", "up-4", "remove-x", "sort-1"] {
            assert!(after(other).is_none(), "{other}");
        }
    }

    #[test]
    fn no_option_is_added_to_as_many_as_there_may_be() {
        let after = |count: usize| typed(&"option_label=A&".repeat(count)).rearranged("add").unwrap();
        let (added, wrong) = after(99);
        assert_eq!((added.options.len(), added.next, wrong.len()), (100, Some(99), 0));
        let (full, wrong) = after(100);
        assert_eq!((full.options.len(), full.next), (100, None));
        assert_eq!(wrong, [field_error("options", "must be at most 100: remove one before you add another")]);
        let (moved, wrong) = full.rearranged("remove-7").unwrap();
        assert_eq!((moved.options.len(), wrong.len()), (99, 0));
    }
}
