//! `secret`: usable where it is needed, and nowhere to be seen.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests, which the lint does not see")]

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use moonbell::api::http::Network;
use moonbell::config::Secret;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::engine::Bench;

const TOKEN: &str = "tok-5f3c\"9a é";

async fn bench() -> (Bench, String, JoinSet<()>) {
    let echo = any(async |request: Request| {
        let auth = request
            .headers()
            .get("authorization")
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        format!("{}|{query}|{}", auth.unwrap_or_default(), String::from_utf8_lossy(&body))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut servers = JoinSet::new();
    servers
        .spawn(async move { axum::serve(listener, Router::new().route("/", echo)).await.unwrap() });
    let mut bench = Bench::new().await;
    let secrets = [
        ("token".to_owned(), Some(Secret::new(TOKEN))),
        ("plain".to_owned(), Some(Secret::new("hunter2hunter2"))),
        ("absent".to_owned(), None),
    ];
    bench.host =
        bench.host.with_network(Network::granting([address.clone()])).with_secrets(secrets.into());
    (bench, address, servers)
}

#[tokio::test]
async fn a_secret_goes_where_it_is_needed() {
    let (bench, address, _servers) = bench().await;
    bench
        .passes(&format!(
            r#"
            local url, token, plain = "http://{address}/", assert(secret.get("token")), assert(secret.get("plain"))
            -- What the other side got, compared without saying it here: as its length, and by a program.
            local function got(options) return assert(http.post(url, options)).body end
            assert(got{{ headers = {{ Authorization = secret.join("Bearer ", plain) }} }} == "Bearer hunter2" .. "hunter2||")
            assert(got{{ headers = {{ Authorization = secret.basic("ann", plain) }} }}:find("^Basic YW5uOmh1"))
            assert(got{{ body = plain }} == "||hunter2" .. "hunter2")
            assert(got{{ json = {{ key = token }} }} == [[||{{"key":"tok-5f3c\"9a é"}}]])
            assert(got{{ form = {{ key = plain }} }} == "||key=hunter2" .. "hunter2")
            local r = shell.run{{ "sh", "-c", 'printf %s "$KEY"; cat', env = {{ KEY = token }}, stdin = plain }}
            assert(r.out == [[tok-5f3c"9a éhunter2]] .. "hunter2", r.out)
            local p = shell.spawn{{ "cat" }}
            assert(p:write(plain)); p:close_stdin()
            assert(p:wait().out == "hunter2" .. "hunter2")
            "#
        ))
        .await;
}

#[tokio::test]
async fn a_secret_shows_nothing_of_itself() {
    let (bench, address, _servers) = bench().await;
    bench
        .passes(&format!(
            r#"
            local url, s = "http://{address}/", assert(secret.get("plain"))
            assert(tostring(s) == "***" and string.format("%*", s) == "***" and typeof(s) == "secret" and `{{s}}` == "***")
            local function refused(what, ...)
                local result = table.pack(pcall(...))
                assert(not result[1], what)
                local why = tostring(result[2])
                assert(not why:find("hunter2"), why)
                return why
            end
            assert(refused("concat", function() return "a" .. s end):find("secret.join", 1, true))
            refused("concat", function() return s .. "a" end)
            refused("length", function() return #s end)
            refused("index", function() return s.value end)
            refused("write", function() s.value = 1 end)
            refused("add", function() return s + 1 end)
            refused("compare", function() return s < "z" end)
            refused("table.concat", table.concat, {{ s }})
            refused("find", string.find, s, "h")
            assert(refused("json", json.encode, {{ a = s }}):find("`a` cannot be JSON: it is a secret"))
            refused("kv", kv.set, "k", s)
            refused("reply", ctx.reply, ctx, s)
            refused("reply", ctx.reply, ctx, {{ text = s }})
            refused("card", ctx.card, ctx, {{ title = s }})
            refused("send", bot.send, "owner", s)
            refused("file", fs.write, "/nonexistent/x", s)
            refused("argument", shell.run, {{ "echo", s }})
            refused("script", shell.sh, "echo $1", s)
            refused("url", http.get, s)
            refused("query", http.get, url, {{ query = {{ a = s }} }})
            refused("time", time.sleep, s)
            refused("re", re.match, "h", s)
            assert(refused("text", text.truncate, s, 3):find("secret"))
            refused("error", error, s)
            assert(getmetatable(s) == false or type(getmetatable(s)) == "string")
            assert(s ~= "hunter2" .. "hunter2")
            refused("key", function() local t = {{}}; t[s] = 1; return json.encode(t) end)
            refused("header", http.get, url, {{ headers = {{ ["a b"] = s }} }})
            refused("header", http.get, url, {{ headers = {{ x = secret.join(s, "\n") }} }})
            "#
        ))
        .await;
}

#[tokio::test]
async fn a_wrong_name_is_told_with_the_nearest_and_no_value() {
    let (bench, _, _servers) = bench().await;
    bench
        .passes(
            r#"
            local none, err = secret.get("tokne")
            assert(none == nil and err.kind == "not_found" and err.message:find("did you mean `token`"), err.message)
            assert(err.message:find("`absent`, `plain`, `token`", 1, true) and not err.message:find("5f3c"), err.message)
            none, err = secret.get("absent")
            assert(none == nil and err.kind == "unset")
            local ok, why = pcall(secret.basic, "ann", "password")
            assert(not ok and why:find("`secret.basic`: argument #2 (`password`): expected a secret, got string", 1, true), why)
            ok, why = pcall(secret.join, "a", {})
            assert(not ok and why:find("argument #2: expected text or a secret, got table"), why)
            "#,
        )
        .await;
    // Where scripts are only checked, nothing is known of secrets, and nothing is missed.
    let bench = Bench::new().await;
    bench.load(
        "local token = assert(secret.get('token'))\nbot.fallback(function() print(token) end)",
    );
}
