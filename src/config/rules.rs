//! The limits of every value, and what values must agree on.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::Path;

use super::error::Problem;
use super::source::Origin;
use super::{Audit, Check, Clock, Config, Filter, Limits, Log, Server, Store, Tls, Tokens, public_url};
use crate::gateway::Mode;
use crate::keys::Scope;
use crate::tls::{ClientAuth, validate_clients};
use crate::token::Selector;
use crate::verifier::IssuerSettings;

const HOUR_MS: u64 = 3_600_000;
const MIB: u64 = 1_048_576;

/// Every rule that `config` breaks.
pub(super) fn broken(config: &Config, origins: &BTreeMap<String, Origin>) -> Vec<Problem> {
    let mut rules = Rules { origins, problems: Vec::new() };
    rules.server(&config.server);
    rules.tls(&config.tls, &config.server, &config.issuers);
    rules.store(&config.store);
    rules.audit(&config.audit);
    rules.tokens(&config.tokens);
    rules.filter(&config.filter);
    rules.clock(&config.clock);
    rules.check(&config.check, config);
    rules.limits(&config.limits, &config.server);
    rules.log(&config.log);
    rules.issuers(config);
    rules.gateways(config);
    rules.problems
}

struct Rules<'a> {
    origins: &'a BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

impl Rules<'_> {
    fn refuse(&mut self, key: &str, message: String) {
        let place = self.origins.get(key).unwrap_or(&Origin::Default).to_string();
        self.problems.push(Problem::new(place, message));
    }

    fn range<T: PartialOrd + Display + Copy>(&mut self, key: &str, value: T, allowed: RangeInclusive<T>) {
        // NaN is in no range.
        if !allowed.contains(&value) {
            let (least, most) = (allowed.start(), allowed.end());
            self.refuse(key, format!("`{key}` is {value}; it must be from {least} to {most}"));
        }
    }

    fn server(&mut self, server: &Server) {
        if server.listen.is_empty() {
            self.refuse("server.listen", "`server.listen` is empty; it must name at least one address".to_owned());
        }
        for (index, address) in server.listen.iter().enumerate() {
            if server.listen[..index].contains(address) {
                self.refuse("server.listen", format!("`server.listen` names {address} twice"));
            }
        }
        if let Some(fault) = public_url::fault(&server.public_url) {
            self.refuse("server.public_url", format!("`server.public_url` {fault}"));
        }
        self.range("server.connections_max", server.connections_max, 1..=1_000_000);
        self.range("server.handshake_timeout_ms", server.handshake_timeout_ms, 1..=600_000);
        self.range("server.header_timeout_ms", server.header_timeout_ms, 1..=600_000);
        self.range("server.idle_timeout_ms", server.idle_timeout_ms, 1..=24 * HOUR_MS);
        self.range("server.body_timeout_ms", server.body_timeout_ms, 1..=600_000);
        self.range("server.drain_delay_ms", server.drain_delay_ms, 0..=600_000);
        self.range("server.grace_ms", server.grace_ms, 0..=600_000);
        self.range("server.in_flight_ids_max", server.in_flight_ids_max, 1..=100_000_000);
        self.range("server.worker_threads", server.worker_threads, 0..=1_024);
    }

    fn tls(&mut self, tls: &Tls, server: &Server, issuers: &[IssuerSettings]) {
        let is_set = |path: &Path| !path.as_os_str().is_empty();
        let address = server.listen.iter().find(|address| address.is_tls());
        for (key, path) in [("tls.certificate_file", &tls.certificate_file), ("tls.key_file", &tls.key_file)] {
            match address {
                Some(address) if !is_set(path) => {
                    self.refuse(key, format!("`{key}` is empty, but {address} in `server.listen` needs it"));
                }
                None if is_set(path) => {
                    let message = format!("`{key}` is set, but no address in `server.listen` begins with tls://");
                    self.refuse(key, message);
                }
                _ => {}
            }
        }
        if !is_set(&tls.client_ca_file) {
            for (key, needs_it) in
                [("tls.client_auth", tls.client_auth == ClientAuth::Required), ("tls.clients", !tls.clients.is_empty())]
            {
                if needs_it {
                    self.refuse(key, format!("`{key}` needs `tls.client_ca_file`, which is empty"));
                }
            }
        } else if address.is_none() {
            let message = "`tls.client_ca_file` is set, but no address in `server.listen` begins with tls://";
            self.refuse("tls.client_ca_file", message.to_owned());
        }
        if let Err(error) = validate_clients(&tls.clients) {
            self.refuse("tls.clients", error.to_string());
        }
        for (row, iss) in tls.clients.iter().flat_map(|row| row.issuers.iter().map(move |iss| (row, iss))) {
            if !issuers.iter().any(|issuer| issuer.iss == *iss) {
                let message =
                    format!("[[tls.clients]] \"{}\": `issuers` names {iss:?}, which no [[issuers]] has", row.san);
                self.refuse("tls.clients", message);
            }
        }
    }

    fn store(&mut self, store: &Store) {
        if store.path.as_os_str().is_empty() {
            self.refuse("store.path", "`store.path` is empty; it must name a directory".to_owned());
        }
        self.range("store.segment_bytes", store.segment_bytes, MIB..=4_096 * MIB);
        self.range("store.cache_bytes", store.cache_bytes, MIB..=MIB * MIB);
        self.range("store.overlay_entries_max", store.overlay_entries_max, 1..=10_000_000);
        self.range("store.open_timeout_ms", store.open_timeout_ms, 100..=HOUR_MS);
    }

    fn audit(&mut self, audit: &Audit) {
        self.range("audit.keep_s", audit.keep_s, 0..=315_360_000);
        self.range("audit.bytes_max", audit.bytes_max, MIB..=MIB * MIB * 1_024);
    }

    fn tokens(&mut self, tokens: &Tokens) {
        self.range("tokens.lifetime_max_s", tokens.lifetime_max_s, 1..=315_360_000);
        self.range("tokens.leeway_s", tokens.leeway_s, 0..=86_400);
    }

    fn filter(&mut self, filter: &Filter) {
        self.range("filter.false_positive_rate", filter.false_positive_rate, 1e-9..=0.5);
        self.range("filter.capacity_min", filter.capacity_min, 1_000..=1_000_000_000);
    }

    fn clock(&mut self, clock: &Clock) {
        self.range("clock.step_max_s", clock.step_max_s, 1..=86_400);
        self.range("clock.hold_s", clock.hold_s, 60..=31_536_000);
    }

    fn check(&mut self, check: &Check, config: &Config) {
        self.range("check.read_timeout_ms", check.read_timeout_ms, 1..=60_000);
        self.range("check.reads_max", check.reads_max, 1..=512);
        self.range("check.remembered_bytes_max", check.remembered_bytes_max, 0..=MIB * MIB);
        for (index, selector) in check.required.iter().enumerate() {
            if check.required[..index].contains(selector) {
                self.refuse("check.required", format!("`check.required` names {} twice", selector.as_str()));
            }
        }
        if check.required.contains(&Selector::Iss) && config.issuers.is_empty() {
            let message =
                "`check.required` asks for iss, but no [[issuers]] is configured: every check would be refused";
            self.refuse("check.required", message.to_owned());
        }
        if let (true, Some(address)) = (check.keyless, config.server.listen.iter().find(|address| !address.is_local()))
        {
            let message = format!("`check.keyless` is true, but {address} in `server.listen` is not loopback or unix");
            self.refuse("check.keyless", message);
        }
    }

    fn limits(&mut self, limits: &Limits, server: &Server) {
        let gib = 1_073_741_824;
        self.range("limits.body_bytes_max", limits.body_bytes_max, 1_024..=gib);
        self.range("limits.ndjson_bytes_max", limits.ndjson_bytes_max, 1_024..=gib);
        self.range("limits.line_bytes_max", limits.line_bytes_max, 256..=1_048_576);
        self.range("limits.bodies_bytes_max", limits.bodies_bytes_max, 1_024..=1_024 * gib);
        self.range("limits.batch_ids_max", limits.batch_ids_max, 1..=1_000_000);
        self.range("limits.batch_tokens_max", limits.batch_tokens_max, 1..=100_000);
        self.range("limits.waiting_writes_max", limits.waiting_writes_max, 1..=1_000_000);
        self.range("limits.entries_max", limits.entries_max, 1..=1_000_000_000);
        self.range("limits.journal_bytes_max", limits.journal_bytes_max, MIB..=MIB * MIB * 1_024);
        self.range("limits.cutoffs_max", limits.cutoffs_max, 1..=100_000_000);
        self.range("limits.changes_per_entry_max", limits.changes_per_entry_max, 1..=1_000_000);
        self.range("limits.keys_max", limits.keys_max, 1..=10_000);
        self.range("limits.requests_per_s", limits.requests_per_s, 0..=1_000_000);
        self.range("limits.strangers_per_s", limits.strangers_per_s, 0..=1_000_000);
        if limits.line_bytes_max > limits.ndjson_bytes_max {
            let (line, body) = (limits.line_bytes_max, limits.ndjson_bytes_max);
            let message =
                format!("`limits.line_bytes_max` is {line}, more than `limits.ndjson_bytes_max`, which is {body}");
            self.refuse("limits.line_bytes_max", message);
        }
        // A tenth is reserved for admins; one body of another caller must fit into the rest.
        let all = limits.bodies_bytes_max;
        for (key, bytes) in
            [("limits.body_bytes_max", limits.body_bytes_max), ("limits.ndjson_bytes_max", limits.ndjson_bytes_max)]
        {
            if bytes > all - all / 10 {
                let message =
                    format!("`{key}` is {bytes}, more than nine tenths of `limits.bodies_bytes_max`, which is {all}");
                self.refuse(key, message);
            }
        }
        // A tenth is reserved for admins; one batch of another caller must fit into the rest.
        let all = server.in_flight_ids_max;
        if limits.batch_ids_max > all - all / 10 {
            let batch = limits.batch_ids_max;
            let message = format!(
                "`limits.batch_ids_max` is {batch}, more than nine tenths of `server.in_flight_ids_max`, which is {all}"
            );
            self.refuse("limits.batch_ids_max", message);
        }
    }

    fn log(&mut self, log: &Log) {
        const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
        for directive in log.level.split(',').map(str::trim) {
            let level = directive.rsplit('=').next().unwrap_or_default();
            if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
                let levels = LEVELS.join(", ");
                let message = format!("`log.level` has {directive:?}; write a level ({levels}) or module=level");
                self.refuse("log.level", message);
            }
        }
    }

    fn issuers(&mut self, config: &Config) {
        let mut names = HashSet::new();
        for issuer in &config.issuers {
            if let Err(error) = issuer.validate() {
                self.refuse("issuers", error.to_string());
            }
            if !names.insert(&issuer.iss) {
                self.refuse("issuers", format!("two [[issuers]] have the same `iss` {:?}", issuer.iss));
            }
        }
    }

    fn gateways(&mut self, config: &Config) {
        let mut faults = Vec::new();
        let (mut names, mut callers) = (BTreeSet::new(), BTreeSet::new());
        for gateway in &config.gateways {
            let mut refuse = |fault: String| faults.push(format!("[[gateways]] {:?}: {fault}", gateway.name));
            if let Err(error) = gateway.validate() {
                refuse(error.fault);
                continue;
            }
            if !names.insert(&gateway.name) {
                refuse("another section has the same `name`".to_owned());
            }
            if let Some(twice) = gateway.callers().find(|caller| !callers.insert(caller.clone())) {
                refuse(format!("the credential {twice:?} is also another's, or here twice"));
            }
            let can_check = |san: &String| {
                config.tls.clients.iter().any(|row| row.san.to_string() == *san && row.scopes.contains(&Scope::Check))
            };
            if let Some(san) = gateway.certificates.iter().find(|san| !can_check(san)) {
                refuse(format!("`certificates` names {san:?}, which no [[tls.clients]] with the scope check has"));
            }
            for address in &gateway.listen {
                match config.server.listen.iter().find(|listened| listened.to_string() == *address) {
                    None => refuse(format!("`listen` names {address:?}, which `server.listen` does not")),
                    // Whoever reaches it may ask.
                    Some(listened) if !listened.is_local() => {
                        refuse(format!("`listen` names {address:?}, which is neither loopback nor unix"));
                    }
                    Some(_) => {}
                }
            }
            if gateway.mode == Mode::Verify && config.issuers.is_empty() {
                let fault = "`mode` is \"verify\", but there are no [[issuers]] whose keys could verify anything";
                refuse(fault.to_owned());
            }
        }
        for fault in faults {
            self.refuse("gateways", fault);
        }
    }
}
