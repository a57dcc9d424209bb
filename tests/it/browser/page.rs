//! The chat page in a browser, in the words of a person who uses it.

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use fantoccini::Locator;
use fantoccini::elements::Element;
use fantoccini::key::Key;
use serde_json::Value;
use serde_json::json;

use super::Browser;

/// Long enough for a machine that compiles beside the test; a page that answers takes milliseconds.
const UNTIL: Duration = Duration::from_secs(20);
/// Between two looks at the page.
const LOOK: Duration = Duration::from_millis(30);

pub(crate) struct Page {
    browser: Browser,
}

impl Page {
    pub(super) fn new(browser: Browser) -> Self {
        Self { browser }
    }

    /// Goes to `url` and waits until the page shows its chats or says that it is locked.
    pub(crate) async fn go(&self, url: &str) {
        // From somewhere else first: another fragment alone would not load the page again.
        self.browser.client().goto("about:blank").await.unwrap();
        self.browser.client().goto(url).await.unwrap();
        self.until("the page is there", "return document.body.dataset.stream === 'open' || !document.querySelector('#locked').hidden")
            .await;
    }

    /// Becomes the person with this nick or staff id.
    pub(crate) async fn act_as(&self, person: &str) {
        let named = quoted(person);
        self.click(&format!("[data-test=person]:is([data-nick={named}], [data-id={named}])")).await;
        self.until("the person is chosen", &format!(
            "return !!document.querySelector('[data-test=person][aria-pressed=true]:is([data-nick={named}], [data-id={named}])')"
        )).await;
    }

    /// Opens the chat with this title or id, of the person one is.
    pub(crate) async fn open_chat(&self, chat: &str) {
        let named = quoted(chat);
        self.click(&format!("[data-test=chat]:is([data-title={named}], [data-id={named}])")).await;
        self.until("the chat is open", &format!(
            "return !!document.querySelector('[data-test=chat][aria-current]:is([data-title={named}], [data-id={named}])')"
        )).await;
    }

    /// Types a message, line breaks with Shift, and sends it with Enter.
    pub(crate) async fn say(&self, text: &str) {
        let composer = self.find("[data-test=composer]").await;
        let shift = char::from(Key::Shift);
        let typed = text.replace('\n', &format!("{shift}{}{shift}", char::from(Key::Enter)));
        composer.send_keys(&typed).await.unwrap();
        composer.send_keys(&char::from(Key::Enter).to_string()).await.unwrap();
    }

    /// Types without sending; the way to press keys.
    pub(crate) async fn type_keys(&self, keys: &str) {
        self.find("[data-test=composer]").await.send_keys(keys).await.unwrap();
    }

    /// Attaches a file of this computer and waits until it is uploaded.
    pub(crate) async fn attach(&self, file: &Path) {
        let input =
            self.browser.client().find(Locator::Css("[data-test=file-input]")).await.unwrap();
        input.send_keys(file.to_str().unwrap()).await.unwrap();
        self.until("the file is uploaded", "const all = [...document.querySelectorAll('[data-test=attached]')]; return all.length > 0 && all.every((one) => one.dataset.ready === 'true')").await;
    }

    /// Waits until the open conversation shows this text anywhere.
    #[track_caller]
    pub(crate) fn until_text(&self, text: &str) -> impl Future<Output = ()> {
        let script = format!(
            "return document.querySelector('[data-test=messages]').innerText.includes({})",
            json!(text)
        );
        self.until_owned(format!("the conversation shows {text:?}"), script)
    }

    /// Waits until the newest message of the open conversation is from the bot and shows this text.
    pub(crate) async fn until_answer(&self, text: &str) {
        let script = format!(
            "const last = [...document.querySelectorAll('[data-test=message]')].at(-1); \
             return last?.dataset.from === 'bot' && last.innerText.includes({})",
            json!(text)
        );
        self.until(&format!("the newest message is the bot's and shows {text:?}"), &script).await;
    }

    /// Waits until the newest card is in this state: `processing`, `inputing`, `finished`, `failed`.
    pub(crate) async fn until_card(&self, state: &str) {
        let script = format!(
            "return [...document.querySelectorAll('[data-test=card]')].at(-1)?.dataset.state === {}",
            json!(state)
        );
        self.until(&format!("the newest card is {state}"), &script).await;
    }

    /// Returns what the newest card shows in its body.
    pub(crate) async fn card_text(&self) -> String {
        let script = "return [...document.querySelectorAll('[data-test=card-body]')].at(-1)?.innerText ?? ''";
        self.run(script).await.as_str().unwrap().to_owned()
    }

    /// Returns all that the open conversation shows.
    pub(crate) async fn text(&self) -> String {
        self.run("return document.querySelector('[data-test=messages]').innerText")
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Waits until `script` returns true; past the deadline it fails with all that the page shows.
    pub(crate) async fn until(&self, what: &str, script: &str) {
        self.until_owned(what.to_owned(), script.to_owned()).await;
    }

    async fn until_owned(&self, what: String, script: String) {
        let start = Instant::now();
        let mut tick = tokio::time::interval(LOOK);
        loop {
            tick.tick().await;
            if self.run(&script).await == json!(true) {
                return;
            }
            if start.elapsed() > UNTIL {
                let shown = self.run("return document.body.innerText").await;
                let console = self.console().await;
                panic!(
                    "not within {UNTIL:?}: {what}\n--- the page shows:\n{}\n--- console:\n{console:#?}",
                    shown.as_str().unwrap_or_default()
                );
            }
        }
    }

    /// Clicks what the selector finds first, once it is there.
    pub(crate) async fn click(&self, selector: &str) {
        let since = std::time::Instant::now();
        // The page draws itself anew with whatever happens: what was found may be gone by the time of the click.
        while let Err(error) = self.find(selector).await.click().await {
            let gone = error.is_stale_element_reference();
            assert!(gone && since.elapsed() < UNTIL, "{selector}: {error}");
        }
    }

    pub(crate) async fn find(&self, selector: &str) -> Element {
        let waiting = self.browser.client().wait().at_most(UNTIL).every(LOOK);
        match waiting.for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => {
                let shown = self.run("return document.body.innerText").await;
                panic!(
                    "no {selector} on the page: {error}\n--- the page shows:\n{}",
                    shown.as_str().unwrap_or_default()
                );
            }
        }
    }

    /// Runs JavaScript in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.browser.client().execute(script, vec![]).await.unwrap()
    }

    pub(crate) async fn url(&self) -> String {
        self.browser.client().current_url().await.unwrap().to_string()
    }

    /// Resizes what the page sees; below 760 it is a phone.
    pub(crate) async fn size(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 760 });
        self.browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub(crate) async fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.browser.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Writes a PNG of what the page shows, its fonts and pictures loaded.
    pub(crate) async fn screenshot(&self, path: impl AsRef<Path> + Debug) {
        let settled = "return document.fonts.status === 'loaded' && [...document.images].every((image) => image.complete)";
        self.until("fonts and pictures are loaded", settled).await;
        let png = self.browser.client().screenshot().await.unwrap();
        std::fs::write(&path, png).unwrap();
    }

    /// Takes what the browser wrote to its console since the last call: a refused script, a failed request.
    pub(crate) async fn console(&self) -> Vec<String> {
        self.browser.console().await
    }

    pub(crate) async fn close(self) {
        self.browser.close().await;
    }
}

/// As a string of a CSS selector.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}
