//! Data of unknown size, read piece by piece within a budget.

use crate::DataBudget;

/// What has been read so far.
pub(super) struct Content<'b> {
    budget: &'b DataBudget,
    bytes: Vec<u8>,
}

impl<'b> Content<'b> {
    /// What is read and asked for at once.
    pub(super) const PIECE: usize = 128 << 10;

    pub(super) fn new(budget: &'b DataBudget) -> Self {
        Content {
            budget,
            bytes: Vec::new(),
        }
    }

    /// Makes sure that there is room for so many bytes. It grows by doubling, within the budget.
    pub(super) async fn make_room(&mut self, more: u64) -> Result<(), String> {
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        let now = self.bytes.capacity();
        let room = now - self.bytes.len();
        if room >= more {
            return Ok(());
        }
        let least = more - room;
        let left = usize::try_from(self.budget.left()).unwrap_or(usize::MAX);
        let wanted = now.max(Self::PIECE).min(left).max(least);
        self.budget.take(wanted as u64).await?;
        let reserved = self.bytes.try_reserve_exact(room + wanted);
        reserved.map_err(|_| "there is no memory for it".to_owned())
    }

    pub(super) async fn push(&mut self, piece: &[u8]) -> Result<(), String> {
        self.make_room(piece.len() as u64).await?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Text of what somebody else wrote: what is no UTF-8 is replaced.
    #[cfg(feature = "http")]
    pub(super) async fn into_lossy_text(self) -> Result<String, String> {
        match String::from_utf8(self.bytes) {
            Ok(text) => Ok(text),
            Err(bad) => {
                // By up to three bytes for each.
                self.budget.take(bad.as_bytes().len() as u64 * 3).await?;
                Ok(String::from_utf8_lossy(bad.as_bytes()).into_owned())
            }
        }
    }

    pub(super) fn into_text(self) -> Result<String, String> {
        let text = String::from_utf8(self.bytes);
        text.map_err(|_| "it is not UTF-8 text".to_owned())
    }
}
