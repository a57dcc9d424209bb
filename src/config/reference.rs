//! `docs/config.md`, written from the table of settings.

use std::fmt::Write as _;

use super::keys::KEYS;
use super::kind::Kind;
use crate::words::Lang;

/// `docs/config.md`.
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut table = None;
    for key in KEYS {
        if table != Some(key.table()) {
            table = Some(key.table());
            let title = match key.table() {
                "" => "Above all tables".to_owned(),
                table => format!("`[{table}]`"),
            };
            let _ = write!(page, "\n## {title}\n\n");
            page.push_str("| key | default | environment | meaning |\n|---|---|---|---|\n");
        }
        let (name, variable) = match key.kind {
            Kind::List => (key.name(), format!("{}=a,b", key.variable())),
            Kind::Secrets => ("*any name*", "MOONBELL_SECRETS_<NAME>".to_owned()),
            Kind::Roles => ("*any role name*", "MOONBELL_ACCESS_ROLES_<NAME>=id,id".to_owned()),
            _ => (key.name(), key.variable()),
        };
        let name = if name.starts_with('*') { name.to_owned() } else { format!("`{name}`") };
        let takes = match key.kind {
            Kind::Choice(words) => {
                format!(
                    " Takes {}.",
                    words.iter().map(|w| format!("`\"{w}\"`")).collect::<Vec<_>>().join(" or ")
                )
            }
            kind => format!(" Takes {}.", kind.expected(Lang::En).replace('|', "\\|")),
        };
        let _ =
            writeln!(page, "| {name} | `{}` | `{variable}` | {}{takes} |", key.default, key.doc);
    }
    page
}

const INTRODUCTION: &str = r#"# Settings

<!-- Generated from src/config/keys.rs; a test holds it current: MOONBELL_TEST_UPDATE=1 tests/run config:: -->

`moonbell` reads one TOML file: `config.toml` in the platform's config directory (`~/.config/moonbell` on Linux,
`~/Library/Application Support/moonbell` on macOS, `%APPDATA%\moonbell\config` on Windows), or the one named by
`--config FILE` or `MOONBELL_CONFIG`. Then come environment variables, then flags; the later one wins. `moonbell dev`
needs no file at all; it never uses `[dingtalk]`, `[http]` or `[access]`.

An unknown key or variable is an error, and all mistakes are reported at once, each with file, line and column.

A running host reads the file again when it is saved. What is wrong changes nothing, and the owner is told. These count at once, for
what begins from then on: `[access]`, `[budget]`, `[cards]`, `[connection]`, `[history]`, `[limits]` (but `memory_mb` and
`all_processes`), `[log]`, `[secrets]`, `dingtalk.client_secret`, and where DingTalk calls `http.window`, `http.trusted_proxies`,
`http.allow` and other values of `http.token` and `http.aes_key`. `moonbell status` names the changes that need a restart.

A path may begin with `~`; a relative path in the file starts at the file's own folder. A secret is a string, or better a
reference to one:

```toml
[dingtalk]
client_id = "dingxxxxxxxxxxxxxxxx"
client_secret = { env = "DINGTALK_CLIENT_SECRET" }   # an environment variable
# client_secret = { file = "secret" }                # a file that you alone can read: chmod 600 secret

[access]
owner = "manager4220"     # or claim the bot with the code that `moonbell run` prints
```
"#;

#[cfg(test)]
mod tests {
    use super::KEYS;

    #[test]
    fn what_is_said_of_a_key_is_one_line() {
        for key in KEYS {
            assert!(
                !key.doc.contains("  ") && !key.doc.contains('\n'),
                "{}: {:?}",
                key.path,
                key.doc
            );
        }
    }
}
