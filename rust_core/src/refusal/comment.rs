//! Error Comment (0000,0902): an LO of at most 64 characters of the default repertoire.

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

use crate::limits::ERROR_COMMENT_LENGTH_MAX;

/// Longest text of an entry: it fits behind `(gggg,eeee): ` without being cut.
pub const TEXT_LENGTH_MAX: usize = ERROR_COMMENT_LENGTH_MAX - 13;

/// `(gggg,eeee)`, as PS3.5 writes a tag.
pub fn tag_text(tag: u32) -> String {
    format!("({:04X},{:04X})", tag >> 16, tag & 0xFFFF)
}

/// Keyword of a standard attribute (PS3.6); None for private, repeating and unknown ones.
pub fn keyword(tag: u32) -> Option<&'static str> {
    let entry = StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16))?;
    let alias = entry.alias();
    // An entry of a range of tags (group lengths, curves) names none of them.
    let own = entry.tag() == Tag((tag >> 16) as u16, tag as u16);
    (own && !alias.is_empty()).then_some(alias)
}

/// The comment, with as much of where it is as there is room for: keyword, tag and byte; else
/// without the keyword, which the tag stands for; else without the byte.
pub fn render(text: &str, tag: Option<u32>, byte: Option<u64>) -> String {
    let at = byte.map(|byte| format!(" at byte {byte}")).unwrap_or_default();
    let Some(tag) = tag else {
        return first_that_fits([format!("{text}{at}"), text.to_owned()], text);
    };
    let (short, long) = (tag_text(tag), keyword(tag).map(|k| format!("{k} {}", tag_text(tag))));
    let long = long.as_deref().unwrap_or(&short);
    let forms = [
        format!("{long}: {text}{at}"),
        format!("{short}: {text}{at}"),
        format!("{long}: {text}"),
        format!("{short}: {text}"),
    ];
    first_that_fits(forms, text)
}

fn first_that_fits<const N: usize>(forms: [String; N], text: &str) -> String {
    let fitting = forms.into_iter().find(|form| form.len() <= ERROR_COMMENT_LENGTH_MAX);
    fit(&fitting.unwrap_or_else(|| text.to_owned()))
}

/// Any words, as an Error Comment can carry them: printable characters of the default repertoire
/// but the backslash, cut behind a whole word where the words do not fit.
pub fn fit(words: &str) -> String {
    let lawful = |c: &char| (c.is_ascii_graphic() && *c != '\\') || *c == ' ';
    let words: String = words.chars().filter(lawful).collect();
    if words.len() <= ERROR_COMMENT_LENGTH_MAX {
        return words;
    }
    let room = &words[..=ERROR_COMMENT_LENGTH_MAX - 3];
    let end = room.rfind(' ').unwrap_or(ERROR_COMMENT_LENGTH_MAX - 3);
    format!("{}...", words[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attribute_is_named_by_keyword_and_tag() {
        assert_eq!(
            render("missing or empty", Some(0x0010_0020), None),
            "PatientID (0010,0020): missing or empty"
        );
        assert_eq!(
            render("missing or empty", Some(0x0009_1001), None),
            "(0009,1001): missing or empty"
        );
        assert_eq!(
            render("data set truncated", Some(0x7FE0_0010), Some(524_288)),
            "PixelData (7FE0,0010): data set truncated at byte 524288"
        );
        assert_eq!(render("data set has no elements", None, None), "data set has no elements");
    }

    #[test]
    fn what_does_not_fit_goes_keyword_first_then_byte() {
        let long = "length exceeds enclosing item or sequence";
        assert_eq!(
            render(long, Some(0x0040_A730), Some(7)),
            format!("(0040,A730): {long} at byte 7")
        );
        let comment = render(long, Some(0x0040_A730), Some(8 << 30));
        assert_eq!(comment, format!("(0040,A730): {long}"), "and no keyword fits either");
        assert_eq!(comment.len(), 54);
    }

    #[test]
    fn words_are_cut_behind_a_whole_one_and_hold_no_backslash() {
        let words = "word ".repeat(30);
        assert_eq!(fit(&words), format!("{}...", "word ".repeat(12).trim_end()));
        assert_eq!(fit(&"x".repeat(100)), format!("{}...", "x".repeat(61)));
        assert_eq!(fit("a\\b\tcä\u{1b}d"), "abcd");
        assert_eq!(fit(&"y".repeat(64)), "y".repeat(64));
    }
}
