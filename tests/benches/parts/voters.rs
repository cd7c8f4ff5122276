//! Who is calling: a browser's cookie verified, and its voter in a round.

use std::hint::black_box;

use actix_web::test::TestRequest;
use criterion::{BatchSize, Criterion, Throughput};
use secrecy::SecretString;
use subjects::VoterKey;
use web::{Keys, VoterCookies};

fn cookies() -> VoterCookies {
    VoterCookies::new(&Keys::new(SecretString::from("a secret of this benchmark"), None), false)
}

/// The cookie of a request, read and verified.
pub fn cookie(criterion: &mut Criterion) {
    let cookies = cookies();
    let (_, cookie) = cookies.mint();
    let request = || TestRequest::default().cookie(cookie.clone()).to_http_request();
    let mut group = criterion.benchmark_group("web");
    group.throughput(Throughput::Elements(1));
    group.bench_function("verify a cookie", |bencher| {
        // A request keeps the cookies that it has read once.
        let verify = |request| (cookies.identity(&request), request);
        bencher.iter_batched(request, verify, BatchSize::SmallInput);
    });
}

/// The voter of an identity.
pub fn voter(criterion: &mut Criterion) {
    let (identity, _) = cookies().mint();
    let key = VoterKey::from_bytes([7; 32]);
    let mut group = criterion.benchmark_group("web");
    group.throughput(Throughput::Elements(1));
    group.bench_function("voter of an identity", |bencher| bencher.iter(|| black_box(&identity).voter(&key)));
}
