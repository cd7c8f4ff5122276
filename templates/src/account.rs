//! The page of a person's own account.

use serde::Serialize;
use subjects::Role;

use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::form::FormField;

/// One person's account, as they see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What shows that the forms come from this page.
    pub csrf: String,
    /// What they may do.
    pub role: Role,
    /// The address they sign in with, whatever stands in its field.
    pub known_as: String,
    /// The name.
    pub name: FormField,
    /// The address.
    pub email: FormField,
    /// The password, to change the address.
    pub profile_password: FormField,
    /// The password as it is, to change it.
    pub old_password: FormField,
    /// The password as it is to be.
    pub new_password: FormField,
    /// What was just saved.
    pub saved: Option<Saved>,
    /// Why the last try did not work.
    pub problem: Option<String>,
}

/// What was just saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Saved {
    /// Name and address.
    Profile,
    /// The password.
    Password,
}

impl AccountPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("account.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let voter = Self::sample(Role::Voter);
        let organiser = Self { saved: Some(Saved::Profile), ..Self::sample(Role::Organiser) };
        let admin = Self { saved: Some(Saved::Password), ..Self::sample(Role::Admin) };
        let wrong = Self {
            email: FormField::of("ann@example.com"),
            profile_password: FormField::sample_wrong("", "is wrong"),
            old_password: FormField::sample_wrong("", "is wrong"),
            new_password: FormField::sample_wrong("", "must have 10 to 256 characters"),
            problem: Some("Some fields need another look.".to_owned()),
            ..voter.clone()
        };
        let hostile = Self {
            visitor: Visitor::hostile_sample(),
            known_as: "\"><script>alert(1)</script>".to_owned(),
            name: FormField::hostile_sample(),
            email: FormField::hostile_sample(),
            ..voter.clone()
        };
        vec![voter, organiser, admin, wrong, hostile]
    }

    fn sample(role: Role) -> Self {
        Self {
            visitor: Visitor::sample(role),
            csrf: "0123456789abcdef".to_owned(),
            role,
            known_as: "ann@example.org".to_owned(),
            name: FormField::of("Ann Example"),
            email: FormField::of("ann@example.org"),
            profile_password: FormField::default(),
            old_password: FormField::default(),
            new_password: FormField::default(),
            saved: None,
            problem: None,
        }
    }
}
