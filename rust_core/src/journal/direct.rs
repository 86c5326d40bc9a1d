//! The system calls of direct I/O, and the lock of the folder: the only unsafe code beside `aligned`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Writes all pieces from `offset` by `pwritev2` with `RWF_DSYNC`.
#[cfg(target_os = "linux")]
pub(super) fn write_durable(file: &File, mut offset: u64, pieces: &[&[u8]]) -> io::Result<()> {
    let mut rest: Vec<&[u8]> = pieces.iter().copied().filter(|piece| !piece.is_empty()).collect();
    while !rest.is_empty() {
        let vectors: Vec<libc::iovec> = rest
            .iter()
            .take(libc::UIO_MAXIOV as usize)
            .map(|piece| libc::iovec {
                iov_base: piece.as_ptr().cast_mut().cast(),
                iov_len: piece.len(),
            })
            .collect();
        let at = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: the vectors describe borrowed slices that outlive the call, and the kernel only
        // reads from them; the descriptor is open as long as `file` is borrowed.
        let written = unsafe {
            let count = vectors.len() as libc::c_int;
            libc::pwritev2(file.as_raw_fd(), vectors.as_ptr(), count, at, libc::RWF_DSYNC)
        };
        match written {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            1.. => {
                offset += written as u64;
                advance(&mut rest, written as usize);
            }
            _ => {
                let error = io::Error::last_os_error();
                // An interrupted call wrote nothing; every other error is final.
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// Other systems have no such call; the probe then chooses the buffered mode.
#[cfg(not(target_os = "linux"))]
pub(super) fn write_durable(_file: &File, _offset: u64, _pieces: &[&[u8]]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn advance(rest: &mut Vec<&[u8]>, mut written: usize) {
    rest.retain_mut(|piece| {
        let taken = written.min(piece.len());
        *piece = &piece[taken..];
        written -= taken;
        !piece.is_empty()
    });
}

/// Takes the file's lock for this process, or fails at once if another one has it.
pub(super) fn lock(file: &File) -> io::Result<()> {
    // SAFETY: no memory is passed; the descriptor is open as long as `file` is borrowed.
    let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if locked == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
