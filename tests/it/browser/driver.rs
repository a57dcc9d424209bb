//! Starting and ending ChromeDriver, and the commands of a browser that reach further than the standard ones.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::Client;
use fantoccini::ClientBuilder;
use fantoccini::wd::Capabilities;
use fantoccini::wd::WebDriverCompatibleCommand;
use hyper_util::client::legacy::connect::HttpConnector;
use process_wrap::tokio::ChildWrapper;
use process_wrap::tokio::CommandWrap;
use process_wrap::tokio::ProcessGroup;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt;
use tokio::io::BufReader;
use tokio::io::Lines;
use tokio::process::ChildStdout;

use super::Page;

/// A cold start of a browser on a machine that is busy with the other tests.
const START: Duration = Duration::from_mins(1);

/// A running browser. Dropping it ends the driver and with it the browser.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
    // Dropped last: the browser writes into it until it ends.
    _profile: TempDir,
}

/// The driver leads a process group: killed alone, by a test that fails, it would leave the browser behind.
struct Driver {
    group: Box<dyn ChildWrapper>,
    // Kept open: a driver whose output is closed dies of its next line.
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.group.start_kill());
    }
}

impl Browser {
    /// Starts a browser and opens `url` at 1280 by 800, in English, in light colours.
    pub(crate) async fn open(url: &str) -> Page {
        let browser = Self::start().await;
        let page = Page::new(browser);
        page.size(1280, 800).await;
        page.dark(false).await;
        page.go(url).await;
        page
    }

    async fn start() -> Self {
        let profile = TempDir::with_prefix("moonbell-browser-").unwrap();
        // Port 0: the driver takes a free one and says which, so parallel tests cannot collide.
        let mut command = CommandWrap::with_new(driver_path(), |command| {
            command
                .arg("--port=0")
                .env("LANG", "C.UTF-8")
                // The browser's own helpers and sockets go where they are cleaned up.
                .env("TMPDIR", profile.path())
                .env("HOME", profile.path())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null());
        });
        let mut group = command.wrap(ProcessGroup::leader()).spawn().unwrap();
        let lines = BufReader::new(group.stdout().take().unwrap()).lines();
        let mut driver = Driver { group, lines };
        let said = async {
            while let Some(line) = driver.lines.next_line().await.unwrap() {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return port.trim_end_matches('.').parse::<u16>().unwrap();
                }
            }
            panic!("chromedriver ended before it said its port");
        };
        let port = tokio::time::timeout(START, said).await.expect("chromedriver did not start");

        let user_data = profile.path().join("profile");
        let options = json!({ "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en-US",
            format!("--user-data-dir={}", user_data.display()),
        ]});
        let capabilities = Capabilities::from_iter([
            ("goog:chromeOptions".to_owned(), options),
            ("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" })),
        ]);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connecting = builder.capabilities(capabilities);
        let address = format!("http://127.0.0.1:{port}");
        let client = tokio::time::timeout(START, connecting.connect(&address)).await;
        let client =
            client.expect("chromium did not start in time").expect("chromium did not start");
        Self { client, driver, _profile: profile }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a command of the `DevTools` protocol.
    pub(super) async fn devtools(&self, command: &str, params: Value) -> Value {
        let body = json!({ "cmd": command, "params": params });
        self.client.issue_cmd(Vendor { path: "goog/cdp/execute", body }).await.unwrap()
    }

    /// Takes what the browser wrote to its console since the last call.
    pub(super) async fn console(&self) -> Vec<String> {
        let body = json!({ "type": "browser" });
        let lines = self.client.issue_cmd(Vendor { path: "se/log", body }).await.unwrap();
        lines
            .as_array()
            .unwrap()
            .iter()
            .map(|line| format!("{} {}", line["level"], line["message"]))
            .collect()
    }

    /// Ends the browser and waits for it; without this the driver is only killed.
    pub(super) async fn close(mut self) {
        drop(self.client.clone().close().await);
        drop(self.driver.group.start_kill());
        drop(self.driver.group.wait().await);
    }
}

fn driver_path() -> PathBuf {
    if let Some(path) = env::var_os("MOONBELL_TEST_CHROMEDRIVER") {
        return path.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join("chromedriver"))
        .find(|path| path.is_file());
    found.expect(
        "chromedriver is not in PATH; run `tests/run`, it installs chromium and chromium-driver, \
         or name it in MOONBELL_TEST_CHROMEDRIVER",
    )
}

/// A command that only this driver knows, posted under the session.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _url: &url::Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(self.body.to_string()))
    }
}
