//! The file that is exported to. It gets its name when it is complete.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

use super::STANDARD_STREAM;

/// Where the users go. Dropping it leaves no file.
pub(super) enum Output {
    StandardOutput,
    /// A temporary file beside the one that it becomes, which only its owner may read.
    File {
        file: NamedTempFile,
        path: PathBuf,
        overwrites: bool,
    },
}

impl Output {
    /// Makes the temporary file.
    ///
    /// # Errors
    /// When it cannot be made, or there is a file of that name already which is not to be overwritten.
    pub(super) fn open(path: &Path, overwrites: bool) -> anyhow::Result<Self> {
        if path == Path::new(STANDARD_STREAM) {
            return Ok(Self::StandardOutput);
        }
        if !overwrites && path.exists() {
            bail!("{} exists already; --force overwrites it", path.display());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).with_context(|| format!("cannot write in {}", folder.display()))?;
        Ok(Self::File {
            file,
            path: path.to_owned(),
            overwrites,
        })
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// Writes `text`, where it does not keep the runtime from its work, and returns both.
    pub(super) async fn write(mut self, text: Vec<u8>) -> anyhow::Result<(Self, Vec<u8>)> {
        let write = move || {
            match &mut self {
                Self::StandardOutput => io::stdout().write_all(&text)?,
                Self::File { file, .. } => file.write_all(&text)?,
            }
            Ok::<_, io::Error>((self, text))
        };
        spawn_blocking(write).await?.context("cannot write the users")
    }

    /// Gives the file its name, once the disk has all of it.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        let finish = || match self {
            Self::StandardOutput => Ok(io::stdout().flush()?),
            Self::File { file, path, overwrites } => {
                file.as_file().sync_all()?;
                let persisted = if overwrites {
                    file.persist(&path)
                } else {
                    file.persist_noclobber(&path)
                };
                persisted
                    .map(|_| ())
                    .with_context(|| format!("cannot name the file {}", path.display()))
            }
        };
        spawn_blocking(finish).await?
    }
}
