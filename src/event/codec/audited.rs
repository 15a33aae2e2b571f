//! The bytes of events that are for the audit alone.

use super::{Change, DecodeError, Reader, kind, put_str};

/// Appends what is behind the origin of an event that changes nothing; any other change is none of these.
pub(super) fn put(out: &mut Vec<u8>, change: &Change<'_>) {
    match change {
        Change::Refused { route, status, count } => {
            out.extend_from_slice(&status.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
            put_str(out, Some(route));
        }
        Change::Strangers { minute, count } => {
            out.extend_from_slice(&minute.0.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
        Change::LossAccepted { history, last_seq, saved, skipped } => {
            out.extend_from_slice(history);
            for number in [last_seq, saved, skipped] {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        _ => debug_assert!(false, "a change without bytes"),
    }
}

impl<'a> Reader<'a> {
    /// What is behind the origin of an event of this kind.
    pub(super) fn audited(&mut self, kind: u8) -> Result<Change<'a>, DecodeError> {
        Ok(match kind {
            kind::REFUSED => Change::Refused {
                status: u16::from_le_bytes(self.array()?),
                count: u32::from_le_bytes(self.array()?),
                route: self.text("route")?,
            },
            kind::STRANGERS => Change::Strangers { minute: self.date()?, count: u32::from_le_bytes(self.array()?) },
            kind::LOSS_ACCEPTED => Change::LossAccepted {
                history: self.array()?,
                last_seq: u64::from_le_bytes(self.array()?),
                saved: u64::from_le_bytes(self.array()?),
                skipped: u64::from_le_bytes(self.array()?),
            },
            other => return Err(DecodeError::Kind(other)),
        })
    }
}
