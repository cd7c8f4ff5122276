//! The cookies that we set: what they are called, and what browsers may do with them.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

/// A cookie's two names. Over TLS it has the prefix with which browsers take it from this host alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name {
    pub plain: &'static str,
    pub over_tls: &'static str,
}

/// Makes and reads cookies that no script may read and no other site's page may send along with a post.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jar {
    /// Whether they travel over TLS only.
    pub secure: bool,
}

impl Jar {
    /// A cookie that the browser keeps for `life`.
    pub fn make(self, name: Name, value: String, life: Duration) -> Cookie<'static> {
        Cookie::build(self.name(name), value)
            .path("/")
            .http_only(true)
            .secure(self.secure)
            // Not Strict: whoever follows a link from a chat would come without the cookie and be taken for new.
            .same_site(SameSite::Lax)
            .max_age(life)
            .finish()
    }

    /// A cookie that makes the browser forget the one it has.
    pub fn forget(self, name: Name) -> Cookie<'static> {
        self.make(name, String::new(), Duration::ZERO)
    }

    /// The cookie that the browser sent. Its value may be anything.
    pub fn read(self, request: &HttpRequest, name: Name) -> Option<Cookie<'static>> {
        request.cookie(self.name(name))
    }

    fn name(self, name: Name) -> &'static str {
        if self.secure { name.over_tls } else { name.plain }
    }
}
