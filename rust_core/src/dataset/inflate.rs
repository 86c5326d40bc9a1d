//! The inflater: a deflated data set (PS3.5 A.5) as a stream of inflated pieces, none of them kept.

use flate2::{Decompress, FlushDecompress, Status};

use super::framing::{Fault, Framing};

/// Inflated bytes handed on at once.
const WINDOW: usize = 32 << 10;
/// Most bytes after the end that may be a matter of a rule: the checksum and length that end a gzip
/// file (RFC 1952), which some writers leave there. Beyond, it is something else that follows.
const TRAILER_MAX: u64 = 8;

/// One raw deflate stream (RFC 1951, no zlib header) and its end.
pub struct Inflater {
    stream: Decompress,
    window: Box<[u8]>,
    ended: bool,
    /// The stream broke off behind what was inflated last.
    corrupt: bool,
    /// Bytes after the end; one NUL is lawful where the stream has odd length.
    trailing: u64,
    /// They are not that.
    trailer: bool,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Default for Inflater {
    fn default() -> Self {
        let window = vec![0; WINDOW].into_boxed_slice();
        let (ended, corrupt, trailer) = (false, false, false);
        Self { stream: Decompress::new(false), window, ended, corrupt, trailing: 0, trailer }
    }
}

impl Inflater {
    /// Takes from the front of `input` and returns the next inflated piece; an empty piece asks
    /// for more.
    ///
    /// # Errors
    /// [`Framing::DeflateCorrupt`], or [`Framing::DeflateTrailing`] for more than a trailer after the end.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<&[u8], Fault> {
        if self.ended {
            return self.after_end(input);
        }
        if self.corrupt {
            return Err(Framing::DeflateCorrupt.at(None));
        }
        let (taken, given) = (self.stream.total_in(), self.stream.total_out());
        let status = self.stream.decompress(input, &mut self.window, FlushDecompress::None);
        *input = &input[(self.stream.total_in() - taken) as usize..];
        let inflated = (self.stream.total_out() - given) as usize;
        match status {
            Ok(Status::Ok | Status::BufError) => {}
            Ok(Status::StreamEnd) => self.ended = true,
            // What was inflated before the break comes out first, as it would byte by byte.
            Err(_) if inflated > 0 => self.corrupt = true,
            Err(_) => return Err(Framing::DeflateCorrupt.at(None)),
        }
        Ok(&self.window[..inflated])
    }

    fn after_end(&mut self, input: &mut &[u8]) -> Result<&[u8], Fault> {
        let pad = self.stream.total_in() % 2;
        let lawful = input.iter().all(|&byte| byte == 0);
        self.trailing += input.len() as u64;
        *input = &[];
        self.trailer |= !lawful || self.trailing > pad;
        if self.trailing > TRAILER_MAX {
            return Err(Framing::DeflateTrailing.at(None));
        }
        Ok(&[])
    }

    /// Whether a few bytes follow the end that are not its pad byte.
    pub fn has_trailer(&self) -> bool {
        self.trailer
    }

    /// Whether the stream came to its end.
    ///
    /// # Errors
    /// [`Framing::DeflateTruncated`].
    pub fn finish(&self) -> Result<(), Fault> {
        if self.ended { Ok(()) } else { Err(Framing::DeflateTruncated.at(None)) }
    }
}
