//! Eligibility: how sure one vote is, from any browser to an account on a list, and what is said of that.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use urna_world::{ADMIN, ADMIN_PASSWORD, Answer, Voter, World, audit_of, eventually};

use crate::people::{PASSWORD, email, is_known, once_open, organiser, person, round};

/// A page's words, with what was written to keep them from being taken for tags.
fn words(html: &str) -> String {
    html.replace("&#39;", "'").replace("&#x27;", "'")
}

/// What somebody is told by a refusal: its status and its kind.
fn refusal(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.kind())
}

#[tokio::test]
async fn every_round_says_to_voters_and_on_the_result_how_sure_one_vote_is() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    round(&olga, "plain", json!({ "program_voters": "no" })).await;
    round(&olga, "ours", json!({ "program_voters": "token" })).await;
    round(&olga, "board", json!({ "eligibility": "invited" })).await;
    round(&olga, "members", json!({ "eligibility": "account" })).await;
    round(&olga, "firm", json!({ "eligibility": "account", "allowed_emails": ["@example.org"] })).await;
    let browsers = "one vote for each browser. A person with two browsers can vote twice.";
    let said = [
        ("demo", vec![browsers, "Programs may name the voter of a ballot, and so vote any number of times."]),
        ("plain", vec![browsers]),
        ("ours", vec![browsers, "Programs that are signed in as the organiser or as an administrator"]),
        ("board", vec!["One vote for each invite, whoever holds it."]),
        ("members", vec!["One vote for each account.", "not checked by mail"]),
        ("firm", vec!["an address on the organiser's list", "not checked by mail"]),
    ];
    let reader = world.voter();
    for (id, phrases) in said {
        let told = reader.asks(&format!("/rounds/{id}")).await.body;
        let told = told["eligibility_description"].as_str().expect("words").to_owned();
        assert!(phrases.iter().all(|phrase| told.contains(phrase)), "{id}: {told}");
        assert_eq!(told.contains("Programs"), ["demo", "ours"].contains(&id), "{told}");
        for page in ["vote", "result"] {
            let page = eventually("the page is there", || async {
                let page = reader.looks_at(&format!("/{page}/{id}")).await;
                (page.status == 200).then_some(page.html)
            });
            let page = words(&page.await);
            assert!(page.contains(&told), "{id}: {page}");
        }
    }
    assert_eq!(olga.closes_round("plain").await.status, 200);
    let page = eventually("the result is final", || async {
        let page = reader.opens("/result/plain").await;
        page.contains("Final result: ").then_some(page)
    });
    assert!(page.await.contains(browsers));
    let public = reader.asks("/rounds/firm").await.body;
    assert_eq!(
        (&public["has_allowed_emails"], public.get("allowed_emails")),
        (&json!(true), None),
        "the list is the organiser's"
    );
    assert_eq!(olga.asks("/rounds/firm").await.body["allowed_emails"], json!(["@example.org"]));
    world.close().await;
}

#[tokio::test]
async fn a_program_names_voters_only_where_the_round_lets_it() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    round(&olga, "plain", json!({ "program_voters": "no" })).await;
    round(&olga, "board", json!({ "eligibility": "invited" })).await;
    round(&olga, "members", json!({ "eligibility": "account" })).await;
    let invite = olga.invites("board", 1).await.remove(0);
    let program = olga.named("member-17");
    assert!(program.votes("cats").await.is_accepted());
    for answer in [
        program.votes_in("plain", "cats").await,
        program.votes_with(&invite, "board", "cats").await,
        program.votes_in("members", "cats").await,
    ] {
        assert_eq!(refusal(&answer), (403, "program-voters-not-allowed"), "{answer:?}");
    }
    assert!(once_open(|| async { world.voter().votes_in("plain", "cats").await }).await.is_accepted());
    for (id, accepted) in [("plain", 1), ("board", 0), ("members", 0)] {
        assert_eq!(audit_of(&world, id).await.accepted, accepted, "{id}");
    }
    for eligibility in ["invited", "account"] {
        let wish = json!({ "title": "T", "options": ["A", "B"], "eligibility": eligibility, "program_voters": "anyone" });
        assert_eq!(olga.makes_round(&wish).await.status, 422, "such a round cannot be made");
    }
    world.close().await;
}

#[tokio::test]
async fn a_token_names_voters_only_for_someone_who_runs_the_round() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    organiser(&world, "Otto").await;
    person(&world, "Ann").await;
    round(&olga, "ours", json!({ "program_voters": "token" })).await;
    let program =
        async |name: &str| world.voter().with_tokens(&email(name), PASSWORD).await.named("member-17");
    let of_olga = program("Olga").await;
    assert!(once_open(|| async { of_olga.votes_in("ours", "cats").await }).await.is_accepted());
    let by_cookie = olga.named("member-18");
    for (voter, expected) in [
        (world.voter().named("member-18"), (401, "token-required")),
        (by_cookie, (401, "token-required")),
        (world.voter().named("member-18").bearing("x.y.z"), (401, "invalid-token")),
        (program("Ann").await, (403, "not-your-round")),
        (program("Otto").await, (403, "not-your-round")),
    ] {
        assert_eq!(refusal(&voter.votes_in("ours", "cats").await), expected);
    }
    let admin = world.voter().with_tokens(ADMIN, ADMIN_PASSWORD).await.named("member-19");
    assert!(admin.votes_in("ours", "dogs").await.is_accepted(), "an administrator runs every round");
    assert!(world.voter().votes_in("ours", "dogs").await.is_accepted(), "a browser needs no token");
    assert_eq!(audit_of(&world, "ours").await.accepted, 3);
    world.close().await;
}

#[tokio::test]
async fn a_round_made_by_a_program_takes_voters_that_programs_name() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let wish = json!({ "id": "drinks", "title": "Tea or coffee?", "options": ["Tea", "Coffee"] });
    assert_eq!(olga.makes_round(&wish).await.body["program_voters"], "anyone");
    is_known(&olga, "drinks").await;
    let program = world.voter().named("member-17");
    assert!(once_open(|| async { program.votes_in("drinks", "tea").await }).await.is_accepted());
    world.close().await;
}

#[tokio::test]
async fn an_invite_lets_whoever_holds_it_vote_once_in_its_round() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    round(&olga, "board", json!({ "eligibility": "invited" })).await;
    round(&olga, "other", json!({ "eligibility": "invited" })).await;
    let codes = olga.invites("board", 3).await;
    let foreign = olga.invites("other", 1).await.remove(0);
    let last = if codes[0].ends_with('0') { '1' } else { '0' };
    let altered = format!("{}{last}", &codes[0][..codes[0].len() - 1]);
    let browser = world.voter();
    assert_eq!(refusal(&browser.votes_in("board", "cats").await), (401, "invite-required"));
    assert_eq!(
        refusal(&olga.votes_in("board", "cats").await),
        (401, "invite-required"),
        "an account is none"
    );
    for wrong in [&foreign, &altered, "ABCDE", &"x".repeat(10_000), "ABCDE-FGHJK-MNPQR-STVWX", "\0", "🐪"] {
        let answer = browser.votes_with(wrong, "board", "cats").await;
        assert_eq!(refusal(&answer), (403, "invalid-invite"), "{wrong}");
    }
    assert_eq!(audit_of(&world, "board").await.accepted, 0);

    let as_typed = codes[0].to_lowercase().replace('-', " ");
    assert!(once_open(|| browser.votes_with(&as_typed, "board", "cats")).await.is_accepted());
    let again = world.voter().votes_with(&codes[0], "board", "dogs").await;
    assert_eq!(refusal(&again), (409, "already-voted"), "whatever the browser");
    assert!(browser.votes_with(&codes[1], "board", "dogs").await.is_accepted(), "another is another's");

    let (holder, link) = (world.voter(), format!("/vote/board?invite={}", codes[2]));
    assert!(holder.opens("/vote/board").await.contains("Your code"));
    assert!(holder.opens(&format!("/vote/board?invite={altered}")).await.contains("is not of this round"));
    let fields = [("round", "board"), ("choice", "cats"), ("invite", codes[2].as_str())];
    let led = holder.fills_in(&link, "/vote", &fields).await.location.expect("whoever has voted is led on");
    let page = holder.opens(&led).await;
    assert!(page.contains("id=\"receipt\">board.") && !page.contains("id=\"send\""), "{page}");
    let page = holder.fills_in(&led, "/vote", &[("round", "board"), ("choice", "dogs"), fields[2]]).await;
    assert_eq!(page.status, 409);
    assert_eq!(audit_of(&world, "board").await.voters.len(), 3);
    world.close().await;
}

#[tokio::test]
async fn invites_are_handed_out_as_json_as_csv_and_as_a_sheet_to_print() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    round(&olga, "board", json!({ "eligibility": "invited", "title": "Who <sits>?" })).await;
    let ask = async |accept: &str, count: u64| {
        let request = olga.request(Method::POST, "/rounds/board/invites").header("Accept", accept);
        let request =
            request.header("Content-Type", "application/json").body(format!("{{\"count\": {count}}}"));
        let response = request.send().await.expect("an answer comes");
        let store = response.headers()["Cache-Control"] == "no-store";
        assert!(store, "nobody keeps them");
        (response.status().as_u16(), response.text().await.expect("text"))
    };
    let (status, csv) = ask("text/csv", 3).await;
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!((status, lines.len(), lines[0]), (200, 4, "code,link"));
    for line in &lines[1..] {
        let (code, link) = line.split_once(',').expect("two columns");
        assert_eq!(link, format!("{}/vote/board?invite={code}", world.address("urna")));
        assert!(
            once_open(|| async { world.voter().votes_with(code, "board", "cats").await }).await.is_accepted()
        );
    }
    let (status, json) = ask("application/json", 10_000).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let mut codes: Vec<&str> =
        json["invites"].as_array().expect("a list").iter().filter_map(|it| it["code"].as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!((status, codes.len()), (200, 10_000), "no two are the same");
    let (status, sheet) = ask("text/html", 2).await;
    assert_eq!((status, sheet.matches("class=\"invite-code\"").count()), (200, 2));
    assert_eq!(sheet.matches("<svg class=\"qr\"").count(), 2);
    assert!(sheet.contains("Who &lt;sits&gt;?") && !sheet.contains("Who <sits>"), "{sheet}");
    for (accept, count) in [("application/json", 0), ("application/json", 10_001), ("text/html", 501)] {
        assert_eq!(ask(accept, count).await.0, 422, "{accept} {count}");
    }
    let form = olga.fills_in("/account", "/rounds/board/invites", &[("count", "1")]).await;
    assert_eq!((form.status.as_u16(), form.html.matches("<svg class=\"qr\"").count()), (200, 1));

    let admin = world.admin().await;
    assert_eq!(
        admin.posts("/rounds/demo/invites", &json!({ "count": 1 })).await.kind(),
        "invites-not-allowed"
    );
    assert_eq!(olga.closes_round("board").await.status, 200);
    assert_eq!(ask("application/json", 1).await.0, 409, "nobody could use them");
    world.close().await;
}

#[tokio::test]
async fn an_invite_used_at_once_from_fifty_connections_over_two_vote_processes_is_one_ballot() {
    let mut world = World::new().await;
    for name in ["round", "vote", "tally", "login", "session"] {
        world.start(name).await;
    }
    world.start_as("vote-2", "vote", &[]).await;
    let admin = Voter::browser(&world.address("login"));
    admin.signs_in(ADMIN, ADMIN_PASSWORD).await;
    let admin = admin.at(&world.address("round"));
    let board =
        json!({ "id": "board", "title": "Who?", "options": ["Cats", "Dogs"], "eligibility": "invited" });
    assert_eq!(admin.makes_round(&board).await.status, 201);
    let codes = admin.invites("board", 6).await;
    let (code, opening) = codes.split_last().expect("some");
    let at = [world.address("vote"), world.address("vote-2")];
    for (number, code) in opening.iter().enumerate() {
        let voter = Voter::browser(&at[number % 2]);
        assert!(once_open(|| voter.votes_with(code, "board", "cats")).await.is_accepted());
    }
    let uses = (0..50).map(|number| {
        let option = if number % 3 == 0 { "cats" } else { "dogs" };
        let browser = Voter::browser(&at[number % 2]);
        async move { browser.votes_with(code, "board", option).await }
    });
    let told = join_all(uses).await;
    let accepted: Vec<&Answer> = told.iter().filter(|answer| answer.is_accepted()).collect();
    assert!(!accepted.is_empty());
    assert!(accepted.iter().all(|answer| answer.body == accepted[0].body), "one ballot: {accepted:?}");
    for answer in told.iter().filter(|answer| !answer.is_accepted()) {
        assert_eq!(refusal(answer), (409, "already-voted"));
    }
    let audit = audit_of(&world, "board").await;
    assert_eq!((audit.accepted, audit.replaced, audit.voters.len()), (6, 0, 6));
    world.close().await;
}

#[tokio::test]
async fn an_account_votes_once_in_whatever_browser_and_only_if_its_address_is_on_the_list() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    round(&olga, "members", json!({ "eligibility": "account" })).await;
    round(
        &olga,
        "firm",
        json!({ "eligibility": "account", "allowed_emails": ["@example.org", "zoe@other.example"] }),
    )
    .await;
    let (ann, eve, zoe) = (person(&world, "Ann").await, world.voter(), world.voter());
    eve.registers("Eve", "eve@sub.example.org", PASSWORD).await;
    zoe.registers("Zoe", "zoe@other.example", PASSWORD).await;
    let stranger = world.voter();
    assert_eq!(refusal(&stranger.votes_in("members", "cats").await), (401, "sign-in-required"));
    assert!(stranger.opens("/vote/members").await.contains("href=\"/login?next=/vote/members\""));
    assert_eq!(refusal(&eve.votes_in("firm", "cats").await), (403, "not-eligible"));
    assert!(words(&eve.opens("/vote/firm").await).contains("is not on the organiser's list"));
    assert!(once_open(|| eve.votes_in("members", "cats")).await.is_accepted(), "there every account may");
    assert!(once_open(|| zoe.votes_in("firm", "dogs")).await.is_accepted());

    let fields = [("round", "firm"), ("choice", "cats")];
    assert_eq!(
        ann.fills_in("/vote/firm", "/vote", &fields).await.location.as_deref(),
        Some("/vote/firm?voted=1")
    );
    let elsewhere = world.voter().with_tokens(&email("Ann"), PASSWORD).await;
    assert_eq!(refusal(&elsewhere.votes_in("firm", "dogs").await), (409, "already-voted"));
    let page = ann.opens("/vote/firm").await;
    assert!(page.contains("id=\"receipt\">firm.") && !page.contains("id=\"send\""), "{page}");
    ann.signs_out().await;
    assert!(
        ann.opens("/vote/firm").await.contains("id=\"receipt\"></code>"),
        "nobody else sees what she chose"
    );
    assert_eq!(refusal(&ann.votes_in("firm", "cats").await), (401, "sign-in-required"));

    let moved = json!({ "email": "ann@other.example", "password": { "old": PASSWORD } });
    assert_eq!(elsewhere.patches("/me", &moved).await.status, 200);
    eventually("the session knows the new address", || async {
        (elsewhere.votes_in("firm", "dogs").await.kind() == "not-eligible").then_some(())
    })
    .await;
    assert_eq!(audit_of(&world, "firm").await.accepted, 2);
    world.close().await;
}
