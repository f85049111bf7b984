//! Saved machines that are not whole, not sound, or of another machine are refused with the reason.

use std::fs::File;
use std::os::unix::fs::FileExt;

use vmm::Machine;

use crate::elf;
use crate::guest::{Guest, Template};
use crate::programs;

fn template() -> Option<Template> {
    let guest = Guest::boot(programs::count(), &[0; 8])?;
    Some(guest.save())
}

fn bytes_of(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn with_state(template: &mut Template, bytes: &[u8]) -> String {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(bytes, 0).unwrap();
    template.saved.state = file;
    template.refusal()
}

#[test]
fn a_state_that_was_cut_off_anywhere_is_refused() {
    let Some(mut template) = template() else { return };
    let whole = bytes_of(&template.saved.state);
    for length in (0..32).chain((32..whole.len()).step_by(997)) {
        let words = with_state(&mut template, &whole[..length]);
        assert!(words.contains("not whole"), "{length}: {words}");
    }
    let longer = [&whole[..], b" "].concat();
    assert!(with_state(&mut template, &longer).contains("not whole"));
}

#[test]
fn a_state_with_any_byte_changed_is_refused() {
    let Some(mut template) = template() else { return };
    let whole = bytes_of(&template.saved.state);
    for (at, words) in [(3, "not the state"), (9, "format"), (13, "damaged"), (20, "not whole")] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let refusal = with_state(&mut template, &bytes);
        assert!(refusal.contains(words), "{at}: {refusal}");
    }
    for at in (24..whole.len()).step_by(1009) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        assert!(with_state(&mut template, &bytes).contains("damaged"), "{at}");
    }
}

#[test]
fn a_machine_of_another_size_is_refused() {
    let Some(mut template) = template() else { return };
    template.config.memory *= 2;
    let words = template.refusal();
    assert!(words.contains("67108864 bytes of RAM, not 134217728"), "{words}");
    template.config.memory /= 2;
    template.config.cpus = 1;
    let words = template.refusal();
    assert!(words.contains("2 processors, not 1"), "{words}");
}

#[test]
fn ram_that_was_cut_is_refused() {
    let Some(mut template) = template() else { return };
    assert!(template.saved.memory.set_len(4096).is_err(), "nobody can cut what is in use");
    let cut = tempfile::tempfile().unwrap();
    cut.set_len(4096).unwrap();
    template.saved.memory = cut;
    let words = template.refusal();
    assert!(words.contains("4096 bytes, not the 67108864"), "{words}");
}

#[test]
fn a_machine_with_another_kernel_is_refused_by_its_build_id() {
    let image = |id: &[u8]| elf::with_build_id(programs::count(), &[0; 8], id);
    let Some(guest) = Guest::boot_image(&image(&[0xaa, 1])) else { return };
    let mut template = guest.save();
    drop(template.fork_paused());
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(other.path(), image(&[0xbb, 2])).unwrap();
    template.config.kernel = other.path().into();
    let words = template.refusal();
    assert!(words.contains("build ID aa01, and bb02"), "{words}");
}

#[test]
fn only_a_copy_that_was_made_for_it_and_is_paused_is_put_back() {
    let Some(template) = template() else { return };
    let words = template.fork_paused().machine.reset().unwrap_err().to_string();
    assert!(words.contains("was not made for that"), "{words}");
    let mut guest = template.fork_to_reset();
    guest.machine.resume().unwrap();
    let words = guest.machine.reset().unwrap_err().to_string();
    assert!(words.contains("not paused"), "{words}");
}
