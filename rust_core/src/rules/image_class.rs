//! The SOP classes whose instances are never without pixels.
//!
//! Those of PS3.4 Table B.5-1 whose IOD (PS3.3 annex A) has the Image Pixel Module (C.7.6.3), or one
//! of it and its floating point siblings (C.7.6.24, C.7.6.25), as mandatory. Pixel Data itself is
//! conditional there on Pixel Data Provider URL, whose transfer syntaxes are not accepted. Not here:
//! what has pixels only at times (RT Dose), spectroscopy, presentation states, retired and private
//! classes, and a few young ones of which it was not certain.

const ROOT: &str = "1.2.840.10008.5.1.4.1.1.";

/// What follows the root, in the order of the table.
#[rustfmt::skip]
const IMAGES: [&str; 64] = [
    // Projection X-ray, CT, ultrasound, MR.
    "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1",
    "2", "2.1", "2.2", "2.3", "2.4", "2.5",
    "3.1", "6.1", "6.2", "6.3",
    "4", "4.1", "4.3", "4.4",
    // Secondary capture, angiography, tomosynthesis, intravascular OCT.
    "7", "7.1", "7.2", "7.3", "7.4",
    "12.1", "12.1.1", "12.2", "12.2.1", "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5",
    "14.1", "14.2",
    // Nuclear medicine, PET, parametric maps, segmentations of pixels.
    "20", "128", "128.1", "130", "30", "66.4", "66.7",
    // Visible light, microscopy, ophthalmology.
    "77.1.1", "77.1.1.1", "77.1.2", "77.1.2.1", "77.1.3", "77.1.4", "77.1.4.1",
    "77.1.5.1", "77.1.5.2", "77.1.5.4", "77.1.5.5", "77.1.5.6", "77.1.5.7",
    "77.1.6", "77.1.7", "77.1.8", "77.1.9", "81.1", "82.1",
    // Radiotherapy.
    "481.1",
];

/// Whether every instance of this SOP class has pixels.
pub fn requires_pixels(sop_class: &str) -> bool {
    sop_class.strip_prefix(ROOT).is_some_and(|rest| IMAGES.contains(&rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_pixels_and_other_classes_may_lack_them() {
        for rest in ["2", "7.4", "77.1.6", "481.1"] {
            assert!(requires_pixels(&format!("{ROOT}{rest}")), "{rest}");
        }
        for rest in ["", "4.2", "9.1.1", "11.1", "66", "88.11", "104.1", "481.2", "481.3", "22"] {
            assert!(!requires_pixels(&format!("{ROOT}{rest}")), "{rest}");
        }
        assert!(!requires_pixels("2"));
    }

    #[test]
    fn no_class_is_there_twice() {
        assert!(IMAGES.iter().enumerate().all(|(n, one)| !IMAGES[..n].contains(one)));
    }
}
