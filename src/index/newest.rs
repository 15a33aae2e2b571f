//! Listing entries of one tree, newest first.

use super::{BucketTree, IndexError, layout};
use crate::event::Seq;
use crate::token::Key;

impl BucketTree {
    /// Listing entries below `before`, newest first: all of the bucket, or those of one subject.
    ///
    /// # Errors
    /// Each item, where sled fails or holds what this layout does not know.
    #[must_use]
    pub fn newest(
        &self,
        subject: Option<&Key>,
        before: Seq,
    ) -> Box<dyn Iterator<Item = Result<(Seq, Key), IndexError>>> {
        match subject {
            Some(subject) => Box::new(self.newest_of(subject, before)),
            None => Box::new(self.newest_of_all(before)),
        }
    }

    fn newest_of_all(&self, before: Seq) -> impl Iterator<Item = Result<(Seq, Key), IndexError>> + use<> {
        let blocks = self.tree.range(layout::seq_key(0)..layout::seq_key(before)).rev();
        blocks.flat_map(move |pair| {
            let listed = pair.map_err(IndexError::from).and_then(|(_, block)| {
                let listed = layout::parse_block(&block).ok_or(IndexError::Form)?;
                Ok(listed.rev().filter(|(seq, _)| *seq < before).map(Ok).collect())
            });
            listed.unwrap_or_else(|error| vec![Err(error)])
        })
    }

    fn newest_of(&self, subject: &Key, before: Seq) -> impl Iterator<Item = Result<(Seq, Key), IndexError>> + use<> {
        let range = layout::subject_key(subject, 0)..layout::subject_key(subject, before);
        self.tree.range(range).rev().map(|pair| {
            let (key, value) = pair?;
            let seq = layout::seq_of(&key[key.len().saturating_sub(8)..]).ok_or(IndexError::Form)?;
            let entry = value.as_ref().try_into().map_err(|_| IndexError::Form)?;
            Ok((seq, Key(entry)))
        })
    }
}
