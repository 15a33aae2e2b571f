//! The bytes of an API key's making: kind 9, and the layout before keys had bounds and ends, kind 3, which is only read.

use super::super::{ApiKeyRecord, KEY_BOUNDS_MAX};
use super::{DecodeError, Reader, put_str};
use crate::clock::NumericDate;
use crate::token::{ClientId, Issuer};

pub(super) fn put(out: &mut Vec<u8>, record: &ApiKeyRecord<'_>) {
    out.push(record.scopes);
    out.extend_from_slice(&record.secret_sha256);
    out.extend_from_slice(&record.expires_at.unwrap_or(NumericDate::NEVER).0.to_le_bytes());
    put_str(out, Some(&record.id));
    put_str(out, Some(&record.label));
    put_list(out, record.issuers.iter().map(Issuer::as_str));
    put_list(out, record.client_ids.iter().map(ClientId::as_str));
}

/// What a key is bound to; whoever makes a key keeps to [`KEY_BOUNDS_MAX`].
fn put_list<'t>(out: &mut Vec<u8>, texts: impl ExactSizeIterator<Item = &'t str>) {
    let count = u8::try_from(texts.len()).ok().filter(|count| usize::from(*count) <= KEY_BOUNDS_MAX);
    debug_assert!(count.is_some(), "a key bound to {} values got into an event", texts.len());
    // Dropping a bound would give rights. What cannot be written is a count that no reader takes.
    out.push(count.unwrap_or(u8::MAX));
    texts.for_each(|text| put_str(out, Some(text)));
}

impl<'a> Reader<'a> {
    pub(super) fn key_unbound(&mut self) -> Result<ApiKeyRecord<'a>, DecodeError> {
        Ok(ApiKeyRecord {
            scopes: self.byte()?,
            secret_sha256: self.array()?,
            id: self.text("key id")?,
            label: self.text("label")?,
            issuers: Vec::new(),
            client_ids: Vec::new(),
            expires_at: None,
        })
    }

    pub(super) fn key(&mut self) -> Result<ApiKeyRecord<'a>, DecodeError> {
        Ok(ApiKeyRecord {
            scopes: self.byte()?,
            secret_sha256: self.array()?,
            expires_at: Some(self.date()?).filter(|date| *date != NumericDate::NEVER),
            id: self.text("key id")?,
            label: self.text("label")?,
            issuers: self.list("issuers", Self::issuer)?,
            client_ids: self.list("client_ids", |reader| {
                ClientId::parse(reader.text("client_id")?).map_err(|_| DecodeError::Value("client_id"))
            })?,
        })
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        mut one: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = usize::from(self.byte()?);
        if count > KEY_BOUNDS_MAX {
            return Err(DecodeError::Value(name));
        }
        (0..count).map(|_| one(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Change, Event, Source};
    use super::super::VERSION;
    use super::*;

    /// The bytes of an event up to those of its kind.
    fn head(kind: u8) -> Vec<u8> {
        let mut bytes = vec![VERSION, kind, Source::Api as u8];
        bytes.extend_from_slice(&[0; 24]);
        put_str(&mut bytes, Some("0a1b"));
        put_str(&mut bytes, Some("r-1"));
        bytes
    }

    #[test]
    fn a_key_in_the_layout_before_bounds_is_one_without_bounds_and_end() {
        let mut bytes = head(3);
        bytes.push(5);
        bytes.extend_from_slice(&[7; 32]);
        put_str(&mut bytes, Some("0123456789ab"));
        put_str(&mut bytes, Some("ci"));
        let event = Event::decode(&bytes).unwrap();
        let Change::KeyCreated(record) = &event.change else { panic!("{event:?}") };
        assert_eq!((record.scopes, &*record.id, &*record.label), (5, "0123456789ab", "ci"));
        assert!(record.issuers.is_empty() && record.client_ids.is_empty() && record.expires_at.is_none());
        let mut again = Vec::new();
        event.encode(&mut again);
        assert_eq!(again[1], 9, "the old layout is never written");
        assert_eq!(Event::decode(&again), Ok(event));
    }

    #[test]
    fn more_bounds_than_may_be_are_refused_and_never_read_as_none() {
        for (issuers, name) in [(&[65][..], "issuers"), (&[255], "issuers"), (&[0, 65], "client_ids")] {
            let mut bytes = head(9);
            bytes.extend_from_slice(&[0; 41]);
            put_str(&mut bytes, Some("0123456789ab"));
            put_str(&mut bytes, Some("ci"));
            bytes.extend_from_slice(issuers);
            assert_eq!(Event::decode(&bytes), Err(DecodeError::Value(name)));
        }
    }
}
