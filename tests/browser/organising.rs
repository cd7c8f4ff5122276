//! What an organiser does, with nothing but a browser.

use std::path::{Path, PathBuf};

use serde_json::json;
use urna_world::{Voter, World, eventually};

use crate::window::{Browser, Window};

const PASSWORD: &str = "a good long password";
const SAVE: &str = ".send [value=save]";
const BALLOTS: &str = "#standing .ballots";
/// Whom the round is about, and the colour of their picture.
const CANDIDATES: [(&str, [u8; 3]); 3] =
    [("Ann", [200, 40, 40]), ("Bob", [40, 160, 60]), ("Cem", [50, 80, 200])];
const THE_BOARD: &str = "/admin/rounds/who-sits-on-the-board";

/// Makes an account with the role of an organiser.
async fn olga(world: &World) -> Voter {
    let olga = world.voter();
    assert_eq!(olga.registers("Olga", "olga@example.org", PASSWORD).await.status, 303);
    let id = olga.asks("/me").await.body["id"].as_str().expect("an id").to_owned();
    let admin = world.admin().await;
    let role = admin.patches(&format!("/users/{id}"), &json!({ "role": "organiser" })).await;
    assert_eq!(role.status, 200, "{role:?}");
    olga
}

async fn signs_in(window: &Window, email: &str, password: &str) {
    window.opens("/login?next=/admin").await;
    window.types("#login-email", email).await;
    window.types("#login-password", password).await;
    window.clicks("main .form button").await;
}

/// A picture of one colour, as a file.
fn picture(folder: &Path, name: &str, colour: [u8; 3]) -> PathBuf {
    let file = folder.join(format!("{name}.png"));
    let picture = image::RgbImage::from_pixel(320, 240, image::Rgb(colour));
    picture.save(&file).expect("a picture can be written");
    file
}

/// Chooses a moment so many seconds from now, as a person does with the browser's own means.
async fn chooses_moment(window: &Window, field: &str, seconds: u32) {
    let script = format!(
        "const field = document.getElementById('round-{field}');
         const now = new Date(Date.now() + {seconds}000);
         field.value = new Date(now - now.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
         field.dispatchEvent(new Event('input', {{ bubbles: true }}));
         field.dispatchEvent(new Event('change', {{ bubbles: true }}))"
    );
    window.runs(&script).await;
}

/// Scrolls until what is at the edge stands free of the button that sticks there, and clicks on it.
async fn reaches(window: &Window, selector: &str) {
    window.runs(&format!("document.querySelector('{selector}').scrollIntoView({{ block: 'center' }})")).await;
    window.clicks(selector).await;
}

async fn is_for_everyone(window: &Window) {
    let faults = window.runs(include_str!("accessibility.js")).await;
    assert_eq!(faults, json!([]), "{}", window.path().await);
}

#[tokio::test]
async fn an_organiser_with_only_a_browser_makes_schedules_shares_shows_and_exports_a_round() {
    let world = World::with_urna().await;
    olga(&world).await;
    let browser = Browser::start(&world).await;
    let olga = browser.window().await;
    signs_in(&olga, "olga@example.org", PASSWORD).await;
    writes_it(&olga, world.folder()).await;
    let vote = shares_it(&olga).await;

    let screen = browser.window().await;
    screen.opens(&THE_BOARD.replace("/admin/rounds/", "/present/")).await;
    chooses_moment(&olga, "opens_at", 6).await;
    chooses_moment(&olga, "closes_at", 600).await;
    olga.clicks(SAVE).await;
    olga.until(".notice.good", &["Saved."]).await;
    // Nobody presses a button: the page and the screen follow the clock.
    olga.until("#standing .badge", &["Open"]).await;
    screen.until("#lines .votes", &["0 votes", "0 votes", "0 votes"]).await;

    for (voter, option) in ["ann", "bob", "ann", "cem", "ann"].into_iter().enumerate() {
        let window =
            if voter == 0 { browser.window_without_javascript().await } else { browser.window().await };
        window.opens(&vote).await;
        window.clicks(&format!("label:has([value={option}])")).await;
        window.clicks("#send").await;
        window.until("#confirmation strong", &["Your vote is in the box."]).await;
    }
    screen.until("#lines .votes", &["3 votes", "1 vote", "1 vote"]).await;
    olga.until(BALLOTS, &["5 ballots"]).await;

    chooses_moment(&olga, "closes_at", 4).await;
    olga.clicks(SAVE).await;
    olga.until(".notice.good", &["Saved."]).await;
    screen.until("#final", &["Final result"]).await;
    olga.until("#standing .badge", &["Closed"]).await;
    exports_it(&olga).await;
    world.close().await;
}

/// A round with three candidates and their pictures.
async fn writes_it(olga: &Window, folder: &Path) {
    olga.until(".empty strong", &["You have no rounds yet."]).await;
    olga.follows("Make your first round").await;
    olga.until("h1", &["New round"]).await;
    olga.types("#round-title", "Who sits on the board?").await;
    for (place, (name, _)) in (1..).zip(CANDIDATES) {
        olga.types(&format!(".option-row:nth-child({place}) [name=option_label]"), name).await;
    }
    olga.clicks(SAVE).await;
    olga.until("#standing .badge", &["Not open yet"]).await;
    assert!(olga.path().await.starts_with(THE_BOARD));
    let no_picture = folder.join("ann.txt");
    std::fs::write(&no_picture, "I am no picture.").expect("a file can be written");
    olga.chooses_file(".picture [type=file]", &no_picture).await;
    olga.clicks(".picture .upload button").await;
    eventually("it is said that this is no picture", || async {
        let said = olga.reads("#problem").await.ok()?.concat();
        said.starts_with("Picture ").then_some(())
    })
    .await;
    for (place, (name, colour)) in (1..).zip(CANDIDATES) {
        let file = picture(folder, name, colour);
        let row = format!(".picture:nth-child({place})");
        olga.chooses_file(&format!("{row} [type=file]"), &file).await;
        olga.clicks(&format!("{row} .upload button")).await;
        eventually("the picture is shown", || async {
            let drawn = format!("return document.querySelector('{row} img')?.naturalWidth > 0");
            (olga.runs(&drawn).await == true).then_some(())
        })
        .await;
    }
}

/// The address that people are given.
async fn shares_it(olga: &Window) -> String {
    olga.clicks("[data-copies=share-vote]").await;
    let copied = "return document.getElementById('copied').textContent";
    eventually("it is said that the link is copied", || async {
        (olga.runs(copied).await == "The link is copied.").then_some(())
    })
    .await;
    // Clicked again while it says so, it says afterwards what it does.
    olga.clicks("[data-copies=share-vote]").await;
    let says = "return document.querySelector('[data-copies=share-vote]').textContent";
    eventually("the button is as before", || async {
        let says = olga.runs(says).await;
        says.as_str().is_some_and(|says| says.starts_with("Copy:")).then_some(())
    })
    .await;
    assert_eq!(olga.runs("return document.querySelectorAll('.share svg.qr').length").await, 1);
    let link = olga.runs("return new URL(document.getElementById('share-vote').value).pathname").await;
    link.as_str().expect("an address").to_owned()
}

async fn exports_it(olga: &Window) {
    let csv = olga
        .runs(
            "const link = Array.from(document.links).find((it) => it.textContent === 'Results as CSV');
             return fetch(link.href).then((answer) => answer.text())",
        )
        .await;
    let csv = csv.as_str().expect("a file of text");
    for (name, votes) in [("Ann", 3), ("Bob", 1), ("Cem", 1)] {
        let line = csv.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{csv}"));
        let fields: Vec<&str> = line.split(',').collect();
        assert!(fields.contains(&votes.to_string().as_str()), "{csv}");
    }
}

#[tokio::test]
async fn what_an_organiser_has_written_is_not_lost_and_moves_without_the_server() {
    let world = World::with_urna().await;
    olga(&world).await;
    let browser = Browser::start(&world).await;
    let olga = browser.window().await;
    signs_in(&olga, "olga@example.org", PASSWORD).await;
    olga.until(".empty strong", &["You have no rounds yet."]).await;
    olga.follows("Make your first round").await;
    olga.until("h1", &["New round"]).await;
    olga.is_marked().await;
    olga.types("#round-title", "Who?").await;
    for (place, name) in [(1, "Ann"), (2, "Bob"), (3, "Cem")] {
        olga.types(&format!(".option-row:nth-child({place}) [name=option_label]"), name).await;
    }
    reaches(&olga, "[value=add]").await;
    olga.types(".option-row:nth-child(4) [name=option_label]", "Dot").await;
    reaches(&olga, ".option-row:nth-child(4) [value=up-4]").await;
    reaches(&olga, ".option-row:nth-child(1) [value=remove-1]").await;
    let labels = "return Array.from(document.getElementsByName('option_label'), (it) => it.value)";
    assert_eq!(olga.runs(labels).await, json!(["Bob", "Dot", "Cem"]));
    olga.until(".option-row legend", &["Option 1", "Option 2", "Option 3"]).await;
    is_for_everyone(&olga).await;
    assert!(olga.is_same_page().await, "the page was loaded again");

    // What belongs to a choice alone is there only with it.
    olga.until(".hangs-on-account label", &[]).await;
    reaches(&olga, ".pick:has([value=account])").await;
    olga.until(".hangs-on-account label", &["Only these addresses"]).await;
    olga.types("#round-allowed_emails", "nobody").await;
    olga.clicks(SAVE).await;
    let wrong = "Only these addresses hold “nobody”: each must be an e-mail address such as ann@example.org, or a \
                 domain such as @example.org.";
    olga.until("#round-allowed_emails-problem", &[wrong]).await;
    is_for_everyone(&olga).await;
    assert_eq!(olga.runs(labels).await, json!(["Bob", "Dot", "Cem"]));
    olga.types("#round-allowed_emails", "@example.org").await;
    olga.clicks(SAVE).await;
    olga.until("#standing .badge", &["Not open yet"]).await;
    stops_at_a_hundred_options(&olga).await;
    world.close().await;
}

/// No option is added to as many as there may be, and it is said why.
async fn stops_at_a_hundred_options(olga: &Window) {
    olga.opens("/admin/new").await;
    olga.runs("for (let row = 3; row < 100; row += 1) document.querySelector('[value=add]').click()").await;
    let rows = "return document.getElementsByName('option_label').length";
    assert_eq!(olga.runs(rows).await, 100);
    reaches(olga, "[value=add]").await;
    olga.until("#moved", &["Options must be at most 100: remove one before you add another."]).await;
    assert_eq!(olga.runs(rows).await, 100);
    reaches(olga, "[value=remove-1]").await;
    reaches(olga, "[value=add]").await;
    let said =
        "return [document.getElementById('moved').className, document.getElementById('moved').textContent]";
    assert_eq!(olga.runs(said).await, json!(["unseen", "Option 100 is added."]));
}

#[tokio::test]
async fn the_organisers_pages_can_be_used_by_everyone_and_fit_a_phone() {
    let world = World::with_urna().await;
    let admin = world.admin().await;
    let long = "Donaudampfschifffahrtsgesellschaftskapitän".repeat(4);
    let draft = json!({ "id": "board", "title": long, "options": [long, "ليلى 🐪", "Bob"], "state": "draft",
        "opens_at": "2999-01-01T10:00:00Z" });
    let open = json!({ "id": "open", "title": "Who?", "options": ["Ann", "Bob"], "eligibility": "invited" });
    for round in [&draft, &open] {
        assert_eq!(admin.makes_round(round).await.status, 201);
    }
    let browser = Browser::start(&world).await;
    let window = browser.window().await;
    window.becomes_a_phone().await;
    signs_in(&window, urna_world::ADMIN, urna_world::ADMIN_PASSWORD).await;
    window.until("h1", &["All rounds"]).await;
    for page in [
        "/admin",
        "/admin/new",
        "/admin/rounds/board",
        "/admin/rounds/board/open",
        "/admin/rounds/open",
        "/admin/rounds/open/close",
    ] {
        window.opens(page).await;
        is_for_everyone(&window).await;
    }
    window.clicks("button.grave").await;
    window.until("#standing .badge", &["Closed"]).await;
    is_for_everyone(&window).await;
    assert_eq!(window.complaints().await, [""; 0]);
    world.close().await;
}
