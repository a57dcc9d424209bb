//! `test`: results, and why there are none.

use crate::words::Lang;

words! {
    passed(n: usize) { zh: "{n} 个通过", en: "{n} passed" }
    failed(n: usize) { zh: "{n} 个失败", en: "{n} failed" }
    left_out(n: usize) { zh: "{n} 个略过", en: "{n} left out" }
    one_test { zh: "1 个测试", en: "1 test" }
    many_tests(n: usize) { zh: "{n} 个测试", en: "{n} tests" }
    /// Of a file: `tests` is a number with its word.
    failed_of(failed: usize, tests: &str) {
        zh: "{tests}，{failed} 个失败",
        en: "{failed} of {tests} failed",
    }
    took(tests: &str, time: &str) { zh: "{tests}，{time}", en: "{tests}, {time}" }
    /// The last line.
    sum(results: &str, files: &str, time: &str) {
        zh: "{results}（{files}，{time}）",
        en: "{results} in {files}, {time}",
    }
    milliseconds(n: u128) { zh: "{n} 毫秒", en: "{n} ms" }
    seconds(n: &str) { zh: "{n} 秒", en: "{n} s" }
    what_happened { zh: "经过：", en: "what happened:" }

    no_tests(places: &str) { zh: "{places} 里没有测试", en: "there are no tests in {places}" }
    no_tests_hint {
        zh: "在 `deploy.luau` 旁边写 `deploy.test.luau`：写法见 docs/testing.md",
        en: "write `deploy.test.luau` beside `deploy.luau`: docs/testing.md shows how",
    }
    none_named(filter: &str, left_out: usize) {
        zh: "没有测试的名字包含 `{filter}`（略过了 {left_out} 个）",
        en: "no test has `{filter}` in its name ({left_out} left out)",
    }
    none_named_hint { zh: "不加 `--filter` 会全部运行", en: "leave `--filter` out to run them all" }
    of_others(file: &str) {
        zh: "{file} 是别人的，没有运行；请先读一遍，再运行 `moonbell test {file}`",
        en: "{file} is of other people and was not run; read it, then `moonbell test {file}`",
    }
    cannot_read(file: &str, why: &str) {
        zh: "无法读取 `{file}`：{why}",
        en: "`{file}` cannot be read: {why}",
    }
    name_tests {
        zh: "请指定测试文件、脚本，或它们所在的目录",
        en: "name test files, scripts, or folders of them",
    }
    without_test(file: &str, expected: &str) {
        zh: "`{file}` 没有测试：旁边没有 `{expected}`",
        en: "`{file}` has no test: there is no `{expected}` beside it",
    }
    no_test(file: &str) {
        zh: "`{file}` 既不是脚本，也不是脚本的测试",
        en: "`{file}` is no script and no test of one",
    }
    where_tests_are {
        zh: "`deploy.luau` 的测试是它旁边的 `deploy.test.luau`",
        en: "tests of `deploy.luau` are in `deploy.test.luau` beside it",
    }
    may_read { zh: "让自己能读取它", en: "give yourself the right to read it" }
}

pub(crate) fn tests(n: usize, lang: Lang) -> String {
    if n == 1 { one_test(lang).to_owned() } else { many_tests(n, lang) }
}
