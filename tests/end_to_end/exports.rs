//! Results as they leave: as CSV, in the frames of other sites, on big screens, in the previews of links.

use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap};
use serde_json::json;
use urna_world::{Voter, World, eventually};

use crate::people::{once_open, organiser, round};

/// What an address answers to whoever wants this.
async fn asked(caller: &Voter, path: &str, accept: &str) -> (u16, HeaderMap, String) {
    let response = caller.request(Method::GET, path).header(ACCEPT, accept).send().await.expect("an answer");
    (response.status().as_u16(), response.headers().clone(), response.text().await.expect("a text"))
}

async fn final_result(voter: &Voter, id: &str) {
    eventually("the result is final", || async {
        (voter.asks(&format!("/rounds/{id}/results")).await.body["final"] == true).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_table_is_the_organisers_at_any_moment_and_everybodys_when_the_round_is_closed() {
    let world = World::with_urna().await;
    let (olga, otto) = (organiser(&world, "Olga").await, organiser(&world, "Otto").await);
    let labels = ["=1+1", "\"Cats\", and dogs", "أي حيوان 🐪"];
    let options: Vec<_> =
        labels.iter().zip(["one", "two", "three"]).map(|(it, id)| json!({ "label": it, "id": id })).collect();
    round(&olga, "board", json!({ "options": options })).await;
    for (voter, option) in [("a", "one"), ("b", "one"), ("c", "three")] {
        let program = world.voter_at("urna", voter);
        assert!(once_open(|| program.votes_in("board", option)).await.is_accepted());
    }
    eventually("all are counted", || async {
        (olga.asks("/rounds/board/results").await.body["total"] == 3).then_some(())
    })
    .await;
    let table = "option,label,votes,share_percent,ballots\r\n\
                 one,'=1+1,2,66.7,3\r\n\
                 two,\"\"\"Cats\"\", and dogs\",0,0.0,3\r\n\
                 three,أي حيوان 🐪,1,33.3,3\r\n";
    let (by_header, by_link) = ("/rounds/board/results", "/rounds/board/results?format=csv");
    for (path, accept) in [(by_header, "text/csv"), (by_link, "text/html")] {
        let (status, headers, text) = asked(&olga, path, accept).await;
        assert_eq!((status, text.as_str()), (200, table), "{path}");
        assert!(headers["content-type"].to_str().expect("a type").starts_with("text/csv; charset=utf-8"));
        assert_eq!(headers["content-disposition"], "attachment; filename=\"board-results.csv\"");
        for early in [&otto, &world.voter()] {
            let (status, _, text) = asked(early, path, accept).await;
            assert!(status == 403 && text.contains("when the round is closed"), "{status} {text}");
        }
    }
    let wrong = otto.asks("/rounds/board/results?format=xlsx").await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["errors"][0]["field"]), (422, &json!("format")));
    // JSON is as visible as the page, and has votes by label beside all the rest.
    let by_label = json!({ "=1+1": 2, "\"Cats\", and dogs": 0, "أي حيوان 🐪": 1 });
    assert_eq!(world.voter().asks("/rounds/board/results").await.body["results"], by_label);

    assert_eq!(olga.closes_round("board").await.status, 200);
    final_result(&otto, "board").await;
    let (status, _, text) = asked(&world.voter(), by_link, "text/html").await;
    assert_eq!((status, text.as_str()), (200, table));
    world.close().await;
}

#[tokio::test]
async fn results_stand_in_the_frame_of_another_site_only_where_the_round_says_so() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    round(&olga, "open", json!({ "allow_embedding": true })).await;
    round(&olga, "plain", json!({})).await;
    for (path, wanted, words) in [
        ("/embed/open", 200, "Round open"),
        ("/embed/plain", 403, "does not let other sites"),
        ("/embed/nope", 404, "There is no round"),
    ] {
        let (status, headers, html) = asked(&olga, path, "text/html").await;
        assert_eq!(status, wanted, "{path}: {html}");
        assert!(html.contains(words), "{path}: {html}");
        let policy = headers["content-security-policy"].to_str().expect("a policy");
        assert!(policy.contains("frame-ancestors *") && policy.contains("form-action 'none'"), "{policy}");
        assert!(headers.get("x-frame-options").is_none() && headers.get("set-cookie").is_none(), "{path}");
        assert!(!html.contains("<form") && !html.contains("Olga"), "{html}");
    }
    assert!(!olga.opens("/result/plain").await.contains("/embed/"));
    for path in ["/result/open", "/present/open", "/vote/open", "/"] {
        let (_, headers, _) = asked(&olga, path, "text/html").await;
        assert_eq!(headers["x-frame-options"], "DENY", "{path}");
        let policy = headers["content-security-policy"].to_str().expect("a policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_link_shows_a_preview_with_its_host_and_without_numbers() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let about = "For two\nyears. <b>\"Vote\"</b>";
    round(&olga, "board", json!({ "title": "قطط أم كلاب؟ \"><script>", "description": about })).await;
    let program = world.voter_at("urna", "a");
    assert!(once_open(|| program.votes_in("board", "cats")).await.is_accepted());
    world.quiet().await;
    let host = world.address("urna");
    for path in ["/result/board", "/vote/board"] {
        let html = world.voter().opens(path).await;
        let meta = |property: &str| {
            let begin = format!("property=\"{property}\" content=\"");
            let (_, rest) = html.split_once(&begin).unwrap_or_else(|| panic!("{property} in {html}"));
            rest.split('"').next().expect("an end").to_owned()
        };
        assert_eq!(meta("og:url"), format!("{host}{path}"));
        assert_eq!(meta("og:title"), "قطط أم كلاب؟ &quot;&gt;&lt;script&gt;");
        assert_eq!(meta("og:description"), "For two years. &lt;b&gt;&quot;Vote&quot;&lt;/b&gt;");
        let image = meta("og:image");
        let fetched = reqwest::get(&image).await.expect("the picture of a preview can be fetched");
        assert_eq!(
            (fetched.status().as_u16(), &fetched.headers()["content-type"]),
            (200, &"image/png".parse().expect("a type")),
            "{image}"
        );
        assert!(fetched.bytes().await.expect("bytes").len() < 30_000);
    }
    world.close().await;
}

#[tokio::test]
async fn a_big_screen_shows_how_to_join_and_never_what_is_hidden() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    round(&olga, "open", json!({})).await;
    round(&olga, "secret", json!({ "results_visibility": "after_close" })).await;
    for id in ["open", "secret"] {
        let program = world.voter_at("urna", "a");
        assert!(once_open(|| program.votes_in(id, "cats")).await.is_accepted());
    }
    world.quiet().await;
    let address = format!("{}/vote/open", world.address("urna").trim_start_matches("http://"));
    let open = eventually("the vote is shown", || async {
        let page = world.voter().opens("/present/open").await;
        page.contains("100.0%").then_some(page)
    })
    .await;
    assert!(open.contains(&address) && open.contains("QR code"), "{open}");
    let (nobody, owner) = (world.voter().opens("/present/secret").await, olga.opens("/present/secret").await);
    for page in [&nobody, &owner] {
        assert!(
            page.contains("QR code") && !page.contains("100.0%") && !page.contains("id=\"lines\""),
            "{page}"
        );
    }
    assert!(owner.contains("id=\"turnout\"") && !nobody.contains("id=\"turnout\""), "{owner}");
    assert_eq!(world.voter().looks_at("/present/nope").await.status, 404);
    world.close().await;
}
