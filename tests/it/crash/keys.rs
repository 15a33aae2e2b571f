//! API keys under kill -9: one that was acknowledged opens doors after it, one whose revocation was does not, and the loss
//! of the index changes nothing.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::chance::{self, Chance};
use super::say;
use crate::real_server::{Home, RealServer, answer};

/// What was acknowledged.
#[derive(Default)]
struct Known {
    good: Vec<Key>,
    revoked: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    text: String,
}

/// Makes and revokes keys until the server is gone. What was asked and not answered is in neither list.
fn work(server: &RealServer, mut known: Known, mut chance: Chance) -> JoinHandle<Known> {
    let (http, url, admin) = (server.http.clone(), server.url.clone(), server.key.clone());
    tokio::spawn(async move {
        loop {
            if known.good.len() > 3 && chance.below(3) == 0 {
                let place = usize::try_from(chance.below(known.good.len() as u64)).unwrap();
                let key = known.good.swap_remove(place);
                let asked = http.delete(format!("{url}/keys/{}", key.id)).header("x-api-key", &admin);
                let Ok((status, said)) = answer(asked).await else { break };
                assert_eq!(status, 200, "{said}");
                known.revoked.push(key);
            } else {
                let body = json!({"label": "crash", "scopes": ["check"], "client_ids": ["shop"]});
                let asked = http.post(format!("{url}/keys")).header("x-api-key", &admin).json(&body);
                let Ok((status, said)) = answer(asked).await else { break };
                assert_eq!(status, 200, "{said}");
                let text = |name: &str| said[name].as_str().unwrap().to_owned();
                known.good.push(Key { id: text("id"), text: text("key") });
            }
        }
        known
    })
}

async fn status_with(server: &RealServer, key: &Key, query: &str) -> (u16, Value) {
    let asked = server.http.get(format!("{}/check/a{query}", server.url)).header("x-api-key", &key.text);
    answer(asked).await.unwrap()
}

async fn judge(server: &RealServer, known: &Known) {
    for key in &known.good {
        assert_eq!(status_with(server, key, "?client_id=shop").await.0, 200, "an acknowledged key is lost");
    }
    if let Some(key) = known.good.first() {
        assert_eq!(status_with(server, key, "").await.0, 403, "a key has lost its bounds");
    }
    for key in &known.revoked {
        assert_eq!(status_with(server, key, "?client_id=shop").await.0, 401, "a revoked key opens doors again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_lost_or_comes_back_by_kill_9_nor_by_the_loss_of_the_index() {
    let seed = super::setting("REVOKD_CRASH_SEED").unwrap_or_else(chance::seed);
    say(&format!("REVOKD_CRASH_SEED={seed} repeats the choices"));
    let mut chance = Chance::new(seed);
    let home = Home::new(&["limits.keys_max=10000", "limits.strangers_per_s=0"]);
    let mut known = Known::default();
    for round in 0..6 {
        let mut server = home.start().await;
        judge(&server, &known).await;
        let working = work(&server, known, Chance::new(chance.next()));
        tokio::time::sleep(Duration::from_millis(30 + chance.below(150))).await;
        server.kill();
        known = working.await.unwrap();
        if round % 2 == 1 {
            std::fs::remove_dir_all(home.path("data/index")).unwrap();
        }
    }
    judge(&home.start().await, &known).await;
    say(&format!("{} keys, {} revoked", known.good.len(), known.revoked.len()));
    assert!(known.good.len() + known.revoked.len() > 20, "too little was done to prove anything");
}
