//! A TAR file as it comes by: members, their contents, its end, and nothing else.

use crate::volume::error::VolumeError;
use crate::volume::layout::UNIT;
use crate::volume::tar::{self, Member};

const UNIT_LENGTH: usize = UNIT as usize;

/// What comes next.
pub enum Found<'a> {
    /// A member begins.
    Member(Member),
    /// Bytes of its content.
    Content(&'a [u8]),
    /// Its content ends.
    MemberEnd,
    /// The TAR file ends.
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Header,
    Content(u64),
    Padding(usize),
    LastUnit(usize),
    End,
}

/// Reads strictly what `tar::header` and the layout make; every other byte is an error.
pub struct TarReader {
    phase: Phase,
    header: Vec<u8>,
    padding: usize,
    mtime: Option<u64>,
}

impl TarReader {
    /// At the start.
    pub fn new() -> Self {
        Self { phase: Phase::Header, header: Vec::new(), padding: 0, mtime: None }
    }

    /// The time of all members.
    pub fn mtime(&self) -> Option<u64> {
        self.mtime
    }

    /// Takes the next from the front of the input; none if more input is needed.
    ///
    /// # Errors
    /// What is no TAR file of ours.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Found<'a>>, VolumeError> {
        loop {
            match self.phase {
                Phase::Header => {
                    let Some(found) = self.take_header(input)? else { return Ok(None) };
                    if let Some(member) = found {
                        return Ok(Some(Found::Member(member)));
                    }
                }
                Phase::Content(0) => {
                    self.phase = Phase::Padding(self.padding);
                    return Ok(Some(Found::MemberEnd));
                }
                Phase::Content(left) => return Ok(self.take_content(left, input)),
                Phase::Padding(0) => self.phase = Phase::Header,
                Phase::LastUnit(0) => {
                    self.phase = Phase::End;
                    return Ok(Some(Found::End));
                }
                _ if input.is_empty() => return Ok(None),
                Phase::Padding(left) => self.phase = Phase::Padding(take_zeros(left, input)?),
                Phase::LastUnit(left) => self.phase = Phase::LastUnit(take_zeros(left, input)?),
                Phase::End => return Err(VolumeError::new("bytes behind its end")),
            }
        }
    }

    fn take_content<'a>(&mut self, left: u64, input: &mut &'a [u8]) -> Option<Found<'a>> {
        let length = (input.len() as u64).min(left);
        if length == 0 {
            return None;
        }
        let (content, rest) = input.split_at(length as usize);
        *input = rest;
        self.phase = Phase::Content(left - length);
        Some(Found::Content(content))
    }

    /// Outer none: more input is needed. Inner none: no member, but the first unit of the end.
    fn take_header(&mut self, input: &mut &[u8]) -> Result<Option<Option<Member>>, VolumeError> {
        while self.header.len() < UNIT_LENGTH || self.header.len() < tar::whole_length(&self.header)
        {
            let whole = tar::whole_length(&self.header).max(UNIT_LENGTH);
            // The kind, which tells the whole length, stands in the first unit.
            let wanted = if self.header.len() < UNIT_LENGTH { UNIT_LENGTH } else { whole };
            let (now, rest) = input.split_at(input.len().min(wanted - self.header.len()));
            if now.is_empty() {
                return Ok(None);
            }
            self.header.extend_from_slice(now);
            *input = rest;
        }
        let header = std::mem::take(&mut self.header);
        if header.iter().all(|byte| *byte == 0) {
            self.phase = Phase::LastUnit(UNIT_LENGTH);
            return Ok(Some(None));
        }
        let member =
            tar::parse(&header).ok_or_else(|| VolumeError::new("a malformed TAR header"))?;
        if *self.mtime.get_or_insert(member.mtime) != member.mtime {
            return Err(VolumeError::new("members of different times"));
        }
        self.padding = (UNIT_LENGTH - (member.size % UNIT) as usize) % UNIT_LENGTH;
        self.phase = Phase::Content(member.size);
        Ok(Some(Some(member)))
    }
}

/// How many zeros are still to come.
fn take_zeros(left: usize, input: &mut &[u8]) -> Result<usize, VolumeError> {
    let (zeros, rest) = input.split_at(input.len().min(left));
    *input = rest;
    match zeros.iter().all(|byte| *byte == 0) {
        true => Ok(left - zeros.len()),
        false => Err(VolumeError::new("a byte where there should be none")),
    }
}
