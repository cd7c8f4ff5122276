//! Who is signed in: the one path by which a browser's cookies and a program's bearer token are verified.
//!
//! A good token is only half of it: its session must be alive in Redis, and that is asked every time. So whoever is
//! signed out is refused by the next request, wherever it goes.

use std::sync::Arc;
use std::time::Duration;

use actix_web::cookie::{Cookie, time};
use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};
use nats::Clock;
use subjects::{Person, Role, SessionId, Timestamp, UserId};
use templates::Visitor;

use crate::cookie::{Jar, Name};
use crate::sessions::{Record, Sessions};
use crate::tokens::{Claims, Session, TokenFault, TokenKeys, Tokens, Usage};
use crate::{Away, Keys, Problem};

const ACCESS: Name = Name { plain: "urna_access", over_tls: "__Host-urna_access" };
const REFRESH: Name = Name { plain: "urna_refresh", over_tls: "__Host-urna_refresh" };
const SCHEME: &str = "Bearer ";

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who, as their session's record has them.
    pub person: Person,
    /// In which session.
    pub session: SessionId,
}

/// Knows who is signed in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Callers {
    tokens: Arc<TokenKeys>,
    sessions: Sessions,
    clock: Clock,
    access_life: Duration,
    jar: Jar,
}

/// What was found out about a request, so that it is found out once.
#[derive(Clone)]
struct Judged(Result<Option<Caller>, Problem>);

/// A cookie that `guard` adds to the response.
pub(crate) struct Renewed(pub Cookie<'static>);

impl Callers {
    /// An access token is good for `access_life`. `secure` cookies travel over TLS only.
    pub fn new(keys: &Keys, sessions: Sessions, clock: Clock, access_life: Duration, secure: bool) -> Self {
        let tokens = Arc::new(TokenKeys::new(keys));
        Self { tokens, sessions, clock, access_life, jar: Jar { secure } }
    }

    /// Who is calling; `None` when no token came. A bearer token decides alone; otherwise the cookies do. When a
    /// browser's access token has run out and its refresh token has not, the response brings it a new one.
    ///
    /// # Errors
    /// 401 `invalid-token`, which makes a browser forget its cookies; 503 `sessions-unavailable`.
    pub async fn caller(&self, request: &HttpRequest) -> Result<Option<Caller>, Problem> {
        let judged = request.extensions().get::<Judged>().cloned();
        if let Some(Judged(verdict)) = judged {
            return verdict;
        }
        let verdict = match bearer(request) {
            Some(token) => self.program(&token).await.map(Some),
            None => self.browser(request).await,
        };
        request.extensions_mut().insert(Judged(verdict.clone()));
        verdict
    }

    /// Whose access token came as `Authorization: Bearer`; `None` without one, whatever the cookies say.
    ///
    /// # Errors
    /// As of [`Callers::caller`].
    pub async fn bearer(&self, request: &HttpRequest) -> Result<Option<Caller>, Problem> {
        match bearer(request) {
            Some(_) => self.caller(request).await,
            None => Ok(None),
        }
    }

    /// Who is calling, if they may do what takes this role.
    ///
    /// # Errors
    /// 401 `sign-in-required` for nobody, 403 `forbidden` below the role, and those of [`Callers::caller`].
    pub async fn at_least(&self, request: &HttpRequest, role: Role) -> Result<Caller, Problem> {
        let caller = self.caller(request).await?.ok_or_else(Problem::sign_in_required)?;
        if caller.person.role < role {
            return Err(forbidden(role));
        }
        Ok(caller)
    }

    /// The same caller as their session has them now; `None` when it has ended.
    ///
    /// # Errors
    /// [`Away`] when that cannot be told.
    pub async fn still(&self, caller: &Caller) -> Result<Option<Caller>, Away> {
        let found = self.sessions.find(caller.session).await?;
        let theirs = found.filter(|record| record.person.user == caller.person.user);
        Ok(theirs.map(|record| Caller { person: record.person, session: caller.session }))
    }

    /// Who is looking at a page. Whoever cannot be told is nobody.
    pub async fn visitor(&self, request: &HttpRequest) -> Visitor {
        // A refusal is for whoever needs to know, and they ask for the caller.
        let _ = self.caller(request).await;
        visitor_known(request)
    }

    /// The tokens of a session that ends at `expires_at` at the latest.
    pub fn tokens(&self, user: UserId, session: SessionId, expires_at: Timestamp) -> Tokens {
        let of = Session { user, id: session, ends_at: expires_at };
        self.tokens.tokens(of, self.access_life, self.clock.now())
    }

    /// The cookies that hold these tokens. Browsers keep both until the session ends.
    pub fn cookies(&self, tokens: &Tokens, expires_at: Timestamp) -> [Cookie<'static>; 2] {
        let access = self.cookie(ACCESS, tokens.access.clone(), expires_at);
        [access, self.cookie(REFRESH, tokens.refresh.clone(), expires_at)]
    }

    /// Cookies that make a browser forget its tokens.
    pub fn forget(&self) -> [Cookie<'static>; 2] {
        [self.jar.forget(ACCESS), self.jar.forget(REFRESH)]
    }

    /// New tokens for whoever holds this one, while its session is alive.
    ///
    /// # Errors
    /// 401 `invalid-token`, 503 `sessions-unavailable`.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Problem> {
        let claims = self.read(refresh_token, Usage::Refresh).map_err(|_| Problem::invalid_token())?;
        let record = self.session(&claims).await?;
        Ok(self.tokens(claims.sub, claims.sid, record.expires_at))
    }

    async fn program(&self, token: &str) -> Result<Caller, Problem> {
        let claims = self.read(token, Usage::Access).map_err(|_| Problem::invalid_token())?;
        let record = self.session(&claims).await?;
        Ok(Caller { person: record.person, session: claims.sid })
    }

    async fn browser(&self, request: &HttpRequest) -> Result<Option<Caller>, Problem> {
        let access = self.jar.read(request, ACCESS).map(|cookie| self.read(cookie.value(), Usage::Access));
        let refresh = self.jar.read(request, REFRESH);
        let refresh = || refresh.map(|cookie| self.read(cookie.value(), Usage::Refresh));
        let (read, is_renewed) = match access {
            Some(Err(TokenFault::Expired)) => (refresh().unwrap_or(Err(TokenFault::Expired)), true),
            Some(read) => (read, false),
            None => match refresh() {
                Some(read) => (read, true),
                None => return Ok(None),
            },
        };
        let forgetting = |problem: Problem| match problem.is_invalid_token() {
            true => self.forget().into_iter().fold(problem, Problem::with_cookie),
            false => problem,
        };
        let claims = read.map_err(|_| forgetting(Problem::invalid_token()))?;
        let record = self.session(&claims).await.map_err(forgetting)?;
        if is_renewed {
            let tokens = self.tokens(claims.sub, claims.sid, record.expires_at);
            let cookie = self.cookie(ACCESS, tokens.access, record.expires_at);
            request.extensions_mut().insert(Renewed(cookie));
        }
        Ok(Some(Caller { person: record.person, session: claims.sid }))
    }

    fn read(&self, token: &str, usage: Usage) -> Result<Claims, TokenFault> {
        self.tokens.read(token, usage, self.clock.now())
    }

    /// The session that a good token names.
    async fn session(&self, claims: &Claims) -> Result<Record, Problem> {
        let found = self.sessions.find(claims.sid).await.map_err(|_| sessions_unavailable())?;
        found.filter(|record| record.person.user == claims.sub).ok_or_else(Problem::invalid_token)
    }

    fn cookie(&self, name: Name, token: String, expires_at: Timestamp) -> Cookie<'static> {
        let left = expires_at.since(self.clock.now()).as_secs();
        self.jar.make(name, token, time::Duration::seconds(i64::try_from(left).unwrap_or(i64::MAX)))
    }
}

/// Who is looking at the page that answers this request, as far as it has been found out.
pub(crate) fn visitor_known(request: &HttpRequest) -> Visitor {
    match request.extensions().get::<Judged>() {
        Some(Judged(Ok(Some(caller)))) => {
            Visitor { name: Some(caller.person.name.clone()), role: Some(caller.person.role) }
        }
        _ => Visitor::default(),
    }
}

/// The token of an `Authorization: Bearer`. Other schemes are not ours to judge.
fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME.as_bytes()).then(|| String::from_utf8_lossy(token).trim().to_owned())
}

fn forbidden(role: Role) -> Problem {
    Problem::forbidden(match role {
        Role::Voter => "You need an account.",
        Role::Organiser => "You need the organiser role. An administrator can give it to you.",
        Role::Admin => "You need the administrator role.",
    })
}

fn sessions_unavailable() -> Problem {
    let detail = "Sign-ins cannot be checked now. Nothing was accepted; try again in a moment.";
    Problem::unavailable("sessions-unavailable", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redis;
    use actix_web::http::StatusCode;
    use actix_web::test::TestRequest;
    use secrecy::SecretString;
    use subjects::Email;
    use tokio::runtime::Handle;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_795_253_400_000 + second * 1000).unwrap()
    }

    /// Callers whose Redis is away, at this second.
    fn callers(second: i64, secure: bool) -> Callers {
        let nowhere = Redis::new(&SecretString::from("redis://127.0.0.1:1"), Handle::current()).unwrap();
        let clock = Clock::from_fn(move || at(second));
        let sessions = Sessions::new(nowhere, HOUR, clock.clone());
        let keys = Keys::new("a secret of this test".into(), None);
        Callers::new(&keys, sessions, clock, Duration::from_secs(900), secure)
    }

    fn tokens(callers: &Callers) -> Tokens {
        callers.tokens(UserId::random(), SessionId::random(), at(3600))
    }

    async fn status(callers: &Callers, request: TestRequest) -> (u16, usize) {
        let request = request.to_http_request();
        let problem = callers.caller(&request).await.expect_err("refused");
        let response = problem.respond(&request);
        assert!(matches!(callers.visitor(&request).await, Visitor { name: None, role: None }));
        (response.status().as_u16(), response.cookies().count())
    }

    #[actix_web::test]
    async fn nobody_is_let_in_while_sessions_cannot_be_looked_up() {
        let callers = callers(0, false);
        let tokens = tokens(&callers);
        let bearer = ("Authorization", format!("Bearer {}", tokens.access));
        assert_eq!(status(&callers, TestRequest::default().insert_header(bearer)).await, (503, 0));
        for cookie in callers.cookies(&tokens, at(3600)) {
            // A browser keeps its cookies: its session may well be alive.
            assert_eq!(status(&callers, TestRequest::default().cookie(cookie)).await, (503, 0));
        }
        let refused = callers.refresh(&tokens.refresh).await.expect_err("refused");
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[actix_web::test]
    async fn that_nobody_can_tell_is_not_taken_for_the_end_of_a_session() {
        let email = Email::parse("ann@example.org").unwrap();
        let person = Person { user: UserId::random(), name: "Ann".into(), email, role: Role::Organiser };
        let caller = Caller { person, session: SessionId::random() };
        assert_eq!(callers(0, false).still(&caller).await, Err(Away));
    }

    #[actix_web::test]
    async fn a_bearer_token_that_is_not_good_is_refused_whatever_the_cookies_say() {
        let (then, now) = (callers(0, false), callers(900, false));
        let [access, refresh] = then.cookies(&tokens(&then), at(3600));
        for wrong in [&tokens(&then).access, &tokens(&now).refresh, "", "x", "é"] {
            for scheme in ["Bearer", "bearer", "BEARER"] {
                let request = TestRequest::default().cookie(access.clone()).cookie(refresh.clone());
                let request = request.insert_header(("Authorization", format!("{scheme} {wrong}")));
                assert_eq!(status(&now, request).await, (401, 0), "{scheme} {wrong}");
            }
        }
        assert!(now.refresh(&tokens(&now).access).await.is_err());
    }

    #[actix_web::test]
    async fn a_browser_forgets_cookies_that_are_not_good() {
        let (then, now) = (callers(0, false), callers(900, false));
        let [access, refresh] = then.cookies(&tokens(&then), at(3600));
        let with = |cookie: &Cookie<'static>| TestRequest::default().cookie(cookie.clone());
        assert_eq!(status(&now, with(&access)).await, (401, 2), "expired, and nothing to renew it");
        let forged = Cookie::new("urna_access", "x.y.z");
        assert_eq!(status(&now, with(&forged).cookie(refresh.clone())).await, (401, 2));
        let forged = Cookie::new("urna_refresh", access.value().to_owned());
        assert_eq!(status(&then, with(&forged)).await, (401, 2), "of another use");
        assert_eq!(status(&callers(3600, false), with(&refresh)).await, (401, 2));
        // Whether the session is alive is asked for the refresh cookie alone, and for both.
        assert_eq!(status(&now, with(&refresh)).await, (503, 0));
        assert_eq!(status(&now, with(&access).cookie(refresh)).await, (503, 0));
    }

    #[actix_web::test]
    async fn whoever_sends_no_token_is_nobody() {
        let callers = callers(0, true);
        // Over TLS only cookies with the prefix count; another scheme is a proxy's.
        let [access, _] = super::Callers::cookies(&self::callers(0, false), &tokens(&callers), at(3600));
        let request = TestRequest::default().cookie(access).insert_header(("Authorization", "Basic eDp5"));
        let request = request.to_http_request();
        assert_eq!(callers.caller(&request).await.unwrap(), None);
        let refused = callers.at_least(&request, Role::Voter).await.expect_err("refused");
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    }

    #[actix_web::test]
    async fn the_cookies_last_as_long_as_the_session_and_no_script_reads_them() {
        let callers = callers(0, true);
        for cookie in callers.cookies(&tokens(&callers), at(3600)) {
            assert!(cookie.name().starts_with("__Host-urna_"));
            assert_eq!(
                (cookie.secure(), cookie.http_only(), cookie.path()),
                (Some(true), Some(true), Some("/"))
            );
            assert_eq!(cookie.max_age(), Some(time::Duration::HOUR));
        }
        assert!(callers.forget().iter().all(|cookie| cookie.max_age() == Some(time::Duration::ZERO)));
    }
}
