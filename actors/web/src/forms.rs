//! Forms that only this browser can send: each carries a field `csrf`, signed for the browser's voter cookie.
//!
//! A page of another site can make a browser send its cookies along, but it cannot read them, nor the form.

use std::fmt;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use templates::RenderError;

use crate::identity::{BrowserId, Identity};
use crate::keys::{hex, unhex};
use crate::{Edge, Keys, Problem, page};

const PURPOSE: &str = "form";
/// How many bytes of the signature a form carries.
const SIGNED: usize = 16;

/// Signs forms.
#[derive(Clone, Debug)]
pub struct Forms {
    keys: Keys,
}

/// The browser that is shown a form.
pub struct Browser {
    /// Who it was known as when it came; `None` for one that is new, or whose cookie was not good.
    pub identity: Option<Identity>,
    /// Who it is known as from now on.
    pub known_as: Identity,
    /// The value of the form's field `csrf`.
    pub csrf: String,
    /// The cookie that the response must set, for a browser that came without a good one.
    pub minted: Option<Cookie<'static>>,
}

impl Forms {
    /// Signs with `keys`.
    pub fn new(keys: &Keys) -> Self {
        Self { keys: keys.clone() }
    }

    fn csrf(&self, browser: BrowserId) -> String {
        hex(&self.keys.sign(PURPOSE, &[browser.as_bytes()])[..SIGNED])
    }

    fn is_for(&self, browser: BrowserId, csrf: &str) -> bool {
        unhex::<SIGNED>(csrf).is_some_and(|tag| self.keys.verify(PURPOSE, &[browser.as_bytes()], &tag))
    }
}

impl Edge {
    /// What a page with a form needs to know of its browser. The response must set `minted`.
    pub fn browser(&self, request: &HttpRequest) -> Browser {
        // A forged cookie, or one of before the secret was changed, is replaced by a good one.
        if let Ok(Some(known)) = self.cookies.browser(request) {
            let known_as = known.identity();
            let csrf = self.forms.csrf(known);
            return Browser { identity: Some(known_as.clone()), known_as, csrf, minted: None };
        }
        let (new, cookie) = self.cookies.mint_browser();
        let csrf = self.forms.csrf(new);
        Browser { identity: None, known_as: new.identity(), csrf, minted: Some(cookie) }
    }

    /// A page that holds a form, drawn for the browser that asks for it with the value of the form's field `csrf`.
    pub fn form_page(
        &self,
        request: &HttpRequest,
        drawn: impl FnOnce(String) -> Result<String, RenderError>,
    ) -> HttpResponse {
        let Browser { csrf, minted, .. } = self.browser(request);
        let mut response = page(request, drawn(csrf));
        if let Some(cookie) = minted {
            // Fails only for a cookie that cannot be a header, and ours always can.
            let _ = response.add_cookie(&cookie);
        }
        response
    }

    /// Whether a form with this field `csrf` was shown to the browser that sends it.
    ///
    /// # Errors
    /// 403 `csrf`.
    pub fn check_form(&self, request: &HttpRequest, csrf: &str) -> Result<(), Problem> {
        let is_good = match self.cookies.browser(request) {
            Ok(Some(browser)) => self.forms.is_for(browser, csrf),
            Ok(None) | Err(_) => false,
        };
        if is_good { Ok(()) } else { Err(not_from_here()) }
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Browser(…)")
    }
}

fn not_from_here() -> Problem {
    let detail = "This form was not opened in this browser, or it is too old. Open the page again, with cookies \
                  allowed, and send it once more.";
    Problem::new(StatusCode::FORBIDDEN, "csrf", "Invalid form token", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Callers, Invites, Limits, Proxies, Rates, Redis, Sessions, Voted, VoterCookies};
    use actix_web::test::TestRequest;
    use nats::Clock;
    use std::time::Duration;
    use tokio::runtime::Handle;

    fn edge(secret: &str) -> Edge {
        let keys = Keys::new(secret.into(), None);
        let redis = Redis::new(&"redis://127.0.0.1:1".into(), Handle::current()).unwrap();
        let sessions = Sessions::new(redis, Duration::from_secs(60), Clock::system());
        Edge {
            cookies: VoterCookies::new(&keys, false),
            callers: Callers::new(&keys, sessions, Clock::system(), Duration::from_secs(60), false),
            forms: Forms::new(&keys),
            voted: Voted::new(&keys, false),
            invites: Invites::new(keys.clone()),
            limits: Limits::new(Rates::default(), keys, Clock::system()),
            proxies: Proxies::default(),
        }
    }

    fn sent_with(cookie: &Cookie<'static>) -> HttpRequest {
        TestRequest::post().cookie(cookie.clone()).to_http_request()
    }

    #[actix_web::test]
    async fn a_form_can_be_sent_by_the_browser_it_was_shown_to_and_by_no_other() {
        let edge = edge("a secret of this test");
        let [ours, theirs] = [(); 2].map(|()| edge.browser(&TestRequest::get().to_http_request()));
        let [our_cookie, their_cookie] = [&ours, &theirs].map(|browser| browser.minted.clone().unwrap());
        assert!(edge.check_form(&sent_with(&our_cookie), &ours.csrf).is_ok());
        assert!(edge.check_form(&sent_with(&our_cookie), &theirs.csrf).is_err());
        assert!(edge.check_form(&sent_with(&their_cookie), &ours.csrf).is_err());
        let without = edge.check_form(&TestRequest::post().to_http_request(), &ours.csrf).unwrap_err();
        assert_eq!(without.status(), StatusCode::FORBIDDEN);
        for wrong in ["", "x", &ours.csrf[1..], &format!("{}00", ours.csrf), &"0".repeat(32)] {
            assert!(edge.check_form(&sent_with(&our_cookie), wrong).is_err(), "{wrong}");
        }
    }

    #[actix_web::test]
    async fn a_browser_keeps_its_good_cookie_and_gets_one_for_a_bad_one() {
        let edge = edge("a secret of this test");
        let new = edge.browser(&TestRequest::get().to_http_request());
        assert_eq!(new.identity, None);
        let cookie = new.minted.unwrap();
        let known = edge.browser(&sent_with(&cookie));
        assert_eq!(known.identity, edge.cookies.identity(&sent_with(&cookie)).unwrap());
        assert_eq!((known.csrf, known.minted), (new.csrf, None));
        assert!(known.known_as == new.known_as && known.identity == Some(new.known_as));
        let foreign = self::edge("another secret").browser(&sent_with(&cookie));
        assert!(foreign.identity.is_none() && foreign.minted.is_some());
    }
}
