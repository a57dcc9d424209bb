//! `text`, as scripts call it.

use crate::engine::Bench;

#[tokio::test]
async fn a_table_holds_what_rows_say_and_nothing_more() {
    let bench = Bench::new().await;
    bench
        .passes(
            r#"
        assert(text.table({ { "name", "size" }, { "a|b", 12 }, { "c\nd" } }) ==
            "| name | size |\n| --- | --- |\n| a\\|b | 12 |\n| c d |  |\n")
        assert(text.table({ { name = "x", n = true }, { n = 1 } }, { columns = { "name", "n" }, align = { "left", "right" } }) ==
            "| name | n |\n| --- | --: |\n| x | true |\n|  | 1 |\n")
        assert(text.table({}) == "")
        assert(text.escape("@all [x](y)") ~= "@all [x](y)")
        assert(text.truncate("你好世界", 3) == "你好…" and text.length("👨‍👩‍👧") == 1)
        assert(text.truncate("abcdef", 3, { from = "end", mark = "" }) == "def")
        assert(text.strip_ansi("\27[31mred\27[0m\7") == "red\7" and text.clean("\27[31mred\7") == "red")
        assert(#text.split("a,b,,c", ",") == 4 and #text.split("  a  b ") == 2 and text.trim("　x \n") == "x")
        assert(#text.lines("a\r\nb\n") == 2 and text.lines("a\r\nb")[1] == "a")
        assert(text.code("```") == "````\n```\n````")
        assert(text.trim("\255x") == "�x")
        "#,
        )
        .await;
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let bench = Bench::new().await;
    for (call, expected) in [
        (
            "text.truncate('x', -1)",
            "`text.truncate`: argument #2 (`length`): expected a whole number",
        ),
        ("text.truncate('x', 1, { form = 'end' })", "did you mean `from`?"),
        ("text.table({ 1 })", "row 1: expected a table, got number"),
        ("text.table({ { {} } })", "row 1, column 1: expected text, got table"),
        (
            "text.table({ { 'a' } }, { align = { 'middle' } })",
            "expected \"left\", \"right\" or \"center\"",
        ),
        ("text.split('x', '')", "`text.split`: argument #2 (`separator`)"),
        ("text.trim(('x'):rep(5e6))", "4194304 bytes at most, got 5000000"),
        ("text.escpae('x')", "`text` has no `escpae`; did you mean `escape`?"),
    ] {
        let raised = bench.raises(call).await;
        assert!(raised.contains(expected), "{call}: {raised}");
    }
}
