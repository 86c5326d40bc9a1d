//! Volumes: the same plan gives the same bytes, what was written is read back, and every other byte
//! is noticed, by verification and by the scan of the volume alone.
#![allow(clippy::unwrap_used)]

#[path = "../journal_support/mod.rs"]
mod journal_support;
mod made;
mod sample;

use std::io::Read;

use kuva_core::index::{decode, locator_hash};
use kuva_core::instance::{ReceiveId, Verdict};
use kuva_core::volume::*;
use made::*;
use proptest::prelude::*;

/// One short series, and one whose number comes before it.
fn small() -> Vec<Recipe> {
    vec![recipe(4, 2, 1, 300), recipe(4, 1, 2, 300), recipe(2, 9, 3, 7)]
}

/// The TAR file's, with the digest of each data set in its place.
fn digest_of(tar: &[u8], assembled: &Assembled) -> [u8; 32] {
    let (mut bytes, mut at) = (Vec::new(), 0);
    for entry in decode(&assembled.contents.block).unwrap().entries {
        let end = (entry.offset + entry.length) as usize;
        let (before, data_set) = tar[at..end].split_at(entry.offset as usize - at);
        bytes.extend_from_slice(before);
        bytes.extend_from_slice(blake3::hash(data_set).as_bytes());
        at = end;
    }
    bytes.extend_from_slice(&tar[at..]);
    *blake3::hash(&bytes).as_bytes()
}

#[test]
fn the_same_plan_gives_the_same_bytes_in_any_order_and_after_a_restart() {
    let recipes = [small(), vec![recipe(9, 1, 4, 300_000), recipe(9, 2, 5, 2_300_000)]].concat();
    let (medium, journal, mut ids) = journal_of(&recipes);
    let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
    assert_eq!(tar.len() as u64, assembled.contents.length);
    assert_eq!(assembled.digest, digest_of(&tar, &assembled));
    ids.reverse();
    assert_eq!(assemble(&journal, plan(&ids)).unwrap().0, tar);
    journal.shutdown();
    drop(journal);
    let (journal, _) = journal_support::open(&medium, 2).unwrap();
    assert_eq!(assemble(&journal, plan(&ids)).unwrap().0, tar);
}

#[test]
fn a_volume_is_in_the_order_of_series_and_instance_numbers() {
    let (_, journal, ids) = journal_of(&small());
    let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
    let seeds: Vec<&str> =
        assembled.contents.instances.iter().map(|one| &*one.meta.sop_instance).collect();
    assert_eq!(seeds, [3, 2, 1].map(sop_instance));
    let paths: Vec<String> =
        assembled.contents.instances.iter().map(|one| one.ordinal.path()).collect();
    assert_eq!(paths, ["data/0001/000001.dcm", "data/0002/000002.dcm", "data/0002/000003.dcm"]);
    let block = decode(&assembled.contents.block).unwrap();
    for (entry, seed) in block.entries.iter().zip([3, 2, 1]) {
        let recipe = small()[seed - 1];
        let data_set = data_set(&recipe);
        assert_eq!(&tar[entry.offset as usize..][..data_set.len()], data_set);
        assert_eq!(&tar[..26], VOLUME.as_bytes());
    }
}

#[test]
fn the_scan_of_the_volume_alone_finds_all_that_was_assembled() {
    let recipes = [small(), vec![recipe(9, 1, 4, 2_300_000)]].concat();
    let (_, journal, ids) = journal_of(&recipes);
    let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
    verify(&assembled, &tar).unwrap();
    let found = scan(&tar).unwrap();
    assert_eq!(found.contents.description, description());
    assert_eq!(found.contents.instances, assembled.contents.instances);
    assert_eq!(found.contents.block, assembled.contents.block);
    assert_eq!((found.digest, found.contents.length), (assembled.digest, tar.len() as u64));
    let hashes = [3, 2, 1, 4].map(|seed| locator_hash(&KEY, &sop_instance(seed)));
    assert_eq!(found.locator_hashes, hashes);
    let first = particulars(&recipes[0], &data_set(&recipes[0]));
    assert_eq!(found.captured, first.captured, "of the instance received first");
}

#[test]
fn however_the_bytes_are_cut_the_same_is_found() {
    let (_, journal, ids) = journal_of(&small());
    let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
    for piece in [1, 7, 511, 512, 513, 5_000] {
        let mut scan = VolumeScan::new(KEY);
        let mut verification = Verification::new(&assembled);
        for bytes in tar.chunks(piece) {
            scan.feed(bytes).unwrap();
            verification.feed(bytes).unwrap();
        }
        verification.finish().unwrap();
        assert_eq!(scan.finish().unwrap().contents.block, assembled.contents.block);
    }
}

#[test]
fn every_changed_byte_is_noticed_by_both() {
    let (_, journal, ids) = journal_of(&small());
    let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
    let mut changed = tar.clone();
    for at in 0..tar.len() {
        changed[at] ^= 1 << (at % 8);
        assert!(verify(&assembled, &changed).is_err(), "byte {at}");
        assert!(scan(&changed).is_err(), "byte {at}");
        changed[at] = tar[at];
    }
    verify(&assembled, &changed).unwrap();
}

#[test]
fn every_cut_and_every_addition_is_noticed_by_both() {
    let (_, journal, ids) = journal_of(&small());
    let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
    for at in (0..tar.len()).step_by(512).chain([1, 100, tar.len() - 1]) {
        assert!(verify(&assembled, &tar[..at]).is_err(), "cut at {at}");
        assert!(scan(&tar[..at]).is_err(), "cut at {at}");
        let mut without = tar.clone();
        without.drain(at..(at + 512).min(tar.len()));
        assert!(verify(&assembled, &without).is_err() && scan(&without).is_err(), "{at}");
    }
    for more in [&[0][..], &[0; 512], &[1; 10_240]] {
        let longer = [&tar, more].concat();
        assert!(verify(&assembled, &longer).is_err() && scan(&longer).is_err());
    }
    let twice = [&tar[..], &tar].concat();
    assert!(verify(&assembled, &twice).is_err() && scan(&twice).is_err());
}

#[test]
fn swapped_instances_are_noticed_by_both_and_another_volume_by_verification() {
    let (_, journal, ids) = journal_of(&small());
    let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
    let block = decode(&assembled.contents.block).unwrap();
    let [_, a, b] = [0, 1, 2].map(|index: usize| block.entries[index].offset as usize);
    let length = block.entries[1].length as usize;
    assert_eq!(block.entries[2].length as usize, length);
    // Files whole, with their meta groups, and the data sets alone.
    for start in [0, 400] {
        let mut swapped = tar.clone();
        swapped[a - start..a + length].copy_from_slice(&tar[b - start..b + length]);
        swapped[b - start..b + length].copy_from_slice(&tar[a - start..a + length]);
        assert!(verify(&assembled, &swapped).unwrap_err().what.contains("closing record"));
        assert!(scan(&swapped).is_err());
    }
    // A sound volume in the place of another.
    let (other, _) = assemble(&journal, plan(&ids[..2])).unwrap();
    scan(&other).unwrap();
    assert!(verify(&assembled, &other).is_err());
    let mut description = description();
    description.planned_at += 1;
    let (other, _) = assemble(&journal, Plan { description, instances: ids }).unwrap();
    assert!(scan(&other).is_ok() && verify(&assembled, &other).is_err());
}

#[test]
fn quarantined_instances_go_into_volumes_of_their_own() {
    let held = Recipe { verdict: Verdict::Quarantined, ..recipe(4, 2, 7, 300) };
    let (_, journal, ids) = journal_of(&[recipe(4, 1, 6, 300), held]);
    let quarantined = Description { quarantined: true, ..description() };
    let plan_of = |description: &Description, instances: &[ReceiveId]| Plan {
        description: description.clone(),
        instances: instances.to_vec(),
    };
    let (tar, assembled) = assemble(&journal, plan_of(&quarantined, &ids[1..])).unwrap();
    verify(&assembled, &tar).unwrap();
    let found = scan(&tar).unwrap();
    assert!(found.contents.description.quarantined && found.locator_hashes.is_empty());
    assert!(decode(&found.contents.block).unwrap().volume.unwrap().quarantined);
    assert_eq!(found.contents.instances[0].conflicts_with, Some(ids[0]));
    for wrong in [plan_of(&quarantined, &ids), plan_of(&description(), &ids)] {
        assert!(matches!(assemble(&journal, wrong), Err(AssemblyError::Plan(_))));
    }
}

#[test]
fn a_plan_that_makes_no_volume_is_refused_and_names_what_is_absent() {
    let (_, journal, ids) = journal_of(&small());
    let refused = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan(&ids);
        change(&mut plan);
        assemble(&journal, plan).err().unwrap()
    };
    let plans: [&dyn Fn(&mut Plan); 7] = [
        &|plan| plan.instances.clear(),
        &|plan| plan.instances.push(ids[0]),
        &|plan| plan.description.volume = "../../etc".into(),
        &|plan| plan.description.study = "1.2.3".into(),
        &|plan| plan.description.vault.0[0] ^= 1,
        &|plan| plan.description.planned_at = -1,
        &|plan| plan.description.supersedes.push("x".into()),
    ];
    for change in plans {
        assert!(matches!(refused(change), AssemblyError::Plan(_)));
    }
    let mut stranger = ids[0];
    stranger.position = 99;
    assert_eq!(refused(&|plan| plan.instances.push(stranger)), AssemblyError::Absent(stranger));
    stranger.node.0[0] ^= 1;
    assert_eq!(refused(&|plan| plan.instances.push(stranger)), AssemblyError::Absent(stranger));
}

#[test]
fn rot_in_the_journal_ends_the_assembly_and_names_the_instance() {
    for (pixels, seed) in [(300, 2_u64), (300_000, 2)] {
        let recipes = [recipe(1, 1, 1, 300), recipe(1, 2, seed, pixels), recipe(1, 3, 3, 300)];
        let (medium, journal, ids) = journal_of(&recipes);
        let needle = &data_set(&recipes[1])[200..240];
        let (segment, at) = find(&medium, needle);
        medium.flip(segment, at, 1);
        let error = assemble(&journal, plan(&ids)).err().unwrap();
        match error {
            AssemblyError::Journal(id, _) => assert_eq!(id, ids[1], "{pixels}"),
            other => panic!("{other}"),
        }
        // Without it the rest makes a volume.
        assert!(assemble(&journal, plan(&[ids[0], ids[2]])).is_ok());
    }
}

fn find(medium: &kuva_core::journal::MemoryMedium, needle: &[u8]) -> (u32, usize) {
    let place = |segment| {
        let contents = medium.contents(segment);
        contents.windows(needle.len()).position(|window| window == needle).map(|at| (segment, at))
    };
    (1..8).find_map(place).unwrap()
}

#[test]
fn a_digest_that_was_never_right_is_noticed_though_every_record_is_whole() {
    for pixels in [300, 300_000, 2_300_000] {
        let (_, journal, _) = journal_of(&[]);
        let recipe = recipe(1, 1, 1, pixels);
        let data_set = data_set(&recipe);
        let mut wrong = particulars(&recipe, &data_set);
        wrong.content.digest[31] ^= 1;
        let id =
            journal_support::send(&journal, wrong, &data_set).unwrap().recv().unwrap().unwrap();
        let error = assemble(&journal, plan(&[id])).err().unwrap();
        assert!(
            matches!(error, AssemblyError::Changed(found) | AssemblyError::Journal(found, _) if found == id)
        );
    }
}

#[test]
fn data_sets_are_read_out_of_the_volume_by_its_index_block() {
    let recipes = [recipe(1, 1, 1, 300), recipe(1, 2, 2, 2_300_000), recipe(1, 3, 3, 1_100_000)];
    let (_, journal, ids) = journal_of(&recipes);
    let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
    let block = decode(&assembled.contents.block).unwrap();
    for ((entry, ranges_offset), recipe) in
        block.entries.iter().zip(block.ranges_offsets()).zip(&recipes)
    {
        let (offset, length, digest) = (entry.offset, entry.length, entry.digest);
        assert_eq!(ranges_offset.is_some(), length > 1 << 20);
        let place = StoredPlace { offset, length, digest, ranges_offset };
        let stored = tar.clone();
        let read = move |at: u64, length: usize| Ok(stored[at as usize..][..length].to_vec());
        let mut out = Vec::new();
        StoredReader::new(place, Box::new(read)).read_to_end(&mut out).unwrap();
        assert_eq!(out, data_set(recipe));
    }
}

fn recipes() -> impl Strategy<Value = Vec<Recipe>> {
    let one = (1..4_u32, any::<bool>(), -3..9_i32, any::<bool>(), 0..3_u8).prop_flat_map(
        |(series, numbered, number, has_number, size)| {
            let pixels = [1..800_usize, 100_000..200_000, 1_000_000..1_200_000];
            let recipe = move |pixels| Recipe {
                series,
                series_number: numbered.then_some(7 - series as i32),
                number: has_number.then_some(number),
                seed: 0,
                pixels,
                plain: false,
                verdict: Verdict::Kept,
            };
            pixels[usize::from(size)].clone().prop_map(recipe)
        },
    );
    prop::collection::vec(one, 1..8).prop_map(|mut recipes| {
        recipes.iter_mut().zip(1..).for_each(|(recipe, seed)| recipe.seed = seed);
        recipes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_assembled_is_verified_and_found_again(recipes in recipes(), at: prop::sample::Index) {
        let (_, journal, mut ids) = journal_of(&recipes);
        let (tar, assembled) = assemble(&journal, plan(&ids)).unwrap();
        prop_assert_eq!(verify(&assembled, &tar), Ok(()));
        let found = scan(&tar).unwrap();
        prop_assert_eq!(&found.contents.instances, &assembled.contents.instances);
        prop_assert_eq!(&found.contents.block, &assembled.contents.block);
        let rotation = at.index(ids.len());
        ids.rotate_left(rotation);
        prop_assert_eq!(&assemble(&journal, plan(&ids)).unwrap().0, &tar);
        let mut changed = tar;
        let at = at.index(changed.len());
        changed[at] ^= 0x20;
        prop_assert!(verify(&assembled, &changed).is_err() && scan(&changed).is_err());
    }
}
