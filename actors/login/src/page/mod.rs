//! `/login`, `/register`, `/account`, `/me` and `/users`.

mod account;
mod api;
mod sign_in;
mod users;

use ::web::{Body, FormFields, Problem, at, field_error, parse_json, read_body};
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use subjects::{Email, Role, UserId};
use templates::FormField;
use tracing::warn;
use utoipa::ToSchema;

pub use self::api::operations;
use crate::Handle;
use crate::accounts::NotDone;
use crate::hasher::NotHashed;
use crate::store::NotKept;

/// A person, as programs are told of them.
#[derive(Serialize, ToSchema)]
#[schema(as = Person)]
struct Shown {
    #[schema(value_type = String, format = "uuid")]
    id: UserId,
    name: String,
    #[schema(value_type = String)]
    email: Email,
    /// What they may do.
    #[schema(value_type = api::RoleShown)]
    role: Role,
}

impl Shown {
    fn of(person: subjects::Person) -> Self {
        Self { id: person.user, name: person.name, email: person.email, role: person.role }
    }
}

impl Handle {
    /// Adds this actor's addresses.
    pub fn routes(&self, config: &mut ServiceConfig) {
        let (get, post, patch) = (web::get, web::post, web::patch);
        let login = at("/login").route(get().to(sign_in::show_login)).route(post().to(sign_in::login));
        let register =
            at("/register").route(get().to(sign_in::show_register)).route(post().to(sign_in::register));
        let me = at("/me").route(get().to(account::me)).route(patch().to(account::change_me));
        let user = at("/users/{id}").route(patch().to(users::set_role)).route(post().to(users::save_role));
        config
            .app_data(Data::new(self.clone()))
            .service(login)
            .service(register)
            .service(me)
            .service(at("/account").route(get().to(account::show)))
            .service(at("/account/profile").route(post().to(account::save_profile)))
            .service(at("/account/password").route(post().to(account::save_password)))
            .service(at("/users").route(get().to(users::list)))
            .service(user);
    }

    /// Reads a form that was shown to the browser that sends it. Its fields are these and `csrf`.
    async fn read_form(
        &self,
        request: &HttpRequest,
        payload: Payload,
        fields: &[&str],
    ) -> Result<FormFields, Problem> {
        match read_body(request, payload).await? {
            Body::Form(bytes) => self.parse_form(request, &bytes, fields),
            Body::Json(_) => Err(wrong_type("Send a form: application/x-www-form-urlencoded.")),
        }
    }

    fn parse_form(
        &self,
        request: &HttpRequest,
        bytes: &[u8],
        fields: &[&str],
    ) -> Result<FormFields, Problem> {
        let form = FormFields::parse(bytes, &[fields, &["csrf"]].concat(), &[])?;
        self.edge.check_form(request, form.text("csrf"))?;
        Ok(form)
    }
}

async fn read_json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    example: &str,
) -> Result<T, Problem> {
    match read_body(request, payload).await? {
        Body::Json(bytes) => parse_json(&bytes, example),
        Body::Form(_) => Err(wrong_type("Send application/json.")),
    }
}

/// What stands above a form that is shown again.
fn above(problem: &Problem) -> String {
    match problem.errors() {
        [] => problem.detail().to_owned(),
        _ => "Some fields need another look.".to_owned(),
    }
}

/// A field of a form that is shown again, with what is wrong with it.
fn field(name: &str, value: &str, problem: &Problem) -> FormField {
    let wrong = problem.errors().iter().find(|error| error.field == name);
    FormField { value: value.to_owned(), problem: wrong.map(|error| error.detail.clone()) }
}

/// Why it was not done, for whoever asked. `old` is what the field of the old password is called.
fn problem_of(not_done: &NotDone, old: &str) -> Problem {
    match not_done {
        NotDone::WrongPassword => {
            let detail = "E-mail or password is wrong.";
            Problem::new(StatusCode::UNAUTHORIZED, "wrong-password", "Wrong password", detail)
        }
        NotDone::WrongOldPassword | NotDone::OldPasswordMissing => {
            Problem::invalid(vec![field_error(old, not_done)])
        }
        NotDone::NotOpened => {
            let detail = "You cannot be signed in now, because no session was opened. Try again in a moment.";
            Problem::unavailable("session-not-opened", detail)
        }
        NotDone::RegisteredNotOpened => {
            let detail = "Your account is made, but you cannot be signed in now, because no session was opened. \
                          Sign in in a moment.";
            Problem::unavailable("session-not-opened", detail)
        }
        NotDone::NotHashed(NotHashed::Busy) => {
            let detail = "Too many people sign in at once. Nothing was accepted; try again in a moment.";
            Problem::unavailable("busy", detail)
        }
        NotDone::NotHashed(gone @ NotHashed::Gone) => Problem::internal("check a password", gone),
        NotDone::NotKept(not_kept) => problem_of_account(not_kept),
    }
}

fn problem_of_account(not_kept: &NotKept) -> Problem {
    match not_kept {
        NotKept::EmailTaken => Problem::conflict("email-taken", not_kept)
            .naming(vec![field_error("email", "has an account already")]),
        NotKept::Moved => Problem::conflict("version-conflict", not_kept),
        NotKept::LastAdmin => Problem::conflict("last-admin", not_kept),
        NotKept::NoSuchAccount => account_not_found(),
        NotKept::Away(fault) => {
            warn!(%fault, "the accounts are away");
            let detail = "The accounts cannot be reached now. Try again in a moment.";
            Problem::unavailable("accounts-unavailable", detail)
        }
    }
}

fn account_not_found() -> Problem {
    let detail = "There is no such account.";
    Problem::new(StatusCode::NOT_FOUND, "account-not-found", "Account not found", detail)
}

fn wrong_type(detail: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        "Unsupported media type",
        detail,
    )
}

/// Reads a password. What was sent in its place is not said back, as serde would.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let text = String::deserialize(deserializer).map_err(|_| D::Error::custom("a password is a text"))?;
    Ok(SecretString::from(text))
}

fn no_secret() -> SecretString {
    SecretString::from("")
}
