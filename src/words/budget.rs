//! DingTalk's monthly budgets: warnings to the owner, and the answer to `usage`.

words! {
    no_ledger {
        zh: "现在读不到用量，请稍后再试。",
        en: "The ledger cannot be read now; try again later.",
    }
}
