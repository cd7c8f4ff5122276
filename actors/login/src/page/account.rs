//! `/account` for people and `/me` for programs: one's own name, address and password.

use ::web::{Caller, FormFields, Limited, Problem, field_error};
use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{Deserialize, Deserializer, Error};
use subjects::{Email, Role};
use templates::{AccountPage, FormField, Saved, Visitor};
use utoipa::ToSchema;

use crate::Handle;
use crate::accounts::Changes;
use crate::page::{Shown, above, field, problem_of, read_json, secret};
use crate::rules::{check_password, noted, parse_name};
use crate::store::Account;

const ME: &str = r#"{"name": "Ann", "email": "ann@example.org", "password": {"old": "…", "new": "…"}}"#;

/// What a program wants to be changed.
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileChange)]
pub(super) struct Wanted {
    #[schema(min_length = 1)]
    name: Option<String>,
    /// Takes the password.
    email: Option<String>,
    #[serde(default, deserialize_with = "passwords")]
    password: Option<Passwords>,
}

/// The old one is needed for another one, and for another address.
#[derive(serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Passwords {
    #[serde(deserialize_with = "secret")]
    #[schema(value_type = String, format = Password)]
    old: SecretString,
    #[serde(default, deserialize_with = "some_secret")]
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 256, required = false)]
    new: Option<SecretString>,
}

/// What the fields of passwords are called, in a form and in JSON.
struct Names {
    old: &'static str,
    new: &'static str,
}

const IN_FORM: Names = Names { old: "old_password", new: "new_password" };
const IN_JSON: Names = Names { old: "password.old", new: "password.new" };

pub(super) async fn show(login: Data<Handle>, request: HttpRequest) -> HttpResponse {
    let account = match login.own_account(&request).await {
        Ok((_, account)) => account,
        Err(problem) => return problem.respond(&request),
    };
    let saved = match request.query_string() {
        "saved=profile" => Some(Saved::Profile),
        "saved=password" => Some(Saved::Password),
        _ => None,
    };
    login.edge.form_page(&request, |csrf| AccountPage { saved, ..account_page(csrf, &account) }.render())
}

pub(super) async fn me(login: Data<Handle>, request: HttpRequest) -> HttpResponse {
    match login.own_account(&request).await {
        Ok((_, account)) => shown(account),
        Err(problem) => problem.respond(&request),
    }
}

pub(super) async fn change_me(login: Data<Handle>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let changed = async {
        let caller = login.edge.callers.at_least(&request, Role::Voter).await?;
        let Wanted { name, email, password } = read_json(&request, payload, ME).await?;
        let (old, new) = password.map_or((None, None), |passwords| (Some(passwords.old), passwords.new));
        let wanted = Typed { name, email, old, new };
        login.try_change(&request, &caller, wanted, &IN_JSON).await
    };
    match changed.await {
        Ok(account) => shown(account),
        Err(problem) => problem.respond(&request),
    }
}

pub(super) async fn save_profile(
    login: Data<Handle>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let (caller, form) = match login.read_own(&request, payload, &["name", "email", IN_FORM.old]).await {
        Ok(read) => read,
        Err(problem) => return problem.respond(&request),
    };
    let (name, email) = (form.text("name"), form.text("email"));
    let wanted = Typed {
        name: Some(name.to_owned()),
        email: Some(email.to_owned()),
        old: filled_in(&form, IN_FORM.old),
        new: None,
    };
    let problem = match login.try_change(&request, &caller, wanted, &IN_FORM).await {
        Ok(_) => return saved("profile"),
        Err(problem) => problem,
    };
    let drawn = login.account(caller.person.user).await.map(|account| AccountPage {
        name: field("name", name, &problem),
        email: field("email", email, &problem),
        profile_password: field(IN_FORM.old, "", &problem),
        problem: Some(above(&problem)),
        ..account_page(login.edge.browser(&request).csrf, &account)
    });
    match drawn {
        Ok(drawn) => problem.respond_on_page(&request, drawn.render()),
        Err(_) => problem.respond(&request),
    }
}

pub(super) async fn save_password(
    login: Data<Handle>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let (caller, form) = match login.read_own(&request, payload, &[IN_FORM.old, IN_FORM.new]).await {
        Ok(read) => read,
        Err(problem) => return problem.respond(&request),
    };
    let new = Some(SecretString::from(form.text(IN_FORM.new)));
    let wanted = Typed { name: None, email: None, old: filled_in(&form, IN_FORM.old), new };
    let problem = match login.try_change(&request, &caller, wanted, &IN_FORM).await {
        Ok(_) => return saved("password"),
        Err(problem) => problem,
    };
    let drawn = login.account(caller.person.user).await.map(|account| AccountPage {
        old_password: field(IN_FORM.old, "", &problem),
        new_password: field(IN_FORM.new, "", &problem),
        problem: Some(above(&problem)),
        ..account_page(login.edge.browser(&request).csrf, &account)
    });
    match drawn {
        Ok(drawn) => problem.respond_on_page(&request, drawn.render()),
        Err(_) => problem.respond(&request),
    }
}

/// What was typed, before it is known to be valid.
struct Typed {
    name: Option<String>,
    email: Option<String>,
    old: Option<SecretString>,
    new: Option<SecretString>,
}

impl Handle {
    async fn own_account(&self, request: &HttpRequest) -> Result<(Caller, Account), Problem> {
        let caller = self.edge.callers.at_least(request, Role::Voter).await?;
        let account = self.account(caller.person.user).await;
        Ok((caller, account.map_err(|not_done| problem_of(&not_done, IN_FORM.old))?))
    }

    async fn read_own(
        &self,
        request: &HttpRequest,
        payload: Payload,
        fields: &[&str],
    ) -> Result<(Caller, FormFields), Problem> {
        let caller = self.edge.callers.at_least(request, Role::Voter).await?;
        Ok((caller, self.read_form(request, payload, fields).await?))
    }

    async fn try_change(
        &self,
        request: &HttpRequest,
        caller: &Caller,
        typed: Typed,
        names: &Names,
    ) -> Result<Account, Problem> {
        let changes = valid_changes(caller, typed, names)?;
        if changes.old.is_some() {
            self.edge.limits.take(Limited::LoginsByAccount, caller.person.email.as_str().as_bytes())?;
        }
        let origin = self.edge.proxies.origin(request);
        let changed = self.change(caller.person.user, changes, caller.session, origin).await;
        changed.map_err(|not_done| problem_of(&not_done, names.old))
    }
}

fn valid_changes(caller: &Caller, typed: Typed, names: &Names) -> Result<Changes, Problem> {
    let mut errors = Vec::new();
    let Typed { name, email, old, new } = typed;
    let name = name.and_then(|name| noted("name", parse_name(&name), &mut errors));
    let email = email.and_then(|email| noted("email", Email::parse(&email), &mut errors));
    if let Some(new) = &new {
        let will_be =
            (name.as_ref().unwrap_or(&caller.person.name), email.as_ref().unwrap_or(&caller.person.email));
        noted(names.new, check_password(new, will_be.0, will_be.1.as_str()), &mut errors);
        if old.is_none() {
            errors.push(field_error(names.old, "is missing"));
        }
    }
    if errors.is_empty() { Ok(Changes { name, email, old, new }) } else { Err(Problem::invalid(errors)) }
}

fn shown(account: Account) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Shown::of(account.person))
}

fn saved(what: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, format!("/account?saved={what}"))).finish()
}

fn filled_in(form: &FormFields, name: &str) -> Option<SecretString> {
    let secret = SecretString::from(form.text(name));
    (!secret.expose_secret().is_empty()).then_some(secret)
}

fn some_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    secret(deserializer).map(Some)
}

/// What was sent in their place is not said back, as serde would.
fn passwords<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Passwords>, D::Error> {
    Option::deserialize(deserializer).map_err(|_| D::Error::custom("the passwords are an object of texts"))
}

fn account_page(csrf: String, account: &Account) -> AccountPage {
    let person = &account.person;
    AccountPage {
        // As it is now: the session hears of a change a moment later.
        visitor: Visitor { name: Some(person.name.clone()), role: Some(person.role) },
        csrf,
        role: person.role,
        known_as: person.email.to_string(),
        name: FormField::of(&person.name),
        email: FormField::of(person.email.as_str()),
        profile_password: FormField::default(),
        old_password: FormField::default(),
        new_password: FormField::default(),
        saved: None,
        problem: None,
    }
}
