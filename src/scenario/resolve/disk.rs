//! The disks of a machine, from their keys.

use crate::scenario::model::Disk;
use crate::scenario::problem::Problems;
use crate::scenario::source::Place;
use crate::scenario::units::Size;
use crate::scenario::written::{DiskKeys, Placed};

/// The disks that `written` states.
pub fn disks(written: &[Placed<DiskKeys>], problems: &mut Problems) -> Vec<Disk> {
    if let Some(first_too_many) = written.get(vmm::MOST_DISKS) {
        let message = format!("a machine has {} disks at most", vmm::MOST_DISKS);
        problems.add(first_too_many.place, message);
    }
    written.iter().filter_map(|keys| disk(keys, problems)).collect()
}

fn disk(written: &Placed<DiskKeys>, problems: &mut Problems) -> Option<Disk> {
    let keys = &written.value;
    let readonly = keys.readonly.0.unwrap_or_default();
    match (&keys.from.0, &keys.size.0) {
        (Some(from), None) => Some(Disk::Image { from: from.into(), readonly }),
        (None, Some(size)) => {
            if readonly {
                problems.add(written.place, "a blank disk that is `readonly` holds nothing");
            }
            let size = whole_sectors(size.read(problems)?, size.place(), problems);
            Some(Disk::Blank { size })
        }
        _ => {
            problems.add(written.place, "what is on the disk: either `from` or `size`");
            None
        }
    }
}

fn whole_sectors(size: Size, place: Place, problems: &mut Problems) -> Size {
    if size.0 == 0 || !size.0.is_multiple_of(vmm::SECTOR) {
        let message = format!("a disk has sectors of {} bytes, and one at least", vmm::SECTOR);
        problems.add(place, format!("{message}; {size} are none"));
    }
    size
}
