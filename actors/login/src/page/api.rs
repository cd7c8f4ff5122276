//! What the addresses of this actor take and answer, for the document of the HTTP API.

use ::web::api::kinds::{self, Kind, kind};
use ::web::api::{Operation, any_text, text_up_to, whole};
use serde_json::json;
use subjects::Role;
use utoipa::ToSchema;

use super::Shown;
use super::account;
use super::sign_in::{Credentials, Wanted, Welcome};
use super::users::{self, LISTED_MAX, List, PREFIX_MAX};

const ACCOUNTS: &str = "accounts";
const PAGES: &str = "pages";
/// The name of somebody, as the examples have it.
const SOMEBODY: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

const WRONG_PASSWORD: Kind =
    kind(401, "wrong-password", "E-mail or password is wrong. It does not say which.");
const EMAIL_TAKEN: Kind = kind(409, "email-taken", "The address has an account already.");
const VERSION_CONFLICT: Kind = kind(409, "version-conflict", "Somebody else was changing the same account.");
const LAST_ADMIN: Kind = kind(409, "last-admin", "Nobody would be left who is an administrator.");
const ACCOUNT_NOT_FOUND: Kind = kind(404, "account-not-found", "There is no such account.");
const NOT_OPENED: Kind = kind(503, "session-not-opened", "No session was opened. What was registered stays.");
const BUSY: Kind = kind(503, "busy", "Too many people sign in at once. Nothing was accepted.");
const ACCOUNTS_UNAVAILABLE: Kind = kind(503, "accounts-unavailable", "The accounts cannot be reached now.");

/// What somebody may do.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[expect(dead_code, reason = "only its shape is of use: the role is `subjects::Role`")]
pub(super) enum RoleShown {
    Voter,
    Organiser,
    Admin,
}

/// The fields of the form at `/login`.
#[derive(ToSchema)]
#[schema(as = LoginForm)]
#[expect(dead_code, reason = "only its shape is of use: a form is read field by field")]
struct LoginFields {
    csrf: String,
    email: String,
    #[schema(format = Password)]
    password: String,
    /// Where to go on.
    next: Option<String>,
}

/// The fields of the form at `/register`.
#[derive(ToSchema)]
#[schema(as = RegisterForm)]
#[expect(dead_code, reason = "only its shape is of use: a form is read field by field")]
struct RegisterFields {
    csrf: String,
    name: String,
    email: String,
    #[schema(format = Password)]
    password: String,
    /// Where to go on.
    next: Option<String>,
}

/// The fields of the first form at `/account`.
#[derive(ToSchema)]
#[schema(as = ProfileForm)]
#[expect(dead_code, reason = "only its shape is of use: a form is read field by field")]
struct ProfileFields {
    csrf: String,
    name: String,
    email: String,
    /// For another address.
    #[schema(format = Password)]
    old_password: Option<String>,
}

/// The fields of the second form at `/account`.
#[derive(ToSchema)]
#[schema(as = PasswordForm)]
#[expect(dead_code, reason = "only its shape is of use: a form is read field by field")]
struct PasswordFields {
    csrf: String,
    #[schema(format = Password)]
    old_password: String,
    #[schema(format = Password)]
    new_password: String,
}

/// The fields of the forms at `/users`.
#[derive(ToSchema)]
#[schema(as = RoleForm)]
#[expect(dead_code, reason = "only its shape is of use: a form is read field by field")]
struct RoleFields {
    csrf: String,

    role: RoleShown,
    /// The list to go back to.
    back: Option<String>,
}

/// Every address of this actor.
pub fn operations() -> Vec<Operation> {
    vec![
        register(),
        log_in(),
        Operation::get("/me", "me")
            .is(ACCOUNTS, "Who I am", "One's own name, address and role.")
            .takes_role(Role::Voter)
            .answers::<Shown>(200, "The account.")
            .refuses(&[ACCOUNTS_UNAVAILABLE]),
        change_me(),
        list_users(),
        Operation::patch("/users/{id}", "set_role")
            .is(ACCOUNTS, "Give somebody a role", "It holds from their next request on.")
            .takes_role(Role::Admin)
            .named("id", "Whose.", SOMEBODY)
            .takes::<users::Wanted>(json!({ "role": "organiser" }))
            .answers::<Shown>(200, "The account as it is now.")
            .refuses(&[ACCOUNT_NOT_FOUND, LAST_ADMIN, VERSION_CONFLICT, ACCOUNTS_UNAVAILABLE]),
        page("/login", "login_page", "The form to sign in")
            .asked("next", "Where to go on.", any_text(), json!("/vote/demo"))
            .leads_on("Somebody is signed in already."),
        page("/register", "register_page", "The form to register")
            .asked("next", "Where to go on.", any_text(), json!("/vote/demo"))
            .leads_on("Somebody is signed in already."),
        page("/account", "account_page", "One's own account")
            .takes_role(Role::Voter)
            .leads_on("A browser is led to `/login`.")
            .refuses(&[ACCOUNTS_UNAVAILABLE]),
        form::<ProfileFields>("/account/profile", "save_profile", "Save name and address").refuses(&[
            EMAIL_TAKEN,
            VERSION_CONFLICT,
            kinds::RATE_LIMITED,
            BUSY,
        ]),
        form::<PasswordFields>("/account/password", "save_password", "Save another password").refuses(&[
            VERSION_CONFLICT,
            kinds::RATE_LIMITED,
            BUSY,
        ]),
        form::<RoleFields>("/users/{id}", "save_role", "Save somebody's role")
            .named("id", "Whose.", SOMEBODY)
            .refuses(&[kinds::FORBIDDEN, ACCOUNT_NOT_FOUND, LAST_ADMIN, VERSION_CONFLICT]),
    ]
}

fn register() -> Operation {
    let about = "Makes an account with the role of a voter and signs in. The tokens are set as cookies, too. A form is \
                 led on instead.";
    Operation::post("/register", "register")
        .is(ACCOUNTS, "Register", about)
        .takes::<Wanted>(
            json!({ "name": "Ann", "email": "ann@example.org", "password": "a fine long password" }),
        )
        .takes_form::<RegisterFields>(json!({ "csrf": "", "name": "Ann", "email": "ann@example.org",
            "password": "a fine long password" }))
        .answers::<Welcome>(201, "The account is made, and signed in.")
        .leads_on("The form was accepted.")
        .refuses(&[EMAIL_TAKEN, kinds::RATE_LIMITED, NOT_OPENED, BUSY, ACCOUNTS_UNAVAILABLE])
}

fn log_in() -> Operation {
    let about = "Opens a session. The tokens are set as cookies, too. A form is led on instead.";
    Operation::post("/login", "login")
        .is(ACCOUNTS, "Sign in", about)
        .takes::<Credentials>(json!({ "email": "ann@example.org", "password": "a fine long password" }))
        .takes_form::<LoginFields>(
            json!({ "csrf": "", "email": "ann@example.org", "password": "a fine long password" }),
        )
        .answers::<Welcome>(200, "Signed in.")
        .leads_on("The form was accepted.")
        .refuses(&[WRONG_PASSWORD, kinds::RATE_LIMITED, NOT_OPENED, BUSY, ACCOUNTS_UNAVAILABLE])
}

fn change_me() -> Operation {
    let about = "What is not sent stays. Another address, and another password, take the old password. Another password \
                 ends every other session.";
    Operation::patch("/me", "change_me")
        .is(ACCOUNTS, "Change name, address or password", about)
        .takes_role(Role::Voter)
        .takes::<account::Wanted>(json!({ "name": "Ann Example" }))
        .answers::<Shown>(200, "The account as it is now.")
        .refuses(&[EMAIL_TAKEN, VERSION_CONFLICT, kinds::RATE_LIMITED, BUSY, ACCOUNTS_UNAVAILABLE])
}

fn list_users() -> Operation {
    Operation::get("/users", "list_users")
        .is(ACCOUNTS, "List people", "Everybody who has an account, for administrators.")
        .takes_role(Role::Admin)
        .asked("q", "The beginning of a name or an address.", text_up_to(PREFIX_MAX), json!("ann"))
        .asked("after", "The `next` of the list before.", text_up_to(36), json!(SOMEBODY))
        .asked("limit", "At most this many.", whole(1, LISTED_MAX.into()), json!(50))
        .answers::<List>(200, "Some of them.")
        .answers_text(200, "The same as a page.", "text/html; charset=utf-8")
        .leads_on("A browser is led to `/login`.")
        .refuses(&[kinds::INVALID, ACCOUNTS_UNAVAILABLE])
}

fn page(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::get(path, id).is(PAGES, summary, "For browsers.").answers_page("The page.")
}

fn form<T: ToSchema>(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::post(path, id)
        .is(PAGES, summary, "The form of a page.")
        .takes_role(Role::Voter)
        .takes_form::<T>(json!({ "csrf": "" }))
        .leads_on("It is saved.")
        .refuses(&[ACCOUNTS_UNAVAILABLE])
}
