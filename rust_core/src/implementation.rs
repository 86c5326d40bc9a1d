//! Who we are to our peers and in the files we write (PS3.7 D.3.3.2, PS3.10 7.1).

/// Implementation Class UID: a UUID-derived UID (PS3.5 B.2), made once for this program.
pub const CLASS_UID: &str = "2.25.56730494425521877119958256550709820714";
/// Implementation Version Name, at most 16 characters.
pub const VERSION_NAME: &str = "KUVAVARANTO_01";

const _: () = assert!(CLASS_UID.len() <= 64 && VERSION_NAME.len() <= 16);
