//! `[tokens]`, `[check]` and `[limits]`: what a request may ask.

use confique::Config;
use serde::ser::SerializeSeq;
use serde::{Deserializer, Serialize, Serializer};

use super::values::one_or_many;
use crate::token::Selector;

/// What is believed about tokens, for issuers that do not say otherwise.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Tokens {
    /// Longest remaining lifetime that a caller may assert without showing the token, seconds. A token whose signature was
    /// verified may live longer, up to the fixed limit above. 1 to 315,360,000 (ten years).
    #[config(default = 2_678_400)]
    pub lifetime_max_s: i64,

    /// Largest leeway and clock error of any validator of these tokens, seconds: an entry lives until `exp` + leeway.
    /// 0 to 86,400.
    #[config(default = 300)]
    pub leeway_s: i64,

    /// Whether a verified token without `exp` can be revoked; its entry lives for `lifetime_max_s`.
    #[config(default = false)]
    pub allow_without_exp: bool,
}

/// What a check must bring, and what it may cost.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Check {
    /// Selectors that each check must bring, out of `jti`, `sid`, `family`, `sub`, `client_id` and `iss`; a check without
    /// them is refused. Example: `["jti", "sub"]`.
    #[config(default = [], deserialize_with = selectors)]
    #[serde(serialize_with = "names")]
    pub required: Vec<Selector>,

    /// Whether checks need no key. Only where every address in `server.listen` is loopback or a Unix socket.
    #[config(default = false)]
    pub keyless: bool,

    /// How long a check may wait for the index, milliseconds; then its answer is 503. 1 to 60,000.
    #[config(default = 250)]
    pub read_timeout_ms: u64,

    /// Most reads of the index at a time; one more is answered 503. 1 to 512.
    #[config(default = 64)]
    pub reads_max: usize,

    /// Most bytes, about, of tokens that are remembered for gateways once their signature was verified: 16 MiB hold some
    /// 25,000. Times, audience and revocation are judged each time. 0 for none, to 1,099,511,627,776.
    #[config(default = 16_777_216)]
    pub remembered_bytes_max: u64,
}

/// The limits of requests and of what is kept. Past one: an error that names it, and nothing half done. A tenth of what is
/// kept is reserved for admins.
#[derive(Debug, Clone, Config, Serialize)]
pub struct Limits {
    /// Largest JSON body, bytes. 1,024 to 1,073,741,824.
    #[config(default = 4_194_304)]
    pub body_bytes_max: usize,

    /// Largest NDJSON body, bytes. 1,024 to 1,073,741,824.
    #[config(default = 16_777_216)]
    pub ndjson_bytes_max: usize,

    /// Longest NDJSON line, bytes. 256 to 1,048,576, and at most `ndjson_bytes_max`.
    #[config(default = 32_768)]
    pub line_bytes_max: usize,

    /// Most bytes of request bodies held at one moment, all requests together; beyond it a request is answered 503. A tenth
    /// is reserved for admins; the rest must hold `body_bytes_max` and `ndjson_bytes_max`. Bodies that are read before it is
    /// known who sends them (forms) have a quarter of it besides. 1,024 to 1,099,511,627,776.
    #[config(default = 268_435_456)]
    pub bodies_bytes_max: usize,

    /// Most ids in one check of many. 1 to 1,000,000.
    #[config(default = 10_000)]
    pub batch_ids_max: usize,

    /// Most raw tokens in one check of many. 1 to 100,000.
    #[config(default = 1_000)]
    pub batch_tokens_max: usize,

    /// Most changes that wait for the journal, each line of NDJSON counted; one more is answered 503. 1 to 1,000,000.
    #[config(default = 32_768)]
    pub waiting_writes_max: usize,

    /// Most live entries per issuer; one more is answered 507. An extension adds a record, so it counts as one more until
    /// the entry's former end. 1 to 1,000,000,000.
    #[config(default = 50_000_000)]
    pub entries_max: u64,

    /// Most journal bytes per issuer; beyond it a write is answered 507. 1,048,576 to 1,125,899,906,842,624.
    #[config(default = 17_179_869_184u64)]
    pub journal_bytes_max: u64,

    /// Most cutoffs (force-logouts) held per issuer and per API key, those taken back included; each takes some 500 bytes of
    /// memory. One more is answered 507. 1 to 100,000,000.
    #[config(default = 1_000_000)]
    pub cutoffs_max: u64,

    /// How often one entry may be changed: its first revocation counts, then each extension or restoration; one more is
    /// answered 422. 1 to 1,000,000.
    #[config(default = 64)]
    pub changes_per_entry_max: u32,

    /// Most API keys; expired ones count until a purge forgets them, some two hours later. One more is answered 507.
    /// 1 to 10,000.
    #[config(default = 1_000)]
    pub keys_max: usize,

    /// Most requests a second with one API key or certificate, however many ids they hold, and as many at once (at least
    /// 10); one more is answered 429. A tenth is kept for admin routes and cutoffs, probes are not counted. 0 for no limit,
    /// to 1,000,000.
    #[config(default = 0)]
    pub requests_per_s: u32,

    /// Most requests a second without a valid key from one address (of IPv6 one /64, of Unix sockets all), and as many at
    /// once (at least 10); one more is answered 429. Never holds up a valid key. 0 for no limit, to 1,000,000.
    #[config(default = 50)]
    pub strangers_per_s: u32,
}

fn selectors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Selector>, D::Error> {
    one_or_many(deserializer, |name| {
        Selector::from_name(name)
            .ok_or_else(|| format!("{name:?} is no selector; write jti, sid, family, sub, client_id or iss"))
    })
}

fn names<S: Serializer>(selectors: &[Selector], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(selectors.len()))?;
    for selector in selectors {
        list.serialize_element(selector.as_str())?;
    }
    list.end()
}
