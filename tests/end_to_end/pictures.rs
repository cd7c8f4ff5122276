//! What options look like: pictures come in harmless, and are kept, shown and forgotten.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat, RgbImage};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use urna_world::{Answer, Own, Voter, World, eventually};

use crate::people::{organiser, person};

const CATS: &str = "/rounds/board/options/cats/picture";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

fn cats() -> DynamicImage {
    let pixel = |x, y| image::Rgb([(x * 4) as u8, (y * 4) as u8, 90]);
    DynamicImage::ImageRgb8(RgbImage::from_fn(60, 40, pixel))
}

fn written(format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    cats().write_to(&mut file, format).expect("a picture can be written");
    file.into_inner()
}

/// A photo of a camera that was held upright, and that says where it was.
fn photo() -> Vec<u8> {
    let mut file = Vec::new();
    let mut camera = JpegEncoder::new(&mut file);
    let upright = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0GPS 52.5163 N 13.3777 E";
    camera.set_exif_metadata(upright.to_vec()).expect("a camera says much");
    cats().write_with_encoder(camera).expect("a picture can be written");
    file
}

/// A PNG of a few bytes that says it is 50,000 pixels wide and high.
fn bomb() -> Vec<u8> {
    let mut png = written(ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    // The checksum of a head that says so.
    png[29..33].copy_from_slice(&[0xc4, 0xcd, 0xaa, 0x9d]);
    png
}

async fn draft(organiser: &Voter) {
    let draft = json!({ "id": "board", "title": "Which?", "options": ["Cats", "Dogs"], "state": "draft" });
    let made = organiser.makes_round(&draft).await;
    assert_eq!(made.status, 201, "{made:?}");
}

async fn looks_at(who: &Voter, path: &str, etag: Option<&str>) -> Response {
    let mut request = who.request(Method::GET, path);
    if let Some(etag) = etag {
        request = request.header("If-None-Match", etag);
    }
    request.send().await.expect("an answer comes")
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refusal(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.kind())
}

fn address(option: &Value) -> String {
    option["picture"].as_str().unwrap_or_else(|| panic!("no picture: {option}")).to_owned()
}

#[tokio::test]
async fn a_picture_of_every_kind_is_shown_to_everybody_and_kept_by_browsers() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    draft(&olga).await;
    let mut addresses = Vec::new();
    for (content_type, format) in [
        ("image/jpeg", ImageFormat::Jpeg),
        ("image/png", ImageFormat::Png),
        ("image/webp", ImageFormat::WebP),
    ] {
        let given = olga.puts(CATS, content_type, written(format)).await;
        assert_eq!((given.status.as_u16(), &given.body["label"]), (200, &json!("Cats")), "{given:?}");
        addresses.push(address(&given.body));
    }
    assert!(
        addresses[0] != addresses[1] && addresses[1] == addresses[2],
        "lossless ones are the same picture"
    );
    let address = &addresses[2];
    let round = world.voter().asks("/rounds/board").await.body;
    assert_eq!(
        (&round["options"][0]["picture"], &round["options"][1]["picture"]),
        (&json!(address), &Value::Null)
    );

    let shown = looks_at(&world.voter(), address, None).await;
    assert_eq!((shown.status().as_u16(), header(&shown, "content-type")), (200, "image/jpeg"));
    assert_eq!(header(&shown, "cache-control"), FOR_GOOD);
    assert_eq!(header(&shown, "x-content-type-options"), "nosniff");
    assert!(header(&shown, "content-security-policy").starts_with("default-src 'none'"));
    assert!(!shown.headers().contains_key("set-cookie"), "what everybody may keep is nobody's own");
    let etag = header(&shown, "etag").to_owned();
    let bytes = shown.bytes().await.expect("a picture");
    let picture = image::load_from_memory(&bytes).expect("a picture");
    assert_eq!((picture.width(), picture.height()), (60, 40));

    let again = looks_at(&world.voter(), address, Some(&etag)).await;
    assert_eq!((again.status().as_u16(), header(&again, "cache-control")), (304, FOR_GOOD));
    assert!(again.bytes().await.expect("nothing").is_empty());
    for path in [CATS, &addresses[0]] {
        let now = looks_at(&world.voter(), path, Some("\"other\"")).await;
        assert_eq!(
            (now.status().as_u16(), header(&now, "cache-control")),
            (200, "public, no-cache"),
            "{path}"
        );
    }
    world.close().await;
}

#[tokio::test]
async fn a_photo_comes_in_upright_and_without_the_place_where_it_was_taken() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    draft(&olga).await;
    let given = olga.puts(CATS, "image/jpeg", photo()).await;
    let shown = looks_at(&olga, &address(&given.body), None).await.bytes().await.expect("a picture");
    let holds = |file: &[u8], part: &[u8]| file.windows(part.len()).any(|window| window == part);
    assert!(holds(&photo(), b"GPS 52.5163") && !holds(&shown, b"GPS") && !holds(&shown, b"Exif"));
    let picture = image::load_from_memory(&shown).expect("a picture");
    assert_eq!((picture.width(), picture.height()), (40, 60));
    world.close().await;
}

#[tokio::test]
async fn what_is_no_picture_is_refused_with_words_and_changes_nothing() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    draft(&olga).await;
    let version = olga.asks("/rounds/board").await.body["version"].clone();
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>".to_vec();
    let (whole, large) = (written(ImageFormat::Jpeg), vec![0; 2 * 1024 * 1024 + 1]);
    let cut = whole[..whole.len() / 2].to_vec();
    let kind = "must be a JPEG, a PNG or a WebP";
    let invalid = [
        ("image/png", svg.clone(), kind),
        ("image/png", b"A text that is called cats.png.".to_vec(), kind),
        ("image/jpeg", b"GIF89a\x01\0\x01\0\0\0\0".to_vec(), kind),
        ("image/webp", Vec::new(), kind),
        ("image/jpeg", cut, "cannot be read: the file is damaged or not whole"),
        (
            "image/png",
            bomb(),
            "must be at most 8000 pixels wide and high and have 25 million of them, not 50000 × 50000",
        ),
    ];
    for (content_type, file, why) in invalid {
        let told = olga.puts(CATS, content_type, file).await;
        assert_eq!(refusal(&told), (422, "invalid"), "{told:?}");
        assert_eq!(told.body["errors"], json!([{ "field": "picture", "detail": why }]));
    }
    for content_type in
        ["image/svg+xml", "image/gif", "application/json", "multipart/form-data", "image/jpegx"]
    {
        let told = olga.puts(CATS, content_type, svg.clone()).await;
        assert_eq!(refusal(&told), (415, "unsupported-media-type"), "{content_type}: {told:?}");
    }
    for file in [large, vec![0; 50_000_000]] {
        let told = olga.puts(CATS, "image/jpeg", file).await;
        assert_eq!(refusal(&told), (413, "too-large"), "{told:?}");
    }
    assert_eq!(olga.asks("/rounds/board").await.body["version"], version);
    assert_eq!(refusal(&olga.asks(CATS).await), (404, "picture-not-found"));
    world.close().await;
}

#[tokio::test]
async fn only_its_organiser_gives_an_option_a_picture_and_only_before_the_round_begins() {
    let world = World::with_urna().await;
    let (olga, otto) = (organiser(&world, "Olga").await, organiser(&world, "Otto").await);
    draft(&olga).await;
    let picture = || written(ImageFormat::Png);
    for (who, expected) in [
        (world.voter(), (401, "sign-in-required")),
        (person(&world, "Ann").await, (403, "forbidden")),
        (otto, (403, "not-your-round")),
    ] {
        assert_eq!(refusal(&who.puts(CATS, "image/png", picture()).await), expected);
        assert_eq!(refusal(&who.deletes(CATS).await), expected);
    }
    for (path, kind) in [
        ("/rounds/board/options/lynx/picture", "option-not-found"),
        ("/rounds/none/options/cats/picture", "round-not-found"),
    ] {
        assert_eq!(refusal(&olga.puts(path, "image/png", picture()).await), (404, kind));
        assert_eq!(refusal(&olga.asks(path).await), (404, kind));
    }
    let put = olga.request(Method::PUT, CATS).header("If-Match", "\"1\"").header("Content-Type", "image/png");
    assert_eq!(put.body(picture()).send().await.expect("an answer").status(), 409, "somebody else was first");

    let given = olga.puts(CATS, "image/png", picture()).await;
    assert_eq!(given.status, 200);
    let removed = olga.deletes(CATS).await;
    assert_eq!(removed.status, 204);
    assert_eq!(refusal(&olga.asks(&address(&given.body)).await), (404, "picture-not-found"));
    // Written anew, an option of the same name keeps its picture.
    olga.puts(CATS, "image/png", picture()).await;
    let edited = olga
        .patches("/rounds/board", &json!({ "options": [{ "id": "cats", "label": "Cats!" }, "Dogs"] }))
        .await;
    assert_eq!(edited.body["options"][0]["picture"], given.body["picture"], "{edited:?}");

    assert_eq!(olga.opens_round("board").await.status, 200);
    let src = format!("src=\"{}\" alt=\"\"", address(&given.body));
    for page in ["/vote/board", "/result/board"] {
        eventually("the pages show it", || async {
            world.voter().opens(page).await.contains(&src).then_some(())
        })
        .await;
    }
    assert_eq!(refusal(&olga.puts(CATS, "image/png", photo()).await), (409, "round-already-opened"));
    assert_eq!(refusal(&olga.deletes(CATS).await), (409, "round-already-opened"));
    assert_eq!(looks_at(&world.voter(), CATS, None).await.status(), 200);
    assert_eq!(olga.closes_round("board").await.status, 200);
    assert_eq!(refusal(&olga.puts(CATS, "image/png", photo()).await), (409, "round-closed"));
    assert_eq!(looks_at(&world.voter(), CATS, None).await.status(), 200);
    world.close().await;
}

#[tokio::test]
async fn pictures_are_there_after_a_restart_and_wherever_a_process_runs() {
    let mut world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    draft(&olga).await;
    let address = address(&olga.puts(CATS, "image/png", written(ImageFormat::Png)).await.body);
    // Another option with the same picture.
    olga.puts("/rounds/board/options/dogs/picture", "image/webp", written(ImageFormat::WebP)).await;
    let before = looks_at(&olga, &address, None).await.bytes().await.expect("a picture");
    world.kill("urna");
    world.start("urna").await;
    world.start_as("round-2", "round", &[]).await;
    for name in ["urna", "round-2"] {
        let voter = world.voter().at(&world.address(name));
        let shown = eventually("the picture is shown", || async {
            let shown = looks_at(&voter, &address, None).await;
            (shown.status() == 200).then_some(shown)
        });
        assert_eq!(shown.await.bytes().await.expect("a picture"), before, "{name}");
    }
    // What is removed from one option stays with the other.
    assert_eq!(olga.deletes(CATS).await.status, 204);
    let dogs = address.replace("cats", "dogs");
    assert_eq!(looks_at(&world.voter(), &dogs, None).await.bytes().await.expect("a picture"), before);
    world.close().await;
}

#[tokio::test]
async fn a_browsers_form_gives_a_picture_too_when_it_is_one_of_ours() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    draft(&olga).await;
    let csrf = olga.looks_at("/account").await.csrf().expect("a form");
    let version = olga.asks("/rounds/board").await.body["version"].to_string();
    let fields = [("csrf", csrf.as_str()), ("version", version.as_str())];
    let picture = written(ImageFormat::Png);
    for (fields, picture, status, words) in [
        (&fields[1..], &picture[..], 403, "not opened in this browser"),
        (&fields[..], b"", 422, "Picture is missing: choose a file."),
        (&fields[..], b"<svg/>", 422, "Picture must be a JPEG, a PNG or a WebP."),
        (&[fields[0], ("version", "x")][..], &picture[..], 422, "Version must be a whole number."),
        (&[fields[0], ("role", "admin")][..], &picture[..], 422, "nothing else"),
        (&[fields[0], ("version", "1")][..], &picture[..], 409, "changed"),
        (&fields[..], &vec![0; 3 * 1024 * 1024], 413, "at most"),
    ] {
        let page = olga.sends_picture(CATS, fields, picture).await;
        assert_eq!((page.status.as_u16(), page.html.contains(words)), (status, true), "{words}: {page:?}");
    }
    let page = olga.sends_form(CATS, &format!("csrf={csrf}")).await;
    assert_eq!(page.status, 415, "{page:?}");
    let page = olga.sends_picture(CATS, &fields, &picture).await;
    assert_eq!(
        (page.status.as_u16(), page.location.as_deref()),
        (303, Some("/admin/rounds/board")),
        "{page:?}"
    );
    assert_eq!(looks_at(&world.voter(), CATS, None).await.status(), 200);
    world.close().await;
}

#[tokio::test]
async fn a_picture_that_was_shown_is_shown_without_the_object_store_and_another_when_it_is_back() {
    let mut world = World::with_urna_owning(&[Own::Nats]).await;
    let olga = organiser(&world, "Olga").await;
    draft(&olga).await;
    let address = address(&olga.puts(CATS, "image/png", written(ImageFormat::Png)).await.body);
    world.start_as("round-2", "round", &[]).await;
    let elsewhere = world.voter().at(&world.address("round-2"));
    eventually("it is known there", || async {
        (elsewhere.asks("/rounds/board").await.body["options"][0]["picture"] == address).then_some(())
    })
    .await;
    world.nats().kill();
    for told in [elsewhere.asks(&address).await, olga.puts(CATS, "image/jpeg", photo()).await] {
        assert_eq!(
            (refusal(&told), told.retry_after.is_some()),
            ((503, "pictures-unavailable"), true),
            "{told:?}"
        );
    }
    assert_eq!(looks_at(&world.voter(), &address, None).await.status(), 200);
    world.nats().start();
    eventually("it is shown there", || async {
        (looks_at(&elsewhere, &address, None).await.status() == 200).then_some(())
    })
    .await;
    world.close().await;
}
