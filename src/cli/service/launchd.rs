//! macOS: an agent of the user's session.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;

use super::plan::Plan;
use super::xml::escaped;
use super::{NAME, State, ask, order};

pub(super) const FILE: &str = "moonbell.plist";

/// The property list.
pub(super) fn agent(plan: &Plan) -> Result<String> {
    let mut list = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- Written by `moonbell service install`, which writes it again; `moonbell service uninstall` removes it. -->\n\
         <plist version=\"1.0\">\n\
         <dict>\n\
         \t<key>Label</key>\n\
         \t<string>{NAME}</string>\n\
         \t<key>ProgramArguments</key>\n\
         \t<array>\n"
    );
    // launchd starts again after every exit code but 0: so settings that cannot be used end with that.
    let supervised = ["--supervised".to_owned()];
    for word in [&plan.program].into_iter().chain(&plan.arguments).chain(&supervised) {
        let _ = writeln!(list, "\t\t<string>{}</string>", escaped(word)?);
    }
    list.push_str("\t</array>\n\t<key>EnvironmentVariables</key>\n\t<dict>\n");
    for (name, value) in &plan.environment {
        let _ = writeln!(
            list,
            "\t\t<key>{}</key>\n\t\t<string>{}</string>",
            escaped(name)?,
            escaped(value)?
        );
    }
    let _ = write!(
        list,
        "\t</dict>\n\
         \t<key>WorkingDirectory</key>\n\
         \t<string>{}</string>\n\
         \t<key>RunAtLoad</key>\n\
         \t<true/>\n\
         \t<key>KeepAlive</key>\n\
         \t<dict>\n\
         \t\t<key>SuccessfulExit</key>\n\
         \t\t<false/>\n\
         \t</dict>\n\
         \t<key>ThrottleInterval</key>\n\
         \t<integer>10</integer>\n\
         \t<key>ExitTimeOut</key>\n\
         \t<integer>{}</integer>\n\
         </dict>\n\
         </plist>\n",
        escaped(&plan.home)?,
        plan.patience.as_secs()
    );
    Ok(list)
}

/// The session of this user.
fn domain() -> Result<String> {
    let user = ask("id", &["-u"])?.map(|told| told.out).unwrap_or_default();
    Ok(format!("gui/{user}"))
}

pub(super) fn start(file: &Path, changed: bool) -> Result<()> {
    let domain = domain()?;
    let target = format!("{domain}/{NAME}");
    let loaded = ask("launchctl", &["print", &target])?.is_some_and(|told| told.ok);
    if loaded && changed {
        order("launchctl", &["bootout", &target])?;
    }
    if loaded && !changed {
        return order("launchctl", &["kickstart", &target]);
    }
    order("launchctl", &["enable", &target])?;
    order("launchctl", &["bootstrap", &domain, &file.to_string_lossy()])
}

pub(super) fn stop() -> Result<()> {
    let target = format!("{}/{NAME}", domain()?);
    // What is not loaded does not have to be stopped.
    if ask("launchctl", &["print", &target])?.is_some_and(|told| told.ok) {
        order("launchctl", &["bootout", &target])?;
    }
    Ok(())
}

pub(super) fn state() -> Result<State> {
    let told = ask("launchctl", &["print", &format!("{}/{NAME}", domain()?)])?;
    let told = told.filter(|told| told.ok);
    let field = |name: &str| {
        let lines = told.as_ref().map(|told| told.out.lines()).into_iter().flatten();
        let mut fields = lines.filter_map(|line| line.trim().split_once(" = "));
        fields.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    };
    let word = field("state").unwrap_or_else(|| "not loaded".to_owned());
    Ok(State {
        running: word == "running",
        enabled: told.is_some(),
        pid: field("pid").and_then(|pid| pid.parse().ok()),
        word,
        linger: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::plan::awkward;
    use super::*;

    #[test]
    fn the_agent_escapes_whatever_a_path_may_hold() {
        insta::assert_snapshot!(agent(&awkward()).unwrap(), @r###"
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by `moonbell service install`, which writes it again; `moonbell service uninstall` removes it. -->
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>moonbell</string>
	<key>ProgramArguments</key>
	<array>
		<string>/opt/我的 程序/50% "off" $HOME\moonbell</string>
		<string>run</string>
		<string>--config</string>
		<string>/home/me/配置 &amp; &lt;more&gt;/it's $1 100%.toml</string>
		<string>--supervised</string>
	</array>
	<key>EnvironmentVariables</key>
	<dict>
		<key>PATH</key>
		<string>/home/me/bin dir:/usr/bin:/50%/$x</string>
		<key>LANG</key>
		<string>zh_CN.UTF-8</string>
	</dict>
	<key>WorkingDirectory</key>
	<string>/home/me</string>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>ThrottleInterval</key>
	<integer>10</integer>
	<key>ExitTimeOut</key>
	<integer>90</integer>
</dict>
</plist>
"###);
        let control = Plan { home: "/a\u{7}".to_owned(), ..awkward() };
        assert!(agent(&control).is_err());
    }
}
