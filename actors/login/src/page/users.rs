//! `/users`: everybody who has an account and what they may do, for administrators.

use ::web::{FormFields, Problem, field_error, wants_page};
use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use subjects::{Email, Role, Timestamp, UserId};
use templates::{UserLine, UsersPage, Visitor};
use utoipa::ToSchema;

use crate::Handle;
use crate::page::{Shown, account_not_found, problem_of, read_json};
use crate::rules::{next_path, noted, parse_role};
use crate::store::{Account, Listing};

const ROLE: &str = r#"{"role": "organiser"}"#;
/// How many accounts are listed at a time, unless the request says otherwise; and the most.
const LISTED: u16 = 50;
pub(super) const LISTED_MAX: u16 = 200;
/// The longest beginning of a name or an address that can be searched for, in characters.
pub(super) const PREFIX_MAX: usize = 254;

/// What `GET /users` answers.
#[derive(Serialize, ToSchema)]
#[schema(as = People)]
pub(super) struct List {
    users: Vec<Listed>,
    /// What to ask `after` for, to read on.
    #[schema(value_type = Option<String>, format = "uuid")]
    next: Option<UserId>,
}

/// A person, and since when they have their account.
#[derive(Serialize, ToSchema)]
#[schema(as = PersonListed)]
struct Listed {
    #[schema(value_type = String, format = "uuid")]
    id: UserId,
    name: String,
    #[schema(value_type = String)]
    email: Email,
    #[schema(value_type = super::api::RoleShown)]
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// What `PATCH /users/{id}` takes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleChange)]
pub(super) struct Wanted {
    #[schema(value_type = super::api::RoleShown)]
    role: Role,
}

/// One page of the list.
struct Found {
    listing: Listing,
    accounts: Vec<Account>,
    next: Option<UserId>,
}

pub(super) async fn list(login: Data<Handle>, request: HttpRequest) -> HttpResponse {
    let found = match login.find(&request, request.query_string()).await {
        Ok(found) => found,
        Err(problem) => return problem.respond(&request),
    };
    if wants_page(&request) {
        let visitor = login.edge.callers.visitor(&request).await;
        return login.edge.form_page(&request, |csrf| users_page(visitor, csrf, found).render());
    }
    let listed = |Account { person, created_at, .. }: Account| Listed {
        id: person.user,
        name: person.name,
        email: person.email,
        role: person.role,
        created_at,
    };
    let list = List { users: found.accounts.into_iter().map(listed).collect(), next: found.next };
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(list)
}

pub(super) async fn set_role(
    login: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    let set = async {
        login.edge.callers.at_least(&request, Role::Admin).await?;
        let user = UserId::parse(&id).map_err(|_| account_not_found())?;
        let Wanted { role } = read_json(&request, payload, ROLE).await?;
        login.try_set_role(user, role).await
    };
    match set.await {
        Ok(account) => {
            let told = Shown::of(account.person);
            HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(told)
        }
        Err(problem) => problem.respond(&request),
    }
}

pub(super) async fn save_role(
    login: Data<Handle>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> HttpResponse {
    let read = async {
        login.edge.callers.at_least(&request, Role::Admin).await?;
        let user = UserId::parse(&id).map_err(|_| account_not_found())?;
        Ok::<_, Problem>((user, login.read_form(&request, payload, &["role", "back"]).await?))
    };
    let (user, form) = match read.await {
        Ok(read) => read,
        Err(problem) => return problem.respond(&request),
    };
    let back = next_path(form.text("back")).filter(|path| path.starts_with("/users")).unwrap_or("/users");
    let set = match parse_role(form.text("role")) {
        Some(role) => login.try_set_role(user, role).await,
        None => Err(Problem::invalid(vec![field_error("role", "must be voter, organiser or admin")])),
    };
    match set {
        Ok(_) => {
            let to = format!("{back}#user-{user}");
            HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
        }
        Err(problem) => login.show_list_again(&request, back, &problem).await,
    }
}

impl Handle {
    async fn try_set_role(&self, user: UserId, role: Role) -> Result<Account, Problem> {
        self.set_role(user, role).await.map_err(|not_done| problem_of(&not_done, "password"))
    }

    async fn find(&self, request: &HttpRequest, query: &str) -> Result<Found, Problem> {
        self.edge.callers.at_least(request, Role::Admin).await?;
        let listing = parse_listing(query)?;
        // One more, to know whether there are more.
        let ask = Listing { limit: listing.limit + 1, ..listing.clone() };
        let mut accounts = self.list(ask).await.map_err(|not_done| problem_of(&not_done, "password"))?;
        let has_more = accounts.len() > usize::from(listing.limit);
        accounts.truncate(usize::from(listing.limit));
        let next = accounts.last().filter(|_| has_more).map(|last| last.person.user);
        Ok(Found { listing, accounts, next })
    }

    async fn show_list_again(&self, request: &HttpRequest, back: &str, problem: &Problem) -> HttpResponse {
        let query = back.split_once('?').map_or("", |(_, query)| query);
        let Ok(found) = self.find(request, query).await else {
            return problem.respond(request);
        };
        let visitor = self.edge.callers.visitor(request).await;
        let csrf = self.edge.browser(request).csrf;
        let drawn =
            UsersPage { problem: Some(problem.detail().to_owned()), ..users_page(visitor, csrf, found) };
        problem.respond_on_page(request, drawn.render())
    }
}

fn parse_listing(query: &str) -> Result<Listing, Problem> {
    let asked = FormFields::parse(query.as_bytes(), &["after", "limit", "q"], &[])?;
    let mut errors = Vec::new();
    let after = match asked.text("after") {
        "" => None,
        text => noted("after", UserId::parse(text), &mut errors),
    };
    let limit = match asked.text("limit") {
        "" => LISTED,
        text => text.parse().ok().filter(|limit| (1..=LISTED_MAX).contains(limit)).unwrap_or_else(|| {
            errors.push(field_error("limit", format_args!("must be a number from 1 to {LISTED_MAX}")));
            LISTED
        }),
    };
    let prefix = asked.text("q").trim();
    if prefix.chars().count() > PREFIX_MAX || prefix.chars().any(char::is_control) {
        errors.push(field_error(
            "q",
            format_args!("must have at most {PREFIX_MAX} characters that can be seen"),
        ));
    }
    if errors.is_empty() {
        Ok(Listing { after, prefix: prefix.to_owned(), limit })
    } else {
        Err(Problem::invalid(errors))
    }
}

fn users_page(visitor: Visitor, csrf: String, found: Found) -> UsersPage {
    let Found { listing, accounts, next } = found;
    let line = |account: Account| UserLine {
        id: account.person.user.to_string(),
        name: account.person.name,
        email: account.person.email.to_string(),
        role: account.person.role,
        since: account.created_at.to_string().chars().take("2026-11-21".len()).collect(),
    };
    UsersPage {
        visitor,
        csrf,
        here: address(&listing, listing.after),
        more: next.map(|next| address(&listing, Some(next))),
        query: listing.prefix,
        users: accounts.into_iter().map(line).collect(),
        problem: None,
    }
}

/// Where the same list is found after somebody.
fn address(listing: &Listing, after: Option<UserId>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !listing.prefix.is_empty() {
        query.append_pair("q", &listing.prefix);
    }
    if listing.limit != LISTED {
        query.append_pair("limit", &listing.limit.to_string());
    }
    if let Some(after) = after {
        query.append_pair("after", &after.to_string());
    }
    match query.finish() {
        query if query.is_empty() => "/users".to_owned(),
        query => format!("/users?{query}"),
    }
}
