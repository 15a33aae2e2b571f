//! One writer: revokes, extends and posts batches until the server is gone, and keeps what was acknowledged.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::chance::Chance;
use crate::real_server::{RealServer, answer, now};

/// What a writer was told is done: ids and the latest `exp` acknowledged for each.
pub(super) type Done = HashMap<String, i64>;

/// How a writer reaches the server, which is owned by whoever kills it.
#[derive(Clone)]
pub(super) struct Door {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Door {
    pub(super) fn of(server: &RealServer) -> Self {
        Self { http: server.http.clone(), url: format!("{}/revoke", server.url), key: server.key.clone() }
    }

    /// `None` once the server is gone. Whatever else it says than 200 is no part of this game.
    async fn revoke(&self, media: &str, body: String) -> Option<Value> {
        let request = self.http.post(&self.url).header("x-api-key", &self.key).header("content-type", media).body(body);
        let (status, said) = answer(request).await.ok()?;
        assert_eq!(status, 200, "{said}");
        Some(said)
    }

    async fn revoke_one(&self, jti: &str, exp: i64) -> Option<Value> {
        let body = json!({ "jti": jti, "exp": exp, "sub": "somebody", "reason": "r".repeat(200) });
        self.revoke("application/json", body.to_string()).await
    }
}

/// Writes until the server is gone. `earlier` are entries of others that may be extended.
pub(super) async fn write(door: Door, name: String, earlier: Vec<(String, i64)>, mut chance: Chance) -> Done {
    let mut done = Done::new();
    let mut own = earlier;
    for turn in 0.. {
        let went_on = match chance.below(8) {
            0 => batch(&door, &format!("{name}-{turn}"), &mut done, &mut chance).await,
            1 | 2 if !own.is_empty() => {
                let place = usize::try_from(chance.below(own.len() as u64)).unwrap();
                let (jti, exp) = &mut own[place];
                *exp += i64::try_from(1 + chance.below(100_000)).unwrap();
                single(&door, jti, *exp, &mut done).await
            }
            _ => {
                let (jti, exp) = (format!("{name}-{turn}"), exp(&mut chance));
                let went_on = single(&door, &jti, exp, &mut done).await;
                own.push((jti, exp));
                went_on
            }
        };
        if went_on.is_none() {
            break;
        }
    }
    done
}

/// A few seconds, hours or days ahead.
fn exp(chance: &mut Chance) -> i64 {
    let ahead = [2 + chance.below(4), 3_600, 10_000 + chance.below(1_000_000)];
    now() + i64::try_from(ahead[usize::try_from(chance.below(3)).unwrap()]).unwrap()
}

async fn single(door: &Door, jti: &str, exp: i64, done: &mut Done) -> Option<()> {
    let said = door.revoke_one(jti, exp).await?;
    if said["stored"] == true {
        done.insert(jti.to_owned(), exp);
    } else {
        assert!(exp <= now(), "refused to store what had not expired: {said}");
    }
    Some(())
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
    done.extend(ids.into_iter().map(|jti| (jti, exp)));
    Some(())
}
