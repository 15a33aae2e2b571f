//! revokd: the revocation layer that stateless JWTs lack.
//!
//! A denylist of token ids in an embedded store, fronted by Bloom filters so that almost every check is answered from
//! memory, and purged once the tokens have expired by themselves. It is not a session store, not an authorisation
//! server and not a cache: a verdict of [`Good`](revocation::Verdict::Good) means "not revoked" and no more.
//!
//! Reading order: [`token`], [`revocation`] and [`event`] are the words; [`denylist`] is the core, and every change goes
//! through it; [`journal`] is the authority on disk, [`audit`] reads it as a history, and [`index`] can be
//! rebuilt from it; [`gateway`] judges what gateways ask; [`http`], [`grpc`], [`cli`] and [`jobs`] are the doors, [`tls`]
//! their lock; [`app`] puts everything together. The promises that the code names by number:
//!
//! 1. Acknowledged means durable. 2. Journal, then index, then filter, then answer. 3. In doubt, never good. 4. The
//!    filter only saves time. 5. Entries outlive tokens. 6. Time is judged on read. 7. The clock is doubted, not
//!    believed. 8. One history. 9. One door. 10. Ready means caught up. 11. Everything has a limit. 12. No token, key or
//!    raw claim value in logs, metrics or error bodies. 13. Bytes have a version. 14. One owner per outside crate. 15.
//!    Cutoffs are all evaluated and the strictest wins. 16. Keys carry the issuer, and issuers are a closed list. 17. A
//!    verdict says what it judged.

pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod denylist;
pub mod event;
pub mod gateway;
pub mod grpc;
pub mod http;
pub mod index;
pub mod issuers;
pub mod jobs;
pub mod journal;
pub mod keys;
pub mod metrics;
pub mod readiness;
pub mod revocation;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod token;
pub mod verifier;
pub mod wire;
