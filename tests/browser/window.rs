//! A real browser: its windows, and what a person does and reads in them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::error::WebDriverResult;
use thirtyfour::{By, Capabilities, Key, WebDriver};
use urna_servers::{Process, free_port};
use urna_world::{Proxy, World, eventually, program};

/// How long a browser may take to close.
const PATIENCE: Duration = Duration::from_secs(5);

/// Chromium, and the driver that opens windows of it. All of them close when it is dropped.
pub struct Browser {
    _driver: Process,
    folder: TempDir,
    port: u16,
    pages: String,
}

/// A window with cookies of its own.
pub struct Window {
    client: WebDriver,
    pages: String,
}

/// Whether pages may run scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scripts {
    Run,
    Off,
}

impl Browser {
    /// Starts the driver. Its windows will look at the pages of the process `urna`.
    pub async fn start(world: &World) -> Self {
        let port = free_port();
        let mut command = Command::new(program("CHROMEDRIVER"));
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // Neither the driver nor Chromium tidies up all it has written.
        command.arg(format!("--port={port}")).env("TMPDIR", folder.path());
        let driver = Process::start(command, "chromedriver", &folder.path().join("chromedriver.log"));
        let driver = driver.expect("chromedriver can be started");
        let status = format!("http://127.0.0.1:{port}/status");
        eventually("chromedriver answers", || async { reqwest::get(&status).await.ok() }).await;
        Self { _driver: driver, folder, port, pages: world.address("urna") }
    }

    /// Opens a window.
    pub async fn window(&self) -> Window {
        self.open(Scripts::Run).await
    }

    /// Opens a window of a person who has switched JavaScript off.
    pub async fn window_without_javascript(&self) -> Window {
        self.open(Scripts::Off).await
    }

    async fn open(&self, scripts: Scripts) -> Window {
        let driver = format!("http://127.0.0.1:{}", self.port);
        let Value::Object(wishes) = capabilities(scripts) else { unreachable!("capabilities are an object") };
        let client = WebDriver::new(driver, Capabilities::from(wishes)).await.expect("a window opens");
        // It stays open until the driver closes it with all the others.
        client.clone().leak().expect("a new window is open");
        Window { client, pages: self.pages.clone() }
    }
}

impl Drop for Browser {
    /// Only when it is asked like this does the driver close its windows: not on a signal.
    fn drop(&mut self) {
        if let Ok(mut driver) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ =
                driver.write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let _ = driver.read_to_end(&mut Vec::new());
        }
        // A window that closes still writes for a moment.
        let asked = Instant::now();
        while std::fs::remove_dir_all(self.folder.path()).is_err() && asked.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn capabilities(scripts: Scripts) -> Value {
    // Chromium does not start in its sandbox as root, which we may be. It ends with its driver, by the pipe.
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--remote-debugging-pipe",
        "--window-size=1280,900",
    ];
    let mut options = json!({ "binary": program("CHROME"), "args": arguments });
    if scripts == Scripts::Off {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } })
}

impl Window {
    /// Opens a page.
    pub async fn opens(&self, path: &str) {
        self.client.goto(format!("{}{path}", self.pages)).await.expect("a page opens");
    }

    /// The same, and from now on it looks at the pages through a bad connection.
    pub fn through(self, proxy: &Proxy) -> Self {
        Self { pages: format!("http://127.0.0.1:{}", proxy.port), ..self }
    }

    /// Where it is, without the host.
    pub async fn path(&self) -> String {
        let url = self.client.current_url().await.expect("a page has an address");
        url.as_str().strip_prefix(&self.pages).expect("the page is ours").to_owned()
    }

    /// Clicks on what a selector finds first.
    pub async fn clicks(&self, selector: &str) {
        let element = self.client.find(By::Css(selector)).await;
        let element = element.unwrap_or_else(|fault| panic!("there is no {selector}: {fault}"));
        element.click().await.unwrap_or_else(|fault| panic!("{selector} cannot be clicked: {fault}"));
    }

    /// Writes a text into a field, in place of what is there.
    pub async fn types(&self, selector: &str, text: &str) {
        let field = self.client.find(By::Css(selector)).await;
        let field = field.unwrap_or_else(|fault| panic!("there is no {selector}: {fault}"));
        field.clear().await.unwrap_or_else(|fault| panic!("{selector} cannot be cleared: {fault}"));
        field.send_keys(text).await.unwrap_or_else(|fault| panic!("{selector} takes no text: {fault}"));
    }

    /// Chooses a file to be sent.
    pub async fn chooses_file(&self, selector: &str, file: &Path) {
        let field = self.client.find(By::Css(selector)).await;
        let field = field.unwrap_or_else(|fault| panic!("there is no {selector}: {fault}"));
        let file = file.to_str().expect("a path of text");
        field.send_keys(file).await.unwrap_or_else(|fault| panic!("{selector} takes no file: {fault}"));
    }

    /// Clicks on a link.
    pub async fn follows(&self, words: &str) {
        let link = self.client.find(By::LinkText(words)).await;
        let link = link.unwrap_or_else(|fault| panic!("there is no link {words}: {fault}"));
        link.click().await.unwrap_or_else(|fault| panic!("{words} cannot be clicked: {fault}"));
    }

    /// Presses a key and lets it go.
    pub async fn presses(&self, key: Key) {
        let stroke = self.client.action_chain().key_down(key.value()).key_up(key.value());
        stroke.perform().await.expect("a key can be pressed");
    }

    /// The words a person can see of each element that a selector finds; nothing of those that are hidden.
    pub async fn reads(&self, selector: &str) -> WebDriverResult<Vec<String>> {
        let mut words = Vec::new();
        for element in self.client.find_all(By::Css(selector)).await? {
            words.push(element.text().await?);
        }
        words.retain(|text| !text.is_empty());
        Ok(words)
    }

    /// Waits until that is what a person can see. While a page is replaced by another, nobody can read it.
    pub async fn until(&self, selector: &str, wanted: &[&str]) {
        eventually(&format!("{selector} reads {wanted:?}"), || async {
            (self.reads(selector).await.ok()? == wanted).then_some(())
        })
        .await;
    }

    /// Runs a script, JavaScript off or not: it is not the page's own.
    pub async fn runs(&self, script: &str) -> Value {
        let told = self.client.execute(script, Vec::new()).await;
        told.unwrap_or_else(|fault| panic!("{script}: {fault}")).json().clone()
    }

    /// Leaves a mark that is gone when the page is loaded again.
    pub async fn is_marked(&self) {
        self.runs("window.marked = true").await;
    }

    /// Whether the page is still the one that was marked.
    pub async fn is_same_page(&self) -> bool {
        self.runs("return window.marked === true").await == true
    }

    /// Makes it as wide as a phone.
    pub async fn becomes_a_phone(&self) {
        let chromium = self.client.cdp();
        let resized = chromium.emulation().set_device_metrics_override(360, 740, 1.0, false).await;
        resized.expect("a window can be as small");
    }

    /// What the browser has complained about since it was asked last.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.client.browser_log().await.expect("a browser has a log");
        let serious = log.into_iter().filter(|entry| entry.level == "SEVERE" || entry.level == "WARNING");
        serious.map(|entry| entry.message).collect()
    }
}
