//! Rounds as their organisers run them in a browser that runs no script.

use serde_json::{Value, json};
use urna_world::{Page, Voter, World, eventually};

use crate::people::{organiser, person, round};

/// A new round as it is filled in: what is not changed in a form is sent too.
const BOARD: [(&str, &str); 13] = [
    ("title", "Who sits on the board?"),
    ("description", "For two years."),
    ("method", "plurality"),
    ("max_choices", ""),
    ("option_order", "fixed"),
    ("eligibility", "anyone"),
    ("program_voters", "no"),
    ("allowed_emails", ""),
    ("results_visibility", "always"),
    ("opens_at", ""),
    ("closes_at", ""),
    ("option_label", "Ann"),
    ("option_label", "Bob"),
];
const THE_BOARD: &str = "/admin/rounds/who-sits-on-the-board";

/// The fields of a new round, with these in the place of those of the same names.
fn with<'a>(other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_other = |name: &str| other.iter().any(|(other, _)| *other == name);
    let mut fields: Vec<(&str, &str)> = BOARD.into_iter().filter(|(name, _)| !is_other(name)).collect();
    fields.extend(other);
    fields
}

/// The version that the page's form was drawn from.
fn version(page: &str) -> String {
    let (_, rest) =
        page.split_once("name=\"version\" value=\"").unwrap_or_else(|| panic!("no version: {page}"));
    rest.split('"').next().expect("a value ends").to_owned()
}

fn led(page: &Page) -> (u16, &str) {
    (page.status.as_u16(), page.location.as_deref().unwrap_or_default())
}

async fn makes(organiser: &Voter, fields: &[(&str, &str)]) -> Page {
    organiser.fills_in("/admin/new", "/admin/new", &with(fields)).await
}

/// Answers the last question with yes.
async fn confirms(organiser: &Voter, deed: &str) -> Page {
    let page = format!("{THE_BOARD}/{deed}");
    let version = version(&organiser.opens(&page).await);
    organiser.fills_in(&page, &page, &[("version", &version)]).await
}

async fn told(organiser: &Voter) -> Value {
    organiser.asks("/rounds/who-sits-on-the-board").await.body
}

/// What the page of a new draft shows.
const DRAFT: [&str; 5] = [
    "The draft is saved.",
    "Who sits on the board?",
    "value=\"Ann\"",
    "class=\"qr\"",
    "/vote/who-sits-on-the-board",
];

#[tokio::test]
async fn an_organiser_runs_a_round_from_its_first_draft_to_its_end_by_forms_alone() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let empty = olga.opens("/admin").await;
    assert!(empty.contains("Make your first round") && empty.contains("href=\"/admin/new\""), "{empty}");
    assert!(olga.opens("/").await.contains("href=\"/admin\""), "every page leads there");

    assert_eq!(led(&makes(&olga, &[]).await), (303, format!("{THE_BOARD}?done=made").as_str()));
    let page = olga.opens(&format!("{THE_BOARD}?done=made")).await;
    for part in DRAFT {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let draft = told(&olga).await;
    assert_eq!((&draft["state"], &draft["program_voters"]), (&json!("draft"), &json!("no")));
    let seen = version(&page);
    let saved = with(&[
        ("title", "Who leads the board?"),
        ("allow_changes", "yes"),
        ("version", &seen),
        ("do", "save"),
    ]);
    assert_eq!(
        led(&olga.fills_in(THE_BOARD, THE_BOARD, &saved).await),
        (303, format!("{THE_BOARD}?done=saved").as_str())
    );
    let draft = told(&olga).await;
    assert_eq!((&draft["title"], &draft["allow_changes"]), (&json!("Who leads the board?"), &json!(true)));

    let question = olga.opens(&format!("{THE_BOARD}/open")).await;
    assert!(
        question.contains("Open this round?") && question.contains("<li dir=\"auto\">Ann</li>"),
        "{question}"
    );
    assert_eq!(told(&olga).await["state"], "draft", "it is only asked");
    assert_eq!(led(&confirms(&olga, "open").await), (303, format!("{THE_BOARD}?done=opened").as_str()));
    eventually("somebody votes", || async {
        world.voter().votes_in("who-sits-on-the-board", "bob").await.is_accepted().then_some(())
    })
    .await;
    eventually("the list tells how many have", || async {
        olga.opens("/admin").await.contains("<b class=\"number\">1</b> ballot<").then_some(())
    })
    .await;
    let question = olga.opens(&format!("{THE_BOARD}/close")).await;
    assert!(question.contains("for good?") && question.contains("1 ballot counts so far"), "{question}");
    assert_eq!(led(&confirms(&olga, "close").await), (303, format!("{THE_BOARD}?done=closed").as_str()));
    let page = olga.opens(THE_BOARD).await;
    assert!(page.contains("Nothing can be changed any more") && !page.contains("name=\"title\""), "{page}");
    world.close().await;
}

#[tokio::test]
async fn what_is_wrong_stands_beside_its_field_and_what_was_typed_stays() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let wrong = [
        ("title", "  "),
        ("description", "Kept <as it is>"),
        ("method", "approval"),
        ("max_choices", "two"),
        ("eligibility", "account"),
        ("allowed_emails", "ann@example.org\r\nnobody"),
        ("closes_at", "2020-01-01T10:00"),
        ("option_label", "Ann"),
        ("option_label", ""),
        ("option_label", "Ann"),
        ("option_description", ""),
        ("option_description", ""),
        ("option_description", ""),
        ("option_link", "javascript:alert(1)"),
        ("option_link", ""),
        ("option_link", ""),
    ];
    let page = makes(&olga, &wrong).await;
    assert_eq!(page.status, 422);
    let said = [
        "Some fields need another look.",
        "Title must have 1 to 200 characters that can be seen.",
        "At most must be a whole number.",
        "hold “nobody”: each must be an e-mail address",
        "Its link must be a whole address",
        "Kept &lt;as it is&gt;",
        "value=\"two\"",
        "value=\"2020-01-01T10:00\"",
        "value=\"javascript:alert(1)\"",
    ];
    for words in said {
        assert!(page.html.contains(words), "{words} is not in {}", page.html);
    }
    // What a rule refuses is told when everything can be read.
    let page =
        makes(&olga, &[("option_label", "Ann"), ("option_label", "Ann"), ("closes_at", "2020-01-01T10:00")])
            .await;
    for words in ["Its label looks the same as that of another option.", "Closes must lie ahead."] {
        assert!(page.html.contains(words), "{words} is not in {}", page.html);
    }
    let times = [("opens_at", "2999-01-02T10:00"), ("closes_at", "2999-01-01T10:00")];
    let page = makes(&olga, &times).await;
    assert!(page.html.contains("Closes must be later than the opening time."), "{}", page.html);
    assert_eq!(makes(&olga, &[("role", "admin")]).await.status, 422);
    assert_eq!(olga.asks("/rounds").await.body.as_array().map(Vec::len), Some(1), "nothing was made");
    world.close().await;
}

#[tokio::test]
async fn whoever_saves_second_sees_what_the_first_has_saved_and_overwrites_nothing() {
    let world = World::with_urna().await;
    let (olga, admin) = (organiser(&world, "Olga").await, world.admin().await);
    makes(&olga, &[]).await;
    let seen = version(&olga.opens(THE_BOARD).await);
    let save = async |who: &Voter, version: &str, other: &[(&str, &str)]| {
        let mut fields = with(other);
        fields.push(("version", version));
        who.fills_in(THE_BOARD, THE_BOARD, &fields).await
    };
    assert_eq!(save(&admin, &seen, &[("title", "Of the admin")]).await.status, 303);
    let page = save(&olga, &seen, &[("title", "Of Olga"), ("description", "Hers.")]).await;
    assert_eq!(page.status, 409);
    let differences =
        "<th scope=\"row\">Title</th><td dir=\"auto\">Of the admin</td><td dir=\"auto\">Of Olga</td>";
    assert!(
        page.html.contains("Somebody else has changed this round") && page.html.contains(differences),
        "{}",
        page.html
    );
    assert!(
        page.html.contains("<td dir=\"auto\">For two years.</td><td dir=\"auto\">Hers.</td>"),
        "{}",
        page.html
    );
    assert!(page.html.contains("name=\"title\" type=\"text\" value=\"Of Olga\""), "{}", page.html);
    assert!(!page.html.contains("<th scope=\"row\">Options</th>"), "only what differs: {}", page.html);
    assert_eq!(told(&olga).await["title"], "Of the admin");
    // Now that she has seen it, she may.
    assert_eq!(save(&olga, &version(&page.html), &[("title", "Of Olga")]).await.status, 303);
    assert_eq!(told(&olga).await["title"], "Of Olga");

    // What was opened meanwhile keeps its title, and she sees that.
    let seen = version(&olga.opens(THE_BOARD).await);
    assert_eq!(confirms(&admin, "open").await.status, 303);
    let page = save(&olga, &seen, &[("title", "Too late"), ("description", "In time.")]).await;
    assert_eq!(page.status, 409);
    assert!(
        page.html.contains("<td dir=\"auto\">Too late</td>") && page.html.contains("The round has begun."),
        "{}",
        page.html
    );
    let late = olga
        .fills_in(&format!("{THE_BOARD}/close"), &format!("{THE_BOARD}/close"), &[("version", &seen)])
        .await;
    assert_eq!(late.status, 409, "whoever closes has seen what is closed");
    assert!(late.html.contains("Somebody else has changed the round"), "{}", late.html);
    assert_eq!(told(&olga).await["state"], "open");
    world.close().await;
}

#[tokio::test]
async fn a_round_that_has_begun_is_edited_where_it_may_be() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    round(
        &olga,
        "board",
        json!({ "eligibility": "account", "allowed_emails": ["@example.org"], "method": "approval", "max_choices": 1 }),
    )
    .await;
    let page = olga.opens("/admin/rounds/board").await;
    assert!(page.contains("The round has begun."), "{page}");
    let disabled = [
        "name=\"title\" type=\"text\" value=\"Round board\" dir=\"auto\" maxlength=\"400\" placeholder=\"Who represents us?\" disabled",
        "name=\"method\" value=\"approval\" checked disabled",
        "name=\"opens_at\" type=\"datetime-local\" step=\"any\" value=\"\" disabled",
    ];
    for part in disabled {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    let save = async |fields: &[(&str, &str)]| {
        let version = version(&olga.opens("/admin/rounds/board").await);
        let fields = [fields, &[("version", version.as_str())]].concat();
        olga.fills_in("/admin/rounds/board", "/admin/rounds/board", &fields).await
    };
    let edited = [
        ("description", "New."),
        ("allowed_emails", "@example.org @example.com"),
        ("allow_embedding", "yes"),
        ("closes_at", "2999-01-01T10:00"),
    ];
    assert_eq!(save(&edited).await.status, 303);
    let told = olga.asks("/rounds/board").await.body;
    assert_eq!((&told["description"], &told["allow_embedding"]), (&json!("New."), &json!(true)));
    assert_eq!((&told["closes_at"], &told["max_choices"]), (&json!("2999-01-01T10:00:00Z"), &json!(1)));
    assert!(olga.opens("/admin/rounds/board").await.contains("&lt;iframe src="), "what to embed is told");
    let fewer = save(&[
        ("description", "New."),
        ("allowed_emails", "@example.com"),
        ("allow_embedding", "yes"),
        ("closes_at", ""),
    ])
    .await;
    assert_eq!(fewer.status, 409);
    assert!(
        fewer.html.contains("This round has already opened and can no longer change its allowed emails."),
        "{}",
        fewer.html
    );
    world.close().await;
}

#[tokio::test]
async fn options_are_added_moved_and_removed_before_anything_is_saved() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let labels = |page: &Page| {
        let fields = page.html.split("name=\"option_label\" type=\"text\" value=\"").skip(1);
        let values = fields.map(|rest| rest.split('"').next().expect("a value ends"));
        // The last one is for scripts to copy.
        let mut values: Vec<String> = values.map(str::to_owned).collect();
        values.pop();
        values
    };
    let presses = async |button: &str| {
        let page = makes(&olga, &[("title", "Kept"), ("do", button)]).await;
        assert!(page.status == 200 && page.html.contains("value=\"Kept\""), "{page:?}");
        labels(&page)
    };
    assert_eq!(presses("add").await, ["Ann", "Bob", ""]);
    assert_eq!(presses("up-2").await, ["Bob", "Ann"]);
    assert_eq!(presses("remove-1").await, ["Bob"]);
    assert_eq!(olga.asks("/rounds").await.body.as_array().map(Vec::len), Some(1));
    let moved = makes(&olga, &[("option_label", "Bob"), ("option_label", ""), ("option_label", "Ann")]).await;
    assert_eq!(moved.status, 303);
    let options = told(&olga).await["options"].clone();
    assert_eq!(
        (&options[0]["id"], &options[1]["id"], options.as_array().map(Vec::len)),
        (&json!("bob"), &json!("ann"), Some(2))
    );
    world.close().await;
}

#[tokio::test]
async fn no_form_has_more_options_than_a_round_may_have_and_what_was_typed_stays() {
    let world = World::with_urna().await;
    let olga = organiser(&world, "Olga").await;
    let sends = async |button: &str, count: usize| {
        let page = makes(&olga, &[vec![("option_label", "x"); count], vec![("do", button)]].concat()).await;
        // The last one is for scripts to copy.
        let rows = page.html.matches("name=\"option_label\"").count().saturating_sub(1);
        (page.status.as_u16(), rows, page.html)
    };
    let (status, rows, html) = sends("add", 99).await;
    assert_eq!((status, rows, html.contains("Options must be")), (200, 100, false));
    let (status, rows, html) = sends("add", 100).await;
    assert_eq!((status, rows), (200, 100));
    assert!(html.contains("Options must be at most 100: remove one before you add another."), "{html}");
    let (status, rows, html) = sends("save", 101).await;
    assert_eq!((status, rows), (422, 101));
    assert!(html.contains("Options must be at most 100, not 101."), "{html}");
    // As many as fit in a form. To draw them would take a gigabyte.
    for button in ["save", "add"] {
        let (status, rows, html) = sends(button, 270_000).await;
        assert_eq!((status, rows), (422, 0), "{button}");
        assert!(html.contains("Options must be at most 100, not 270000."), "{html}");
    }
    makes(&olga, &[]).await;
    let seen = version(&olga.opens(THE_BOARD).await);
    let many = with(&[vec![("option_label", "x"); 270_000], vec![("version", &seen)]].concat());
    let page = olga.fills_in(THE_BOARD, THE_BOARD, &many).await;
    assert_eq!(page.status, 422);
    assert!(page.html.contains("Options must be at most 100, not 270000."), "{}", page.html);
    world.close().await;
}

#[tokio::test]
async fn nobody_runs_a_round_that_is_not_theirs_and_no_other_site_does_it_for_them() {
    let world = World::with_urna().await;
    let (olga, otto) = (organiser(&world, "Olga").await, organiser(&world, "Otto").await);
    makes(&olga, &[]).await;
    let nobody = world.voter().looks_at("/admin").await;
    assert_eq!(led(&nobody), (303, "/login?next=%2Fadmin"));
    let ann = person(&world, "Ann").await;
    let page = ann.looks_at("/admin").await;
    assert_eq!(page.status, 403);
    assert!(page.html.contains("You need the organiser role."), "{}", page.html);
    assert!(!ann.opens("/").await.contains("href=\"/admin\""));

    assert!(!otto.opens("/admin").await.contains("board"), "another organiser is not even told of it");
    assert!(world.admin().await.opens("/admin").await.contains("Who sits on the board?"));
    for page in [THE_BOARD.to_owned(), format!("{THE_BOARD}/open"), format!("{THE_BOARD}/close")] {
        let page = otto.looks_at(&page).await;
        assert_eq!(page.status, 403);
        assert!(page.html.contains("organiser or an administrator may do this"), "{}", page.html);
    }
    let seen = version(&olga.opens(THE_BOARD).await);
    for path in [THE_BOARD.to_owned(), format!("{THE_BOARD}/open")] {
        assert_eq!(otto.fills_in("/admin/new", &path, &[("version", &seen)]).await.status, 403);
        let forged = olga.sends_form(&path, &format!("version={seen}&csrf=0123456789abcdef")).await;
        assert_eq!(forged.status, 403);
        assert!(forged.html.contains("This form was not opened in this browser"), "{}", forged.html);
    }
    assert_eq!(olga.sends_form("/admin/new", "title=T").await.status, 403);
    assert_eq!(
        (&told(&olga).await["state"], &told(&olga).await["title"]),
        (&json!("draft"), &json!(BOARD[0].1))
    );
    world.close().await;
}
