//! `re`, as scripts call it.

use std::time::{Duration, Instant};

use crate::engine::Bench;

#[tokio::test]
async fn patterns_find_replace_and_split() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        local m = re.match("took 250ms", [[(?<n>\d+)(ms|s)(x)?]])
        assert(m.text == "250ms" and m[1] == "250" and m[2] == "ms" and m[3] == nil and m.named.n == "250")
        assert(m.start == 6 and m.finish == 10 and ("took 250ms"):sub(m.start, m.finish) == m.text)
        assert(re.match("x", "y") == nil)
        local all = re.find_all("a1 b2 c3", [[\w(\d)]], { limit = 2 })
        assert(#all == 2 and all[2][1] == "2")
        assert(re.replace("a1 b2", [[(?<l>[a-z])(\d)]], "${2}${l}") == "1a 2b")
        assert(re.replace("a1 b2", [[\d]], "$0", { literal = true, limit = 1 }) == "a$0 b2")
        local parts = re.split("a, b,c", [[,\s*]], { limit = 2 })
        assert(#parts == 2 and parts[2] == "b,c")
        assert(re.match("你好\255", "好").start == 4)
        assert(re.match("\255\254", [[(?-u)\xfe]]).start == 2)
        local ok, err = re.check("(")
        assert(ok == nil and err.kind == "pattern", tostring(err))
        assert(re.check("a+") == true and re.match("a.b", re.escape("a.b")) and not re.match("axb", re.escape("a.b")))
        for i = 1, 500 do assert(re.match("k" .. i, "^k" .. i .. "$")) end
        "#,
        )
        .await;
}

#[tokio::test]
async fn i8_a_pattern_from_a_chat_cannot_hold_up_the_host() {
    let bench = Bench::new().await;
    let started = Instant::now();
    bench
        .passes(
            r#"
        assert(re.match(("a"):rep(1e6), "^(a+)+$"))
        assert(not re.match(("a"):rep(1e6), "(a|aa)+$b"))
        for _, pattern in { [[(\w{100}){100}]], ("a"):rep(5000), "(?=x)", [[(a)\1]], "(" } do
            assert(re.check(pattern) == nil, pattern)
            assert(not pcall(re.match, "x", pattern))
        end
        "#,
        )
        .await;
    assert!(started.elapsed() < Duration::from_secs(20));
    for (call, expected) in [
        ("re.match('x', '(')", "`re.match`: argument #2 (`pattern`): `(` is no regular expression"),
        ("re.match(('x'):rep(9e6), 'x')", "8388608 bytes at most"),
        ("re.find_all(('x'):rep(2e5), 'x')", "more than 100000 matches"),
        ("re.find_all('x', 'x', { limit = 0 })", "expected 1 or more"),
        ("re.replace('x', 'x')", "`re.replace`: argument #3 (`with`): expected string"),
    ] {
        let raised = bench.raises(call).await;
        assert!(raised.contains(expected), "{call}: {raised}");
    }
}
