//! What a campaign has found and done, kept so that killing any process at any moment
//! loses nothing that was written.
//!
//! ```text
//! plan.json        what the campaign is, written once by rename
//! state-N.json     totals of everything before journal-N, written by rename
//! journal-N        records since then, appended
//! ```
//!
//! A record is its length (4 bytes), a checksum (8 bytes), and JSON. A torn record at the
//! end of a journal is cut off: its scenarios run again. When a journal grows large its
//! totals become the next state. Nothing is synced to the disk: it survives the death of
//! every process, not that of the machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Size of a journal, in bytes, after which its totals become the next state.
const ROTATE_BYTES: u64 = 8 << 20;

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    number: u64,
    file: File,
    bytes: u64,
}

impl Journal {
    /// Opens the journal of a campaign's folder, new or not. Returns the last state, if
    /// there is one, and the records since.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open<S, R>(dir: &Path) -> io::Result<(Journal, Option<S>, Vec<R>)>
    where
        S: DeserializeOwned,
        R: DeserializeOwned,
    {
        let mut states: Vec<u64> = fs::read_dir(dir)?
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_prefix("state-")?
                    .strip_suffix(".json")?
                    .parse()
                    .ok()
            })
            .collect();
        states.sort_unstable();
        let mut state = None;
        let mut number = 0;
        if let Some(&last) = states.last() {
            let text = fs::read_to_string(state_path(dir, last))?;
            state = Some(serde_json::from_str(&text).map_err(io::Error::other)?);
            number = last;
        }
        let path = journal_path(dir, number);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .append(true)
            .open(&path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let (records, whole) = read_records(&content);
        if whole < content.len() {
            file.set_len(whole as u64)?;
        }
        let journal = Journal {
            dir: dir.to_owned(),
            number,
            file,
            bytes: whole as u64,
        };
        Ok((journal, state, records))
    }

    /// Appends a record. `state` gives the totals that include it, should this journal be
    /// full.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn append<R: Serialize, S: Serialize>(&mut self, record: &R, state: &S) -> io::Result<()> {
        let payload = serde_json::to_vec(record).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(payload.len() + 12);
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        bytes.extend(length.to_le_bytes());
        bytes.extend(checksum(&payload).to_le_bytes());
        bytes.extend(payload);
        self.file.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        if self.bytes >= ROTATE_BYTES {
            self.rotate(state)?;
        }
        Ok(())
    }

    fn rotate<S: Serialize>(&mut self, state: &S) -> io::Result<()> {
        let old = self.number;
        self.number += 1;
        write_json(&state_path(&self.dir, self.number), state)?;
        let path = journal_path(&self.dir, self.number);
        self.file = OpenOptions::new().create(true).append(true).open(path)?;
        self.bytes = 0;
        // From here on nobody reads the old files; a leftover of a crash is harmless.
        let _ = fs::remove_file(journal_path(&self.dir, old));
        let _ = fs::remove_file(state_path(&self.dir, old));
        Ok(())
    }
}

/// Writes a value as JSON so that the file is whole whenever it is there.
///
/// # Errors
/// What the operating system says.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
    text.push(b'\n');
    write_whole(path, &text)
}

/// Writes a file so that it is whole whenever it is there.
///
/// # Errors
/// What the operating system says.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    fs::write(&part, content)?;
    fs::rename(&part, path)
}

fn state_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("state-{number}.json"))
}

fn journal_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("journal-{number}"))
}

/// The whole records of `content`, and how many bytes they take.
fn read_records<R: DeserializeOwned>(content: &[u8]) -> (Vec<R>, usize) {
    let mut records = Vec::new();
    let mut at = 0;
    while let Some((record, end)) = read_record(content, at) {
        records.push(record);
        at = end;
    }
    (records, at)
}

fn read_record<R: DeserializeOwned>(content: &[u8], at: usize) -> Option<(R, usize)> {
    let length = u32::from_le_bytes(content.get(at..at + 4)?.try_into().ok()?) as usize;
    let sum = u64::from_le_bytes(content.get(at + 4..at + 12)?.try_into().ok()?);
    let payload = content.get(at + 12..at + 12 + length)?;
    if checksum(payload) != sum {
        return None;
    }
    Some((serde_json::from_slice(payload).ok()?, at + 12 + length))
}

/// 64-bit FNV-1a: it need only tell a torn record from a whole one.
pub fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("crucible-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_torn_tail_costs_only_itself() {
        let dir = folder("torn");
        let (mut journal, state, records) = Journal::open::<u64, u64>(&dir).unwrap();
        assert!(state.is_none());
        assert!(records.is_empty());
        for record in [11_u64, 22, 33] {
            journal.append(&record, &0_u64).unwrap();
        }
        let path = dir.join("journal-0");
        let whole = fs::read(&path).unwrap();
        for cut in 1..14 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let (_, _, records) = Journal::open::<u64, u64>(&dir).unwrap();
            assert_eq!(records, [11, 22]);
        }
        let (mut journal, _, _) = Journal::open::<u64, u64>(&dir).unwrap();
        journal.append(&44_u64, &0_u64).unwrap();
        let (_, _, records) = Journal::open::<u64, u64>(&dir).unwrap();
        assert_eq!(records, [11, 22, 44]);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_flipped_byte_ends_the_journal_there() {
        let dir = folder("flipped");
        let (mut journal, _, _) = Journal::open::<u64, String>(&dir).unwrap();
        journal.append(&"one", &0_u64).unwrap();
        journal.append(&"two", &0_u64).unwrap();
        let path = dir.join("journal-0");
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        fs::write(&path, bytes).unwrap();
        let (_, _, records) = Journal::open::<u64, String>(&dir).unwrap();
        assert_eq!(records, ["one"]);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_full_journal_becomes_a_state() {
        let dir = folder("full");
        let (mut journal, _, _) = Journal::open::<String, String>(&dir).unwrap();
        journal
            .append(&"x".repeat(ROTATE_BYTES as usize), &"totals")
            .unwrap();
        journal.append(&"after", &"unused").unwrap();
        let (_, state, records) = Journal::open::<String, String>(&dir).unwrap();
        assert_eq!(state.as_deref(), Some("totals"));
        assert_eq!(records, ["after"]);
        assert!(!dir.join("journal-0").exists());
        fs::remove_dir_all(&dir).unwrap();
    }
}
