//! What every response has and every request must pass.

use std::sync::LazyLock;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, Resource, web};
use metrics::{Counter, Histogram, counter, histogram};
use nats::Clock;
use templates::RenderError;

use crate::Problem;
use crate::api::Document;
use crate::callers::Renewed;

/// Nothing from elsewhere, nothing inline, no frames.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The same, in the frame of whatever site, and without forms.
const CONTENT_SECURITY_POLICY_FRAMED: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors *";

/// The headers of every response.
const HEADERS: [(HeaderName, &str); 2] =
    [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "same-origin")];
/// Those of a response that no other site may show in a frame.
const HEADERS_UNFRAMED: [(HeaderName, &str); 2] =
    [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY), (header::X_FRAME_OPTIONS, "DENY")];
/// Those of a response that every site may.
const HEADERS_FRAMED: [(HeaderName, &str); 1] =
    [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY_FRAMED)];

/// The counters of responses by class of status, and how long they took. Looked up once: every request is counted.
static RESPONSES: LazyLock<[Counter; 4]> = LazyLock::new(|| {
    ["2xx", "3xx", "4xx", "5xx"].map(|status| counter!("urna_web_responses_total", "status" => status))
});
static RESPONSE_SECONDS: LazyLock<Histogram> = LazyLock::new(|| histogram!("urna_web_response_seconds"));

/// A response that other sites may show in a frame.
struct Framed;

/// Refuses cross-site posts and gives every response its headers, and a browser its renewed token.
///
/// # Errors
/// None of its own; those of the handler pass through.
pub async fn guard<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // What answers GET answers HEAD; the server itself leaves the body away.
    let is_head = request.method() == Method::HEAD;
    if is_head {
        request.head_mut().method = Method::GET;
    }
    let mut response = if changes_something(request.method()) && is_cross_site(&request) {
        let problem = cross_site().respond(request.request());
        request.into_response(problem).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    // A stream would never come to its end, though nothing of it is sent.
    if is_head && response.response().body().size() == BodySize::Stream {
        response = response.map_body(|_, _| EitherBody::right(BoxBody::new(())));
    }
    let is_framed = response.response().extensions().get::<Framed>().is_some();
    let framing = if is_framed { &HEADERS_FRAMED[..] } else { &HEADERS_UNFRAMED[..] };
    for (name, value) in HEADERS.iter().chain(framing) {
        response.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
    }
    bring_renewed(&mut response);
    Ok(response)
}

/// Lets every site show this response in a frame. Only for what is the same for everybody and can do nothing.
pub fn may_be_framed(mut response: HttpResponse) -> HttpResponse {
    response.extensions_mut().insert(Framed);
    response
}

/// Adds the renewed token, unless the handler has given this cookie another value: whoever signs out stays out.
fn bring_renewed<B>(response: &mut ServiceResponse<B>) {
    let renewed = response.request().extensions_mut().remove::<Renewed>();
    let Some(Renewed(cookie)) = renewed else { return };
    if response.response().cookies().all(|given| given.name() != cookie.name()) {
        // Fails only for a cookie that cannot be a header, and ours always can.
        let _ = response.response_mut().add_cookie(&cookie);
    }
}

/// Counts responses by status and times them, streams until their first byte.
///
/// # Errors
/// None of its own; those of the handler pass through.
pub async fn route_metrics<B: MessageBody>(
    clock: Clock,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = clock.monotonic();
    let response = next.call(request).await?;
    let class = match response.status().as_u16() {
        200..=299 => 0,
        300..=399 => 1,
        400..=499 => 2,
        _ => 3,
    };
    RESPONSES[class].increment(1);
    RESPONSE_SECONDS.record(clock.monotonic().since(started));
    Ok(response)
}

/// What answers where nothing else does.
pub async fn nothing_here(request: HttpRequest) -> HttpResponse {
    let detail = "There is nothing at this address.";
    Problem::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail).respond(&request)
}

/// An address that tells whoever comes with a method it has no route for.
pub fn at(path: &str) -> Resource {
    web::resource(path).default_service(web::to(wrong_method))
}

/// The response that shows a page, never kept by a cache: it may be drawn for one person.
pub fn page(request: &HttpRequest, drawn: Result<String, RenderError>) -> HttpResponse {
    match drawn {
        Ok(html) => HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("text/html; charset=utf-8")
            .body(html),
        Err(fault) => {
            #[cfg(debug_assertions)]
            if let Some(html) = crate::dev::fault_page(&fault) {
                return HttpResponse::InternalServerError()
                    .content_type("text/html; charset=utf-8")
                    .body(html);
            }
            Problem::internal("draw a page", &fault).respond(request)
        }
    }
}

fn changes_something(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a browser says that another site's page sent this. Browsers tell by `Sec-Fetch-Site`, and where they
/// do not (plain HTTP in a local network) by `Origin`; programs send neither.
fn is_cross_site(request: &ServiceRequest) -> bool {
    let text = |name: HeaderName| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    match text(header::ORIGIN) {
        Some(origin) => origin.split_once("://").map(|(_, host)| host) != text(header::HOST),
        None => false,
    }
}

fn cross_site() -> Problem {
    let detail = "This request came from another site's page. Open the page here and try again.";
    Problem::new(StatusCode::FORBIDDEN, "cross-site", "Cross-site request", detail)
}

/// The methods that an address does have are those that the document of this process tells of.
async fn wrong_method(request: HttpRequest, document: Option<Data<Document>>) -> HttpResponse {
    let pattern = request.match_pattern().unwrap_or_default();
    let allowed = document.and_then(|document| document.methods_at(&pattern));
    let allowed = allowed.unwrap_or_else(|| "GET, HEAD".to_owned());
    let detail = format!("This address does not take this method. It takes {allowed}.");
    let problem =
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", detail);
    let mut response = problem.respond(&request);
    if let Ok(allowed) = HeaderValue::from_str(&allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::cookie::Cookie;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, middleware::from_fn};

    async fn status_of(request: TestRequest) -> u16 {
        let ok = || async { HttpResponse::Ok().finish() };
        let app = App::new().wrap(from_fn(guard)).service(at("/vote").route(web::post().to(ok)));
        let response = call_service(&init_service(app).await, request.uri("/vote").to_request()).await;
        assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        response.status().as_u16()
    }

    #[actix_web::test]
    async fn a_post_from_another_sites_page_is_refused() {
        let post = || TestRequest::post().insert_header((header::HOST, "vote.example"));
        assert_eq!(status_of(post()).await, 200);
        assert_eq!(status_of(post().insert_header(("sec-fetch-site", "same-origin"))).await, 200);
        assert_eq!(status_of(post().insert_header(("sec-fetch-site", "cross-site"))).await, 403);
        assert_eq!(status_of(post().insert_header(("sec-fetch-site", "same-site"))).await, 403);
        assert_eq!(status_of(post().insert_header((header::ORIGIN, "https://vote.example"))).await, 200);
        assert_eq!(status_of(post().insert_header((header::ORIGIN, "https://evil.example"))).await, 403);
        assert_eq!(status_of(post().insert_header((header::ORIGIN, "null"))).await, 403);
    }

    #[actix_web::test]
    async fn a_wrong_method_is_told_so() {
        assert_eq!(status_of(TestRequest::delete()).await, 405);
    }

    #[actix_web::test]
    async fn only_what_may_be_framed_is_let_into_the_frames_of_other_sites() {
        let framed = || async { may_be_framed(HttpResponse::Ok().finish()) };
        let not_framed = || async { HttpResponse::Ok().finish() };
        let app = App::new()
            .wrap(from_fn(guard))
            .service(at("/embed").route(web::get().to(framed)))
            .service(at("/vote").route(web::get().to(not_framed)));
        let app = init_service(app).await;
        for (path, framing, policy) in
            [("/vote", Some("DENY"), "frame-ancestors 'none'"), ("/embed", None, "frame-ancestors *")]
        {
            let response = call_service(&app, TestRequest::get().uri(path).to_request()).await;
            let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header(header::X_FRAME_OPTIONS), framing, "{path}");
            assert!(header(header::CONTENT_SECURITY_POLICY).unwrap().ends_with(policy), "{path}");
            assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"), "{path}");
        }
    }

    async fn cookies_after(handler: fn(HttpRequest) -> HttpResponse) -> Vec<String> {
        let handler = move |request: HttpRequest| async move { handler(request) };
        let app = App::new().wrap(from_fn(guard)).service(at("/").route(web::get().to(handler)));
        let response = call_service(&init_service(app).await, TestRequest::get().to_request()).await;
        response.response().cookies().map(|cookie| cookie.to_string()).collect()
    }

    #[actix_web::test]
    async fn a_renewed_token_is_brought_unless_it_is_forgotten() {
        let kept = cookies_after(|request| {
            request.extensions_mut().insert(Renewed(Cookie::new("urna_access", "new")));
            HttpResponse::Ok().cookie(Cookie::new("other", "1")).finish()
        });
        assert_eq!(kept.await, ["other=1", "urna_access=new"]);
        let forgotten = cookies_after(|request| {
            request.extensions_mut().insert(Renewed(Cookie::new("urna_access", "new")));
            HttpResponse::Ok().cookie(Cookie::new("urna_access", "")).finish()
        });
        assert_eq!(forgotten.await, ["urna_access="]);
    }
}
