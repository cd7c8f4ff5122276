//! The pages where a person comes in: signing in, and making an account.

use serde::Serialize;

use crate::Visitor;
use crate::draw::{RenderError, draw};
use crate::form::FormField;

/// The form for signing in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoginPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What shows that the form comes from this page.
    pub csrf: String,
    /// Where to go afterwards; may be empty.
    pub next: String,
    /// Where an account is made, for the same purpose.
    pub elsewhere: String,
    /// The address.
    pub email: FormField,
    /// The password.
    pub password: FormField,
    /// Why the last try did not work.
    pub problem: Option<String>,
}

/// The form for making an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterPage {
    /// Who looks at it.
    pub visitor: Visitor,
    /// What shows that the form comes from this page.
    pub csrf: String,
    /// Where to go afterwards; may be empty.
    pub next: String,
    /// Where one signs in, for the same purpose.
    pub elsewhere: String,
    /// The name.
    pub name: FormField,
    /// The address.
    pub email: FormField,
    /// The password.
    pub password: FormField,
    /// Why the last try did not work.
    pub problem: Option<String>,
}

impl LoginPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("login.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let fresh = Self {
            visitor: Visitor::default(),
            csrf: "0123456789abcdef".to_owned(),
            next: String::new(),
            elsewhere: "/register".to_owned(),
            email: FormField::default(),
            password: FormField::default(),
            problem: None,
        };
        let refused = Self {
            next: "/vote/demo?invite=A&x=\"<script>alert(1)</script>".to_owned(),
            elsewhere: "/register?next=%2Fvote%2Fdemo".to_owned(),
            email: FormField::of("ann@example.org"),
            problem: Some("E-mail or password is wrong.".to_owned()),
            ..fresh.clone()
        };
        let hostile = Self {
            email: FormField::hostile_sample(),
            password: FormField::sample_wrong("", "is missing"),
            problem: Some("<script>alert(1)</script>".to_owned()),
            ..fresh.clone()
        };
        vec![fresh, refused, hostile]
    }
}

impl RegisterPage {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, RenderError> {
        draw("register.html", self)
    }

    /// Pages as they may occur, the awkward ones included.
    pub fn samples() -> Vec<Self> {
        let fresh = Self {
            visitor: Visitor::default(),
            csrf: "0123456789abcdef".to_owned(),
            next: "/vote/demo".to_owned(),
            elsewhere: "/login?next=%2Fvote%2Fdemo".to_owned(),
            name: FormField::default(),
            email: FormField::default(),
            password: FormField::default(),
            problem: None,
        };
        let wrong = Self {
            name: FormField::sample_wrong("", "must have 1 to 80 characters that can be seen"),
            email: FormField::sample_wrong("ann", "must be an e-mail address such as ann@example.org"),
            password: FormField::sample_wrong("", "must have 10 to 256 characters"),
            problem: Some("Some fields need another look.".to_owned()),
            ..fresh.clone()
        };
        let hostile = Self {
            name: FormField::hostile_sample(),
            email: FormField::hostile_sample(),
            problem: Some("<script>alert(1)</script>".to_owned()),
            ..fresh.clone()
        };
        vec![fresh, wrong, hostile]
    }
}
