//! What several targets start from: a request with every item, its answer, small data sets.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use kuva_core::pdu::{
    AeTitle, AssociateAc, AssociateRq, CommonExtended, ContextResult, PresentationContextAnswered,
    PresentationContextProposed, RoleSelection, SopClassExtended, UserIdentity, UserInformation,
};

/// CT Image Storage.
pub const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
/// Verification.
pub const VERIFICATION: &str = "1.2.840.10008.1.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// A request with every item of PS3.8 and PS3.7 Annex D.
pub fn request() -> AssociateRq {
    let title = |name| AeTitle::new(name).unwrap_or(AeTitle::from_raw([b'?'; 16]));
    let contexts = vec![
        PresentationContextProposed::new(1, VERIFICATION, vec![IMPLICIT.into()]),
        PresentationContextProposed::new(3, CT, vec![EXPLICIT.into(), IMPLICIT.into()]),
        PresentationContextProposed::new(255, "1.2.3.4", vec![EXPLICIT.into()]),
    ];
    AssociateRq::new(title("KUVA"), title("SENDER"), contexts, information())
}

fn information() -> UserInformation {
    let (kind, response_requested) = (2, true);
    let (primary, secondary) = (b"user".to_vec(), b"secret".to_vec());
    UserInformation {
        maximum_length: 16_384,
        implementation_class_uid: Some("1.2.246".into()),
        implementation_version_name: Some("FUZZ_1".to_owned()),
        asynchronous_operations: Some((4, 4)),
        roles: vec![RoleSelection { sop_class: CT.into(), scu: true, scp: true }],
        extended: vec![SopClassExtended { sop_class: CT.into(), information: vec![2, 0, 3] }],
        common_extended: vec![CommonExtended {
            sop_class: CT.into(),
            service_class: "1.2.840.10008.4.2".into(),
            related: vec!["1.2.3".into(), "1.2.4".into()],
        }],
        user_identity: Some(UserIdentity { kind, response_requested, primary, secondary }),
        user_identity_answer: None,
    }
}

/// Its answer: every context accepted but the last.
pub fn answer(rq: &AssociateRq) -> AssociateAc {
    let contexts = rq.contexts.iter().map(|context| match context.id {
        255 => PresentationContextAnswered::refused(255, ContextResult::AbstractSyntaxNotSupported),
        id => PresentationContextAnswered::accepted(id, context.transfer_syntaxes[0].clone()),
    });
    let information = UserInformation {
        roles: rq.user_information.roles.clone(),
        user_identity_answer: Some(b"ticket".to_vec()),
        ..UserInformation::default()
    };
    AssociateAc::answering(rq, contexts.collect(), information)
}

/// Deflates as PS3.5 A.5 demands, pad byte included.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = deflate_section(bytes);
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out
}

/// One raw deflate stream.
pub fn deflate_section(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.unwrap_or_default() // writing to a vector cannot fail
}

/// How an element stands in a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Implicit VR, little endian.
    Implicit,
    /// Explicit VR, little endian.
    Explicit,
    /// Explicit VR, big endian.
    Big,
}

impl Form {
    fn word(self, value: u16) -> [u8; 2] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn long(self, value: u32) -> [u8; 4] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// Tag, VR and length.
    pub fn header(self, tag: u32, vr: &[u8; 2], length: u32) -> Vec<u8> {
        let mut out = [self.word((tag >> 16) as u16), self.word(tag as u16)].concat();
        let item = tag >> 16 == 0xFFFE;
        if self != Self::Implicit && !item {
            out.extend(vr);
            if !matches!(vr, b"OB" | b"OW" | b"SQ" | b"UN" | b"UT") {
                out.extend(self.word(length as u16));
                return out;
            }
            out.extend([0, 0]);
        }
        out.extend(self.long(length));
        out
    }

    fn element(self, tag: u32, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
        [self.header(tag, vr, value.len() as u32), value.to_vec()].concat()
    }

    fn us(self, tag: u32, value: u16) -> Vec<u8> {
        self.element(tag, b"US", &self.word(value))
    }
}

const UNDEFINED: u32 = u32::MAX;
const ITEM: u32 = 0xFFFE_E000;
const PIXEL_DATA: u32 = 0x7FE0_0010;

/// A small image: sequences of defined and of undefined length, a private block, text, pixels.
pub fn data_set(form: Form, encapsulated: bool) -> Vec<u8> {
    let uid = form.element(0x0008_1155, b"UI", b"1.2.3\0");
    let item = [form.header(ITEM, b"  ", uid.len() as u32), uid.clone()].concat();
    let open = [form.header(ITEM, b"  ", UNDEFINED), uid].concat();
    let closed = [form.header(0xFFFE_E00D, b"  ", 0), form.header(0xFFFE_E0DD, b"  ", 0)].concat();
    let parts = [
        form.element(0x0008_0005, b"CS", b"ISO_IR 192"),
        form.element(0x0008_0016, b"UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        form.element(0x0008_0018, b"UI", b"1.2.826.0.1.3680043.1\0"),
        form.element(0x0008_1140, b"SQ", &item),
        form.header(0x0008_2112, b"SQ", UNDEFINED),
        open,
        closed,
        form.element(0x0009_0010, b"LO", b"PRIVATE "),
        form.element(0x0009_1001, b"UN", &[1, 2, 3, 4]),
        form.element(0x0010_0010, b"PN", "Virtanen^Äijö ".as_bytes()),
        form.element(0x0010_0020, b"LO", b"P1"),
        form.element(0x0020_000D, b"UI", b"1.2.826.2\0"),
        form.us(0x0028_0010, 2),
        form.us(0x0028_0011, 3),
        pixels(form, encapsulated),
    ];
    parts.concat()
}

fn pixels(form: Form, encapsulated: bool) -> Vec<u8> {
    if !encapsulated {
        return form.element(PIXEL_DATA, b"OW", &[1, 2, 3, 4, 5, 6]);
    }
    let fragment = |bytes: &[u8]| [form.header(ITEM, b"  ", bytes.len() as u32), bytes.to_vec()];
    let header = form.header(PIXEL_DATA, b"OB", UNDEFINED);
    let (table, pixels) = (fragment(&[0, 0, 0, 0]), fragment(&[0xFF, 0xD8, 0xFF, 0xD9]));
    [header, table.concat(), pixels.concat(), form.header(0xFFFE_E0DD, b"  ", 0)].concat()
}
