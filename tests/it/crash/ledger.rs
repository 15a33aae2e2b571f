//! What was acknowledged in a directory, and whether a server still knows it.

use std::collections::HashMap;
use std::fmt;

use serde_json::json;

use super::audited::Audited;
use super::chance::Chance;
use super::load::Done;
use super::verdicts;
use crate::real_server::{RealServer, now};

/// Ids in one check.
const IDS_PER_CHECK: usize = 2_000;

/// How many of the latest ids a judgement of [`Scope::Recent`] asks for, and of all ids by chance.
const RECENT: usize = 3_000;

/// Everything acknowledged, in order of the rounds.
#[derive(Default)]
pub(super) struct Ledger {
    ids: Vec<String>,
    /// The latest `exp` acknowledged.
    exps: HashMap<String, i64>,
    /// Ids taken back, in order of the rounds.
    restored: Vec<String>,
    /// Subjects logged out and the first `iat` that is good, in order of the rounds.
    logged_out: Vec<(String, i64)>,
}

/// What is asked for: a sample of the latest and of all, or everything.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Scope {
    Recent,
    Everything,
}

/// What a server got wrong.
#[derive(Debug)]
pub(super) enum Loss {
    /// Acknowledged as revoked, and reads good.
    Lost { jti: String, exp: i64, among: usize },
    /// Never revoked, or taken back, and reads revoked.
    Invented { jti: String },
    /// Acknowledged as logged out, and an earlier login reads good; or a later one reads revoked.
    LogOut { sub: String, iat: i64 },
    /// Acknowledged, and the audit does not tell of it.
    Untold { what: String },
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { jti, exp, among } => {
                write!(f, "{jti} was acknowledged with exp {exp} and reads good; {among} acknowledged in all")
            }
            Self::Invented { jti } => write!(f, "{jti} was never revoked, or taken back, and reads revoked"),
            Self::Untold { what } => write!(f, "what was acknowledged of {what} is not in the audit"),
            Self::LogOut { sub, iat } => write!(f, "{sub} was logged out, and a login at {iat} is judged wrong"),
        }
    }
}

impl Ledger {
    pub(super) fn len(&self) -> u64 {
        (self.ids.len() + self.restored.len() + self.logged_out.len()) as u64
    }

    /// Adds what a round's writers were told. A later `exp` stands, an earlier one does not shorten.
    pub(super) fn take(&mut self, round: Vec<Done>) {
        for done in &round {
            self.restored.extend(done.restored.iter().cloned());
            self.logged_out.extend(done.logged_out.iter().map(|(sub, from)| (sub.clone(), *from)));
        }
        for (jti, exp) in round.into_iter().flat_map(|done| done.revoked) {
            if let Some(known) = self.exps.get_mut(&jti) {
                *known = exp.max(*known);
            } else {
                self.exps.insert(jti.clone(), exp);
                self.ids.push(jti);
            }
        }
    }

    /// Some entries, chosen by chance.
    pub(super) fn some(&self, count: usize, chance: &mut Chance) -> Vec<(String, i64)> {
        if self.ids.is_empty() {
            return Vec::new();
        }
        let pick = |_| &self.ids[usize::try_from(chance.below(self.ids.len() as u64)).unwrap()];
        (0..count).map(pick).map(|jti| (jti.clone(), self.exps[jti])).collect()
    }

    fn asked(&self, scope: Scope, chance: &mut Chance) -> Vec<&str> {
        let ids = &self.ids;
        if scope == Scope::Everything || ids.len() <= 2 * RECENT {
            return ids.iter().map(String::as_str).collect();
        }
        let by_chance = (0..RECENT).map(|_| &ids[usize::try_from(chance.below(ids.len() as u64)).unwrap()]);
        ids[ids.len() - RECENT..].iter().chain(by_chance).map(String::as_str).collect()
    }

    /// Asks the server for acknowledged ids, and for strangers.
    ///
    /// # Errors
    /// The first thing that it got wrong.
    pub(super) async fn judge(&self, server: &RealServer, scope: Scope, chance: &mut Chance) -> Result<(), Loss> {
        for ids in self.asked(scope, chance).chunks(IDS_PER_CHECK) {
            let revoked = verdicts(server, ids).await;
            // Read after the answer: what has not expired by now had not then.
            let now = now();
            for (jti, revoked) in ids.iter().zip(revoked) {
                let exp = self.exps[*jti];
                if !revoked && exp > now {
                    return Err(Loss::Lost { jti: (*jti).to_owned(), exp, among: self.ids.len() });
                }
            }
        }
        self.judge_restored(server, scope).await?;
        self.judge_logged_out(server, scope).await?;
        let strangers: Vec<_> = (0..500).map(|_| format!("stranger-{}", chance.next())).collect();
        let ids: Vec<_> = strangers.iter().map(String::as_str).collect();
        let invented = verdicts(server, &ids).await.into_iter().position(|revoked| revoked);
        invented.map_or(Ok(()), |place| Err(Loss::Invented { jti: strangers[place].clone() }))
    }

    /// Reads all of the audit: every acknowledged change is in it.
    ///
    /// # Errors
    /// The first that is not.
    pub(super) async fn judge_audit(&self, server: &RealServer) -> Result<(), Loss> {
        let audited = Audited::of(server).await;
        // Without leeway an entry ends with its token.
        let revoked = |jti: &String| audited.revoked.get(jti).is_some_and(|end| *end >= self.exps[jti]);
        Audited::tells(self.ids.iter().map(|jti| (jti.as_str(), revoked(jti))))?;
        Audited::tells(self.restored.iter().map(|jti| (jti.as_str(), audited.restored.contains(jti))))?;
        Audited::tells(self.logged_out.iter().map(|(sub, _)| (sub.as_str(), audited.logged_out.contains(sub))))
    }

    async fn judge_restored(&self, server: &RealServer, scope: Scope) -> Result<(), Loss> {
        for ids in latest(&self.restored, scope).chunks(IDS_PER_CHECK) {
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            let revived = verdicts(server, &ids).await.into_iter().position(|revoked| revoked);
            revived.map_or(Ok(()), |place| Err(Loss::Invented { jti: ids[place].to_owned() }))?;
        }
        Ok(())
    }

    /// Logins of the last second that is revoked, and of the first that is good.
    async fn judge_logged_out(&self, server: &RealServer, scope: Scope) -> Result<(), Loss> {
        for subs in latest(&self.logged_out, scope).chunks(IDS_PER_CHECK / 2) {
            let logins: Vec<_> = subs.iter().flat_map(|(sub, from)| [(sub, from - 1), (sub, *from)]).collect();
            let ids: Vec<_> = logins.iter().map(|(sub, iat)| json!({ "sub": sub, "iat": iat })).collect();
            let revoked = verdicts(server, &ids).await;
            let wrong = (0..logins.len()).find(|place| revoked[*place] != (place % 2 == 0));
            let loss = |place: usize| Loss::LogOut { sub: logins[place].0.clone(), iat: logins[place].1 };
            wrong.map_or(Ok(()), |place| Err(loss(place)))?;
        }
        Ok(())
    }
}

fn latest<T>(all: &[T], scope: Scope) -> &[T] {
    let first = if scope == Scope::Everything { 0 } else { all.len().saturating_sub(RECENT) };
    &all[first..]
}
