//! One writer: revokes, extends, posts batches, logs out and restores until the server is gone, and keeps what was
//! acknowledged.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use revokd::token::{Issuer, Jti, Key};
use serde_json::{Value, json};

use super::chance::Chance;
use crate::real_server::{RealServer, answer, now};

/// What a writer was told is done. What was asked and not answered is in none of it.
#[derive(Default)]
pub(super) struct Done {
    /// Ids and the latest `exp` acknowledged for each.
    pub(super) revoked: HashMap<String, i64>,
    /// Ids that were taken back.
    pub(super) restored: HashSet<String>,
    /// Subjects that were logged out, and the first `iat` that is good.
    pub(super) logged_out: HashMap<String, i64>,
}

impl<const N: usize> From<[(String, i64); N]> for Done {
    fn from(revoked: [(String, i64); N]) -> Self {
        Self { revoked: revoked.into(), ..Self::default() }
    }
}

/// An entry that only one writer knows.
struct Own {
    jti: String,
    exp: i64,
    seq: u64,
}

/// How a writer reaches the server, which is owned by whoever kills it.
#[derive(Clone)]
pub(super) struct Door {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Door {
    pub(super) fn of(server: &RealServer) -> Self {
        Self { http: server.http.clone(), url: server.url.clone(), key: server.key.clone() }
    }

    /// `None` once the server is gone. Whatever else it says than 200 is no part of this game.
    async fn revoke(&self, media: &str, body: String) -> Option<Value> {
        let request = self.http.post(format!("{}/revoke", self.url)).header("content-type", media).body(body);
        self.ask(request).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Option<Value> {
        let (status, said) = answer(request.header("x-api-key", &self.key)).await.ok()?;
        assert_eq!(status, 200, "{said}");
        Some(said)
    }

    async fn log_out(&self, sub: &str) -> Option<Value> {
        let body = json!({ "sub": sub, "reason": "r".repeat(100) });
        self.ask(self.http.post(format!("{}/force-logout", self.url)).json(&body)).await
    }

    async fn restore(&self, own: &Own) -> Option<Value> {
        let key = Key::of_token(&Issuer::NAMELESS, &Jti::parse(&*own.jti).unwrap());
        let path = format!("{}/revocations/{}", self.url, URL_SAFE_NO_PAD.encode(key.0));
        self.ask(self.http.delete(path).header("if-match", own.seq)).await
    }

    async fn revoke_one(&self, jti: &str, exp: i64) -> Option<Value> {
        let body = json!({ "jti": jti, "exp": exp, "sub": "somebody", "reason": "r".repeat(200) });
        self.revoke("application/json", body.to_string()).await
    }
}

/// Writes until the server is gone. `earlier` are entries of others that may be extended.
pub(super) async fn write(door: Door, name: String, earlier: Vec<(String, i64)>, mut chance: Chance) -> Done {
    let mut done = Done::default();
    let mut own: Vec<Own> = Vec::new();
    let mut known = earlier;
    for turn in 0.. {
        let name = format!("{name}-{turn}");
        let went_on = match chance.below(10) {
            0 => batch(&door, &name, &mut done, &mut chance).await,
            1 | 2 if !known.is_empty() => {
                let (jti, exp) = pick(&mut known, &mut chance);
                *exp += i64::try_from(1 + chance.below(100_000)).unwrap();
                single(&door, jti, *exp, &mut done).await.map(drop)
            }
            3 => logged_out(&door, name, &mut done).await,
            4 | 5 if !own.is_empty() => taken_back(&door, pick(&mut own, &mut chance), &mut done).await,
            other => {
                let exp = exp(&mut chance);
                let seq = single(&door, &name, exp, &mut done).await;
                match seq {
                    Some(Some(seq)) if other == 6 => own.push(Own { jti: name, exp, seq }),
                    _ => known.push((name, exp)),
                }
                seq.map(drop)
            }
        };
        if went_on.is_none() {
            break;
        }
    }
    done
}

fn pick<'a, T>(all: &'a mut [T], chance: &mut Chance) -> &'a mut T {
    let place = usize::try_from(chance.below(all.len() as u64)).unwrap();
    &mut all[place]
}

async fn logged_out(door: &Door, sub: String, done: &mut Done) -> Option<()> {
    let said = door.log_out(&sub).await?;
    done.logged_out.insert(sub, said["good_from"].as_i64().unwrap());
    Some(())
}

/// Takes an entry back, or revokes it again. Until either is answered nobody knows which it is.
async fn taken_back(door: &Door, own: &mut Own, done: &mut Done) -> Option<()> {
    if done.restored.remove(&own.jti) {
        own.exp += 1;
        if let Some(seq) = single(door, &own.jti, own.exp, done).await? {
            own.seq = seq;
        }
        return Some(());
    }
    // What is about to end may be gone by then, which is 404.
    let exp = done.revoked.get(&own.jti).copied().filter(|exp| *exp > now() + 1_000);
    if exp.is_some() {
        done.revoked.remove(&own.jti);
        door.restore(own).await?;
        done.restored.insert(own.jti.clone());
    }
    Some(())
}

/// A few seconds, hours or days ahead.
fn exp(chance: &mut Chance) -> i64 {
    let ahead = [2 + chance.below(4), 3_600, 10_000 + chance.below(1_000_000)];
    now() + i64::try_from(ahead[usize::try_from(chance.below(3)).unwrap()]).unwrap()
}

/// Its `seq`, if it was stored.
async fn single(door: &Door, jti: &str, exp: i64, done: &mut Done) -> Option<Option<u64>> {
    let said = door.revoke_one(jti, exp).await?;
    if said["stored"] == true {
        done.revoked.insert(jti.to_owned(), exp);
        return Some(said["seq"].as_u64());
    }
    assert!(exp <= now(), "refused to store what had not expired: {said}");
    Some(None)
}

async fn batch(door: &Door, name: &str, done: &mut Done, chance: &mut Chance) -> Option<()> {
    let mut lines = String::new();
    let ids: Vec<_> = (0..10 + chance.below(150)).map(|line| format!("{name}-{line}")).collect();
    let exp = now() + 5_000 + i64::try_from(chance.below(100_000)).unwrap();
    for jti in &ids {
        writeln!(lines, "{}", json!({ "jti": jti, "exp": exp, "reason": "b".repeat(200) })).unwrap();
    }
    let said = door.revoke("application/x-ndjson", lines).await?;
    assert_eq!(said["accepted"], ids.len(), "{said}");
    done.revoked.extend(ids.into_iter().map(|jti| (jti, exp)));
    Some(())
}
