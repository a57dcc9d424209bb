//! What `--help` says in Chinese. The English stands with the arguments themselves, in `cli/`, where a test holds that
//! everything there has its line here.

/// What `--help` says of one command.
pub(crate) struct Page {
    /// Its name, behind that of the command it belongs to; empty: the program.
    pub(crate) command: &'static str,
    pub(crate) about: &'static str,
    /// What only the long form says.
    pub(crate) more: &'static str,
    /// Arguments by their ids.
    pub(crate) arguments: &'static [(&'static str, &'static str)],
    /// Examples, and what follows them.
    pub(crate) after: &'static str,
}

/// Above the parts of a page, and what every page has.
pub(crate) const USAGE: &str = "用法：";
pub(crate) const COMMANDS: &str = "命令：";
pub(crate) const ARGUMENTS: &str = "参数：";
pub(crate) const OPTIONS: &str = "选项：";
pub(crate) const HELP: &str = "显示帮助（-h 显示摘要）";
pub(crate) const HELP_COMMAND: &str = "显示帮助，或一个命令的帮助";
pub(crate) const VERSION: &str = "显示版本";

const DEV: (&str, &str) = (
    "dev",
    "指 moonbell dev 的（默认：run 的；如果只有 dev 在运行，或什么都没有设置，则是 dev 的）",
);
const JSON: (&str, &str) = ("json", "输出 JSON");

pub(crate) const PAGES: &[Page] = &[
    Page {
        command: "",
        about: "用 Lua 回答钉钉：聊天里的一条消息，运行这台电脑上的 Luau 处理器",
        more: "",
        arguments: &[
            ("config", "从这个文件读取设置"),
            (
                "log",
                "记录哪些日志：error、warn、info、debug、trace、off，或者列表：`info,moonbell::sim=debug`",
            ),
        ],
        after: "例子：
  moonbell dev                 先试一试：浏览器里的模拟钉钉，不需要账号
  moonbell init                正式设置：扫码创建应用，直到收到第一条消息
  moonbell run                 连接真正的钉钉，使用设置文件里的应用
  moonbell doctor              设置、网络、应用、连接有什么问题，该怎么办
  moonbell check               脚本有什么问题，包括类型
  moonbell test                不连接钉钉，和脚本对话来测试
  moonbell explain --last      最近的一条消息为什么运行了，或没有运行？
  moonbell runs                运行过什么，结果如何
  moonbell logs -f             持续显示日志
  moonbell status --json       正在运行的 moonbell 在做什么
  moonbell lock                立即停止一切，拒绝所有人
  moonbell audit --denied      谁被拒绝了，为什么
  moonbell grant               允许别人的脚本做它们请求的事
  moonbell usage               钉钉每月的额度用了多少，被谁用了

设置：docs/config.md。每个键也是一个环境变量：MOONBELL_<TABLE>_<KEY>。
退出码：0 完成，1 失败，2 用法错误。",
    },
    Page {
        command: "dev",
        about: "先试一试：带聊天页面的模拟钉钉，由你的处理器回答",
        more: "如果有 ./scripts，就用里面的处理器；否则用设置里的目录，第一次启动时会新建它，并放入示例脚本。保存文件后，下一条消息就由新版本回答。",
        arguments: &[
            ("scripts", "使用这个目录里的处理器"),
            ("port", "聊天页面在本机的端口；0：任选一个空闲的"),
            ("open", "在浏览器里打开聊天页面"),
            ("http", "由模拟的钉钉来调用（HTTP 模式），而不是连接它"),
            ("sim_only", "只模拟钉钉，不运行处理器"),
        ],
        after: "例子：
  moonbell dev                         打开显示的地址，输入“帮助”
  moonbell dev --scripts ~/handlers    使用另一个目录
  moonbell dev --port 0 --open         任选空闲端口，并打开浏览器
  moonbell dev --http                  由钉钉来调用，如同 `mode = \"http\"`
  moonbell dev --sim-only              只有钉钉：练习 init，或试别的机器人",
    },
    Page {
        command: "init",
        about: "正式设置：钉钉应用、设置文件、示例脚本、第一条消息",
        more: "用钉钉扫码创建应用，或使用已有应用的 Client ID 和 Client Secret。写好设置、示例脚本和编辑器设置，可以设为开机启动，然后等你的第一条消息得到回答。中断以后再次运行，会从中断处继续；已有的内容不会未经询问就被覆盖。",
        arguments: &[
            ("lang", "用这种语言，而不是系统的语言"),
            ("scan", "扫码创建新应用"),
            ("client_id", "使用这个 Client ID（AppKey）的应用"),
            ("client_secret_file", "从这个文件读取 Client Secret（AppSecret）；`-` 是标准输入"),
            ("mode", "消息怎么来：由 moonbell 连接钉钉，或由钉钉调用你的地址"),
            ("public_url", "钉钉调用的地址，以 https:// 开头（HTTP 模式）"),
            ("token_file", "从这个文件读取事件订阅的 token（HTTP 模式）"),
            ("aes_key_file", "从这个文件读取事件订阅的 AES key（HTTP 模式）"),
            ("scripts", "处理器放在这个目录"),
            ("service", "设为开机启动，不再询问"),
            ("no_service", "不提供开机启动"),
            ("no_wait", "写好就结束，不等第一条消息"),
            ("wait", "没有终端时：这么久没有消息就放弃"),
            ("yes", "同意修改设置"),
            ("json", "每一步输出一个 JSON 对象，什么都不问"),
            ("api_base", "连接另一个钉钉，例如 moonbell dev --sim-only：它的 API 地址"),
            ("oapi_base", "它的旧版 API 地址（如果不同）"),
        ],
        after: "例子：
  moonbell init
  moonbell init --lang zh
  moonbell init --client-id dingabc --client-secret-file - < secret
  moonbell init --scan --yes --no-service --json        给程序用：每行一个 JSON

没有终端时什么都不问：请写明 --scan 或 --client-id。密钥来自 --client-secret-file 或环境变量
MOONBELL_DINGTALK_CLIENT_SECRET，不能写在命令行里，因为其他用户能看到命令行。

退出码：0 第一条消息得到了回答（或 --no-wait），1 没有完成，2 用法错误。",
    },
    Page {
        command: "run",
        about: "用你的处理器回答钉钉，直到 Ctrl-C",
        more: "设置里需要应用的 Client ID 和 Client Secret；没有的话，会显示可以直接粘贴的文件。机器人还没有主人时，启动时会显示认领码：在单聊里发给机器人，你就是主人。",
        arguments: &[
            ("scripts", "使用这个目录里的处理器"),
            ("supervised", "给会反复重启的服务管理器用：设置不能用时，也以 0 结束"),
        ],
        after: "例子：
  moonbell run
  moonbell run --config ./bot.toml --scripts ./handlers
  MOONBELL_DINGTALK_CLIENT_ID=ding… MOONBELL_DINGTALK_CLIENT_SECRET=… moonbell run

退出码：0 正常停止，1 失败，2 设置不能用。",
    },
    Page {
        command: "doctor",
        about: "检查有什么问题，该怎么办",
        more: "检查设置、这台电脑、到钉钉的网络、应用的权限和连接，大约十秒。没有 --fix 什么都不改，没有 --card 不会给任何人发消息。最多调用四次 API。",
        arguments: &[
            JSON,
            ("fix", "修复可以放心修复的：文件权限、缺少的目录、残留的文件"),
            ("card", "给主人发一张卡片，看看能否显示"),
            ("listen", "没有 moonbell 在运行时，等这么多秒看有没有消息"),
        ],
        after: "例子：
  moonbell doctor
  moonbell doctor --fix                 文件权限、缺少的目录、残留的文件
  moonbell doctor --card                卡片能在钉钉里显示吗？
  moonbell doctor --json | jq '.checks[] | select(.state == \"failed\")'

docs/troubleshooting.md 解释了每一项。退出码：0 没有失败，1 有失败，2 用法错误。",
    },
    Page {
        command: "status",
        about: "显示正在运行的 moonbell 在做什么",
        more: "有 moonbell 在运行时退出码是 0，没有则是 1。",
        arguments: &[
            ("json", "输出 JSON；加上 --watch，每次变化输出一行"),
            ("watch", "持续显示：在终端里原地更新，否则每次变化输出一行"),
            DEV,
        ],
        after: "例子：
  moonbell status
  moonbell status --watch                       持续更新，直到 Ctrl-C
  moonbell status --dev                         moonbell dev 的状态
  moonbell status --json | jq -r .connection    给程序用",
    },
    Page {
        command: "service",
        about: "让机器人在后台运行，并随电脑启动",
        more: "这是你自己的服务，不是系统的：Linux 上是 systemd，macOS 上是 launchd，Windows 上是计划任务。设置必须完整：服务看不到你终端里的 MOONBELL_* 变量。",
        arguments: &[],
        after: "例子：
  moonbell service install
  moonbell service install --print     会安装什么
  moonbell service status
  moonbell service logs -f
  moonbell service uninstall

退出码：0 完成（status：在运行），1 失败（status：没有运行），2 用法错误。",
    },
    Page {
        command: "service install",
        about: "安装并启动；更新以后，或换了 --config，再运行一次",
        more: "",
        arguments: &[("print", "只显示会写入的内容")],
        after: "",
    },
    Page {
        command: "service uninstall",
        about: "停止并移除；设置、脚本和运行记录都保留",
        more: "",
        arguments: &[],
        after: "",
    },
    Page {
        command: "service status",
        about: "显示是否已安装、是否在运行",
        more: "",
        arguments: &[JSON],
        after: "",
    },
    Page {
        command: "service logs",
        about: "显示它的输出",
        more: "",
        arguments: &[("follow", "持续显示新的行，直到 Ctrl-C"), ("lines", "先显示多少行")],
        after: "",
    },
    Page {
        command: "claim",
        about: "显示认领码，发送它的人就是机器人的主人",
        more: "在单聊里发给机器人。只能用一次，十分钟内有效，一共可以试五次；新的认领码会让旧的失效。moonbell 是否在运行都可以。",
        arguments: &[("replace", "即使已经有人认领，也显示认领码")],
        after: "例子：
  moonbell claim
  moonbell claim --replace      已经有主人：谁发送新的认领码，谁就接管

退出码：0 已显示，1 失败或不需要，2 用法错误。",
    },
    Page {
        command: "lock",
        about: "立即停止所有任务，拒绝所有人",
        more: "moonbell 是否在运行都有效，重启以后仍然有效，直到在这台电脑上运行 moonbell unlock。主人和管理员也可以给机器人发送 lock。",
        arguments: &[("dev", "锁定 moonbell dev 的")],
        after: "例子：
  moonbell lock
  moonbell lock --dev      锁定 moonbell dev 的

不用 moonbell 也可以：在状态目录里新建一个叫 `locked` 的文件。",
    },
    Page {
        command: "unlock",
        about: "锁定以后，重新提供服务",
        more: "",
        arguments: &[("dev", "解锁 moonbell dev 的")],
        after: "例子：
  moonbell unlock
  moonbell unlock --dev    解锁 moonbell dev 的",
    },
    Page {
        command: "audit",
        about: "显示谁请求了什么，结果如何",
        more: "每次决定、任务结束、权限变化和锁定各一行；只有 id 和处理器，没有消息的内容。moonbell 不需要在运行。",
        arguments: &[
            ("json", "输出 JSON，每条记录一行"),
            ("who", "只看这个人做的：staff id，或 `host`、`local`"),
            ("since", "只看这么久以内的：30m、12h、7d"),
            ("denied", "只看被拒绝、停止或收回的"),
            ("last", "最近的 N 条"),
            ("dev", "读取 moonbell dev 的审计记录"),
        ],
        after: "例子：
  moonbell audit                             最近的决定
  moonbell audit --denied --since 1d         昨天以来谁被拒绝了
  moonbell audit --who manager4220 --json | jq -r .handler
  moonbell audit verify                      有没有记录被改动或移走

退出码：0 已显示，或完整；1 失败，或不完整；2 用法错误。",
    },
    Page {
        command: "audit verify",
        about: "检查记录的链条；指出第一条被改动的，或之前有缺失的",
        more: "",
        arguments: &[],
        after: "例子：
  moonbell audit verify",
    },
    Page {
        command: "grant",
        about: "允许别人的脚本做它们请求的事",
        more: "这些脚本在 `scripts.asked` 列出的目录里；你读过它们请求什么并同意以后，它们才可用。授权属于一个文件和它请求的内容：内容可以改，但请求更多时会再问你。不写 SCRIPT：逐个询问所有在等待的。正在运行的 moonbell 一秒内跟进。",
        arguments: &[
            ("script", "脚本：相对于脚本目录的路径，或任何其他路径"),
            ("list", "显示已经授权的和在等待的"),
            ("revoke", "收回给这个脚本的授权"),
            ("yes", "不再询问；给已经读过脚本的人"),
            ("json", "和 --list 一起：输出 JSON"),
            ("dev", "指 moonbell dev 的"),
        ],
        after: "例子：
  moonbell grant                                逐个询问在等待的脚本
  moonbell grant shared/report.luau
  moonbell grant --list                         每个脚本请求什么，得到了什么
  moonbell grant --revoke shared/report.luau    它立即不再可用

退出码：0 完成，或没有在等待的；1 没有授权；2 用法错误。",
    },
    Page {
        command: "runs",
        about: "列出运行过的任务，或显示一个任务的全部情况",
        more: "读取运行记录：moonbell 不需要在运行。`stop` 和 `again` 要由正在运行的 moonbell 来做。",
        arguments: &[
            ("id", "显示这个任务的全部情况"),
            JSON,
            ("state", "只看这种状态的"),
            ("since", "只看这么久以内的：2h、30m、7d"),
            ("limit", "最多多少个，最新的在前"),
            DEV,
        ],
        after: "例子：
  moonbell runs                                 最新的 20 个
  moonbell runs 7k3fa                           一个任务的全部，包括日志和输出
  moonbell runs --state failed --since 2h
  moonbell runs --json --limit 100 | jq -r '.[].handler'
  moonbell runs stop 7k3fa
  moonbell runs again 7k3fa                     以你（主人）的身份

退出码：0 完成，1 没有这个任务或没有在运行，2 用法错误。",
    },
    Page {
        command: "runs stop",
        about: "停止一个还没有结束的任务，以及它启动的所有程序",
        more: "",
        arguments: &[("id", "任务的编号")],
        after: "",
    },
    Page {
        command: "runs again",
        about: "以主人的身份，再运行一次任务的消息",
        more: "",
        arguments: &[("id", "任务的编号")],
        after: "",
    },
    Page {
        command: "logs",
        about: "显示日志：-f 持续显示，或只看一个任务的",
        more: "moonbell 把日志写在状态目录里，最多 20 MB；它不需要还在运行。",
        arguments: &[
            ("follow", "持续显示新的行，直到 Ctrl-C"),
            ("lines", "先显示多少行"),
            ("run", "只看这个任务的"),
            DEV,
        ],
        after: "例子：
  moonbell logs                    最后 100 行
  moonbell logs -f                 以及之后的
  moonbell logs --run 7k3fa        一个任务的；编号在回答和 moonbell runs 里
  moonbell logs -n 100000 | grep error",
    },
    Page {
        command: "usage",
        about: "显示钉钉每月额度的用量，按处理器和人",
        more: "由这个 moonbell 统计；正在运行时每秒写入一次。组织里的其他应用也用同样的额度：总量在 open-dev.dingtalk.com 上。",
        arguments: &[
            ("month", "看哪个月，按中国的日历（默认：本月）"),
            JSON,
            DEV,
        ],
        after: "例子：
  moonbell usage
  moonbell usage --month 2026-10
  moonbell usage --json | jq '.api_calls.used, .handlers[0]'",
    },
    Page {
        command: "outbox",
        about: "显示等待发送的回复，和发不出去的回复",
        more: "钉钉拒绝或一直不收的回复会搁置在这里，直到你重试或放弃。文字只显示开头。",
        arguments: &[JSON, DEV],
        after: "例子：
  moonbell outbox
  moonbell outbox --json | jq '.replies[] | select(.state == \"parked\")'
  moonbell outbox retry 12         解决原因以后，重试一条
  moonbell outbox retry all
  moonbell outbox drop 12          放弃它

查看时不需要在运行；`retry` 和 `drop` 要由正在运行的 moonbell 来做。",
    },
    Page {
        command: "outbox retry",
        about: "重试搁置的回复",
        more: "",
        arguments: &[("which", "回复的编号（moonbell outbox 会列出），或 `all`")],
        after: "例子：
  moonbell outbox retry 12
  moonbell outbox drop all",
    },
    Page {
        command: "outbox drop",
        about: "彻底放弃搁置的回复",
        more: "",
        arguments: &[("which", "回复的编号（moonbell outbox 会列出），或 `all`")],
        after: "例子：
  moonbell outbox retry 12
  moonbell outbox drop all",
    },
    Page {
        command: "check",
        about: "检查脚本而不运行：错误、类型、冲突、用不到的代码",
        more: "像正式运行时那样加载每个脚本（顶层会运行，处理器不会），然后丢弃。不写 PATH：如果有 ./scripts 就用它，否则用设置里的目录。",
        arguments: &[("path", "脚本目录，或一个脚本"), JSON],
        after: "例子：
  moonbell check
  moonbell check scripts/deploy.luau             一个脚本，和它与其他脚本的关系
  moonbell check --json | jq '.findings[].rule'  给程序用

注释 `-- moonbell: allow RULE` 会在这一行和下一行关闭一条规则。
退出码：0 没有发现问题，1 有发现，2 用法错误。",
    },
    Page {
        command: "test",
        about: "测试脚本：消息走完全程，时间、程序和 HTTP 由测试扮演",
        more: "`deploy.luau` 的测试是它旁边的 `deploy.test.luau`；写法见 docs/testing.md。不需要设置，也不需要密钥。不写 PATH：如果有 ./scripts 就用它，否则用设置里的目录。",
        arguments: &[
            ("paths", "测试文件、有测试的脚本，或目录"),
            ("filter", "只运行名字或文件名包含这段文字的测试"),
            ("json", "每个测试输出一行 JSON"),
            ("junit", "把结果也写入这个文件，格式是 JUnit XML"),
        ],
        after: "例子：
  moonbell test
  moonbell test scripts/deploy.luau       一个脚本的测试
  moonbell test --filter prod             名字或文件名里有 `prod` 的测试
  moonbell test --json | jq 'select(.ok | not).name'
  moonbell test --junit results.xml       给自动构建和测试的服务

退出码：0 全部通过，1 有失败，2 用法错误，包括没有测试。",
    },
    Page {
        command: "explain",
        about: "说明一条消息为什么运行，或为什么不运行：每一关的结果",
        more: "给出 TEXT：如果现在有人发送它，会怎么样；不会真的发送，也不会运行。用 --run 或 --last：一条已收到的消息当时怎么样（来自运行记录），现在的脚本会怎么处理它。",
        arguments: &[
            ("text", "有人可能输入的文字"),
            ("run", "一条已收到的消息：任务的编号，在回答和日志里"),
            ("last", "最近收到的一条消息"),
            ("who", "谁发送 TEXT：staff id，或 `owner`"),
            ("group", "TEXT 在群里发送，而不是单聊"),
            DEV,
            ("scripts", "用这个目录里的脚本来说明"),
            JSON,
        ],
        after: "例子：
  moonbell explain \"deploy prod\"
  moonbell explain \"deploy prod\" --as manager4220 --group
  moonbell explain --last                       最近收到的一条消息
  moonbell explain --run 7k3fa --json | jq .past

moonbell 不需要在运行。退出码：0 已说明，1 没有这个任务，2 用法错误。",
    },
    Page {
        command: "replay",
        about: "让收到过的消息走一遍现在的脚本；什么都不会真的发生",
        more: "使用运行记录里的消息（保留一天），或 --save 写出的文件。程序和 HTTP 调用只会列出来，得到空的成功结果；什么都不发送。对每条消息说明：当时由哪个处理器处理，现在由哪个处理，会说什么。",
        arguments: &[
            ("since", "这么久以内的消息"),
            ("run", "一条消息：任务的编号"),
            ("from", "--save 写出的文件里的消息"),
            ("save", "把消息写入这个文件，不含姓名"),
            ("dev", "moonbell dev 的消息"),
            ("scripts", "用这个目录里的脚本"),
            JSON,
        ],
        after: "例子：
  moonbell replay                             保存改动之前：现在会有什么不同？
  moonbell replay --since 2h --save today.json
  moonbell replay --from today.json           放在脚本的仓库里，作为回归测试
  moonbell replay --run 7k3fa --json | jq .messages[0].now

保存的文件里没有 id、姓名和 webhook，也没有看起来像密钥的内容；人们写的文字还在，所以分享之前请先读一遍。
退出码：0 都和以前一样处理，1 有的不再处理，2 用法错误。",
    },
    Page {
        command: "types",
        about: "写出类型定义和编辑器设置，让编辑器补全并解释每个名字",
        more: "在脚本目录里写入 moonbell.d.luau、moonbell.docs.json、.luaurc 和 .vscode/settings.json，供各种编辑器的语言服务器 luau-lsp（1.50 或更新）使用。你自己的设置会保留；更新 moonbell 以后请再运行一次。不写 DIR：如果有 ./scripts 就用它，否则用设置里的目录。",
        arguments: &[("dir", "脚本目录")],
        after: "例子：
  moonbell types
  moonbell types ~/handlers

Visual Studio Code：安装扩展 JohnnyMorganz.luau-lsp，然后打开这个目录。
Neovim、Zed、Helix、Sublime Text 等：要粘贴的内容在 docs/editors.md；它们启动
  luau-lsp lsp --definitions:@moonbell=moonbell.d.luau --docs=moonbell.docs.json",
    },
    Page {
        command: "completions",
        about: "输出终端的补全脚本",
        more: "",
        arguments: &[("shell", "哪一种终端")],
        after: "例子：
  moonbell completions bash > ~/.local/share/bash-completion/completions/moonbell
  moonbell completions zsh > ~/.zfunc/_moonbell
  moonbell completions fish > ~/.config/fish/completions/moonbell.fish",
    },
];
