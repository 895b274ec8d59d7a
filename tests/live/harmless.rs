//! What a report may show as it is: words of the API itself, which say nothing about whoever owns the account.
//!
//! Everything that is not listed here is replaced. A new field's name is shown when it looks like a name of the API's own, its value
//! is not.

/// Keys whose texts come from a short list of the API's own words.
const ENUM_KEYS: &[&str] = &[
    "code_update_strategy",
    "compatibility_flags",
    "entry_point",
    "environment",
    "handlers",
    "keep_bindings",
    "last_deployed_from",
    "main_module",
    "mode",
    "module",
    "named_handlers",
    "placement_mode",
    "source",
    "status",
    "strategy",
    "triggered_by",
    "type",
    "usage_model",
    "workers/triggered_by",
];

/// The words themselves. They are shown below [`ENUM_KEYS`] only: anywhere else the same word may be somebody's name.
const ENUMS: &[&str] = &[
    "A",
    "AAAA",
    "CNAME",
    "active",
    "alarm",
    "analytics_engine",
    "api",
    "application/javascript+module",
    "application/wasm",
    "bundled",
    "class",
    "dash",
    "deferred",
    "deployment",
    "durable_object_namespace",
    "entrypoint",
    "fetch",
    "full",
    "immediate",
    "index.js",
    "index_bg.wasm",
    "inherit",
    "json",
    "message",
    "moved",
    "nodejs_compat",
    "partial",
    "pending",
    "percentage",
    "plain_text",
    "production",
    "promotion",
    "ratelimit",
    "rollback",
    "secondary",
    "secret",
    "secret_key",
    "secret_text",
    "smart",
    "standard",
    "terraform",
    "unbound",
    "unknown",
    "upload",
    "version_metadata",
    "version_upload",
    "wrangler",
];

/// Names that this project gives to what it deploys, the same in every account (`worker/protocol/src/contract/binding.rs`).
const OWN_NAMES: &[&str] = &[
    "ADMIN_SECRET",
    "BROADCAST_RATE",
    "BROADCAST_ROOM",
    "BroadcastRoom",
    "CF_VERSION_METADATA",
    "CONNECT_RATE",
    "ENVIRONMENT",
    "SETTINGS",
    "WEBHOOK_SECRET",
    "WEBHOOK_SECRET_ALTERNATE",
];

/// Keys whose numbers count or measure something of the API's own.
const NUMBERS: &[&str] = &[
    "code",
    "count",
    "cpu_ms",
    "head_sampling_rate",
    "limit",
    "max_delay",
    "number",
    "page",
    "per_page",
    "percentage",
    "period",
    "startup_time_ms",
    "status",
    "total_count",
    "total_pages",
    "ttl",
];

/// Keys whose texts are sentences for a person.
const SENTENCES: &[&str] = &[
    "detail",
    "error",
    "errors",
    "message",
    "messages",
    "workers/message",
];

/// Parts of the API's paths.
const PATH_WORDS: &[&str] = &[
    "accounts",
    "client",
    "content",
    "deployments",
    "dns_records",
    "domains",
    "durable_objects",
    "memberships",
    "namespaces",
    "objects",
    "records",
    "routes",
    "script-settings",
    "scripts",
    "secrets",
    "secrets-bulk",
    "services",
    "settings",
    "subdomain",
    "tails",
    "tokens",
    "user",
    "v2",
    "v4",
    "verify",
    "versions",
    "workers",
    "zones",
];

/// Words of which the API's messages are made, and those of this tool.
const MESSAGE_WORDS: &str = "
    a about above accepted access account accounts active add again age all allowed already also an and another answer answered any api as
    ask asks at authentication authorization authorized automatic bad be because been before below between binding bindings but by
    can cannot certificate change changed changes check checks class classes client code com compatibility conflict content contain
    contains could create created creating custom date day days delete deleted deploy deployed deployment deployments did different dns
    do does domain domains durable each either empty error errors exceeded exist existing exists expected export exported external
    externally failed failure field file first flag for force forbidden format found from full get given go had handler has have header
    health hostname hostnames id ids if in internal invalid is it its key latest length less like limit limits list live long longer lower
    managed manifest many match maximum message metadata method migration migrations minimum missing module modules more must name
    named namespace namespaces new no not nothing number object objects of old on one only open or origin other override page part
    percentage permission permissions plan please points previous proxied publish rate read record records refused remove removed
    request requested requests required resource response result rollback route routes run same script scripts second seconds secret
    secrets see send server service services set setting settings should since socket started startup step steps strategy subdomain
    success support supported syntax tag tags than that the their them then there these they this those time timeout to token tokens
    too traffic try type unable unauthorized unexpected unknown unsupported until update updated upload uploaded url use used user uses
    using valid validation value values verification version versions very was were what when where which while why will with within
    without work worker workers write wrong you your zone zones";

/// Whether a text below `key` is one of the API's own words.
pub(super) fn is_enum(key: &str, text: &str) -> bool {
    ENUM_KEYS.contains(&key) && ENUMS.contains(&text)
}

/// Whether a text names something that this project names alike everywhere.
pub(super) fn is_own_name(text: &str) -> bool {
    OWN_NAMES.contains(&text)
}

/// Whether a number below `key` tells nothing about the account. Identifiers are longer.
pub(super) fn is_number(key: &str, number: f64) -> bool {
    NUMBERS.contains(&key) && number.abs() < 10_000_000.0
}

/// Whether a text below `key` is a sentence.
pub(super) fn is_sentence(key: &str) -> bool {
    SENTENCES.contains(&key)
}

/// Whether a part of a path is the API's own.
pub(super) fn is_path_word(text: &str) -> bool {
    PATH_WORDS.contains(&text)
}

/// Whether a word of a sentence is the API's own, or an HTTP status.
pub(super) fn is_message_word(word: &str) -> bool {
    let is_status =
        word.len() == 3 && word.starts_with(['4', '5']) && word.bytes().all(|b| b.is_ascii_digit());
    is_status
        || MESSAGE_WORDS
            .split_whitespace()
            .any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether a key looks like a field's name, as the API's are: `created_on`, `workers/tag`. An id, a host or a token does not: they
/// have digits or dots, or are longer.
pub(super) fn is_field(key: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'/';
    (1..=31).contains(&key.len()) && key.bytes().all(is_letter)
}
