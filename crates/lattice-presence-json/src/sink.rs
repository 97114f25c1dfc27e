//! Where encoded text goes.

use std::io;

use crate::encode_error::EncodeError;

/// A string as a whole, or a writer that gets it bit by bit.
pub(crate) struct Sink<'w> {
    /// What is written next goes to its end.
    pub(crate) out: String,
    writer: Option<&'w mut dyn io::Write>,
    /// How many bytes may still be written, those in `out` included.
    left: usize,
    max_bytes: usize,
}

impl<'w> Sink<'w> {
    /// How much a writer gets at once, about.
    const BUFFER: usize = 1 << 16;

    pub(crate) const fn whole(max_bytes: usize) -> Self {
        Self {
            out: String::new(),
            writer: None,
            left: max_bytes,
            max_bytes,
        }
    }

    pub(crate) fn streamed(writer: &'w mut dyn io::Write, max_bytes: usize) -> Self {
        Self {
            out: String::with_capacity(2 * Self::BUFFER),
            writer: Some(writer),
            left: max_bytes,
            max_bytes,
        }
    }

    /// A place where the text may be cut. One byte stays, so that whoever comes
    /// next sees what it follows.
    #[inline]
    pub(crate) fn flush(&mut self) -> Result<(), EncodeError> {
        if self.out.len() <= Self::BUFFER {
            return Ok(());
        }
        self.check_bytes()?;
        match &mut self.writer {
            Some(writer) => {
                let last = self.out.pop();
                self.left -= self.out.len();
                let written = writer.write_all(self.out.as_bytes());
                self.out.clear();
                self.out.extend(last);
                written.map_err(EncodeError::Io)
            }
            None => Ok(()),
        }
    }

    fn check_bytes(&self) -> Result<(), EncodeError> {
        if self.out.len() <= self.left {
            return Ok(());
        }
        let (what, limit) = ("bytes", self.max_bytes);
        Err(EncodeError::TooMany { what, limit })
    }

    /// Writes what is left; a whole string comes back.
    pub(crate) fn finish(mut self) -> Result<String, EncodeError> {
        self.check_bytes()?;
        if let Some(writer) = &mut self.writer {
            let written = writer
                .write_all(self.out.as_bytes())
                .and_then(|()| writer.flush());
            written.map_err(EncodeError::Io)?;
            self.out.clear();
        }
        Ok(self.out)
    }
}
