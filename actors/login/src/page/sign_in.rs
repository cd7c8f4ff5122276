//! `/login` and `/register`: forms for people, JSON for programs.

use ::web::{Body, Limited, Problem, field_error, parse_json, read_body};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use metrics::counter;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subjects::Email;
use templates::{FormField, LoginPage, RegisterPage, Visitor};
use utoipa::ToSchema;

use crate::Handle;
use crate::accounts::{NotDone, SignedIn};
use crate::page::{Shown, above, field, no_secret, problem_of, secret};
use crate::rules::{next_path, noted, registration};

const LOGIN: &str = r#"{"email": "ann@example.org", "password": "…"}"#;
const REGISTER: &str = r#"{"name": "Ann", "email": "ann@example.org", "password": "…"}"#;

/// Who wants to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    #[serde(default)]
    #[schema(required = true)]
    email: String,
    #[serde(default = "no_secret", deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, min_length = 1, required = true)]
    password: SecretString,
}

/// Who wants to have an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Registration)]
pub(super) struct Wanted {
    /// What others are to call them.
    #[serde(default)]
    #[schema(min_length = 1, required = true)]
    name: String,
    /// By which they sign in: one account for each.
    #[serde(default)]
    #[schema(required = true)]
    email: String,
    /// 10 to 256 characters, and not name or address over again.
    #[serde(default = "no_secret", deserialize_with = "secret")]
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 256, required = true)]
    password: SecretString,
}

/// What was sent; and if it was a form, where its sender goes next.
struct Sent<T> {
    it: T,
    next: Option<String>,
}

/// What a program is told when it has signed in. Holds secrets.
#[derive(Serialize, ToSchema)]
pub(super) struct Welcome {
    user: Shown,
    /// For `Authorization: Bearer`.
    access_token: String,
    /// For `POST /token`.
    refresh_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// For how many seconds the access token is good.
    expires_in: u64,
}

pub(super) async fn show_login(login: Data<Handle>, request: HttpRequest) -> HttpResponse {
    let next = next_of(&request);
    if let Ok(Some(_)) = login.edge.callers.caller(&request).await {
        return see_other(next_path(&next).unwrap_or("/account"));
    }
    login.edge.form_page(&request, |csrf| login_page(csrf, &next).render())
}

pub(super) async fn show_register(login: Data<Handle>, request: HttpRequest) -> HttpResponse {
    let next = next_of(&request);
    if let Ok(Some(_)) = login.edge.callers.caller(&request).await {
        return see_other(next_path(&next).unwrap_or("/account"));
    }
    login.edge.form_page(&request, |csrf| register_page(csrf, &next).render())
}

pub(super) async fn login(login: Data<Handle>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let Sent { it: credentials, next } = match login.read_credentials(&request, payload).await {
        Ok(sent) => sent,
        Err(problem) => return problem.respond(&request),
    };
    let email = credentials.email.clone();
    match login.try_sign_in(&request, credentials).await {
        Ok(signed_in) => {
            count("proved");
            login.welcome(signed_in, StatusCode::OK, next.as_deref())
        }
        Err(problem) => {
            count(outcome(&problem));
            let Some(next) = next else { return problem.respond(&request) };
            let drawn = LoginPage {
                email: field("email", &email, &problem),
                password: field("password", "", &problem),
                problem: Some(above(&problem)),
                ..login_page(login.edge.browser(&request).csrf, &next)
            };
            problem.respond_on_page(&request, drawn.render())
        }
    }
}

pub(super) async fn register(login: Data<Handle>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let Sent { it: wanted, next } = match login.read_wanted(&request, payload).await {
        Ok(sent) => sent,
        Err(problem) => return problem.respond(&request),
    };
    let (name, email) = (wanted.name.clone(), wanted.email.clone());
    match login.try_register(&request, wanted).await {
        Ok(signed_in) => login.welcome(signed_in, StatusCode::CREATED, next.as_deref()),
        Err(problem) => {
            let Some(next) = next else { return problem.respond(&request) };
            let drawn = RegisterPage {
                name: field("name", &name, &problem),
                email: field("email", &email, &problem),
                password: field("password", "", &problem),
                problem: Some(above(&problem)),
                ..register_page(login.edge.browser(&request).csrf, &next)
            };
            problem.respond_on_page(&request, drawn.render())
        }
    }
}

impl Handle {
    async fn read_credentials(
        &self,
        request: &HttpRequest,
        payload: Payload,
    ) -> Result<Sent<Credentials>, Problem> {
        match read_body(request, payload).await? {
            Body::Json(bytes) => Ok(Sent { it: parse_json(&bytes, LOGIN)?, next: None }),
            Body::Form(bytes) => {
                let form = self.parse_form(request, &bytes, &["next", "email", "password"])?;
                let it = Credentials {
                    email: form.text("email").to_owned(),
                    password: form.text("password").into(),
                };
                Ok(Sent { it, next: Some(form.text("next").to_owned()) })
            }
        }
    }

    async fn read_wanted(&self, request: &HttpRequest, payload: Payload) -> Result<Sent<Wanted>, Problem> {
        match read_body(request, payload).await? {
            Body::Json(bytes) => Ok(Sent { it: parse_json(&bytes, REGISTER)?, next: None }),
            Body::Form(bytes) => {
                let form = self.parse_form(request, &bytes, &["next", "name", "email", "password"])?;
                let text = |name: &str| form.text(name).to_owned();
                let it = Wanted {
                    name: text("name"),
                    email: text("email"),
                    password: form.text("password").into(),
                };
                Ok(Sent { it, next: Some(text("next")) })
            }
        }
    }

    async fn try_sign_in(&self, request: &HttpRequest, sent: Credentials) -> Result<SignedIn, Problem> {
        let mut errors = Vec::new();
        let email = noted("email", Email::parse(&sent.email), &mut errors);
        if sent.password.expose_secret().is_empty() {
            errors.push(field_error("password", "is missing"));
        }
        let Some(email) = email.filter(|_| errors.is_empty()) else {
            return Err(Problem::invalid(errors));
        };
        let Self { edge, .. } = self;
        edge.limits.take(Limited::LoginsByAddress, &edge.proxies.network(request))?;
        edge.limits.take(Limited::LoginsByAccount, email.as_str().as_bytes())?;
        let signed_in = self.sign_in(email, sent.password, edge.proxies.origin(request)).await;
        signed_in.map_err(|not_done| problem_of(&not_done, "password"))
    }

    async fn try_register(&self, request: &HttpRequest, sent: Wanted) -> Result<SignedIn, Problem> {
        let Wanted { name, email, password } = sent;
        let person = registration(&name, &email, password).map_err(Problem::invalid)?;
        let Self { edge, .. } = self;
        edge.limits.take(Limited::RegistrationsByAddress, &edge.proxies.network(request))?;
        edge.limits.take(Limited::RegistrationsByEmail, person.email.as_str().as_bytes())?;
        let registered = self.register(person, edge.proxies.origin(request)).await;
        registered.map_err(|not_done: NotDone| problem_of(&not_done, "password"))
    }

    /// The answer to somebody who has just signed in. Whatever tokens the browser had are overwritten.
    fn welcome(&self, signed_in: SignedIn, status: StatusCode, next: Option<&str>) -> HttpResponse {
        let SignedIn { person, session, expires_at } = signed_in;
        let tokens = self.edge.callers.tokens(person.user, session, expires_at);
        let cookies = self.edge.callers.cookies(&tokens, expires_at);
        let mut response = match next {
            Some(next) => see_other(next_path(next).unwrap_or("/")),
            None => {
                let welcome = Welcome {
                    user: Shown::of(person),
                    access_token: tokens.access,
                    refresh_token: tokens.refresh,
                    token_type: "Bearer",
                    expires_in: tokens.expires_in,
                };
                HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "no-store")).json(welcome)
            }
        };
        for cookie in cookies {
            // Fails only for a cookie that cannot be a header, and ours always can.
            let _ = response.add_cookie(&cookie);
        }
        response
    }
}

fn see_other(path: &str) -> HttpResponse {
    let to = (header::LOCATION, path.to_owned());
    HttpResponse::SeeOther().insert_header(to).insert_header((header::CACHE_CONTROL, "no-store")).finish()
}

/// Where the address of the page says to go afterwards; empty when it says nothing, or nothing of ours.
fn next_of(request: &HttpRequest) -> String {
    let mut query = form_urlencoded::parse(request.query_string().as_bytes());
    let next = query.find(|(name, _)| name == "next").map(|(_, next)| next);
    next.and_then(|next| next_path(&next).map(str::to_owned)).unwrap_or_default()
}

fn login_page(csrf: String, next: &str) -> LoginPage {
    LoginPage {
        visitor: Visitor::default(),
        csrf,
        next: next.to_owned(),
        elsewhere: with_next("/register", next),
        email: FormField::default(),
        password: FormField::default(),
        problem: None,
    }
}

fn register_page(csrf: String, next: &str) -> RegisterPage {
    RegisterPage {
        visitor: Visitor::default(),
        csrf,
        next: next.to_owned(),
        elsewhere: with_next("/login", next),
        name: FormField::default(),
        email: FormField::default(),
        password: FormField::default(),
        problem: None,
    }
}

fn with_next(path: &str, next: &str) -> String {
    if next.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("{path}?{query}")
}

fn count(outcome: &'static str) {
    counter!("urna_login_attempts_total", "outcome" => outcome).increment(1);
}

fn outcome(problem: &Problem) -> &'static str {
    match problem.status() {
        StatusCode::UNAUTHORIZED => "refused",
        StatusCode::UNPROCESSABLE_ENTITY => "invalid",
        StatusCode::TOO_MANY_REQUESTS => "limited",
        _ => "unavailable",
    }
}
