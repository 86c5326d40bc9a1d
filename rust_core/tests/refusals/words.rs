//! What the catalogue says: unique, whole, and of a length and repertoire that a peer can take.

use std::collections::BTreeSet;

use kuva_core::refusal::comment::{TEXT_LENGTH_MAX, fit, keyword, render, tag_text};
use kuva_core::refusal::{Answer, Family, Refusal, catalogue};
use proptest::prelude::*;

fn lawful(comment: &str) -> bool {
    let repertoire = |byte: u8| (0x20..0x7F).contains(&byte) && byte != b'\\';
    comment.len() <= 64 && comment.bytes().all(repertoire)
}

/// Every attribute of PS3.6 that has a tag of its own, by looking at all that may be one.
fn standard_tags() -> Vec<u32> {
    let groups = (0x08..0x100u32).chain(0x2000..0x2202).chain(0x3002..0x3010).chain(0x4000..0x4012);
    let groups = groups.chain([0x400, 0x5200, 0x5400, 0x5600, 0x7FE0]);
    let groups = groups.filter(|group| group % 2 == 0);
    let all = groups.flat_map(|group| (1..=0xFFFF).map(move |element| group << 16 | element));
    let tags: Vec<u32> = all.filter(|tag| keyword(*tag).is_some()).collect();
    assert!(tags.len() > 4000, "{}", tags.len());
    tags
}

#[test]
fn codes_are_kebab_case_and_each_entry_has_its_own() {
    let codes: BTreeSet<_> = catalogue::entries().iter().map(|entry| entry.code).collect();
    assert_eq!(codes.len(), catalogue::entries().len());
    let kebab = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    assert!(codes.iter().all(|code| code.bytes().all(kebab)));
    assert!(codes.iter().all(|code| catalogue::find(code).unwrap().code == *code));
}

#[test]
fn every_entry_says_what_it_is_and_how_to_mend_and_to_provoke_it() {
    for entry in catalogue::entries() {
        for sentence in [entry.rule, entry.mend, entry.example] {
            assert!(sentence.ends_with('.') || sentence.ends_with(")."), "{}", entry.code);
            assert!(sentence.starts_with(|c: char| c.is_ascii_uppercase()), "{}", entry.code);
        }
        assert!(entry.standard.is_empty() || entry.standard.starts_with("PS3."), "{}", entry.code);
        assert!(!entry.text.ends_with('.'), "{}", entry.code);
    }
}

#[test]
fn answers_are_those_of_their_family() {
    for entry in catalogue::entries() {
        let fits = match entry.family {
            Family::DataSet | Family::Content | Family::Storage | Family::Command => {
                matches!(entry.answer, Answer::Status(status) if status != 0)
            }
            Family::Service => matches!(entry.answer, Answer::Status(1..) | Answer::Counted),
            Family::Rejection => matches!(entry.answer, Answer::Reject(..)),
            Family::Protocol => matches!(entry.answer, Answer::Abort(..)),
            Family::Ending => matches!(entry.answer, Answer::Abort(..) | Answer::Close),
        };
        assert!(fits, "{}", entry.code);
    }
}

#[test]
fn every_comment_with_every_standard_attribute_is_lawful_and_names_it() {
    let tags = standard_tags();
    for entry in catalogue::entries().iter().filter(|e| matches!(e.answer, Answer::Status(_))) {
        assert!(entry.text.len() <= TEXT_LENGTH_MAX, "{}", entry.code);
        assert!(lawful(&Refusal::of(entry).comment()), "{}", entry.code);
        for tag in &tags {
            let comment = Refusal::at(entry, Some(*tag)).comment();
            assert!(lawful(&comment), "{comment}");
            assert!(
                comment.contains(&tag_text(*tag)) && comment.ends_with(entry.text),
                "{comment}"
            );
            let room = 64 - entry.text.len() - 14;
            let named = keyword(*tag).is_none_or(|word| comment.starts_with(word));
            assert!(named || keyword(*tag).unwrap().len() > room, "{comment}");
        }
    }
}

#[test]
fn a_truncated_data_set_says_where_whatever_its_last_element() {
    let entry = catalogue::find("data-set-truncated").unwrap();
    for tag in standard_tags() {
        let comment = Refusal::at(entry, Some(tag)).at_byte(8 << 30).comment();
        assert!(comment.ends_with("truncated at byte 8589934592") && lawful(&comment), "{comment}");
    }
}

proptest! {
    #[test]
    fn no_words_and_no_place_make_an_unlawful_comment(
        words in ".{0,200}", tag in proptest::option::of(any::<u32>()), byte: Option<u64>,
    ) {
        let comment = fit(&words);
        prop_assert!(lawful(&comment), "{:?}", comment);
        let rendered = render(&words, tag, byte);
        prop_assert!(lawful(&rendered), "{:?}", rendered);
    }
}
