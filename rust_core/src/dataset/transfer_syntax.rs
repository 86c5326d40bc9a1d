//! Transfer syntaxes (PS3.5 annex A, PS3.6 table A-1): how a data set's bytes are to be read.

/// How the elements of a data set are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Implicit VR Little Endian (PS3.5 A.1).
    ImplicitLittle,
    /// Explicit VR Little Endian (PS3.5 A.2, A.4).
    ExplicitLittle,
    /// Explicit VR Big Endian (PS3.5 A.3, retired).
    ExplicitBig,
    /// Explicit VR Little Endian, deflated as a whole (PS3.5 A.5).
    DeflatedLittle,
}

/// Where the pixels of an image are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pixels {
    /// In the data set, uncompressed, of defined length (PS3.5 8.2).
    Native,
    /// In the data set, in fragments (PS3.5 A.4).
    Encapsulated,
    /// Not in the data set: referenced by JPIP, or in another real-time stream.
    Elsewhere,
}

/// One standard transfer syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferSyntax {
    /// Its UID.
    pub uid: &'static str,
    /// Its keyword in PS3.6.
    pub keyword: &'static str,
    /// How elements are encoded; `None` where it encodes no data set (MIME, XML).
    pub encoding: Option<Encoding>,
    /// Where the pixels are.
    pub pixels: Pixels,
    /// Whether the standard has retired it.
    pub retired: bool,
}

impl TransferSyntax {
    /// Whether top-level Pixel Data comes in fragments.
    pub const fn encapsulated(&self) -> bool {
        matches!(self.pixels, Pixels::Encapsulated)
    }

    /// Whether the pixels are not in the data set, so that keeping it keeps no image.
    pub const fn pixels_elsewhere(&self) -> bool {
        matches!(self.pixels, Pixels::Elsewhere)
    }

    /// Whether pixels are in the data set and uncompressed.
    pub const fn native(&self) -> bool {
        matches!(self.pixels, Pixels::Native) && self.encoding.is_some()
    }
}

use Encoding::{DeflatedLittle, ExplicitBig, ExplicitLittle, ImplicitLittle};
use Pixels::{Elsewhere, Encapsulated, Native};

const fn row(
    uid: &'static str,
    keyword: &'static str,
    encoding: Option<Encoding>,
    pixels: Pixels,
    retired: bool,
) -> TransferSyntax {
    TransferSyntax { uid, keyword, encoding, pixels, retired }
}

/// Every transfer syntax of PS3.6 table A-1, current and retired, by UID components.
#[rustfmt::skip]
pub const TRANSFER_SYNTAXES: &[TransferSyntax] = &[
    row("1.2.840.10008.1.2", "ImplicitVRLittleEndian", Some(ImplicitLittle), Native, false),
    row("1.2.840.10008.1.2.1", "ExplicitVRLittleEndian", Some(ExplicitLittle), Native, false),
    row("1.2.840.10008.1.2.1.98", "EncapsulatedUncompressedExplicitVRLittleEndian", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.1.99", "DeflatedExplicitVRLittleEndian", Some(DeflatedLittle), Native, false),
    row("1.2.840.10008.1.2.2", "ExplicitVRBigEndian", Some(ExplicitBig), Native, true),
    row("1.2.840.10008.1.2.4.50", "JPEGBaseline8Bit", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.51", "JPEGExtended12Bit", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.52", "JPEGExtended35", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.53", "JPEGSpectralSelectionNonHierarchical68", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.54", "JPEGSpectralSelectionNonHierarchical79", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.55", "JPEGFullProgressionNonHierarchical1012", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.56", "JPEGFullProgressionNonHierarchical1113", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.57", "JPEGLossless", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.58", "JPEGLosslessNonHierarchical15", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.59", "JPEGExtendedHierarchical1618", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.60", "JPEGExtendedHierarchical1719", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.61", "JPEGSpectralSelectionHierarchical2022", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.62", "JPEGSpectralSelectionHierarchical2123", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.63", "JPEGFullProgressionHierarchical2426", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.64", "JPEGFullProgressionHierarchical2527", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.65", "JPEGLosslessHierarchical28", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.66", "JPEGLosslessHierarchical29", Some(ExplicitLittle), Encapsulated, true),
    row("1.2.840.10008.1.2.4.70", "JPEGLosslessSV1", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.80", "JPEGLSLossless", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.81", "JPEGLSNearLossless", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.90", "JPEG2000Lossless", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.91", "JPEG2000", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.92", "JPEG2000MCLossless", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.93", "JPEG2000MC", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.94", "JPIPReferenced", Some(ExplicitLittle), Elsewhere, false),
    row("1.2.840.10008.1.2.4.95", "JPIPReferencedDeflate", Some(DeflatedLittle), Elsewhere, false),
    row("1.2.840.10008.1.2.4.100", "MPEG2MPML", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.100.1", "MPEG2MPMLF", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.101", "MPEG2MPHL", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.101.1", "MPEG2MPHLF", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.102", "MPEG4HP41", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.102.1", "MPEG4HP41F", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.103", "MPEG4HP41BD", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.103.1", "MPEG4HP41BDF", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.104", "MPEG4HP422D", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.104.1", "MPEG4HP422DF", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.105", "MPEG4HP423D", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.105.1", "MPEG4HP423DF", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.106", "MPEG4HP42STEREO", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.106.1", "MPEG4HP42STEREOF", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.107", "HEVCMP51", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.108", "HEVCM10P51", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.110", "JPEGXLLossless", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.111", "JPEGXLJPEGRecompression", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.112", "JPEGXL", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.201", "HTJ2KLossless", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.202", "HTJ2KLosslessRPCL", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.203", "HTJ2K", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.4.204", "JPIPHTJ2KReferenced", Some(ExplicitLittle), Elsewhere, false),
    row("1.2.840.10008.1.2.4.205", "JPIPHTJ2KReferencedDeflate", Some(DeflatedLittle), Elsewhere, false),
    row("1.2.840.10008.1.2.5", "RLELossless", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.2.6.1", "RFC2557MIMEEncapsulation", None, Native, true),
    row("1.2.840.10008.1.2.6.2", "XMLEncoding", None, Native, true),
    row("1.2.840.10008.1.2.7.1", "SMPTEST211020UncompressedProgressiveActiveVideo", Some(ExplicitLittle), Elsewhere, false),
    row("1.2.840.10008.1.2.7.2", "SMPTEST211020UncompressedInterlacedActiveVideo", Some(ExplicitLittle), Elsewhere, false),
    row("1.2.840.10008.1.2.7.3", "SMPTEST211030PCMDigitalAudio", Some(ExplicitLittle), Elsewhere, false),
    row("1.2.840.10008.1.2.8.1", "DeflatedImageFrameCompression", Some(ExplicitLittle), Encapsulated, false),
    row("1.2.840.10008.1.20", "Papyrus3ImplicitVRLittleEndian", Some(ImplicitLittle), Native, true),
];

/// The standard transfer syntax with this UID.
pub fn of(uid: &str) -> Option<&'static TransferSyntax> {
    TRANSFER_SYNTAXES.iter().find(|syntax| syntax.uid == uid)
}

/// How a data set in this transfer syntax is encoded; `None` if unknown or no data set encoding.
pub fn encoding_of(transfer_syntax: &str) -> Option<Encoding> {
    of(transfer_syntax).and_then(|syntax| syntax.encoding)
}

/// Whether top-level Pixel Data comes in fragments in this transfer syntax.
pub fn encapsulated(transfer_syntax: &str) -> bool {
    of(transfer_syntax).is_some_and(TransferSyntax::encapsulated)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_syntax_stands_once() {
        let uids: HashSet<_> = TRANSFER_SYNTAXES.iter().map(|syntax| syntax.uid).collect();
        assert_eq!(uids.len(), TRANSFER_SYNTAXES.len());
        assert_eq!(TRANSFER_SYNTAXES.len(), 63);
    }

    #[test]
    fn jpip_and_video_over_ip_carry_no_pixels() {
        let elsewhere = TRANSFER_SYNTAXES.iter().filter(|syntax| syntax.pixels_elsewhere());
        assert_eq!(elsewhere.count(), 7);
        assert!(of("1.2.840.10008.1.2.4.94").unwrap().pixels_elsewhere());
        assert_eq!(encoding_of("1.2.840.10008.1.2.4.205"), Some(Encoding::DeflatedLittle));
    }

    #[test]
    fn uncompressed_syntaxes_are_native_and_only_they() {
        let native: Vec<_> =
            TRANSFER_SYNTAXES.iter().filter(|s| s.native()).map(|s| s.keyword).collect();
        assert_eq!(native.len(), 5);
        assert!(encapsulated("1.2.840.10008.1.2.1.98"));
        assert!(encapsulated("1.2.840.10008.1.2.8.1"));
        assert_eq!(encoding_of("1.2.840.10008.1.2.6.2"), None);
        assert_eq!(encoding_of("1.2.3"), None);
    }
}
