//! Pages that follow their templates while somebody works on them.

use urna_world::{Templates, World};

use crate::window::{Browser, Window};

const FOOTER: &str = "footer p";

/// Writes into the page what only this very page shows.
async fn mark(window: &Window) {
    window.runs("document.querySelector('footer p').textContent = 'This very page'").await;
    window.until(FOOTER, &["This very page"]).await;
}

#[tokio::test]
async fn an_open_page_loads_itself_again_when_a_style_or_the_process_changes() {
    let templates = Templates::copy();
    let mut world = World::new().await;
    let settings = [("URNA_DEV_TEMPLATES", templates.folder())];
    world.start_as("urna", "urna", &settings).await;
    let browser = Browser::start(&world).await;
    let window = browser.window().await;
    window.opens("/vote/demo").await;
    let footer = window.reads(FOOTER).await.expect("a page that does not change");
    mark(&window).await;

    let style = templates.read("static/urna.css");
    templates.write("static/urna.css", &format!("{style}\nfooter p {{ display: none }}\n"));
    window.until(FOOTER, &[]).await;
    templates.write("static/urna.css", &style);
    window.until(FOOTER, &[&footer[0]]).await;

    mark(&window).await;
    world.kill("urna");
    world.start_as("urna", "urna", &settings).await;
    window.until(FOOTER, &[&footer[0]]).await;
    world.close().await;
}
