//! What a simulated organisation looks like, and the clocks and limits it keeps.

use std::time::Duration;

use super::StartError;
use super::templates::Template;

/// Client ids that this simulator serves start so: no id of DingTalk's looks like it.
pub const CLIENT_ID_PREFIX: &str = "dingsimulator";
/// Client secrets that this simulator serves start so.
pub const CLIENT_SECRET_PREFIX: &str = "simulator-secret-";

/// How to set up one simulator. [`Options::default`] is an organisation of five people with two groups.
#[derive(Clone, Debug)]
pub struct Options {
    /// On 127.0.0.1; 0 takes any free port.
    pub port: u16,
    pub client_id: String,
    pub client_secret: String,
    pub bot_name: String,
    pub people: Vec<NewPerson>,
    pub groups: Vec<NewGroup>,
    /// Templates beside the public ones and the simulator's own.
    pub templates: Vec<Template>,
    /// What the app may call; a call outside answers 403 and names the scope.
    pub scopes: Vec<String>,
    /// Before an app version is published, messages come without `senderStaffId`.
    pub published: bool,
    pub clocks: Clocks,
    pub limits: Limits,
    pub registration: Registration,
    /// Whether a new connection closes the older ones, as one report claims (protocol I-2).
    pub evict_older_connections: bool,
    /// Whether `CONNECTED` and `REGISTERED` are sent; DingTalk does not always.
    pub greet: bool,
}

#[derive(Clone, Debug)]
pub struct NewPerson {
    pub staff_id: String,
    pub nick: String,
    pub owner: bool,
    /// From outside the organisation: the bot gets no staff id.
    pub external: bool,
}

#[derive(Clone, Debug)]
pub struct NewGroup {
    pub title: String,
    pub members: Vec<String>,
}

/// How long things live and wait.
#[derive(Clone, Debug)]
pub struct Clocks {
    pub token: Duration,
    pub ticket: Duration,
    pub webhook: Duration,
    pub ping: Duration,
    /// From the `disconnect` frame to the end of the socket; nothing is delivered in between.
    pub disconnect: Duration,
    /// After this an unanswered message or event is pushed again; `None` never does.
    pub redelivery: Option<Duration>,
    pub redelivery_attempts: u32,
    pub card_answer: Duration,
}

/// Where DingTalk says no. `None` is no limit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Per path, answered with HTTP 403.
    pub calls_per_second: Option<u32>,
    pub webhook_per_minute: Option<u32>,
    pub webhook_bytes: usize,
    pub msg_param_bytes: usize,
    pub card_value_bytes: usize,
    pub monthly_api_calls: Option<u64>,
    pub monthly_pushes: Option<u64>,
    pub upload_bytes: usize,
    /// Refuse `""` as streaming content and streaming after the final frame (protocol I-3).
    pub strict_streaming: bool,
    /// Lines of the wire log that are kept.
    pub wire_lines: usize,
    /// Messages that are kept, and cards.
    pub messages: usize,
}

/// How apps are made by scanning a code.
#[derive(Clone, Debug)]
pub struct Registration {
    /// What a client is told to wait between polls; in whole seconds.
    pub interval: Duration,
    pub lifetime: Duration,
    /// After so many polls somebody has scanned; `None`: only when somebody does.
    pub scanned_after_polls: Option<u32>,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            // In practice, although two hours are advertised.
            lifetime: Duration::from_mins(10),
            scanned_after_polls: Some(2),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        let person = |staff_id: &str, nick: &str| NewPerson {
            staff_id: staff_id.to_owned(),
            nick: nick.to_owned(),
            owner: false,
            external: false,
        };
        let people = vec![
            NewPerson { owner: true, ..person("manager4220", "王小明") },
            person("015412345601", "Alice Chen"),
            person("015412345602", "李娜"),
            person("015412345603", "Bob Miller"),
            person("015412345604", "赵磊"),
        ];
        let members =
            |indexes: &[usize]| indexes.iter().map(|&i| people[i].staff_id.clone()).collect();
        let groups = vec![
            NewGroup {
                title: "研发群 Engineering".to_owned(), members: members(&[0, 1, 2, 3, 4])
            },
            NewGroup { title: "值班 On call".to_owned(), members: members(&[0, 2, 3]) },
        ];
        Self {
            port: 0,
            client_id: format!("{CLIENT_ID_PREFIX}0001"),
            client_secret: format!("{CLIENT_SECRET_PREFIX}0001"),
            bot_name: "moonbell".to_owned(),
            people,
            groups,
            templates: Vec::new(),
            scopes: [
                "qyapi_robot_sendmsg",
                "Card.Instance.Write",
                "Card.Streaming.Write",
                "Premium.Ding.Write",
            ]
            .map(str::to_owned)
            .to_vec(),
            published: true,
            clocks: Clocks::default(),
            limits: Limits::default(),
            registration: Registration::default(),
            evict_older_connections: false,
            greet: true,
        }
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Self {
            token: Duration::from_hours(2),
            ticket: Duration::from_secs(90),
            webhook: Duration::from_millis(5_400_180),
            ping: Duration::from_secs(20),
            disconnect: Duration::from_secs(10),
            redelivery: Some(Duration::from_mins(1)),
            redelivery_attempts: 3,
            card_answer: Duration::from_secs(2),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_per_second: None,
            webhook_per_minute: None,
            webhook_bytes: 20_000,
            msg_param_bytes: 15_000,
            card_value_bytes: 20_000,
            monthly_api_calls: None,
            monthly_pushes: None,
            upload_bytes: 20 * 1024 * 1024,
            strict_streaming: false,
            wire_lines: 2_000,
            messages: 10_000,
        }
    }
}

impl Options {
    /// Refuses what must never reach a simulator: credentials that could be somebody's real ones.
    pub(super) fn check(&self) -> Result<(), StartError> {
        if !self.client_id.starts_with(CLIENT_ID_PREFIX) {
            return Err(StartError::RealClientId { client_id: self.client_id.clone() });
        }
        if !self.client_secret.starts_with(CLIENT_SECRET_PREFIX) {
            return Err(StartError::RealClientSecret);
        }
        Ok(())
    }
}
