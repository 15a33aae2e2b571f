//! Whether the audit tells of everything that was acknowledged.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::ledger::Loss;
use crate::real_server::RealServer;

/// What the audit says, by what was done.
pub(super) struct Audited {
    /// Ids and the latest end that is told of each.
    pub(super) revoked: HashMap<String, i64>,
    pub(super) restored: HashSet<String>,
    pub(super) logged_out: HashSet<String>,
    /// Records in all.
    pub(super) records: u64,
}

impl Audited {
    /// Exports all of it. Places must rise, and without a gap.
    pub(super) async fn of(server: &RealServer) -> Self {
        let request = server.http.get(format!("{}/audit", server.url)).header("x-api-key", &server.key);
        let answer = request.header("accept", "application/x-ndjson").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{}", server.log());
        let text = answer.text().await.unwrap();
        let mut audited =
            Self { revoked: HashMap::new(), restored: HashSet::new(), logged_out: HashSet::new(), records: 0 };
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            audited.records += 1;
            assert_eq!(record["seq"], audited.records, "a gap in the audit");
            let value = record["value"].as_str().unwrap_or_default().to_owned();
            match (record["what"].as_str().unwrap(), record["kind"].as_str()) {
                ("revoked", _) => {
                    let end = audited.revoked.entry(value).or_default();
                    *end = record["expires_at"].as_i64().unwrap().max(*end);
                }
                ("restored", Some("jti")) => _ = audited.restored.insert(value),
                ("cutoff", Some("sub")) => _ = audited.logged_out.insert(value),
                _ => {}
            }
        }
        audited
    }

    /// Refuses what is not told.
    pub(super) fn tells<'a>(mut found: impl Iterator<Item = (&'a str, bool)>) -> Result<(), Loss> {
        found.find(|(_, is_told)| !is_told).map_or(Ok(()), |(what, _)| Err(Loss::Untold { what: what.to_owned() }))
    }
}
