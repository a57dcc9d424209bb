//! Windows: a task of the user's that begins when they log in. A service of Windows has to speak with its manager, which a
//! program for the terminal does not.

use std::path::Path;

use anyhow::Result;

use super::plan::Plan;
use super::xml::escaped;
use super::{NAME, State, ask, order};

pub(super) const FILE: &str = "moonbell-task.xml";

/// The task, as the scheduler exports them.
pub(super) fn task(plan: &Plan) -> Result<String> {
    let mut arguments: Vec<String> = plan.arguments.iter().map(|word| quoted(word)).collect();
    // The scheduler starts again what did not end with 0: so settings that cannot be used do.
    arguments.push("--supervised".to_owned());
    Ok(format!(
        r#"<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>moonbell: Lua that answers DingTalk. Written by `moonbell service install`.</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>999</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{}</Command>
      <Arguments>{}</Arguments>
      <WorkingDirectory>{}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"#,
        escaped(&plan.program)?,
        escaped(&arguments.join(" "))?,
        escaped(&plan.home)?
    ))
}

/// As programs of Windows take their command line apart: backslashes count only before a quotation mark.
fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '\n', '"']) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    let mut backslashes = 0;
    for c in word.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                quoted.push_str(&"\\".repeat(2 * backslashes + 1));
                backslashes = 0;
                quoted.push('"');
            }
            c => {
                quoted.push_str(&"\\".repeat(backslashes));
                backslashes = 0;
                quoted.push(c);
            }
        }
    }
    quoted.push_str(&"\\".repeat(2 * backslashes));
    quoted.push('"');
    quoted
}

/// UTF-16 with a mark of its order, which is what the scheduler reads.
pub(super) fn encoded(text: &str) -> Vec<u8> {
    let text = text.replace('\n', "\r\n");
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

pub(super) fn start(file: &Path) -> Result<()> {
    order("schtasks", &["/Create", "/TN", NAME, "/XML", &file.to_string_lossy(), "/F"])?;
    order("schtasks", &["/Run", "/TN", NAME])
}

pub(super) fn stop() -> Result<()> {
    // One that does not run cannot be ended.
    ask("schtasks", &["/End", "/TN", NAME])?;
    order("schtasks", &["/Delete", "/TN", NAME, "/F"])
}

pub(super) fn state() -> Result<State> {
    // Its words are in the language of the system; the XML is not.
    let told = ask("schtasks", &["/Query", "/TN", NAME, "/XML"])?.filter(|told| told.ok);
    let enabled = told.as_ref().is_some_and(|told| !told.out.contains("<Enabled>false</Enabled>"));
    let query = "if ((Get-ScheduledTask -TaskName moonbell).State -eq 'Running') { 'running' }";
    let running = ask("powershell", &["-NoProfile", "-Command", query])?;
    let running = running.is_some_and(|told| told.out == "running");
    let word = if running { "running" } else { "not running" };
    Ok(State { running, enabled, pid: None, word: word.to_owned(), linger: None })
}

#[cfg(test)]
mod tests {
    use super::super::plan::awkward;
    use super::*;

    #[test]
    fn the_task_escapes_whatever_a_path_may_hold() {
        let task = task(&awkward()).unwrap();
        let (_, action) = task.split_once("    <Exec>\n").unwrap();
        insta::assert_snapshot!(action, @r###"
          <Command>/opt/我的 程序/50% "off" $HOME\moonbell</Command>
          <Arguments>run --config "/home/me/配置 &amp; &lt;more&gt;/it's $1 100%.toml" --supervised</Arguments>
          <WorkingDirectory>/home/me</WorkingDirectory>
        </Exec>
      </Actions>
    </Task>
    "###);
    }

    #[test]
    fn words_come_back_as_programs_of_windows_read_them() {
        for (word, expected) in [
            (r"C:\bot.toml", r"C:\bot.toml"),
            (r"C:\my bots\", r#""C:\my bots\\""#),
            (r#"a "b" \"c"#, r#""a \"b\" \\\"c""#),
            ("", r#""""#),
        ] {
            assert_eq!(quoted(word), expected);
        }
        assert_eq!(encoded("a\n"), [0xff, 0xfe, b'a', 0, b'\r', 0, b'\n', 0]);
    }
}
