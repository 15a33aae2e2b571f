//! The bytes of what says by which claims an issuer's tokens are known.

use std::borrow::Cow;

use super::{DecodeError, Reader, put_str};
use crate::event::Change;
use crate::token::{CLAIM_BYTES_MAX, Issuer, Naming, WithoutJti};

pub(super) fn put(out: &mut Vec<u8>, issuer: &Issuer<'_>, naming: &Naming<'_>) {
    let Naming { jti, sub, sid, client_id, family, without_jti } = naming;
    out.push(*without_jti as u8);
    for text in [issuer.as_str(), &**jti, &**sub, &**sid] {
        put_str(out, Some(text));
    }
    put_str(out, client_id.as_deref());
    put_str(out, family.as_deref());
}

impl<'a> Reader<'a> {
    /// An issuer and the claims that its tokens are known by; `with_family`: whether the layout has that of their family.
    pub(super) fn naming(&mut self, with_family: bool) -> Result<Change<'a>, DecodeError> {
        let number = self.byte()?;
        let without_jti = WithoutJti::ALL.into_iter().find(|known| *known as u8 == number);
        let without_jti = without_jti.ok_or(DecodeError::Value("without_jti"))?;
        let issuer = self.issuer()?;
        let (jti, sub, sid) = (self.claim_name()?, self.claim_name()?, self.claim_name()?);
        let naming = Naming {
            jti: jti.ok_or(DecodeError::Value("claim"))?,
            sub: sub.ok_or(DecodeError::Value("claim"))?,
            sid: sid.ok_or(DecodeError::Value("claim"))?,
            client_id: self.claim_name()?,
            family: if with_family { self.claim_name()? } else { None },
            without_jti,
        };
        Ok(Change::NamingSet { issuer, naming })
    }

    fn claim_name(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        let name = self.optional("claim")?;
        match name.map(str::len) {
            None | Some(1..=CLAIM_BYTES_MAX) => Ok(name.map(Cow::Borrowed)),
            Some(_) => Err(DecodeError::Value("claim")),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::NumericDate;
    use crate::event::codec::kind;
    use crate::event::{Change, DecodeError, Event, Origin};
    use crate::token::{Issuer, Naming};

    #[test]
    fn the_layout_without_families_is_read_as_none() {
        let naming = Naming { jti: "uti".into(), client_id: Some("appid".into()), ..Naming::default() };
        let change = Change::NamingSet { issuer: Issuer::parse("https://a").unwrap(), naming };
        let event = Event {
            seq: 7,
            recorded_at: NumericDate(5),
            ends_at: NumericDate::NEVER,
            origin: Origin::INTERNAL,
            change,
        };
        let mut bytes = Vec::new();
        event.encode(&mut bytes);
        assert_eq!(bytes[1], kind::NAMING_SET);
        // An absent family is two bytes at the end, which the layout before did not have.
        bytes[1] = kind::NAMING_SET_WITHOUT_FAMILY;
        assert_eq!(Event::decode(&bytes), Err(DecodeError::Long(2)));
        bytes.truncate(bytes.len() - 2);
        assert_eq!(Event::decode(&bytes), Ok(event));
    }
}
