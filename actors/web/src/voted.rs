//! How somebody shows that they have voted, in rounds that then show them the results.
//!
//! The proof is a signature of the round and of nothing else: it tells neither who has voted nor how, and everybody's is
//! the same. Whoever passes it on passes on what they could as well have told.

use actix_web::cookie::Cookie;
use actix_web::cookie::time::Duration;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use subjects::RoundId;

use crate::Keys;
use crate::cookie::{Jar, Name};
use crate::keys::{hex, unhex};

/// The header in which a program is given the proof, and shows it.
pub const HEADER: HeaderName = HeaderName::from_static("x-voted");
/// The browser's cookie: the proofs of the rounds it has voted in, the newest first.
const COOKIE: Name = Name { plain: "urna_voted", over_tls: "__Host-urna_voted" };
/// How long a browser keeps it: 400 days, the most that browsers allow.
const COOKIE_LIFE: Duration = Duration::days(400);
/// How many rounds the cookie holds: it is sent with every request.
const ROUNDS_MAX: usize = 40;
const PURPOSE: &str = "has voted";
/// How many bytes of the signature are a proof.
const SIGNED: usize = 16;

/// Gives out proofs of having voted, and knows its own again.
#[derive(Clone, Debug)]
pub struct Voted {
    keys: Keys,
    jar: Jar,
}

impl Voted {
    /// Signs with `keys`. `secure` cookies travel over TLS only.
    pub fn new(keys: &Keys, secure: bool) -> Self {
        Self { keys: keys.clone(), jar: Jar { secure } }
    }

    /// Whether whoever sends this has voted in `round`, as far as they show it.
    pub fn is_shown(&self, request: &HttpRequest, round: &RoundId) -> bool {
        let header = request.headers().get(HEADER).and_then(|proof| proof.to_str().ok());
        let is_good = |proof: &str| {
            unhex::<SIGNED>(proof)
                .is_some_and(|tag| self.keys.verify(PURPOSE, &[round.as_str().as_bytes()], &tag))
        };
        header.is_some_and(is_good) || self.kept(request).iter().any(|proof| is_good(proof))
    }

    /// Puts the proof of having voted in `round` into the response: as a header for programs, and as a cookie.
    pub fn prove(&self, request: &HttpRequest, round: &RoundId, response: &mut HttpResponse) {
        let proof = hex(&self.keys.sign(PURPOSE, &[round.as_str().as_bytes()])[..SIGNED]);
        let mut proofs = self.kept(request);
        proofs.retain(|kept| *kept != proof);
        proofs.insert(0, proof.clone());
        proofs.truncate(ROUNDS_MAX);
        if let Ok(proof) = HeaderValue::from_str(&proof) {
            response.headers_mut().insert(HEADER, proof);
        }
        // Fails only for a cookie that cannot be a header, and hexadecimal digits always can.
        let _ = response.add_cookie(&self.jar.make(COOKIE, proofs.join("."), COOKIE_LIFE));
    }

    /// What the browser's cookie holds, as far as it could be ours.
    fn kept(&self, request: &HttpRequest) -> Vec<String> {
        let cookie = self.jar.read(request, COOKIE);
        let proofs = cookie.as_ref().map(Cookie::value).unwrap_or_default().split('.');
        let could_be = proofs.filter(|proof| unhex::<SIGNED>(proof).is_some());
        could_be.take(ROUNDS_MAX).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn voted(secret: &str) -> Voted {
        Voted::new(&Keys::new(secret.into(), None), false)
    }

    fn round(id: &str) -> RoundId {
        RoundId::parse(id).unwrap()
    }

    /// What a response gives that proves it, to somebody who came with this cookie.
    fn given(round_id: &str, cookie: Option<Cookie<'static>>) -> (String, Cookie<'static>) {
        let mut response = HttpResponse::Ok().finish();
        let request = cookie.into_iter().fold(TestRequest::get(), |request, it| request.cookie(it));
        voted("a secret of this test").prove(&request.to_http_request(), &round(round_id), &mut response);
        let header = response.headers().get(HEADER).unwrap().to_str().unwrap().to_owned();
        let cookie = response.cookies().next().unwrap().into_owned();
        (header, cookie)
    }

    #[test]
    fn whoever_has_voted_shows_it_by_cookie_or_header_in_that_round_alone() {
        let ours = voted("a secret of this test");
        let (header, cookie) = given("board", None);
        let by_cookie = TestRequest::get().cookie(cookie.clone()).to_http_request();
        let by_header = TestRequest::get().insert_header((HEADER, header.clone())).to_http_request();
        for request in [&by_cookie, &by_header] {
            assert!(ours.is_shown(request, &round("board")));
            assert!(!ours.is_shown(request, &round("budget")), "of another round");
            assert!(!voted("another secret").is_shown(request, &round("board")), "of another server");
        }
        assert_eq!((cookie.http_only(), cookie.path()), (Some(true), Some("/")));
        for wrong in ["", "x", &header[1..], &format!("{header}00"), &"0".repeat(32)] {
            let forged = TestRequest::get()
                .insert_header((HEADER, wrong))
                .cookie(Cookie::new("urna_voted", wrong.to_owned()));
            assert!(!ours.is_shown(&forged.to_http_request(), &round("board")), "{wrong}");
        }
    }

    #[test]
    fn a_browser_shows_the_newest_rounds_it_has_voted_in() {
        let ours = voted("a secret of this test");
        let cookie = (0..ROUNDS_MAX + 2)
            .fold(None, |cookie, number| Some(given(&format!("round-{number}"), cookie).1))
            .unwrap();
        assert!(cookie.value().len() < 1_400, "{}", cookie.value().len());
        let again = given("round-41", Some(cookie.clone())).1;
        assert_eq!(again.value(), cookie.value(), "a round is there once");
        let request = TestRequest::get().cookie(cookie).to_http_request();
        let shown = |number: usize| ours.is_shown(&request, &round(&format!("round-{number}")));
        assert!(shown(41) && shown(2) && !shown(1) && !shown(0));
    }
}
