// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looks for bytes in every file below a folder.

use std::path::{Path, PathBuf};

/// The files below `folder` that hold any of the needles, with the needle; and the number of bytes read.
///
/// # Errors
/// When a file cannot be read.
pub fn search(folder: &Path, needles: &[Vec<u8>]) -> std::io::Result<(Vec<(PathBuf, Vec<u8>)>, u64)> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let content = std::fs::read(entry.path())?;
                bytes += content.len() as u64;
                let hits = needles.iter().filter(|needle| contains(&content, needle));
                found.extend(hits.map(|needle| (entry.path(), needle.clone())));
            }
        }
    }
    Ok((found, bytes))
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
        std::fs::write(folder.path().join("deep/file"), b"hay needle hay").unwrap();
        let (found, bytes) = search(folder.path(), &[b"needle".to_vec(), b"absent".to_vec()]).unwrap();
        assert_eq!((found.len(), bytes), (1, 14));
    }
}
