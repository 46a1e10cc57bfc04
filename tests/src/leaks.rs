// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looks for bytes in every file below a folder.

use std::path::{Path, PathBuf};

/// What a search has found.
#[derive(Debug, Default)]
pub struct Search {
    /// the files that hold any of the needles
    pub files: Vec<PathBuf>,
    /// the number of bytes read
    pub bytes: u64,
}

/// Searches every file below `folder`.
///
/// # Errors
/// When a file cannot be read.
pub fn search(folder: &Path, needles: &[Vec<u8>]) -> std::io::Result<Search> {
    let mut search = Search::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                search.file(&entry.path(), needles)?;
            }
        }
    }
    Ok(search)
}

impl Search {
    /// Searches one more file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn file(&mut self, file: &Path, needles: &[Vec<u8>]) -> std::io::Result<()> {
        let content = std::fs::read(file)?;
        self.bytes += content.len() as u64;
        if needles.iter().any(|needle| contains(&content, needle)) {
            self.files.push(file.to_owned());
        }
        Ok(())
    }
}

fn contains(content: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && content.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_needle_is_found_in_a_nested_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/file"), b"hay, needle hay").unwrap();
        let found = search(folder.path(), &[b"needle".to_vec(), b"absent".to_vec()]).unwrap();
        assert_eq!((found.files, found.bytes), (vec![folder.path().join("deep/file")], 15));
        assert!(search(folder.path(), &[b"absent".to_vec()]).unwrap().files.is_empty());
    }
}
