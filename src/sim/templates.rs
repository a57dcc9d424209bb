//! Card templates that this DingTalk knows: which variables each has, and what drives its state.

/// The simulator's own template, for `dev`: family A, streams `content`, may have `title`, `progress` and `buttons`
/// (a JSON list of `{id, text, status?, color?}`), has a Stop button while `stop_action` is "true", and a button for each
/// `button_1` to `button_10` that is not empty, whose click sends `action_1` to `action_10` back as the parameter `action`.
pub const CARD_TEMPLATE: &str = "6d6f6f6e-6265-4c6c-8000-000000000001.schema";

/// How many buttons for answers that template has.
pub const CARD_BUTTONS: usize = 10;

/// Templates with a Stop button: the variable that shows it while it is "true", and its action id.
pub(super) const STOP_BUTTONS: &[(&str, &str, &str)] = &[
    (CARD_TEMPLATE, "stop_action", "stop"),
    ("675cde2f-f526-40cb-b828-f5b2b57b8b77.schema", "hasAction", "btn_stop"),
];

/// A published card template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub id: String,
    pub family: Family,
    /// Variables that may be streamed. Any other key is answered with 500.
    pub streams: Vec<String>,
}

/// What moves a card from "thinking" to its end (protocol F.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// The streaming calls: `isFinalize`, `isError`.
    Streaming,
    /// The variable `flowStatus`; streaming alone leaves the card thinking for ever.
    FlowStatus,
    /// Nothing: the card is complete as soon as it is there.
    Plain,
}

/// Public template ids (protocol F.5), with the variables that each streams.
const PUBLIC: &[(&str, Family, &[&str])] = &[
    (CARD_TEMPLATE, Family::Streaming, &["content"]),
    (
        "382e4302-551d-4880-bf29-a30acfab2e71.schema",
        Family::FlowStatus,
        &["msgContent", "staticMsgContent"],
    ),
    (
        "02fcf2f4-5e02-4a85-b672-46d1f715543e.schema",
        Family::FlowStatus,
        &["msgContent", "staticMsgContent"],
    ),
    ("8aebdfb9-28f4-4a98-98f5-396c3dde41a0.schema", Family::Streaming, &["content"]),
    ("2b07a3e6-cdf4-4e8f-8bac-a4f6e3e19eff.schema", Family::Streaming, &["content"]),
    ("d70f026e-7148-4479-b089-8dcf60289b9d.schema", Family::Streaming, &["content"]),
    ("589420e2-c1e2-46ef-a5ed-b8728e654da9.schema", Family::Plain, &[]),
    ("1366a1eb-bc54-4859-ac88-517c56a9acb1.schema", Family::Plain, &[]),
    ("7f538f6d-ebb7-4533-a9ac-61a32da094cf.schema", Family::FlowStatus, &[]),
    ("675cde2f-f526-40cb-b828-f5b2b57b8b77.schema", Family::FlowStatus, &["content"]),
    ("c2a6355b-9724-4f7e-9653-d33fcb3311bb.schema", Family::Plain, &[]),
    ("dac1dbec-55af-40c3-be91-6d6882ef3b66.schema", Family::Plain, &[]),
    ("d28e2ac5-fb34-4d93-94bc-cf5c580c2d4f.schema", Family::Plain, &[]),
];

/// Variables that hold the text of a card, in the order a reader sees them.
pub(super) const TEXT_VARIABLES: &[&str] =
    &["staticMsgContent", "msgContent", "content", "markdown"];

impl Template {
    /// A template of one's own, of the kind that the card builder makes today.
    pub fn streaming(id: impl Into<String>, variable: impl Into<String>) -> Self {
        Self { id: id.into(), family: Family::Streaming, streams: vec![variable.into()] }
    }

    pub(super) fn public() -> impl Iterator<Item = Self> {
        PUBLIC.iter().map(|(id, family, streams)| Self {
            id: (*id).to_owned(),
            family: *family,
            streams: streams.iter().map(|&name| name.to_owned()).collect(),
        })
    }
}
