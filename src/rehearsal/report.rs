//! Results of tests as people and programs read them.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use super::suite::{FileResult, Problem, TestResult};
use crate::sink::escape;
use crate::words::Lang;
use crate::words::commands::trials as w;
use crate::words::doctor::scripts;

/// What came of all files together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub passed: usize,
    pub failed: usize,
    /// By the filter.
    pub left_out: usize,
    pub files: usize,
}

impl Totals {
    pub fn add(&mut self, file: &FileResult) {
        self.failed += file.failed();
        self.passed += file.tests.iter().filter(|test| test.problem.is_none()).count();
        self.left_out += file.left_out;
        self.files += 1;
    }
}

/// Words that mean something, in colour if there is any.
#[derive(Clone, Copy, Debug)]
pub struct Paint(pub bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with("32;1", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with("31;1", text)
    }

    pub(super) fn quiet(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }
}

/// A file in a line, and what failed in it under that.
pub fn human(file: &FileResult, paint: Paint, lang: Lang) -> String {
    let mut out = String::new();
    let count = w::tests(file.tests.len(), lang);
    let took: Duration = file.tests.iter().map(|test| test.took).sum();
    if let Some(why) = &file.broken {
        let _ = writeln!(out, "{} {}", paint.bad("FAIL"), paint.strong(&file.file));
        let _ = writeln!(out, "  {}", safe(why).replace('\n', "\n  "));
    } else if file.failed() > 0 {
        let _ = writeln!(
            out,
            "{} {}  {}",
            paint.bad("FAIL"),
            paint.strong(&file.file),
            w::failed_of(file.failed(), &count, lang)
        );
        for test in &file.tests {
            if let Some(problem) = &test.problem {
                out.push_str(&failure(test, problem, paint, lang));
            }
        }
        out.push('\n');
    } else if file.tests.is_empty() {
        return String::new(); // all of it was left out
    } else {
        let about = w::took(&count, &rounded(took, lang), lang);
        let _ = writeln!(out, "{} {}  {}", paint.good("  ok"), file.file, paint.quiet(&about));
    }
    out
}

fn failure(test: &TestResult, problem: &Problem, paint: Paint, lang: Lang) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "\n  {} {}", paint.bad("✗"), paint.strong(&escape(&test.name)));
    let place = problem.place.as_ref().map(|(file, line)| format!("{file}:{line}: "));
    let message = safe(&problem.message).replace('\n', "\n    ");
    let _ = writeln!(out, "    {}{message}", place.unwrap_or_default());
    if let (Some((_, line)), Some(source)) = (&problem.place, &problem.source) {
        let _ = writeln!(out, "    {}", paint.quiet(&format!("{line} | {}", escape(source))));
    }
    if !test.transcript.is_empty() {
        let _ = writeln!(out, "\n    {}", paint.quiet(w::what_happened(lang)));
        for line in test.transcript.lines() {
            let _ = writeln!(out, "{}", format!("      {line}").trim_end());
        }
    }
    out
}

/// Text that may quote what others wrote: nothing in it acts on a terminal.
pub(super) fn safe(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("\n")
}

/// The last line.
pub fn summary(totals: Totals, took: Duration, paint: Paint, lang: Lang) -> String {
    let passed = w::passed(totals.passed, lang);
    let mut parts = vec![if totals.failed == 0 { paint.good(&passed) } else { passed }];
    if totals.failed > 0 {
        parts.push(paint.bad(&w::failed(totals.failed, lang)));
    }
    if totals.left_out > 0 {
        parts.push(paint.quiet(&w::left_out(totals.left_out, lang)));
    }
    let (files, took) = (scripts::files(totals.files, lang), rounded(took, lang));
    w::sum(&parts.join(lang.pick("，", ", ")), &files, &took, lang)
}

fn rounded(took: Duration, lang: Lang) -> String {
    if took < Duration::from_secs(1) {
        w::milliseconds(took.as_millis(), lang)
    } else {
        w::seconds(&format!("{:.2}", took.as_secs_f64()), lang)
    }
}

/// A line for each test, as JSON; a file that is broken has one line without a name.
pub fn lines(file: &FileResult) -> Vec<String> {
    let problem = |problem: &Problem| {
        json!({
            "file": problem.place.as_ref().map(|(file, _)| file),
            "line": problem.place.as_ref().map(|(_, line)| line),
            "source": problem.source,
            "message": problem.message,
        })
    };
    let broken = file.broken.iter().map(|why| {
        json!({
            "file": file.file,
            "name": null,
            "line": null,
            "ok": false,
            "ms": 0,
            "failure": { "file": null, "line": null, "source": null, "message": why },
            "transcript": "",
        })
    });
    let tests = file.tests.iter().map(|test| {
        json!({
            "file": file.file,
            "name": test.name,
            "line": test.line,
            "ok": test.problem.is_none(),
            "ms": u64::try_from(test.took.as_millis()).unwrap_or(u64::MAX),
            "failure": test.problem.as_ref().map(problem),
            "transcript": test.transcript,
        })
    });
    broken.chain(tests).map(|line| line.to_string()).collect()
}

/// All files as JUnit XML, as services that build and test read it.
pub fn junit(files: &[FileResult], took: Duration) -> String {
    let mut totals = Totals::default();
    for file in files {
        totals.add(file);
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"moonbell\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">",
        totals.passed + totals.failed,
        totals.failed - broken(files),
        broken(files),
        took.as_secs_f64()
    );
    for file in files {
        let time: Duration = file.tests.iter().map(|test| test.took).sum();
        let errors = usize::from(file.broken.is_some());
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" skipped=\"0\" time=\"{:.3}\">",
            xml(&file.file),
            file.tests.len() + errors,
            file.failed() - errors,
            time.as_secs_f64()
        );
        if let Some(why) = &file.broken {
            let _ = writeln!(
                out,
                "    <testcase name=\"(loading)\" classname=\"{}\" time=\"0.000\">\n      <error message=\"{}\">{}</error>\n    </testcase>",
                xml(&file.file),
                xml(first_line(why)),
                xml(why)
            );
        }
        for test in &file.tests {
            let _ = write!(
                out,
                "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.3}\"",
                xml(&test.name),
                xml(&file.file),
                xml(&file.file),
                test.line,
                test.took.as_secs_f64()
            );
            match &test.problem {
                None => out.push_str("/>\n"),
                Some(problem) => {
                    let place = problem.place.as_ref();
                    let place =
                        place.map_or(String::new(), |(file, line)| format!("{file}:{line}: "));
                    let text = format!("{place}{}\n\n{}", problem.message, test.transcript);
                    let _ = writeln!(
                        out,
                        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                        xml(first_line(&problem.message)),
                        xml(&text)
                    );
                }
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn broken(files: &[FileResult]) -> usize {
    files.iter().filter(|file| file.broken.is_some()).count()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Text of XML 1.0, in attributes too. What XML cannot say at all becomes U+FFFD.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_say_is_replaced() {
        assert_eq!(
            xml("a<b> & \"c\"\n\u{0}\u{1b}[1m好"),
            "a&lt;b&gt; &amp; &quot;c&quot;&#10;\u{fffd}\u{fffd}[1m好"
        );
    }
}
