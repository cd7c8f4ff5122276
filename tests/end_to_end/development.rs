//! Development: pages and static files as they are in a folder now.

use std::time::{Duration, Instant};

use reqwest::Method;
use urna_world::{Templates, Voter, World, eventually};

/// How soon a change shows.
const SHOWS_WITHIN: Duration = Duration::from_secs(2);

/// The usual process as `urna`, and one that reads these templates.
async fn world_with(templates: &Templates) -> (World, Voter) {
    let mut world = World::with_urna().await;
    world.start_as("urna-dev", "urna", &[("URNA_DEV_TEMPLATES", templates.folder())]).await;
    let developer = Voter::browser(&world.address("urna-dev"));
    (world, developer)
}

async fn text(voter: &Voter, path: &str) -> String {
    let response = voter.request(Method::GET, path).send().await.expect("an answer comes");
    response.text().await.expect("a text")
}

/// The rest of the first attribute of a page that begins with this.
fn rest_of<'a>(page: &'a str, beginning: &str) -> &'a str {
    let (_, rest) = page.split_once(beginning).unwrap_or_else(|| panic!("no {beginning}: {page}"));
    rest.split('"').next().expect("an attribute ends")
}

/// Which version open pages are told of.
async fn version(voter: &Voter) -> String {
    text(voter, "/dev/version").await
}

/// Waits until a change shows, and panics when that takes too long.
async fn shows<A: Future<Output = Option<()>>>(what: &str, ask: impl FnMut() -> A) {
    let changed = Instant::now();
    eventually(what, ask).await;
    let elapsed = changed.elapsed();
    assert!(elapsed < SHOWS_WITHIN, "{what}: only after {elapsed:?}");
}

#[tokio::test]
async fn a_changed_style_or_template_shows_soon_and_open_pages_are_told() {
    let templates = Templates::copy();
    let (world, developer) = world_with(&templates).await;
    let page = developer.opens("/vote/demo").await;
    let first = rest_of(&page, "/dev/reload.js?version=").to_owned();
    assert_eq!(version(&developer).await, first);

    templates.write("static/urna.css", "body { color: teal }");
    shows("the style by the page's own link, and another version", || async {
        let page = developer.opens("/vote/demo").await;
        let style = text(&developer, &format!("/static/urna-{}", rest_of(&page, "/static/urna-"))).await;
        (style == "body { color: teal }" && version(&developer).await != first).then_some(())
    })
    .await;

    let second = version(&developer).await;
    let template = templates.read("pages/vote.html");
    let begin = "{% block main %}";
    assert!(template.contains(begin));
    templates.write("pages/vote.html", &template.replace(begin, &format!("{begin}<p>Just written</p>")));
    shows("the template, and another version", || async {
        let page = developer.opens("/vote/demo").await;
        (page.contains("Just written") && version(&developer).await != second).then_some(())
    })
    .await;

    // The process without the setting has none of this.
    let voter = world.voter();
    let page = voter.opens("/vote/demo").await;
    assert!(!page.contains("/dev/") && !page.contains("Just written"), "{page}");
    for path in ["/dev/version", "/dev/reload.js"] {
        assert_eq!(voter.looks_at(path).await.status, 404, "{path}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_wrong_template_shows_where_it_is_wrong_until_it_is_mended() {
    let templates = Templates::copy();
    let (world, developer) = world_with(&templates).await;
    let right = templates.read("pages/vote.html");
    templates.write("pages/vote.html", &format!("{right}\n{{% block twice"));
    // Refusals are pages too.
    for path in ["/vote/demo", "/vote/nothing", "/nothing"] {
        let page = developer.looks_at(path).await;
        assert!(page.status.is_client_error() || page.status == 500, "{path}: {}", page.status);
        assert!(page.html.contains("vote.html:") && page.html.contains("block twice"), "{}", page.html);
        assert!(page.html.contains("/dev/reload.js?version="), "{}", page.html);
    }
    assert_eq!(developer.looks_at("/vote/demo").await.status, 500);
    assert!(world.log("urna-dev").contains("block twice"));
    templates.write("pages/vote.html", &right);
    assert_eq!(developer.looks_at("/vote/demo").await.status, 200);
    world.close().await;
}
