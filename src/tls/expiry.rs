//! When a certificate ends.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::clock::NumericDate;

/// The end of a certificate (`notAfter`, RFC 5280 section 4.1.2.5), from the verifier that judges by it: asked at the end
/// of time, it says since when the certificate is over.
pub(super) fn not_after(certificate: &CertificateDer<'_>) -> Result<NumericDate, Error> {
    let end_of_time = UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX));
    let parsed = EndEntityCert::try_from(certificate)?;
    match parsed.verify_for_usage(&[], &[], &[], end_of_time, KeyUsage::server_auth(), None, None) {
        Err(Error::CertExpired { not_after, .. }) => {
            Ok(NumericDate(i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX)))
        }
        Err(error) => Err(error),
        Ok(_) => Ok(NumericDate::NEVER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `rcgen`'s default is the year 4096.
    #[test]
    fn a_certificate_says_when_it_ends() {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        for (date, seconds) in [((2030, 1, 2), 1_893_542_400), ((2049, 12, 31), 2_524_521_600)] {
            params.not_after = rcgen::date_time_ymd(date.0, date.1, date.2);
            let certificate = params.self_signed(&key).unwrap();
            assert_eq!(not_after(certificate.der()).unwrap(), NumericDate(seconds));
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        assert!(not_after(&CertificateDer::from(b"no certificate".as_slice())).is_err());
    }
}
