//! One verdict as it is said on the wire, without an allocation where it is the commonest of all.

use bytes::Bytes;

use super::super::Http;
use super::Judged;
use crate::revocation::{Revoked, Verdict};
use crate::token::Selector;
use crate::wire::CheckAnswer;

/// A good verdict on a check by `jti` alone.
const COMMONEST: &[u8] = br#"{"revoked":false,"judged":["jti"]}"#;

/// One verdict, as it is said on the wire.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Not revoked, as far as was judged.
    Good(Judged),
    /// Revoked by an entry. Few are, and the others should not be larger for it.
    Revoked(Box<Revoked>, Judged),
    /// A raw token that proves nothing reads as revoked (promise 3).
    Unverifiable,
}

impl Answer {
    pub(crate) fn new(verdict: Verdict, judged: Judged) -> Self {
        match verdict {
            Verdict::Good => Self::Good(judged),
            Verdict::Revoked(revoked) => Self::revoked(revoked, judged),
        }
    }

    /// Revoked, by a selector that was judged then even if the check did not name it: its issuer is always known.
    pub(crate) fn revoked(revoked: Revoked, judged: Judged) -> Self {
        let judged = judged.and(revoked.by);
        Self::Revoked(revoked.into(), judged)
    }

    /// The whole body; the commonest one of all is not even copied.
    pub(crate) fn body(&self) -> Bytes {
        if self.is_commonest() {
            return Bytes::from_static(COMMONEST);
        }
        let mut json = Vec::with_capacity(128);
        self.write(&mut json);
        json.into()
    }

    /// Appends the answer's JSON, the same bytes as those of [`CheckAnswer`].
    pub(crate) fn write(&self, json: &mut Vec<u8>) {
        if self.is_commonest() {
            json.extend_from_slice(COMMONEST);
        } else if let Self::Good(judged) = self {
            json.extend_from_slice(br#"{"revoked":false,"judged":["#);
            for (at, name) in judged.names().enumerate() {
                json.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
                json.extend_from_slice(name.as_bytes());
                json.push(b'"');
            }
            json.extend_from_slice(b"]}");
        } else {
            // Writing plain data into memory cannot fail.
            let _ = serde_json::to_writer(json, &self.to_wire());
        }
    }

    fn is_commonest(&self) -> bool {
        matches!(self, Self::Good(judged) if *judged == Judged::default().and(Selector::Jti))
    }

    fn to_wire(&self) -> CheckAnswer {
        let names = |judged: &Judged| judged.names().map(str::to_owned).collect();
        let mut answer = CheckAnswer { revoked: true, by: None, reason: None, revoked_at: None, judged: Vec::new() };
        match self {
            Self::Good(judged) => {
                answer.revoked = false;
                answer.judged = names(judged);
            }
            Self::Revoked(revoked, judged) => {
                answer.by = Some(revoked.by.as_str().to_owned());
                answer.reason = revoked.reason.as_ref().map(|reason| reason.as_str().to_owned());
                answer.revoked_at = Some(revoked.revoked_at.0);
                answer.judged = names(judged);
            }
            Self::Unverifiable => answer.by = Some("unverifiable".to_owned()),
        }
        answer
    }
}

/// What the answers to one request add up to.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    good: u64,
    revoked: u64,
    partial: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, answer: &Answer) {
        let judged = match answer {
            Answer::Good(judged) => {
                self.good += 1;
                Some(judged)
            }
            Answer::Revoked(_, judged) => {
                self.revoked += 1;
                Some(judged)
            }
            Answer::Unverifiable => {
                self.revoked += 1;
                None
            }
        };
        self.partial += u64::from(judged.is_some_and(|judged| judged.is_partial()));
    }

    /// Adds them to the metrics: one addition to each, however many answers there are.
    pub(crate) fn record(&self, http: &Http) {
        let checks = &http.metrics.checks;
        for (counter, count) in
            [(&checks.api.good, self.good), (&checks.api.revoked, self.revoked), (&checks.partial, self.partial)]
        {
            if count > 0 {
                counter.increment(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::NumericDate;
    use crate::revocation::Reason;

    #[test]
    fn the_bytes_written_by_hand_are_those_of_the_schema() {
        for bits in 1..64_u8 {
            let answer = Answer::Good(Judged(bits));
            let mut written = Vec::new();
            answer.write(&mut written);
            assert_eq!(answer.body(), written);
            assert_eq!(answer.body(), serde_json::to_vec(&answer.to_wire()).unwrap(), "{bits}");
        }
    }

    #[test]
    fn a_revoked_answer_says_by_what_why_and_when() {
        let revoked = Revoked {
            by: Selector::Jti,
            seq: 7,
            revoked_at: NumericDate(5),
            ends_at: NumericDate(9),
            reason: Some(Reason::parse("a\"b").unwrap()),
        };
        let body = Answer::Revoked(revoked.into(), Judged::default().and(Selector::Jti).and(Selector::Sub)).body();
        let expected = r#"{"revoked":true,"by":"jti","reason":"a\"b","revoked_at":5,"judged":["jti","sub"]}"#;
        assert_eq!(body, expected.as_bytes());
        assert_eq!(Answer::Unverifiable.body(), &br#"{"revoked":true,"by":"unverifiable","judged":[]}"#[..]);
    }
}
